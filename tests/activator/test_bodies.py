"""Bodies end where they say, wherever they are cut into pieces."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activator.http.bodies import BadBody, ChunkedBody, LengthBody, UntilCloseBody, chunk, last_chunk, reader
from activator.http.http1 import CHUNKED, UNTIL_CLOSE
from testkit.proxy.malformed import REFUSED_BODIES


@pytest.mark.parametrize("step", [1, 3, 1 << 20])
@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in REFUSED_BODIES.items()])
def test_chunked_bodies_that_are_refused(data: bytes, step: int) -> None:
    """Each is refused, in one piece or many."""
    body = ChunkedBody()

    def feed() -> None:
        for at in range(0, len(data), step):
            body.feed(data[at : at + step])

    with pytest.raises(BadBody):
        feed()


def in_pieces(body: Any, data: bytes, cuts: list[int]) -> tuple[bytes, bytes]:
    """Feed a body in pieces cut at these places: its content, and what was left over."""
    content = b""
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    for start, end in zip(places, [*places[1:], len(data)], strict=True):
        if body.is_done:
            return content, data[start:]
        part, used = body.feed(data[start:end])
        content += part
        if body.is_done:
            return content, data[start + used :]
    return content, b""


contents = st.lists(st.binary(min_size=1, max_size=40), max_size=6)
cuts = st.lists(st.integers(0, 400), max_size=30)


@given(
    contents,
    st.sampled_from([b"", b";a", b";a=b;c"]),
    st.sampled_from([b"", b"X: 1\r\nY: 2\r\n"]),
    cuts,
    st.binary(max_size=9),
)
def test_chunked_content_survives_any_cut(
    parts: list[bytes], extension: bytes, trailer_lines: bytes, cuts: list[int], after: bytes
) -> None:
    """Content, trailers and what follows are the same for every way to cut the bytes."""
    data = b"".join(b"%X" % len(part) + extension + b"\r\n" + part + b"\r\n" for part in parts)
    data += b"0" + extension + b"\r\n" + trailer_lines + b"\r\n"
    body = ChunkedBody()
    assert in_pieces(body, data + after, cuts) == (b"".join(parts), after)
    assert body.is_done
    assert body.trailers == trailer_lines


@given(st.binary(max_size=50), st.integers(0, 60), cuts)
def test_length_bodies_survive_any_cut(data: bytes, length: int, cuts: list[int]) -> None:
    """Exactly so many bytes are content; the rest is not touched."""
    body = LengthBody(length)
    assert in_pieces(body, data, cuts) == (data[:length], data[length:])
    assert body.is_done == (len(data) >= length)


@given(contents, st.sampled_from([b"", b"X: 1\r\n"]))
def test_what_is_written_is_read_again(parts: list[bytes], trailer_lines: bytes) -> None:
    """Our own chunks are read back as they were meant."""
    body = ChunkedBody()
    data = b"".join(map(chunk, parts)) + last_chunk(trailer_lines)
    assert body.feed(data) == (b"".join(parts), len(data))
    assert (body.is_done, body.trailers) == (True, trailer_lines)


def test_empty_content_is_no_chunk() -> None:
    """An empty chunk would end the body."""
    assert chunk(b"") == b""


def test_readers() -> None:
    """Each kind of body has its reader."""
    assert isinstance(reader(5), LengthBody)
    assert isinstance(reader(CHUNKED), ChunkedBody)
    until_close = reader(UNTIL_CLOSE)
    assert isinstance(until_close, UntilCloseBody)
    assert until_close.feed(b"abc") == (b"abc", 3)
    assert not until_close.is_done
