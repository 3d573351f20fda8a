"""The node agent without an API server: `world` starts pods as processes and records their status."""
