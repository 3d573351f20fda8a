"""Real processes and real kubectl: `laptop` (`zerogate up`), `workers` (`up --workers`), `cluster` (the
programs one by one against a real API server), `containers` (the shipped Deployments on a real node).
"""
