"""HTTP servers in Go, Node.js and Python that count requests, run as processes."""
