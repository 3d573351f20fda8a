"""What connects, waits and looks at the clock on the way to an API server."""
