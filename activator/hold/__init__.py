"""Who goes where, and when: slots, the queue, the pods of one revision.

Reading order: `balance` (the pod with the fewest requests in flight), `pacing` (how fast a young pod gets
what waits), `throttle` (slots and the queue), `retry` (what becomes of a request whose attempt failed),
`budget` (how many of them may go again), `deadlines` (swept instead of armed),
`timing` (where a wait went, phase by phase).

Admitted here: decisions about requests that need no object of Kubernetes.
"""
