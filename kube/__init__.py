"""Speaking Kubernetes.

Reading order: `objects` (fields of an object that everybody reads), `resources` (kinds and their paths),
`names`, `quantity`, `duration`, `selectors` (Kubernetes' small languages), `text` (of others, escaped),
`retry` (when to ask again), `lease` (who leads), then `edge/`: `client` (verbs), `http` (the transport to an
API server), `credentials`, `informer` (list + watch cache), `clock`, `events`, `fence` (a leader's writes),
`lease`.

Admitted here: what any Kubernetes program could use. Nothing that knows Zerogate.
"""
