"""What waits, connects, or counts for Prometheus; reading order in `autoscaler`."""
