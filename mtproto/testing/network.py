"""The network between the two ends of a Pair: how bytes travel, and what becomes of messages on the way.

A stream is what TCP makes of it: bytes arrive late, in pieces or in lumps, or not at all from some point on, but
always in order.  What gets lost, comes twice or out of order are whole messages: they are taken out of the
stream, or put into it, before they are framed, so that frames, sequence numbers and key streams stay right.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from enum import Enum
from functools import partial
from random import Random
from typing import Generic, TypeAlias, TypeVar

from mtproto.errors import FateUnknown, LocalProtocolError, MTProtoError
from mtproto.testing.arguments import check_number
from mtproto.testing.timeline import Entry, Timeline

__all__ = ["Ending", "Link", "Network", "Notes"]

T = TypeVar("T")

Notes: TypeAlias = tuple[tuple[int, T], ...]
"""Notes to a stream in its order, each with how many bytes of the stream there are once it is complete."""


@dataclass(frozen=True, slots=True)
class Network:
    """How the network behaves, in both directions alike; by default it is perfect.

    Of the bytes: `latency` and `jitter` are seconds, the latter drawn anew for each piece, from 0 to so much more;
    `bandwidth` is in bytes a second; pieces have `fragment` bytes at most; what arrives within `coalesce` seconds
    arrives in one piece.

    Of the messages: `loss`, `duplication` and `reordering` are probabilities; what is reordered is `held` for so
    many seconds, and overtaken by what comes meanwhile.  That happens to what is encrypted only: a key exchange is
    question and answer over a stream, and goes no further where one of them gets lost (`testing.faults` has faults
    for that).

    Raise LocalProtocolError for what no network can be.
    """

    latency: float = 0.0
    jitter: float = 0.0
    bandwidth: float | None = None
    fragment: int | None = None
    coalesce: float = 0.0
    loss: float = 0.0
    duplication: float = 0.0
    reordering: float = 0.0
    held: float = 0.2

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None and field.name in ("bandwidth", "fragment"):
                continue
            check_number(field.name, value, least=0)
        for name in ("loss", "duplication", "reordering"):
            if getattr(self, name) > 1:
                raise LocalProtocolError(f"got {getattr(self, name)} for {name}, expected at most 1")
        if self.bandwidth == 0:
            raise LocalProtocolError("got a bandwidth of 0: nothing would ever arrive")
        if self.fragment is not None and (type(self.fragment) is not int or self.fragment < 1):
            raise LocalProtocolError(f"got {self.fragment!r} for fragment, expected an int >= 1")

    @property
    def changes_messages(self) -> bool:
        """Whether messages get lost, come twice or out of order."""
        return bool(self.loss or self.duplication or self.reordering)

    @property
    def errors(self) -> tuple[type[MTProtoError], ...]:
        """With what calls may end because of it, beside their answers."""
        return (FateUnknown,) if self.changes_messages else ()


class Ending(Enum):
    """How a direction of a stream ends."""

    FIN = "fin"
    """The end of the stream, after all bytes before it."""
    RST = "rst"
    """A reset: what is on its way is lost, in both directions."""
    SILENCE = "silence"
    """No end that anyone hears of: a half-open connection, the sender of which goes on."""


@dataclass(slots=True)
class _Lump(Generic[T]):
    """What has arrived, and waits for company."""

    data: bytes
    notes: Notes[T]


class Link(Generic[T]):
    """One direction of a stream, from `send` to `deliver`; `ended` is told how it ends, if it does.

    What is sent may have notes to it, each of which is delivered with the last byte of what it is about.
    """

    def __init__(
        self,
        network: Network,
        timeline: Timeline,
        random: Random,
        deliver: Callable[[bytes, Notes[T]], None],
        ended: Callable[[Ending], None],
    ) -> None:
        self.sent = 0
        """How many bytes were sent so far, arrived or not."""
        self.network = network
        self._timeline = timeline
        self._random = random
        self._deliver = deliver
        self._ended = ended
        self._free_at = self._last = timeline.now
        self._lump: _Lump[T] | None = None
        self._cut: tuple[int, Ending] | None = None
        self._under_way: deque[Entry] = deque()
        self.is_over = False
        """Whether nothing that is sent gets anywhere any more."""

    def cut(self, after: int, ending: Ending) -> None:
        """After so many bytes from the beginning of the stream, or at once if these were sent, it ends so."""
        self._cut = after, ending
        if self.sent >= after:
            self._end(ending)

    def send(self, data: bytes, notes: Notes[T] = ()) -> None:
        """Let `data` travel; nothing where the stream has ended."""
        if self.is_over:
            return
        if self._cut is not None and self.sent + len(data) >= self._cut[0]:
            self._travel(data[: self._cut[0] - self.sent], notes)
            self._end(self._cut[1])
        else:
            self._travel(data, notes)

    def finish(self) -> None:
        """The sender has closed its end."""
        if not self.is_over:
            self._end(Ending.FIN)

    def drop(self) -> None:
        """The stream is gone, with what is on its way."""
        self.is_over = True
        self._deliver = _nowhere
        self._ended = _nobody
        self.ignore()

    def ignore(self) -> None:
        """Nobody is there any more to take what is on its way."""
        for entry in self._under_way:
            entry.cancel()
        self._under_way.clear()

    def _end(self, ending: Ending) -> None:
        self.is_over = True
        if ending is Ending.FIN:
            self._timeline.at(self._last, self._finished)
        elif ending is Ending.RST:
            self._ended(ending)

    def _finished(self) -> None:
        self._flush()
        self._ended(Ending.FIN)

    def _travel(self, data: bytes, notes: Notes[T]) -> None:
        end, waiting = self.sent + len(data), deque(notes)
        for piece in self._pieces(data):
            self.sent += len(piece)
            complete: list[tuple[int, T]] = []
            while waiting and waiting[0][0] <= self.sent:
                complete.append(waiting.popleft())
            arrival = partial(self._arrive, piece, tuple(complete))
            entry = self._timeline.at(self._arrival(len(piece)), arrival, is_part=self.sent < end)
            self._under_way.append(entry)

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        size = self.network.fragment or len(data)
        for start in range(0, len(data), size or 1):
            yield data[start : start + size]

    def _arrival(self, size: int) -> float:
        network, now = self.network, self._timeline.now
        if network.bandwidth is not None:
            self._free_at = max(self._free_at, now) + size / network.bandwidth
            now = self._free_at
        delay = network.latency
        if network.jitter:
            delay += self._random.uniform(0, network.jitter)
        self._last = max(self._last, now + delay)
        return self._last

    def _arrive(self, data: bytes, notes: Notes[T]) -> None:
        self._under_way.popleft()
        if not self.network.coalesce:
            self._deliver(data, notes)
        elif self._lump is None:
            self._lump = _Lump(data, notes)
            self._timeline.after(self.network.coalesce, self._flush)
        else:
            self._lump.data += data
            self._lump.notes += notes

    def _flush(self) -> None:
        lump, self._lump = self._lump, None
        if lump is not None:
            self._deliver(lump.data, lump.notes)


def _nowhere(data: bytes, notes: object) -> None:
    """Where bytes go that nobody gets."""


def _nobody(ending: Ending) -> None:
    """Who hears of an end that nobody hears of."""
