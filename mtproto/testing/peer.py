"""One TCP connection of the loopback server: bytes between a socket and a `ServerConnection`.

What is kept for a client is bounded in both directions: nothing is read from one that does not read what it
is sent, and one that leaves too much of it unread, or for too long, is cut off (X10).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from mtproto.connection import ServerConnection
from mtproto.errors import RemoteProtocolError
from mtproto.events import ServerEvent

__all__ = ["MAX_BACKLOG", "Peer"]

logger = logging.getLogger("mtproto.testing")

MAX_BACKLOG = 16 * 1024 * 1024
"""How many bytes may wait for a client to read them before it is cut off."""
_READ_SIZE = 64 * 1024
_IDLE_TIMEOUT = 600.0


class Peer:
    """A client's `connection`, and the socket it is on; `reading` is how many seconds it may read nothing."""

    def __init__(
        self,
        connection: ServerConnection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        clock: Callable[[], float],
        max_backlog: int = MAX_BACKLOG,
        reading: float | None = None,
    ) -> None:
        self.connection = connection
        connection.defer_work = True
        self.writer = writer
        self._reader = reader
        self._clock = clock
        self._max_backlog = max_backlog
        self._reading = reading
        host, port = writer.get_extra_info("peername", ("?", 0))[:2]
        self.name = f"{host}:{port}"

    async def run(self, handle: Callable[[Peer, ServerEvent], None]) -> None:
        """Read and `handle` until the connection ends; raise RemoteProtocolError or OSError if that was bad."""
        connection = self.connection
        while not connection.closed:
            self.flush()
            await self._drain()
            data = await self._read()
            if data is None:
                return
            if not data:
                connection.handle_timer()
            else:
                await self._handle(connection.receive_data(data), handle)
                while (work := connection.work) is not None:  # a thread's: other peers are served meanwhile
                    outcome = await asyncio.get_running_loop().run_in_executor(None, work.run)
                    await self._handle(connection.finish_work(outcome), handle)
            if connection.failure is not None:
                raise connection.failure

    async def _handle(self, events: list[ServerEvent], handle: Callable[[Peer, ServerEvent], None]) -> None:
        for event in events:
            handle(self, event)
            # In between, or the answers to all that fits into one read would pile up.
            await self._drain()

    def flush(self) -> None:
        """Send what is to be sent."""
        data = self.connection.data_to_send()
        if not data or self.writer.is_closing():
            return
        self.writer.write(data)
        backlog = self.writer.transport.get_write_buffer_size()
        if backlog > self._max_backlog:
            logger.info(
                "%s: leaves %d bytes unread, at most %d are kept", self.name, backlog, self._max_backlog
            )
            self.cut()

    def cut(self) -> None:
        """End the connection at once, whatever the client has not read; its sessions go on in another."""
        self.connection.abandon()
        self.writer.transport.abort()

    async def _drain(self) -> None:
        """Wait until the client has read most of what was sent."""
        try:
            async with asyncio.timeout(self._reading):
                await self.writer.drain()
        except TimeoutError:
            self.cut()
            raise RemoteProtocolError(
                "the client does not read what it is sent", check="X10", expected=f"within {self._reading} s"
            ) from None

    async def _read(self) -> bytes | None:
        """The next bytes; b"" when a timer is due first, None at the end or after a long silence."""
        timer = self.connection.next_timer()
        delay = _IDLE_TIMEOUT if timer is None else max(0.0, timer - self._clock())
        try:
            async with asyncio.timeout(delay):
                data = await self._reader.read(_READ_SIZE)
        except TimeoutError:
            if timer is not None:
                return b""
            logger.info("%s: nothing came for %s s", self.name, _IDLE_TIMEOUT)
            return None
        if not data:
            self.connection.receive_eof()
            return None
        return data
