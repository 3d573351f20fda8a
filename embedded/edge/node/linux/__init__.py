"""What the node agent asks of Linux: processes, ports, files."""
