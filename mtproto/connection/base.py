"""What the connections of both sides share: the closed state, the contract about damage, the bytes to send."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from mtproto.errors import RemoteProtocolError
from mtproto.transport import Event as FramingEvent
from mtproto.transport import Framing, ServerFraming

__all__ = ["Connection"]

EventT = TypeVar("EventT")


class Connection(ABC, Generic[EventT]):
    """What both sides share: the closed state, the contract about damage, and the bytes to send."""

    def __init__(
        self, framing: Framing | ServerFraming, clock: Callable[[], float], rng: Callable[[int], bytes]
    ) -> None:
        self._framing = framing
        self._clock = clock
        self._rng = rng
        self._out = bytearray()
        self._failure: RemoteProtocolError | None = None
        self._closed = False

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
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        if self._closed:
            return []
        events: list[EventT] = []
        try:
            for frame in self._framing.receive_data(data):
                for event in self._frame(frame):
                    events.append(event)  # noqa: PERF402 - one by one: what came before an error is kept
            if self._framing.failure is not None:
                raise self._framing.failure
        except RemoteProtocolError as error:
            self._fail(error)
            if not events:
                raise
        return events

    def receive_eof(self) -> None:
        """The peer has closed its end; raise RemoteProtocolError if that is in the middle of a frame."""
        self._end()
        try:
            self._framing.eof()
        except RemoteProtocolError as error:
            self._fail(error)
            raise

    def close(self) -> None:
        """Close from this side; what has been queued is still in `data_to_send`."""
        if not self._closed:
            self._flush()
            self._end()

    def abandon(self) -> None:
        """The transport broke: nothing more can be sent here, and what is queued waits for another connection."""
        self._end()

    @abstractmethod
    def next_timer(self) -> float | None:
        """The unix time at which `handle_timer` should be called, or None."""

    def handle_timer(self) -> None:
        """Queue what is due by now; it is then in `data_to_send`."""
        if not self._closed:
            self._flush()

    def data_to_send(self) -> bytes:
        """All bytes that are to be sent now, once; b"" if there are none."""
        if not self._closed:
            self._flush()
        out, self._out = bytes(self._out), bytearray()
        return out

    def _fail(self, error: RemoteProtocolError) -> None:
        self._failure = error
        self._end()
        if error.reply is not None:
            self._write_code(error.reply)

    def _end(self) -> None:
        self._closed = True

    def _write_code(self, code: int) -> None:
        """Only servers answer damage."""

    @abstractmethod
    def _frame(self, event: FramingEvent) -> Iterator[EventT]: ...

    @abstractmethod
    def _flush(self) -> None: ...
