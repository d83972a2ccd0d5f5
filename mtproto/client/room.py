"""Back-pressure: room for so many requests and so many bytes at a time; who comes when it is full waits."""

from __future__ import annotations

import asyncio
from collections import deque

from mtproto.errors import LocalProtocolError

__all__ = ["Room"]


class Room:
    """Room for `max_items` of `max_bytes` together, given in the order in which it was asked for.

    One that is larger than all the room gets in when there is nothing else.  Raise LocalProtocolError for
    numbers below 1.
    """

    def __init__(self, max_items: int, max_bytes: int) -> None:
        for name, number in (("max_pending", max_items), ("max_pending_bytes", max_bytes)):
            if number < 1:
                raise LocalProtocolError(f"{name}: got {number!r}, expected a number from 1 on")
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._closed: Exception | None = None
        self.items = 0
        self.bytes = 0

    @property
    def waiting(self) -> int:
        """How many wait to get in."""
        return len(self._waiting)

    async def enter(self, size: int) -> None:
        """Wait until there is room for one more of `size` bytes, and take it; raise what it was closed with."""
        if self._closed is not None:
            raise self._closed.with_traceback(None)
        if not self._waiting and self._has_room_for(size):
            self._take(size)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (size, turn)
        self._waiting.append(entry)
        try:
            await turn
        except asyncio.CancelledError:
            if entry in self._waiting:
                self._waiting.remove(entry)
                self._admit()  # it may have been the only one for whom there was too little
            elif not turn.cancelled() and turn.exception() is None:
                self.leave(size)  # its turn had come at the same time
            raise

    def leave(self, size: int) -> None:
        """Give the room back, of which the next ones then have theirs."""
        self.items -= 1
        self.bytes -= size
        self._admit()

    def close(self, error: Exception) -> None:
        """Let nobody in any more: whoever waits, and whoever comes, gets `error`."""
        self._closed = error
        while self._waiting:
            _, turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(error)

    def _has_room_for(self, size: int) -> bool:
        return self.items < self._max_items and (not self.items or self.bytes + size <= self._max_bytes)

    def _take(self, size: int) -> None:
        self.items += 1
        self.bytes += size

    def _admit(self) -> None:
        while self._waiting and self._has_room_for(self._waiting[0][0]):
            size, turn = self._waiting.popleft()
            if not turn.done():  # cancelled, but has not heard of it yet
                self._take(size)
                turn.set_result(None)
