"""The controller as a program. Reading order: `queue` (keys to look at), `controller` (watch, ask, do)."""
