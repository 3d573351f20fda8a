"""The data plane: holds the first request of an idle service, finds a pod for each request, and relays it.

In reading order, first who may go where:
`load` (how busy a revision is, as the autoscaler hears it), `balance` and `pacing` (which pod, how many at
once), `throttle` (slots and the queue), `timing` (where a wait went), `revision` (all of one revision),
`routes` (from Host to revision), `hosts` (the routers, kept up to date);
then one request:
`http1` and `bodies` (heads and framing), `forwarded` (who asked), `replies` (what we answer ourselves),
`retry` (whether a failed attempt is repeated), `deadlines` (what is due when), `settings`;
then pods and the autoscaler:
`pods` (what is read off a pod), `members` (which pods serve), `rhythm` (how often a pod is asked),
`wake` (when we wake a revision ourselves), `orders` (what the autoscaler forbids), `reports` (what it hears).

Admitted here: what follows from requests, objects and orders. No waiting, no clock, no socket; those are in
`edge/`.
"""
