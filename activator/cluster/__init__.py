"""What the cluster's objects mean to the data plane.

Reading order: `pods` (what is read off a pod), `members` (which pods serve), `rhythm` (how often a pod is
asked), `wake` (when we wake a revision ourselves).

Admitted here: what follows from pods and Deployments.
"""
