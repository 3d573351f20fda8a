"""The node agent: pods as processes, probes, logs, restarts."""
