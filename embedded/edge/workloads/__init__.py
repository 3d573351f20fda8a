"""The controllers of Deployments and ReplicaSets; `controllers.run` is the way in.

In reading order:

`queue`: each key once at a time, again after a refusal.
`writer`: writes carried out and remembered.
`controllers`: from the watches to the decisions.

Admitted here: what feeds `embedded.workloads` and carries out what it wants; it reaches the API as any
client does.
"""
