"""Knative objects: `examples` (valid and invalid ones, a row each) and `cluster` (the controller's
reconcilers against objects in memory).
"""
