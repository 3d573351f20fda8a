"""A pod that stands still in one phase of a request, and says so on stdout, until it is killed.

Usage: pausing.py PHASE; it says "listening PORT" first, and "there" when it stands still.
"""

import signal
import socket
import sys


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def read(connection: socket.socket) -> None:
    """A request with its body of known length."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"\ncontent-length:")[2].partition(b"\r")[0] or b"0")
    while len(body) < length:
        body += connection.recv(65536)


phase = sys.argv[1]
server = socket.create_server(("127.0.0.1", 0))
say(f"listening {server.getsockname()[1]}")
if phase != "before-connect":
    connection, _ = server.accept()
    if phase != "after-connect":
        read(connection)
    if phase == "mid-head":
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")
    elif phase == "mid-body":
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ")
    elif phase == "between-requests":
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst")
    say("there")
signal.pause()
