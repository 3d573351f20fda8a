"""Frames of a WebSocket (RFC 6455 5.2), as far as a proxy must know them: where they end.

Between two frames, and only there, a close frame of ours can be put into the stream.
"""

CLOSE = 8
CLOSE_FROM_SERVER = b"\x88\x02\x03\xe9"
"""A close frame with 1001: going away."""
CLOSE_FROM_CLIENT = b"\x88\x82\x00\x00\x00\x00\x03\xe9"
"""The same with a mask, as clients must. Masks hide what an attacker chose; nobody chose this, so it is 0."""
_EXTENDED = {126: 2, 127: 8}


class Frames:
    """Follows one direction of a connection. `has_closed`: a close frame went by, whole."""

    __slots__ = ("_head", "_left", "has_closed")

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        self.has_closed = False

    def __repr__(self) -> str:
        return f"<Frames {'between' if self.is_between else f'{self._left} bytes left'}>"

    @property
    def is_between(self) -> bool:
        """Whether all frames so far are complete."""
        return not self._left and not self._head

    def feed(self, data: bytes) -> None:
        """These bytes went by."""
        at = 0
        while at < len(data):
            at = self._step(data, at)

    def rest_of_frame(self, data: bytes) -> int:
        """As `feed`, up to the end of the frame under way. Returns how many bytes that took."""
        at = 0
        while at < len(data) and not self.is_between:
            at = self._step(data, at)
        return at

    def _step(self, data: bytes, at: int) -> int:
        """Go by the next part of a frame, its head or its payload; returns where it ends."""
        if self._left:
            end = min(at + self._left, len(data))
            self._left -= end - at
        else:
            end = min(at + self._wanted(), len(data))
            self._head += data[at:end]
            if self._wanted():
                return end
            self._left = self._length()
        if not self._left:
            self.has_closed |= self._head[0] & 0x0F == CLOSE
            self._head = b""
        return end

    def _wanted(self) -> int:
        """Bytes that the head still lacks, as far as it tells."""
        head = self._head
        if len(head) < 2:
            return 2 - len(head)
        whole = 2 + _EXTENDED.get(head[1] & 0x7F, 0) + (4 if head[1] & 0x80 else 0)
        return whole - len(head)

    def _length(self) -> int:
        length = self._head[1] & 0x7F
        extended = _EXTENDED.get(length, 0)
        return int.from_bytes(self._head[2 : 2 + extended], "big") if extended else length
