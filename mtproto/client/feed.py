"""What a server sends unasked, and what happens to a client, for ``async for``: bounded, and no loss is silent."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from mtproto.events import ClientEvent

__all__ = ["MAX_BYTES", "MAX_EVENTS", "Disconnected", "EventsLost", "Feed", "Notice", "Reconnected"]

E = TypeVar("E")

MAX_EVENTS = 1000
"""How many events wait for whoever reads a feed."""
MAX_BYTES = 16 * 1024 * 1024
"""How many bytes of bodies they have, together."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection has ended with `error`; the next attempt to connect is made in `delay` seconds."""

    error: Exception
    delay: float


@dataclass(frozen=True, slots=True)
class Reconnected:
    """There is a connection again, after so many attempts; requests go out."""

    attempts: int


@dataclass(frozen=True, slots=True)
class EventsLost:
    """So many events that stood here were given up, because nobody took them in time."""

    count: int


Notice: TypeAlias = ClientEvent | Disconnected | Reconnected | EventsLost
"""What `Client.events` tells."""


class Feed(AsyncIterator[E], Generic[E]):
    """Events in their order, each given to one reader; the oldest are given up when too many wait.

    `lost` counts these.  With `say_lost` readers are told in the place of what was given up.  It ends as
    `end` says, after what still waits: with an error, or quietly.
    """

    def __init__(
        self,
        *,
        max_events: int = MAX_EVENTS,
        max_bytes: int = MAX_BYTES,
        say_lost: Callable[[int], E] | None = None,
    ) -> None:
        self.lost = 0
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._say_lost = say_lost
        self._unsaid = 0
        self._events: deque[E] = deque()
        self._bytes = 0
        self._news = asyncio.Event()
        self._has_ended = False
        self._error: Exception | None = None

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: E) -> None:
        """Let `event` wait; the youngest is kept, however large it is."""
        self._events.append(event)
        self._bytes += _size(event)
        while len(self._events) > self._max_events or (
            self._bytes > self._max_bytes and len(self._events) > 1
        ):
            self._take()
            self.lost += 1
            self._unsaid += 1
        self._news.set()

    def end(self, error: Exception | None) -> None:
        """There will be no more; None: this is as it should be."""
        self._has_ended, self._error = True, error
        self._news.set()

    def __aiter__(self) -> Feed[E]:
        return self

    async def __anext__(self) -> E:
        while not self._events:
            if self._error is not None:
                raise self._error.with_traceback(None)
            if self._has_ended:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        if self._unsaid and self._say_lost is not None:
            count, self._unsaid = self._unsaid, 0
            return self._say_lost(count)
        return self._take()

    def _take(self) -> E:
        event = self._events.popleft()
        self._bytes -= _size(event)
        return event


def _size(event: object) -> int:
    body = getattr(event, "body", b"")
    return len(body) if isinstance(body, bytes) else 0
