"""The shipped Deployments on a node with real containers; run by `make test-node` as root."""
