"""A real Kubernetes: `control_plane` (etcd, API server, controllers as processes), `node` (kubelet and
containers), `programs` (our programs beside it), `rights` (the audit log against the Roles), `story`
(everything our programs do there), `fault_proxy` (an API server that fails), `certificates`, `readme`
(README's kubectl commands).
"""
