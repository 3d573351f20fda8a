"""The embedded Kubernetes API, its controllers and its node agent."""
