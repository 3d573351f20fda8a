"""How many pods each revision has: Knative's KPA, and on top what keeps requests safe.

Reading order: `messages` (the link's vocabulary; link.proto), `kpa/` (from load to a wanted number, Knative's
arithmetic), `bounds` (min, max and initial scale), `lifecycle` (the way to zero and back, a table), `scalein`
(two phases: cordon, then go), `terminating` (when a pod that is being deleted is empty), `replicas` (from a
wish to orders and a write), `revision` (all of that for one revision), `objects` (what is read off
Kubernetes' objects), `fleet` (all revisions), `collector` (each report counts once), `sight` (who is not
seen, and what must not be done then), `owners` (which activator has a revision's hard limit), `schedule`
(whose turn it is), `tokens` (which ServiceAccount tokens open the link).
Then `edge/`: `settings`, `certificate` and `doorkeeper` (who may come in), `link` (the WebSocket server),
`scale` (writes), `releasing` (ends pods that are empty), `owning` (owners are told, the dead found), `leader`
(joins them), `watches` (tells it what exists), `metrics`, `program`.

Admitted to the root: what decides about pods from what it is told. Time is an argument, seconds of the unix
clock; nothing waits, and what is left to do is returned.
"""
