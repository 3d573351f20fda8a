"""The data plane beside pods and clients made by hand.

Reading order: `harness` (Proxy, Pod, Client over real sockets), `clock` (a clock that tests move),
`malformed` and `wire_cases` (byte sequences with their expected reading), `gateway` (the proxy in a process
of its own), `crowd` and `buffered` (thousands of buffered requests), `quick_pod` (a pod that records the
order of requests), `streams` (large bodies), `fake_api` and `fake_autoscaler` (what the activator watches and
is linked to), `servers/` (real HTTP servers).
"""
