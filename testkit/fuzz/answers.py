"""A play of a pod's answer to one request; what is true of every one. The first byte chooses its conditions,
the request among them.

The pod says on its first connection what the play says, and is honest on all others. A second request of the
same client comes when the play is over: nothing of the first answer may be taken for the second one.
"""

from typing import Any

from testkit.fuzz import stage
from testkit.fuzz.reading import Answer, Message, Requests, read_answers
from testkit.fuzz.requests import HOST_LINE
from testkit.fuzz.requests import LANGUAGE as REQUESTS
from testkit.fuzz.script import Language, same_in_any_cut
from testkit.loop.fake_transport import Paper

ASKED = [
    (b"GET", REQUESTS.pieces[0]),
    (b"HEAD", REQUESTS.pieces[4]),
    (b"POST", REQUESTS.pieces[1]),
    (b"GET", REQUESTS.pieces[5]),
    (b"GET", b"GET / HTTP/1.0\r\n" + HOST_LINE + b"Connection: keep-alive\r\n\r\n"),
    (b"GET", REQUESTS.pieces[7]),
    (b"PUT", REQUESTS.pieces[3] + b"x" * 10),
    (b"GET", b"GET / HTTP/1.1\r\n" + HOST_LINE + b"Connection: close\r\nExpect: 100-continue\r\n\r\n"),
]
HONEST = b"HTTP/1.1 200 OK\r\nX-Honest: 1\r\nContent-Length: 6\r\n\r\nhonest"
STEPS = {
    "pod ends": lambda play: play.pods[0].fin(),
    "pod resets": lambda play: play.pods[0].reset(),
    "client ends": lambda play: play.stage.end(play.client, reset=False),
    "client resets": lambda play: play.stage.end(play.client, reset=True),
    "client sends": lambda play: play.client.feed(b"x" * 10),
}
LANGUAGE = Language(
    [
        b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 204 No Content\r\n", b"HTTP/1.1 304\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"HTTP/1.1 500 Internal Server Error\r\n", b"HTTP/2.0 200 OK\r\n", b"HTTP/1.1 600 Odd\r\n",
        b"HTTP/1.1 ", b"200", b"099", b" OK", b"\r\n", b"\r", b"\n", b"\x00", b" ", b":", b"\xff", b"\t",
        b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Content-Length: -5\r\n",
        b"Content-Length: 5, 5\r\n", b"content-length:\t5 \r\n", b"Content-Length : 5\r\n",
        b"Content-Length: 300\r\n",
        b"Content-Length: ", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n",
        b"TRANSFER-ENCODING:chunked\r\n",
        b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Connection: X, Content-Length\r\n",
        b"Upgrade: websocket\r\n", b"Connection: Upgrade\r\n",
        b"X: y\r\n", b" folded\r\n", b"Set-Cookie: a\r\n", b"Zerogate-Reason: x\r\n",
        b"Keep-Alive: timeout=5\r\n",
        b"Trailer: X\r\n", b"X: " + b"x" * 400,
        b"hello", b"x" * 40, b"x" * 300, b"5", b"0",
        b"5\r\nhello\r\n", b"0\r\n\r\n", b"0\r\n", b"0\r\nX: y\r\n\r\n", b"5;a=b\r\n", b"5 \r\n",
        b"ffffffffffffffff\r\n", b"28\r\n" + b"x" * 40 + b"\r\n", b";" + b"a" * 100,
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"\x81\x05hello", b"\x88\x02\x03\xe8", b"\x82\x7e\x01\x00", b"\x89\x00",
    ],
    ["split", *STEPS, *stage.STEPS],
)  # fmt: skip


