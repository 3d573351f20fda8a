"""The controllers of Deployments and ReplicaSets.

In reading order: `controllers` (`run` is the way in), `queue` (each key once at a time).
"""
