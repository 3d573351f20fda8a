"""The node agent: what it decides."""