class Play:
    """A stage with one client, whose request has just reached the pod."""

    def __init__(self, conditions: int) -> None:
        self.method, asked = ASKED[conditions & 7]
        self.stage = stage.Stage(
            serve=self._serve,
            slow=bool(conditions & 16) and not conditions & 8,
            upgrades=frozenset((b"websocket",)),
            idle_timeout=1.0 if conditions & 32 else 0.0,
            timeout=30.0,
        )
        self.pods: list[Paper] = []
        self.said = b""
        self.stage.ready()
        self.client = self.stage.client()
        self.client.feed(asked)
        self._settle()

    def say(self, data: bytes) -> None:
        """The pod says this on its first connection."""
        pod = self.pods[0]
        if data and not pod.came and not pod.is_closing():
            self.said += data
            pod.feed(data)
        self._settle()

    def step(self, name: str) -> None:
        """One thing happens."""
        if name in STEPS:
            STEPS[name](self)
        elif name in stage.STEPS:
            stage.STEPS[name](self.stage)
        self._settle()

    def end(self) -> None:
        """The pod has said all; the client reads all, and asks once more where it can."""
        self.stage.hasten()
        if not self.client.came:
            self.client.feed(b"x" * (190 if self.method == b"PUT" else 0) + REQUESTS.pieces[0])
        self._settle()
        self.pods[0].fin()
        self.stage.ready()
        self.stage.loop.pass_time(0.3)

    def told(self) -> tuple[list[Answer], Any]:
        """What the client was told: answers, and what followed a 101."""
        ended = "" if self.client.came else self.client.ended
        answers, _, rest = read_answers(self.client.sent, [self.method, b"GET"], ended)
        return answers, rest

    def check(self) -> None:
        """What is true at the end of every play."""
        answers, rest = self.told()
        pod = self.pods[0]
        ended = pod.came or "fin"
        try:
            said, _, tunnelled = read_answers(self.said, [self.method], ended, most=1)
        except ValueError:
            said, tunnelled = [], b""
        assert len(answers) <= 2
        assert not self.client.sent.startswith(b"HTTP/1.0")
        for at, answer in enumerate(answers):
            assert answer.is_whole or (at == len(answers) - 1 and self.client.ended != "fin") or self.has_left
            if answer.is_ours or not answer.is_whole:
                continue
            is_honest = b"X-Honest: 1\r\n" in answer.lines
            assert at == 0 or is_honest, f"taken for the second answer: {answer!r}"
            if not is_honest and not self.has_left and answer.status != 101:
                whole = said[0] if said else None
                assert whole is not None, f"made of nothing: {answer!r}"
                assert whole.is_whole, f"broken off, but it looks whole: {answer!r}"
                assert (whole.status, whole.body) == (answer.status, answer.body)
        if answers and answers[0].status == 101 and not self.stage.is_disturbed and not self.has_left:
            assert bytes(tunnelled).startswith(rest)
            assert self.client.ended != "fin" or pod.came == "reset" or rest == tunnelled

    @property
    def has_left(self) -> bool:
        """Whether the client ended its side itself."""
        return bool(self.client.came)

    def _serve(self, wire: Paper) -> None:
        if self.pods:
            reader = Requests(on_whole=lambda message: self._honest(wire, message))
            wire.on_sent = reader.feed
        self.pods.append(wire)

    def _honest(self, wire: Paper, message: Message) -> None:
        wire.feed(HONEST[:-6] if message.method == b"HEAD" else HONEST)

    def _settle(self) -> None:
        self.stage.loop.settle()


def outcome(conditions: int, pieces: list[bytes]) -> tuple[list[Any], bytes, str]:
    """What the client is told when a pod's answer comes in these pieces."""
    play = Play(conditions)
    try:
        for piece in pieces:
            play.say(piece)
        play.end()
        play.check()
        answers, rest = play.told()
        told = (
            [
                "refused" if answer.is_ours and answer.status == 502 else answer
                for answer in answers
                if answer.is_whole
            ],
            rest,
            play.client.ended,
        )
        play.stage.close()
    finally:
        play.stage.strike()
    return told


def perform(conditions: int, script: bytes) -> None:
    """A play in which more happens than the pod's bytes."""
    play = Play(conditions)
    data = b""
    try:
        for part in LANGUAGE.read(script):
            if isinstance(part, bytes):
                data += part
                continue
            play.say(data)
            data = b""
            play.step(part)
        play.say(data)
        play.end()
        play.check()
        play.stage.close()
    finally:
        play.stage.strike()


def one_input(data: bytes) -> None:
    """What the fuzzer calls. Any exception is a finding."""
    if not data:
        return
    conditions, script = data[0], data[1:]
    if not conditions & 8:
        perform(conditions, script)
        return
    same_in_any_cut(lambda pieces: outcome(conditions, pieces), LANGUAGE.pieces_of(script))
