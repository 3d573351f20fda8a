"""Knative's API: validation, config maps, routing, and the controller's histories."""
