"""Pings that wait for their pongs; one whose connection ends is sent again in the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from mtproto.connection import ClientConnection
from mtproto.crypto.randomness import draw

__all__ = ["Pings"]


@dataclass(slots=True, eq=False)
class _Ping:
    pong: asyncio.Future[float]
    connection: ClientConnection | None = None
    sent_at: float = 0.0


class Pings:
    """The pings of a client; `wake` is called when there may be something to send."""

    def __init__(
        self, clock: Callable[[], float], rng: Callable[[int], bytes], wake: Callable[[], None]
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._wake = wake
        self._connection: ClientConnection | None = None
        self._failure: Exception | None = None
        self._open: dict[int, _Ping] = {}

    async def ping(self) -> float:
        """Send a ping as soon as a connection takes it; return the seconds until its pong came."""
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        ping_id = int.from_bytes(draw(self._rng, 8), "little", signed=True)
        self._open[ping_id] = ping = _Ping(asyncio.get_running_loop().create_future())
        self.hand_over()
        try:
            return await ping.pong
        finally:
            self._open.pop(ping_id, None)

    def use(self, connection: ClientConnection) -> None:
        """From now on pings go to `connection`, and those without a pong as well."""
        self._connection = connection
        self.hand_over()

    def hand_over(self) -> None:
        """Send what has not been sent in the connection, if it takes requests now."""
        connection = self._connection
        if connection is None or not connection.is_ready:
            return
        for ping_id, ping in self._open.items():
            if ping.connection is not connection:
                ping.connection, ping.sent_at = connection, self._clock()
                connection.ping(ping_id)
                self._wake()

    def settle(self, ping_id: int) -> None:
        """A pong has come."""
        ping = self._open.get(ping_id)
        if ping is not None and not ping.pong.done():
            ping.pong.set_result(self._clock() - ping.sent_at)

    def fail(self, error: Exception) -> None:
        """There will be no connection any more."""
        self._failure = error
        for ping in self._open.values():
            if not ping.pong.done():
                ping.pong.set_exception(error)
                ping.pong.exception()  # retrieved: not everyone who could wait does
