"""What the proxy costs beside nginx and Go's ReverseProxy, in one run: `make bench-proxy`.

In reading order:

* `names` — what those that are compared are called
* `cores` — who runs where, and what a process tree has used of a core, from /proc
* `parts` — programs that are needed, their versions, and how they are started and ended
* `peers` — nginx and the Go program before the same pods (`conf/` has what they are told)
* `gateway` — `zerogate up` with two revisions behind one host; their pods are nginx
* `wrk` — closed loop: requests that many connections got answered (`heads/` has what they send)
* `open_loop` — a fixed rate: latencies from the moment at which each request was due
* `rounds` — the peers in turn, and what each round gave
* `rows` — each figure: its load, its peers
* `quick` — the ratio of warm requests alone
* `figures` — what the rounds say, each ratio against its bar
* `published` — JSON, the picture, README's table
"""
