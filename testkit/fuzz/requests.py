"""A play of clients and a pod; what is true of every one of them. The first byte chooses its conditions.

Half of the plays are only bytes: cut as the play says, cut into single bytes and in one piece, they must
come to the same. In the others everything happens at once: pods come, go, refuse, answer badly or not;
clients hang up, read slowly or not at all; time passes.
"""

from collections.abc import Callable
from typing import Any

from activator.edge.http.downstream import BUSY, Downstream
from activator.edge.http.relay import HELD, SWITCHED, Exchange
from testkit.fuzz import stage
from testkit.fuzz.reading import MALFORMED, Answer, Message, Requests, read_answers
from testkit.fuzz.script import Language, same_in_any_cut
from testkit.loop.fake_transport import Paper
from testkit.proxy.harness import HOST

HOST_LINE = b"Host: " + HOST + b"\r\n"
ANSWERS = {
    "plain": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "until close": b"HTTP/1.1 200 OK\r\n\r\nok",
    "then close": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
    "interim": b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "garbage": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "cut": b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok",
    "switch": b"HTTP/1.1 101 Go on\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x01a",
    "trailers": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n",
}
WITHOUT_BODY = {
    key: answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" for key, answer in ANSWERS.items() if key != "interim"
}
STEPS: dict[str, Callable[[Any, Paper], None]] = {
    "client ends": lambda play, wire: play.stage.end(wire, reset=False),
    "client resets": lambda play, wire: play.stage.end(wire, reset=True),
    "ready": lambda play, _: play.stage.ready(),
    "cordon": lambda play, _: play.stage.dispatcher.cordon(play.stage.revision, "pod-1"),
    "uncordon": lambda play, _: play.stage.dispatcher.uncordon(play.stage.revision, "pod-1"),
    "refuse": lambda play, _: setattr(play.stage, "refuse", True),
    "accept": lambda play, _: setattr(play.stage, "refuse", False),
    "speak": lambda play, _: play.pod.speak(),
    "pod ends": lambda play, _: play.pod.break_off(reset=False),
    "pod resets": lambda play, _: play.pod.break_off(reset=True),
}
MANNERS = [*ANSWERS, "early", "silent"]
"""How the pod answers from now on."""
LANGUAGE = Language(
    [
        b"GET / HTTP/1.1\r\n" + HOST_LINE + b"\r\n",
        b"POST / HTTP/1.1\r\n" + HOST_LINE + b"Content-Length: 5\r\n\r\nhello",
        b"POST / HTTP/1.1\r\n" + HOST_LINE + b"Transfer-Encoding: chunked\r\n\r\n",
        b"PUT / HTTP/1.1\r\n" + HOST_LINE + b"Content-Length: 200\r\n\r\n",
        b"HEAD / HTTP/1.1\r\n" + HOST_LINE + b"\r\n",
        b"GET / HTTP/1.0\r\n" + HOST_LINE + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: nobody\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST_LINE + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"OPTIONS ", b"TRACE ", b"CONNECT ", b"PRI ",
        b"/", b"/a?b", b"*", b"http://" + HOST + b"/", b"http://other/", b"//", b"#",
        b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b" HTTP/2.0\r\n", b" HTTP/1.1\n", b" ", b"\t",
        HOST_LINE, b"HOST:" + HOST + b":80\r\n", b"Host: a, b\r\n", b"Host:\r\n",
        b"\r\n", b"\r", b"\n", b"\x00", b":", b",", b";", b"\xff",
        b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Content-Length: +5\r\n",
        b"Content-Length: 5, 5\r\n", b"content-length:5 \r\n", b"Content-Length : 5\r\n",
        b"Content-Length: ", b"5", b"0", b"10", b"ff",
        b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n",
        b"transfer-encoding:\tChunked\r\n", b"Transfer-Encoding: identity\r\n",
        b"Transfer_Encoding: chunked\r\n",
        b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Connection: X, Content-Length, Host\r\n",
        b"Connection: Upgrade\r\n", b"Upgrade: websocket\r\n", b"Upgrade: h2c\r\n",
        b"Expect: 100-continue\r\n", b"X: y\r\n", b" folded\r\n", b"K-Tag: 1\r\n", b"Zerogate-Reason: x\r\n",
        b"Forwarded: for=1\r\n", b"X-Forwarded-For: 1\r\n", b"Accept: application/json\r\n",
        b"Trailer: X\r\n", b"TE: trailers\r\n",
        b"hello", b"x" * 40, b"x" * 200, b"X: " + b"x" * 400,
        b"5\r\nhello\r\n", b"0\r\n\r\n", b"0\r\n", b"5;a=b\r\n", b"05\r\n", b"5 \r\n", b"0\r\nX: y\r\n\r\n",
        b"ffffffffffffffff\r\n", b"28\r\n" + b"x" * 40 + b"\r\n", b";" + b"a" * 100,
        b"\x81\x85aaaahello", b"\x88\x82aaaabb", b"\x81\xfe\x00\xc8aaaa", b"\x82\x00",
    ],
    ["split", "other client", *STEPS, *stage.STEPS, *MANNERS],
)  # fmt: skip
FORBIDDEN = (b"connection", b"keep-alive", b"te", b"proxy-connection", b"k-tag", b"zerogate-reason")


