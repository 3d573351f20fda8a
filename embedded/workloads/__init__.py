"""Deployments, ReplicaSets and their pods: what the controllers decide.

In reading order:

`writes`: what a controller wants done.
`owners`: whose child an object is; adoption and release.
`backlog`: what a controller knows, its own writes ahead of the watch.
`pods`: what is read off pods; which of them are missed least.
`replicasets`: which pods are made, which go, and a ReplicaSet's status.
`templates`: pod templates and their hash.
`sizing`: how large each ReplicaSet is made next, on plain numbers.
`rollout`: a Deployment with its ReplicaSets, sorted and counted.
`deployments`: a Deployment's next step.
`deployment_status`: its counts and conditions.

Admitted here: decisions from objects and an instant that end in writes. Nothing here knows the node or the
API's inside: the three meet in the objects alone.
"""
