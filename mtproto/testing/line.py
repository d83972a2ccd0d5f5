"""A stream in memory with a connection at either end: bytes go to and fro, and timers are kept."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nextafter
from random import Random
from typing import Any, Protocol

from mtproto.connection import ClientConnection, ServerConnection
from mtproto.connection.base import Connection
from mtproto.errors import ConnectionClosed, LocalProtocolError, MTProtoError, RemoteProtocolError
from mtproto.side import Side
from mtproto.testing.ledger import Said
from mtproto.testing.network import Ending, Link, Network, Notes
from mtproto.testing.timeline import Entry, Timeline

__all__ = ["Carried", "End", "Line", "Owner"]

Carried = tuple[Said, ...]


class Owner(Protocol):
    """Whoever has lines, as far as they are concerned."""

    skew: float

    def heard(self, end: End, events: list[Any]) -> None:
        """A connection has given these events."""

    def wrote(self, end: End, data: bytes) -> None:
        """A connection sends these bytes."""

    def arrived(self, carried: Carried) -> None:
        """These messages have come to the other end."""

    def doubted(self, carried: Carried) -> None:
        """Whether these have come, or were looked at, nobody knows: the connection has ended over them."""

    def ended(self, end: End, reason: MTProtoError) -> None:
        """A connection is closed."""


class End:
    """One end: its connection, and notes of the messages in the bytes that it has still to send."""

    def __init__(
        self, line: Line, side: Side, connection: Connection[Any], silence: float | None = None
    ) -> None:
        self.line = line
        self._silence = silence
        self._heard = line.timeline.now
        self.side = side
        self.connection = connection
        self.notes: list[tuple[int, Said]] = []
        self.is_over = False
        self._received = 0
        self._half_read: Notes[Said] = ()
        self._reason: MTProtoError | None = None
        self._timer: Entry | None = None
        self._timer_for: float | None = None

    @property
    def peer(self) -> End:
        """The other end."""
        return self.line.ends[self.side.peer]

    @property
    def link(self) -> Link[Said]:
        """The direction in which it sends."""
        return self.line.links[self.side]

    def note(self, messages: Carried, size: int = 0) -> None:
        """These are complete `size` bytes behind what the connection has queued so far."""
        end = self.link.sent + len(self.connection._out) + size
        self.notes += [(end, said) for said in messages]

    def receive(self, data: bytes, notes: Notes[Said]) -> None:
        """Bytes have come, and with them these messages, as far as nobody has touched them."""
        if self.connection.closed:
            return
        self._heard = self.line.timeline.now
        self.line.owner.arrived(tuple(said for _, said in notes))
        self._received += len(data)
        self._half_read += notes
        is_open = self._run(lambda: self.connection.receive_data(data))
        if not is_open:
            self._doubt()
        else:
            read = self._received - self.connection._framing.buffered
            self._half_read = tuple(note for note in self._half_read if note[0] > read)
        self.line.pump()

    def _doubt(self) -> None:
        """What came since the last whole frame may be in the midst of another, whose length was changed."""
        self.line.owner.doubted(tuple(said for _, said in self._half_read))
        self._half_read = ()

    def finish(self, ending: Ending) -> None:
        """The stream has ended."""
        if not self.connection.closed:
            self._reason = ConnectionClosed(f"the {self.side.peer.name.lower()} closed the connection")
            self._run(self._eof)
            self._doubt()
        self.line.pump()

    def _eof(self) -> list[Any]:
        self.connection.receive_eof()
        return []

    def fall(self, reason: MTProtoError) -> None:
        """The stream has broken."""
        if not self.connection.closed:
            self._reason = reason
            self.connection.abandon()
            self._doubt()

    def inject(self, payload: bytes, notes: Carried = ()) -> None:
        """Send a payload as it is; nothing where the connection is closed."""
        if not self.connection.closed:
            self.connection.send_payload(payload)
            self.note(notes)
            self.line.pump()

    def _run(self, do: Callable[[], list[Any]]) -> bool:
        """Hear what comes of it; whether the connection is open after that."""
        try:
            events = do()
        except RemoteProtocolError as error:
            self._reason = error
            events = []
        if self.connection.failure is not None:
            self._reason = self.connection.failure
        self.line.owner.heard(self, events)
        return not self.connection.closed

    def pump(self) -> None:
        """Send what is to be sent, see to the timer, and to the end if it has come."""
        data = self.connection.data_to_send()
        notes, self.notes = tuple(self.notes), []
        if data:
            self.line.owner.wrote(self, data)
            self.link.send(data, notes)
        if self.connection.closed:
            self._set_timer(None)
            if not self.is_over:
                self.is_over = True
                self.link.finish()
                self.peer.link.ignore()
                reason = self._reason or ConnectionClosed("the connection was closed")
                self.line.owner.ended(self, reason)
        else:
            timers = (self.connection.next_timer(), self._silent_until())
            self._set_timer(min((timer for timer in timers if timer is not None), default=None))

    def _silent_until(self) -> float | None:
        """Until when the other end may say nothing; that is for a server only, whose clock is right."""
        return None if self._silence is None else self._heard + self._silence

    def _set_timer(self, when: float | None) -> None:
        """`when` is by the clock of this end, which may be wrong."""
        skew = self.line.owner.skew if self.side is Side.CLIENT else 0.0
        at = None if when is None else when - skew
        while when is not None and at is not None and at + skew < when:  # rounded down: it would be too early
            at = nextafter(at, inf)
        if at == self._timer_for and (at is None) == (self._timer is None):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_for = at
        self._timer = None if at is None else self.line.timeline.at(at, self._ring, is_timer=True)

    def _ring(self) -> None:
        self._timer = self._timer_for = None
        if not self.connection.closed:
            self._run(self.connection.handle_timer)
        until = self._silent_until()
        if until is not None and self.line.timeline.now >= until and not self.connection.closed:
            self._reason = ConnectionClosed(f"nothing came for {self._silence:g} s")
            self.connection.close()
        self.line.pump()


class Line:
    """A stream between `client` and `server`; `number` counts those of a Pair from 0.

    The server closes it after so many seconds of the client's `silence`.
    """

    def __init__(
        self,
        number: int,
        owner: Owner,
        client: ClientConnection,
        server: ServerConnection,
        *,
        network: Network,
        timeline: Timeline,
        random: Random,
        silence: float | None = None,
    ) -> None:
        self.number = number
        self.owner = owner
        self.timeline = timeline
        self.client = client
        self.server = server
        self.ends = {
            Side.CLIENT: End(self, Side.CLIENT, client),
            Side.SERVER: End(self, Side.SERVER, server, silence),
        }
        self.links = {side: self._link(end.peer, network, random) for side, end in self.ends.items()}

    def _link(self, receiver: End, network: Network, random: Random) -> Link[Said]:
        def ended(ending: Ending) -> None:
            if ending is Ending.RST:
                self.reset()
            else:
                receiver.finish(ending)

        return Link(network, self.timeline, random, receiver.receive, ended)

    @property
    def is_over(self) -> bool:
        """Whether both ends are closed."""
        return all(end.is_over for end in self.ends.values())

    def pump(self) -> None:
        """Let both ends send what they have to."""
        for end in self.ends.values():
            end.pump()

    def reset(self) -> None:
        """The stream breaks, with all that is on its way; both ends are told."""
        self.break_off(Side.CLIENT, Side.SERVER)

    def break_off(self, *told: Side) -> None:
        """Nothing arrives any more, and only these sides are told that it is so."""
        for link in self.links.values():
            link.drop()
        for side in told:
            self.ends[side].fall(ConnectionClosed("the connection broke"))
        self.pump()

    def cut(self, side: Side, after: int, ending: Ending) -> None:
        """What `side` sends ends like this after so many bytes of the stream."""
        if type(after) is not int or after < 0:
            raise LocalProtocolError(f"got {after!r} bytes to cut after, expected an int >= 0")
        self.links[side].cut(after, ending)
