"""The embedded cluster: a laptop's Kubernetes API, its Deployment controller, a kubelet for processes.

In reading order.

The API: `store` (objects, revisions, history), `api/` (from a request to its answer). What it decides by:
`schema/` (types, defaults, limits), `patch` (JSON and merge patches), `strategic`, `apply` with `managed`
and `fieldsets` (server-side apply), `tables/` (kubectl's columns), `openapi` with `openapi_types`.

The controllers: `writes` (what they want done), `owners` (whose child an object is), `backlog` (what they
know), `deployments`, `rollout` (its arithmetic), `deployment_status`, `replicasets`.

The node: `nodes` (its object), `images` (how an image is run), `capacity`, `launch` (what is started
exactly), `ports`, `listening` (who listens where), `probing`, `backoff`, `pods` (a pod's status).

`edge/` waits and connects for all of them.

Admitted here: what behaves as Kubernetes does, decided from objects and an instant. Nothing here knows
Zerogate's programs; Knative's kinds are known through their definitions, and refused by
`serving.validation` alone.
"""
