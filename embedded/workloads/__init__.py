"""Deployments and ReplicaSets: what their controllers decide.

In reading order: `writes` (what they want done), `owners` (whose child an object is), `backlog` (what they
know), `deployments`, `sizing` (the arithmetic of a rollout), `deployment_status`, `replicasets`.
"""
