"""Where requests of other activators come in: those of revisions whose hard limit is ours.

A connection begins with a greeting, which shows our secret and says of which revision all its requests are.
Then it is a client's like any other, but that its requests are passed on as they are. One that was sent here
by a newer word of the autoscaler than we have heard waits until we hear it, so no request goes in circles.
"""

import asyncio
import hmac
import secrets
from collections.abc import Callable, Mapping
from typing import cast

from activator.edge.http.dispatch import Dispatcher
from activator.edge.http.downstream import Downstream
from activator.edge.http.gate import Gate
from activator.edge.http.kernel import probe_peer
from activator.hold.deadlines import NEVER
from activator.http.greeting import LONGEST, Greeting, read_greeting
from activator.revision import Revision
from activator.routes import Picked
from autoscaler.messages import ARE_YOU_THERE
from kube.objects import Key

GREETED_WITHIN = 10.0
"""Seconds for the greeting."""
KEPT_WAITING = 60.0
"""Seconds for the word of the autoscaler that sent a connection here."""
LAST_CALL = 10.0
"""Seconds for which connections are accepted while requests of others never cease."""
_STRANGER = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n%bConnection: close\r\n\r\n"


class _Alone:
    """Routes that lead to one revision, whatever the host."""

    def __init__(self, revision: Revision) -> None:
        self.revision = revision
        self._picked = Picked(revision, "", "")

    def pick(self, host: bytes, random: float) -> Picked:  # noqa: ARG002 - as all routes
        return self._picked

    def pick_tagged(self, host: bytes, tag: bytes, random: float) -> Picked:  # noqa: ARG002
        return self._picked

    def knows(self, host: bytes) -> bool:  # noqa: ARG002
        return True


class Door:
    """`epoch` tells of which word we know a revision's owner; `refused` counts strangers."""

    def __init__(
        self, dispatcher: Dispatcher, revisions: Mapping[Key, Revision], epoch: Callable[[Key], int]
    ) -> None:
        self.secret = secrets.token_urlsafe(24)
        self.refused = 0
        self.dispatcher = dispatcher
        self._revisions = revisions
        self._epoch = epoch
        self._server: asyncio.Server | None = None
        self._gates: dict[Key, Gate] = {}
        self._is_draining = False
        self._calm = asyncio.Event()
        self.strangers: set[_Greeted] = set()

    async def open(self, host: str, port: int) -> tuple[str, int]:
        """Listen; where. OSError."""
        self._server = await asyncio.get_running_loop().create_server(
            lambda: cast("asyncio.Protocol", _Greeted(self)), host, port
        )
        for listening in self._server.sockets:
            probe_peer(listening)
        bound = self._server.sockets[0].getsockname()
        return bound[0], bound[1]

    def settle(self, key: Key) -> None:
        """Something new is known of a revision: those who waited for that come in."""
        for each in [*self.strangers]:
            if each.greeting is not None and each.greeting.revision == key:
                each.try_again()

    def gate_for(self, greeting: Greeting) -> Gate | None:
        """What the connection shares with others of its kind; None: it has to wait."""
        key = greeting.revision
        revision = self._revisions.get(key)
        if revision is None or greeting.epoch > self._epoch(key):
            return None
        gate = self._gates.get(key)
        if gate is None or cast("_Alone", gate.router).revision is not revision:
            dispatcher = self.dispatcher
            gate = Gate(_Alone(revision), dispatcher, dispatcher.settings, dispatcher.clock)
            gate.is_between, gate.is_draining, gate.on_empty = True, self._is_draining, self._look
            self._gates[key] = gate
        return gate

    def is_secret(self, shown: bytes) -> bool:
        """Whether it is ours."""
        return hmac.compare_digest(shown, self.secret.encode())

    def begin_drain(self) -> None:
        """Each connection ends with the answer under way."""
        self._is_draining = True
        now = self.dispatcher.clock()
        for gate in self._gates.values():
            gate.is_draining = True
            for connection in [*gate.connections]:
                connection.drain(now)

    async def drained(self) -> None:
        """Return when nobody is left; call it when we send nothing here ourselves any more."""
        self._look()
        try:
            async with asyncio.timeout(LAST_CALL):
                await self._calm.wait()
        except TimeoutError:
            self._stop_listening()
            await self._calm.wait()
        self.close()

    def close(self) -> None:
        """Stop at once, whatever is in flight."""
        self._stop_listening()
        for each in [*self.strangers]:
            each.end()
        for gate in self._gates.values():
            for connection in [*gate.connections]:
                connection.cut()

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _look(self) -> None:
        """Nobody may be left."""
        if not any(gate.connections for gate in self._gates.values()):
            self._calm.set()
        else:
            self._calm.clear()


class _Greeted:
    """An asyncio.Protocol in all but name, until the greeting is there."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._data = b""
        self.greeting: Greeting | None = None
        self.due = NEVER
        self._transport: asyncio.Transport

    # -- called by the loop --

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._wait(GREETED_WITHIN)
        self._door.strangers.add(self)
        self._door.dispatcher.deadlines.add(self)

    def data_received(self, data: bytes) -> None:
        self._data += data
        end = self._data.find(b"\n", 0, LONGEST) + 1
        if not end and len(self._data) < LONGEST:
            return
        if self._data == ARE_YOU_THERE:
            self._turn_away()
            return
        greeting = read_greeting(self._data[:end])
        if greeting is None or not self._door.is_secret(greeting.secret):
            self._door.refused += 1
            self._turn_away()
            return
        self.greeting = greeting
        self._data = self._data[end:]
        self._transport.pause_reading()
        self._wait(KEPT_WAITING)
        self.try_again()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._forget()

    def pause_writing(self) -> None:
        """Nothing is written but a refusal."""

    def resume_writing(self) -> None:
        """As above."""

    # -- called by the door and the sweep --

    def try_again(self) -> None:
        """Become a client's connection, if it is known by now what for."""
        gate = self._door.gate_for(self.greeting) if self.greeting is not None else None
        if gate is None or self._transport.is_closing():
            return
        self._forget()
        down = Downstream(gate)
        self._transport.set_protocol(cast("asyncio.Protocol", down))
        down.connection_made(self._transport)
        self._transport.resume_reading()
        if self._data:
            down.data_received(self._data)

    def end(self) -> None:
        """Close it."""
        self._forget()
        self._transport.close()

    def expired(self, now: float) -> None:  # noqa: ARG002 - as every `Dated`
        """It never came to that."""
        self.end()

    def _turn_away(self) -> None:
        """Respond and close: this is no connection of another activator."""
        self._transport.write(_STRANGER % self._door.dispatcher.dates.line())
        self.end()

    def _wait(self, seconds: float) -> None:
        self.due = self._door.dispatcher.clock() + seconds

    def _forget(self) -> None:
        self._door.strangers.discard(self)
        self._door.dispatcher.deadlines.discard(self)
