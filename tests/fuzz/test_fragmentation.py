"""However a valid exchange is cut into pieces, on either side, each end gets what the other one sent."""

import itertools
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from testkit.fuzz.reading import Message, Requests, read_answers
from testkit.fuzz.stage import Stage
from testkit.loop.fake_transport import Paper
from testkit.proxy.harness import HOST

OURS = (b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"forwarded", b"host")
FRAMING = (b"content-length", b"transfer-encoding", b"expect")


@dataclass(frozen=True)
class Sent:
    """A message: its start, its own header lines, its content, and the sizes of its chunks (None: a length,
    or nothing where there is no content). `ending`: what stands behind the last chunk's size.
    """

    start: bytes
    lines: tuple[bytes, ...]
    content: bytes
    chunks: tuple[int, ...] | None
    ending: bytes = b"\r\n"

    def wire(self, *more: bytes) -> bytes:
        lines = [self.start, *more, *self.lines]
        if self.chunks is None:
            if self.content or self.start.startswith(b"HTTP"):
                lines.append(b"Content-Length: %d" % len(self.content))
            return b"\r\n".join([*lines, b"", self.content])
        parts = []
        rest = self.content
        for size in [*self.chunks, len(self.content)]:
            piece, rest = rest[:size], rest[size:]
            if piece:
                parts.append(b"%x;a=b\r\n%b\r\n" % (len(piece), piece))
        body = b"".join(parts) + b"0\r\n" + self.ending
        return b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", body])


names = st.text("abcXYZ-", min_size=1, max_size=8).map(lambda text: b"X-" + text.encode())
values = st.text("abc ,;=\"'", max_size=12).map(lambda text: text.strip().encode())
lines = st.lists(st.tuples(names, values).map(b": ".join), max_size=3).map(tuple)
chunks = st.none() | st.lists(st.integers(1, 20), max_size=4).map(tuple)
endings = st.sampled_from([b"\r\n", b"X-Trailer: t\r\n\r\n"])
contents = st.binary(max_size=60)
cuts = st.lists(st.integers(1, 900), max_size=12)
paths = st.sampled_from([b"/", b"/a/b?c=d", b"/%7e/"])
requests = st.builds(
    lambda method, path, lines, content, chunks, ending: Sent(
        method + b" " + path + b" HTTP/1.1", lines, content, chunks, ending
    ),
    st.sampled_from([b"GET", b"POST", b"PUT", b"OPTIONS"]),
    paths,
    lines,
    contents,
    chunks,
    endings,
)
answers = st.builds(
    Sent, st.sampled_from([b"HTTP/1.1 200 OK", b"HTTP/1.1 404 Not"]), lines, contents, chunks, endings
)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """The data, cut at these places."""
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(places)]


def own(headers: list[tuple[bytes, bytes]]) -> tuple[bytes, ...]:
    """What the sender said itself, in its order."""
    return tuple(name + b": " + value for name, value in headers if name.lower() not in (*OURS, *FRAMING))


@given(st.lists(st.tuples(requests, answers, cuts), min_size=1, max_size=4), cuts, st.booleans())
def test_any_split_of_any_valid_exchange_gives_the_same_out(
    exchanges: list[tuple[Sent, Sent, list[int]]], request_cuts: list[int], is_held: bool
) -> None:
    """The pod gets every request's line, headers, content and trailers as they were sent, once and in order,
    and so does the client with the answers, held or not.
    """
    answers_left = [(answer.wire(), cuts) for _, answer, cuts in exchanges]

    def serve(wire: Paper) -> None:
        def answer(_: Message) -> None:
            data, cuts = answers_left.pop(0)
            for piece in pieces(data, cuts):
                wire.feed(piece)

        reader = Requests(on_whole=answer)
        readers.append(reader)
        wire.on_sent = reader.feed

    readers: list[Requests] = []
    stage = Stage(serve=serve, max_held_bytes=100_000)
    stage.room.max_bytes = 100_000
    try:
        if not is_held:
            stage.ready()
        client = stage.client()
        data = b"".join(request.wire(b"Host: " + HOST) for request, _, _ in exchanges)
        for piece in pieces(data, request_cuts):
            client.feed(piece)
            stage.loop.settle()
        if is_held:
            stage.ready()
        stage.loop.settle()
        got = [message for reader in readers for message in reader.whole]
        assert len(got) == len(exchanges)
        for message, (request, _, _) in zip(got, exchanges, strict=True):
            assert b"%b %b HTTP/1.1" % (message.method, message.url) == request.start
            assert message.body == request.content
            trailer = (b"X-Trailer: t",) if request.chunks is not None and len(request.ending) > 2 else ()
            assert own(message.headers) == request.lines + trailer
        told, interim, rest = read_answers(client.sent, [message.method for message in got], client.ended)
        assert (len(told), interim, rest, client.ended) == (len(exchanges), 0, b"", "")
        for at, (answer, (_, expected, _)) in enumerate(zip(told, exchanges, strict=True)):
            assert answer.is_whole
            assert (b"HTTP/1.1 %d" % answer.status, answer.body) == (expected.start[:12], expected.content)
            added = (b"Server-Timing:",) if is_held and not at else ()
            found = [line for line in answer.lines.split(b"\r\n")[:-1] if not line.startswith(added or b"\n")]
            assert (
                tuple(line for line in found if line.partition(b":")[0].lower() not in FRAMING)
                == expected.lines
            )
        stage.close()
    finally:
        stage.strike()