class Pod:
    """Reads with llhttp, and answers as it was told last. `readers` has one for each connection."""

    def __init__(self) -> None:
        self.manner = "plain"
        self.readers: list[Requests] = []
        self.open: list[Paper] = []
        self.waiting: list[tuple[Paper, bytes]] = []
        self.early: Message | None = None

    def serve(self, wire: Paper) -> None:
        reader = Requests(
            on_head=lambda message: self._head(wire, message),
            on_whole=lambda message: self._whole(wire, message, reader),
        )
        self.readers.append(reader)
        self.open.append(wire)
        wire.on_sent = reader.feed

    def speak(self) -> None:
        """Answer those that were met with silence."""
        waiting, self.waiting = self.waiting, []
        for wire, method in waiting:
            self._answer(wire, method, "plain")

    def break_off(self, *, reset: bool) -> None:
        """Every connection ends."""
        for wire in self.open:
            if not wire.is_lost:
                wire.reset() if reset else wire.fin()
        self.open.clear()

    @property
    def whole(self) -> list[Message]:
        return [message for reader in self.readers for message in reader.whole]

    @property
    def is_deaf(self) -> bool:
        """Whether it met a method that llhttp does not know: it answers no more there."""
        return any(reader.is_foreign for reader in self.readers)

    @property
    def heads(self) -> int:
        return sum(len(reader.methods) for reader in self.readers)

    def _head(self, wire: Paper, message: Message) -> None:
        if message.value(b"expect"):
            wire.feed(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self.manner == "early":
            self.early = message
            self._answer(wire, message.method, "plain")

    def _whole(self, wire: Paper, message: Message, reader: Requests) -> None:
        if self.early is message:
            return
        if self.manner == "silent":
            self.waiting.append((wire, message.method))
        else:
            reader.is_over = self.manner == "switch"
            self._answer(wire, message.method, "plain" if self.manner == "early" else self.manner)

    def _answer(self, wire: Paper, method: bytes, manner: str) -> None:
        if method == b"HEAD" and manner in WITHOUT_BODY:
            wire.feed(WITHOUT_BODY[manner])
        else:
            wire.feed(ANSWERS[manner])
        if manner in ("until close", "then close", "cut"):
            wire.fin()


class Play:
    """A stage with a pod, and clients as they come."""

    def __init__(self, conditions: int, **fields: Any) -> None:
        self.pod = Pod()
        self.stage = stage.Stage(
            serve=self.pod.serve,
            slow=bool(conditions & 8) and not conditions & 1,
            container_concurrency=1 if conditions & 4 else 0,
            upgrades=frozenset((b"websocket",)),
            idle_timeout=1.0 if conditions & 16 else 0.0,
            **fields,
        )
        self.inputs: list[Requests] = []
        self.clients: list[Paper] = []
        self.come()
        if conditions & 2:
            self.stage.ready()

    def come(self) -> None:
        """Another client."""
        self.clients.append(self.stage.client())
        self.inputs.append(Requests())

    def send(self, client: int, data: bytes) -> None:
        if data and not self.clients[client].came:
            self.clients[client].feed(data)
            self.inputs[client].feed(data)
            self.stage.loop.settle()

    def step(self, name: str, client: int) -> int:
        """One thing happens. Returns which client is the next to send."""
        if name == "other client":
            client = 1 - client
            if len(self.clients) == client:
                self.come()
        elif name in STEPS:
            STEPS[name](self, self.clients[client])
        elif name in stage.STEPS:
            stage.STEPS[name](self.stage)
        elif name in MANNERS:
            self.pod.manner = name
        self.stage.loop.settle()
        return client

    def answers(self, client: int) -> list[Answer]:
        if self.inputs[client].is_foreign:  # so nobody knows which answers are to HEAD requests
            return []
        wire = self.clients[client]
        ended = "" if wire.is_broken else wire.ended
        return read_answers(wire.sent, self.inputs[client].methods, ended)[0]

    def end(self) -> None:
        """Let everything come to its end: a pod is there and answers, everybody reads."""
        self.stage.refuse = False
        if self.pod.manner == "silent":
            self.pod.manner = "plain"
        self.stage.ready()
        self.stage.dispatcher.uncordon(self.stage.revision, "pod-1")
        for _ in range(3):
            self.pod.speak()
            self.stage.hasten()
            self.stage.loop.pass_time(0.3)

    def check(self) -> None:
        """What is true at the end of every play."""
        for reader in self.pod.readers:
            assert reader.error is None or reader.is_foreign, f"a pod read {reader.error!r}"
            for message in reader.whole:
                names = [name.lower() for name, _ in message.headers]
                assert not any(name in names for name in FORBIDDEN if not message.value(b"upgrade"))
                assert names.count(b"host") == 1
        counts = self.stage.revision.counts
        assert self.pod.heads <= counts.requests + counts.repeated
        for client in range(len(self.clients)):
            self._check_client(client)
        self._check_told()

    def _check_client(self, client: int) -> None:
        wire, down = self.clients[client], self.clients[client].protocol
        assert isinstance(down, Downstream)
        if self.inputs[client].is_foreign:
            return
        answers = self.answers(client)
        assert all(answer.is_whole for answer in answers[:-1])
        if wire.ended == "fin" and not wire.came:
            assert all(answer.is_whole for answer in answers), "a broken answer ends as if it were whole"
        assert sum(answer.status in MALFORMED for answer in answers) <= 1
        whole = sum(answer.is_whole and answer.status not in (101, 404, *MALFORMED) for answer in answers)
        over = sum(status not in (0, 101, *MALFORMED) for status in self.stage.over.get(down, ()))
        assert whole <= over, "an answer to nothing"
        assert wire.ended == "reset" or wire.came or whole == over, "an answer is missing"
        if down.state == BUSY:
            assert down.exchange is not None
            self._check_waiting(down.exchange)

    def _check_waiting(self, exchange: Exchange) -> None:
        throttle = self.stage.revision.throttle
        may_wait = (
            (throttle.limit and throttle.busy >= throttle.limit and exchange.step == HELD)
            or not exchange.body.is_done
            or self.pod.is_deaf
            or self.pod.manner == "switch"
        )
        assert may_wait or exchange.step == SWITCHED, f"{exchange!r} hangs"

    def _check_told(self) -> None:
        """What the pod got is what llhttp reads in what clients sent, but for attempts made twice."""
        if any(reader.error is not None and reader.is_foreign for reader in self.inputs):
            return
        sent = [outline(message) for reader in self.inputs for message in [*reader.whole, *reader.broken]]
        for message in self.pod.whole:
            if message.url.startswith((b"/", b"*")):
                assert outline(message) in sent, f"nobody sent {message!r}"


def outline(message: Message) -> tuple[bytes, bytes, bytes]:
    """What must not change on the way."""
    url = message.url
    if url.lower().startswith(b"http"):
        url = url.split(b"/", 3)[3] if url.count(b"/") > 2 else b""
        url = b"/" + url
    return message.method, url.partition(b"#")[0], message.body


def outcome(conditions: int, pieces: list[bytes]) -> tuple[list[Any], str, list[tuple[bytes, bytes, bytes]]]:
    """What comes out at both ends when these pieces come in."""
    play = Play(conditions, max_held_bytes=100_000)
    play.stage.room.max_bytes = 100_000
    try:
        for piece in pieces:
            play.send(0, piece)
        play.end()
        if conditions & 32:
            play.step("client ends", 0)
            play.end()
        play.check()
        wire = play.clients[0]
        answers = [
            "refused" if answer.is_ours and answer.status in (400, 431) else answer
            for answer in play.answers(0)
        ]
        told = answers, wire.ended, [outline(message) for message in play.pod.whole]
        play.stage.close()
    finally:
        play.stage.strike()
    return told


def perform(conditions: int, script: bytes) -> None:
    """A play in which everything may happen."""
    play = Play(conditions)
    client = 0
    data = b""
    try:
        for part in LANGUAGE.read(script):
            if isinstance(part, bytes):
                data += part
                continue
            play.send(client, data)
            data = b""
            client = play.step(part, client)
        play.send(client, data)
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
    if not conditions & 1:
        perform(conditions, script)
        return
    same_in_any_cut(lambda pieces: outcome(conditions, pieces), LANGUAGE.pieces_of(script))
