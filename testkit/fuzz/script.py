"""Byte strings as plays: most bytes are a piece of grammar or a step, so that what a fuzzer changes means
something.
"""

from collections.abc import Callable, Iterator
from typing import Any

LITERAL = 0xFE
"""The next byte is meant as it is. So is one that is no piece and no step."""
FIRST_STEP = 0xC0


class Language:
    """Pieces of bytes are numbered from 0 on, steps from 0xC0 on."""

    def __init__(self, pieces: list[bytes], steps: list[str]) -> None:
        assert len(pieces) <= FIRST_STEP
        assert len(steps) <= LITERAL - FIRST_STEP
        self.pieces = pieces
        self.steps = steps
        self._numbers: dict[bytes | str, bytes] = {piece: bytes((n,)) for n, piece in enumerate(pieces)}
        self._numbers |= {step: bytes((FIRST_STEP + n,)) for n, step in enumerate(steps)}

    def read(self, data: bytes) -> Iterator[bytes | str]:
        """What stands there: bytes and names of steps, in turn."""
        at = 0
        while at < len(data):
            code = data[at]
            at += 1
            if code < len(self.pieces):
                yield self.pieces[code]
            elif FIRST_STEP <= code < FIRST_STEP + len(self.steps):
                yield self.steps[code - FIRST_STEP]
            elif code == LITERAL:
                yield data[at : at + 1]
                at += 1
            else:
                yield bytes((code,))

    def pieces_of(self, data: bytes) -> list[bytes]:
        """The bytes alone, cut where it says "split"."""
        pieces = [b""]
        for part in self.read(data):
            if part == "split":
                pieces.append(b"")
            elif isinstance(part, bytes):
                pieces[-1] += part
        return [piece for piece in pieces if piece]

    def write(self, *parts: Any) -> bytes:
        """The opposite; bytes that are no piece are written out."""
        return b"".join(
            self._numbers[part]
            if part in self._numbers
            else b"".join(bytes((LITERAL, byte)) for byte in part)
            for part in parts
        )


MANY = 300
"""Bytes that are not fed one by one any more."""


def same_in_any_cut(outcome: Callable[..., Any], pieces: list[bytes]) -> None:
    """AssertionError unless these pieces, one piece, and single bytes come to the same `outcome(pieces)`."""
    whole = b"".join(pieces)
    first = outcome(pieces)
    assert outcome([whole]) == first, "in one piece it comes to something else"
    if len(whole) < MANY:
        single = [whole[at : at + 1] for at in range(len(whole))]
        assert outcome(single) == first, "byte by byte it comes to something else"
