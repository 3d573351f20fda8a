"""What only the kernel knows of a socket: bytes that nobody has read, clients that nobody has accepted."""

import contextlib
import ctypes
import select
import socket
import struct

_ACCEPT_QUEUE = struct.Struct("24xI")
"""In TCP_INFO of a socket that listens, tcpi_unacked is the length of its accept queue (linux/tcp.h)."""
_INSTRUCTION = struct.Struct("HBBI")
_NO_SYN = b"".join(
    (
        _INSTRUCTION.pack(0x30, 0, 0, 13),  # load the byte of flags of the TCP header
        _INSTRUCTION.pack(0x54, 0, 0, 0x12),  # keep SYN and ACK of them
        _INSTRUCTION.pack(0x15, 0, 1, 0x02),  # SYN alone?
        _INSTRUCTION.pack(0x06, 0, 0, 0),  # drop it
        _INSTRUCTION.pack(0x06, 0, 0, 0xFFFFFFFF),  # take all others
    )
)
_SO_ATTACH_FILTER = 26


def end_unless_unread(number: int) -> bool:
    """Tell the other side that nothing more comes, now and not in the loop's next turn, unless it has sent
    something that the loop has not read. Returns whether it was told. OSError: the connection is gone.
    """
    poll = select.poll()
    poll.register(number, select.POLLIN)
    if poll.poll(0):
        return False
    borrowed = socket.socket(fileno=number)
    try:
        borrowed.shutdown(socket.SHUT_WR)
    finally:
        borrowed.detach()
    return True


KEEP_ALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 20),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)
"""A peer that vanished without FIN or reset is noticed after two minutes without traffic. Not with
TCP_USER_TIMEOUT, which would also end a peer that lives and does not read.
"""


def probe_peer(connection: socket.socket) -> None:
    """Let the kernel probe an idle connection. What a listening socket accepts inherits this from it."""
    with contextlib.suppress(OSError):  # it is no TCP socket, or its peer has left already
        for level, option, value in KEEP_ALIVE:
            connection.setsockopt(level, option, value)


def take_no_more(listener: socket.socket) -> None:
    """Let nobody begin to connect, while those that have begun can still be accepted: a socket that closes
    resets what is in its queue. Whoever comes now tries again a second later, and is refused when the socket
    is closed by then.
    """
    code = ctypes.create_string_buffer(_NO_SYN, len(_NO_SYN))
    program = struct.pack("HP", len(_NO_SYN) // _INSTRUCTION.size, ctypes.addressof(code))
    with contextlib.suppress(
        OSError
    ):  # a kernel without such filters: the queue is as short as it happens to be
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


def unaccepted(listener: socket.socket) -> int:
    """How many connections nobody has accepted yet."""
    length: int = _ACCEPT_QUEUE.unpack_from(listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32))[0]
    return length
