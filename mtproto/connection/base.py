"""What the connections of both sides share: the closed state, the contract about damage, the bytes to send."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterable
from functools import partial
from typing import Generic, Protocol, TypeAlias, TypeVar

from mtproto.crypto.auth_key import AuthKey
from mtproto.errors import LocalProtocolError, RemoteProtocolError
from mtproto.handshake import Outcome, Work
from mtproto.side import Side
from mtproto.transport import Event as FramingEvent
from mtproto.transport import Frame, Wire, unpadded

__all__ = ["Connection", "Observer", "Progress"]

EventT = TypeVar("EventT")

Progress: TypeAlias = Generator[EventT | Work, Outcome | None, None]
"""What becomes of a frame: events, and work whose outcome is to be sent back."""


class Observer(Protocol):
    """Who looks on, and takes no part; as a recorder of transcripts does.  What it raises goes to the caller."""

    def received(self, data: bytes) -> None:
        """These bytes came; nothing has become of them yet."""

    def sent(self, data: bytes) -> None:
        """These bytes were given out to be sent."""

    def lost(self, side: Side, payload: bytes, how: str) -> None:
        """`side` has sealed this, and it gets nowhere: only who carries bytes in memory can know."""

    def ended(self) -> None:
        """The peer has closed its end."""

    def closed(self) -> None:
        """This side has closed its end, behind the last bytes that were given out."""

    def succeeded_by(self, connection: Connection[EventT]) -> None:
        """`connection` goes on where this one has ended, with a stream of its own."""


class Connection(ABC, Generic[EventT]):
    """What both sides share: the closed state, the contract about damage, and the bytes to send."""

    def __init__(self, framing: Wire, clock: Callable[[], float], rng: Callable[[int], bytes]) -> None:
        self._framing = framing
        self._clock = clock
        self._rng = rng
        self._out = bytearray()
        self._failure: RemoteProtocolError | None = None
        self._closed = False
        self._ends = False
        self._leaves = False
        self._frames: deque[FramingEvent] = deque()
        self._running: Progress[EventT] | None = None
        self._work: Work | None = None
        self._told: list[EventT] = []
        self.has_begun = False
        """Whether any bytes have come, or were given out: who looks on only now has missed them."""
        self.defer_work = False
        """Whether heavy arithmetic of the key exchange is left to the caller, as `work`, or done at once."""
        self.outgoing: Callable[[bytes, Callable[[bytes], bytes]], bytes] | None = None
        """Where a test steps in between sealing and framing: a payload, and what frames one → the bytes to send.

        It sees all but the query that a client queues as it is made."""
        self.incoming: Callable[[bytes], Iterable[bytes]] | None = None
        """Likewise between framing and opening: a payload → those that are taken instead."""
        self.observer: Observer | None = None
        """Who looks on, if anyone does."""

    @property
    def transport(self) -> str:
        """What the framing in use is called, as in "padded" and "obfuscated abridged"."""
        return self._framing.name

    @property
    def failure(self) -> RemoteProtocolError | None:
        """Which rule the peer broke, once it has."""
        return self._failure

    @property
    def closed(self) -> bool:
        """Whether nothing more will be received or sent, but for what `data_to_send` still holds."""
        return self._closed

    def receive_data(self, data: bytes) -> list[EventT]:
        """The events that `data`, the next bytes of the stream, brings; see *Damage* for what it raises."""
        self.has_begun = self.has_begun or bool(data)
        if self.observer is not None:
            self.observer.received(data)
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        if self._closed or self._ends:
            return []
        try:
            self._frames.extend(self._framing.receive_data(data))
        except RemoteProtocolError:
            if self._framing.failure is None:  # it comes behind the frames that wait
                raise
        return self._go_on(None)

    @property
    def work(self) -> Work | None:
        """What has to be computed before the connection goes on; None unless `defer_work` is set.

        Meanwhile more may be received; it waits.
        """
        return self._work

    def finish_work(self, outcome: Outcome) -> list[EventT]:
        """Go on with what came of `work`: the events of it, and of all that has waited, as from `receive_data`.

        Raise LocalProtocolError where there is no work.
        """
        if self._work is None:
            raise LocalProtocolError("there is no work to finish")
        self._work = None
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        return [] if self._closed else self._go_on(outcome)

    def _go_on(self, outcome: Outcome | None) -> list[EventT]:
        """Take the frames that wait, one by one, until there are no more, or there is work to be deferred."""
        events, self._told = self._told, []
        try:
            while self._work is None and (self._running is not None or self._frames):
                if self._running is None:
                    self._running = self._frame(self._frames.popleft())
                try:
                    item = self._running.send(outcome)
                except StopIteration:
                    self._running = outcome = None
                    continue
                outcome = None
                if not isinstance(item, Work):
                    events.append(item)
                elif self.defer_work:
                    self._work = item
                else:
                    outcome = item.run()
            if self._work is None and self._framing.failure is not None:
                raise self._framing.failure
        except RemoteProtocolError as error:
            self._fail(error)
            if not events:
                raise
        if self._ends and self._work is None and not self._closed:
            self._end()
        return events

    def receive_eof(self) -> None:
        """The peer has closed its end; raise RemoteProtocolError if that is in the middle of a frame.

        While there is `work` the end waits behind the frames that do, with what it raises: `finish_work` comes
        to it.
        """
        if self.observer is not None:
            self.observer.ended()
        self._ends = True
        if self._work is None:
            self._end()
        try:
            self._framing.eof()
        except RemoteProtocolError as error:
            if self._work is not None:  # it is the framing's failure, and found there
                return
            self._fail(error)
            raise

    def close(self) -> None:
        """Close from this side; what has been queued is still in `data_to_send`."""
        if not self._closed:
            self._flush()
            self._end()
            self._leaves = True

    def abandon(self) -> None:
        """The transport broke: nothing more can be sent here, and what is queued waits for another connection."""
        self._end()

    @abstractmethod
    def next_timer(self) -> float | None:
        """The unix time at which `handle_timer` should be called, or None."""

    def handle_timer(self) -> list[EventT]:
        """Queue what is due by now; it is then in `data_to_send`.  What has waited too long becomes an event."""
        if not self._closed:
            self._flush()
        told, self._told = self._told, []
        return told

    def data_to_send(self) -> bytes:
        """All bytes that are to be sent now, once; b"" if there are none."""
        if not self._closed:
            self._flush()
        out, self._out = bytes(self._out), bytearray()
        self.has_begun = self.has_begun or bool(out)
        if out and self.observer is not None:
            self.observer.sent(out)
        if self._leaves and self.observer is not None:
            self._leaves = False
            self.observer.closed()
        return out

    # For who may read along

    @abstractmethod
    def auth_key(self, key_id: bytes) -> AuthKey | None:
        """The auth_key with this id (8 bytes as on the wire), if it is in use here."""

    @abstractmethod
    def new_nonce(self, server_nonce: bytes) -> bytes | None:
        """The secret nonce of the key exchange under way, if it is the one with this `server_nonce`."""

    def _fail(self, error: RemoteProtocolError) -> None:
        self._failure = error
        self._end()
        self._leaves = True
        if error.reply is not None:
            self._write_code(error.reply)

    def _end(self) -> None:
        self._closed = True

    def _write_code(self, code: int) -> None:
        """Only servers answer damage."""

    def send_payload(self, payload: bytes) -> None:
        """Queue a payload as it is, whatever it holds (a server's four bytes are a transport error): for tests.

        LocalProtocolError where the connection is closed, or the framing does not take it.
        """
        if self._closed:
            raise LocalProtocolError("the connection is closed")
        self._out += self._framing.encode(payload)

    def _write(self, payload: bytes, *, quick_ack: bool = False) -> None:
        """Frame what is to be sent, by way of `outgoing`."""
        if self.outgoing is None:
            self._out += self._framing.encode(payload, quick_ack=quick_ack)
        else:
            self._out += self.outgoing(payload, partial(self._framing.encode, quick_ack=quick_ack))

    def _messages_in(self, frame: Frame) -> Iterable[bytes]:
        """The payload of a frame without the padding that some framings leave at its end, by way of `incoming`."""
        payload = unpadded(frame.payload) if self._framing.pads else frame.payload
        return (payload,) if self.incoming is None else self.incoming(payload)

    @abstractmethod
    def _frame(self, event: FramingEvent) -> Progress[EventT]: ...

    @abstractmethod
    def _flush(self) -> None: ...
