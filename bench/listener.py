"""A server that tells in each answer when it began to listen (unix seconds): what the benchmark wakes.

Environment: PORT.
"""

import os
import socket
import time

with socket.create_server(("", int(os.environ["PORT"])), backlog=128) as listener:
    listening = b"%.6f" % time.time()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (
        len(listening),
        listening,
    )
    while True:
        connection, _ = listener.accept()
        with connection:
            head = b""
            while b"\r\n\r\n" not in head and (more := connection.recv(65536)):
                head += more
            if head:
                connection.sendall(answer)
