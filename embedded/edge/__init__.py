"""Where the embedded cluster waits, connects, and starts processes.

In reading order:

`server`: the API's door for clients, HTTPS.
`lock`: its certificates and the credential.
`local`: its door within the process.
`logs`: reading and following the logs of containers.
`workloads/`: the controllers of Deployments and ReplicaSets.
`node/`: the node agent.

Admitted here: what asks `embedded` what to do, and does it.
"""
