"""The data plane: routes by Host, holds what can't be served yet, picks a pod, proxies, counts.

Reading order: `http/` (what messages are), `hold/` (slots, the queue, pods of one revision: who goes
when), `link/` (what the autoscaler hears and says), `cluster/` (what pods and Deployments mean here);
`revision` (all of one revision: target, pods, queue, load, counts), `routes` (from a Host to its
revision, one look-up a request), `hosts` (the hosts that Routes and plain Deployments claim), `settings`
(what can be set), `quiet` (a log that no flood fills).

Admitted outside `edge/`: what is pure. Time is an argument, what is left to do is returned; nothing
waits, connects, logs or looks at a clock.
"""
