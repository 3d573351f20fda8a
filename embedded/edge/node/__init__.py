"""The node agent, a kubelet for processes; `agent.run` is the way in.

In reading order:

`agent`: which pods live here, from binding to cleaning up.
`registration`: the Node object and its heartbeats.
`workshop`: what the pods of a node share.
`pod`: one pod's life.
`publisher`: what the API is told of a pod.
`container`: one container's life.
`probes`: asking containers how they are.
`kubelet`: logs for a real API server.
`hooks`: what a container wants done before it ends.
`imagetable`: the image table, live from its config map.
`sources`: config maps and secrets of environments.
`linux/`: what is asked of the machine under it.

Admitted here: what waits for pods, processes or the API on behalf of `embedded.node`; it reaches the API as
any client does, so the agent also runs beside a real cluster.
"""
