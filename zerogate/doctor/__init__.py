"""What can be wrong with a cluster, a laptop or a scale target, and what to do about it.

Reading order: `findings` (how it is said), `rights` (what each program may do, off the shipped Roles),
`cluster` (what must be so before a program begins: version, kinds, rights, no second controller), `programs`
(Leases, the gateway's replicas, config maps, our definitions), `targets` (scale targets: what slows them, who
else touches them), `check` (all of it, off one set of facts).

Admitted here: pure checks of plain objects. What gathers them is `zerogate.edge.preflight`, before a program
begins, and `zerogate.edge.doctor`, the command.
"""
