"""The embedded cluster: a laptop's Kubernetes API, its Deployment controller, a kubelet for processes.

In reading order:

`store`: objects, revisions, history.
`api/`: from a request to its answer.
`schema/`: types, defaults and limits of objects.
`json_patch`, `patch`: JSON and merge patches.
`strategic`: strategic merge patches.
`fieldsets`, `managed`, `merging`, `apply`: server-side apply.
`tables/`: kubectl's columns.
`openapi_types`, `openapi_texts`, `openapi`: the documents that tell clients of all kinds.
`queries`, `podlogs`: which part of which log is asked for.
`instead`: what is not offered for pods that are processes.
`workloads/`: what the controllers of Deployments and ReplicaSets decide.
`node/`: what the node agent decides, whose containers are processes.
`edge/`: waits and connects for all of them.

Admitted here: what behaves as Kubernetes does, decided from objects and an instant. Nothing here knows
Zerogate's programs; Knative's kinds are known through their definitions, and refused by
`serving.validation` alone.
"""
