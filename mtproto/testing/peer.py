"""One TCP connection of the loopback server: bytes between a socket and a `ServerConnection`.

What is kept for a client is bounded in both directions: nothing is read from one that does not read what it
is sent, or that waits for the answers to many requests; one that leaves too much unread, or for too long, is
cut off (X10).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from mtproto.connection import Deadlines, ServerConnection
from mtproto.errors import RemoteProtocolError
from mtproto.events import ServerEvent
from mtproto.testing.dispatch import Dispatcher

__all__ = ["MAX_BACKLOG", "MAX_PENDING", "Peer"]

logger = logging.getLogger("mtproto.testing")

MAX_BACKLOG = 16 * 1024 * 1024
"""How many bytes may wait for a client to read them before it is cut off."""
MAX_PENDING = 1024
"""How many requests of a connection may wait for their answers before no more is read: a full container."""
_READ_SIZE = 64 * 1024
_PROMPT_SIZE = 64 * 1024


class Peer:
    """A client's `connection`, and the socket it is on; `deadlines` are for what it may leave unread or unsaid."""

    def __init__(
        self,
        connection: ServerConnection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        clock: Callable[[], float],
        max_backlog: int = MAX_BACKLOG,
        max_pending: int = MAX_PENDING,
        deadlines: Deadlines,
    ) -> None:
        self.connection = connection
        connection.defer_work = True
        self.writer = writer
        self._reader = reader
        self._clock = clock
        self._max_backlog = max_backlog
        self._max_pending = max_pending
        self._reading = deadlines.reading
        self._silence = deadlines.silence
        self._heard = asyncio.get_running_loop().time()
        self._flush_due = False
        self._unsent = 0
        self._room: asyncio.Event | None = None
        host, port = writer.get_extra_info("peername", ("?", 0))[:2]
        self.name = f"{host}:{port}"
        self.pending = 0

    async def run(self, dispatcher: Dispatcher) -> None:
        """Read, and have requests answered, until the connection ends.

        Raise RemoteProtocolError or OSError if that was bad.
        """
        connection = self.connection
        while not connection.closed:
            self.flush()
            await self._drain()
            if self.pending >= self._max_pending:
                await self._wait_for_room()
                continue
            data = await self._read()
            if data is None:
                return
            if not data:
                connection.handle_timer()
            else:
                await self._handle(connection.receive_data(data), dispatcher)
                while (work := connection.work) is not None:  # a thread's: other peers are served meanwhile
                    outcome = await asyncio.get_running_loop().run_in_executor(None, work.run)
                    await self._handle(connection.finish_work(outcome), dispatcher)
            if connection.failure is not None:
                raise connection.failure

    async def _handle(self, events: list[ServerEvent], dispatcher: Dispatcher) -> None:
        requests = deque(dispatcher.announce(self, events))
        try:
            while requests:
                dispatcher.handle(self, requests.popleft())
                # In between, or the answers to all that fits into one read would pile up.
                await self._drain()
        except (OSError, RemoteProtocolError):
            # The connection is gone, but the session has the requests, and tells its client so in another one.
            while requests:
                dispatcher.handle(self, requests.popleft())
            raise
        finally:
            for event in requests:
                dispatcher.drop(self, event)

    def stop_reading(self) -> None:
        """Take no more bytes from the socket: the server is closing."""
        transport = self.writer.transport
        if isinstance(transport, asyncio.ReadTransport) and not transport.is_closing():
            transport.pause_reading()

    # Requests that wait

    def answered(self) -> None:
        """A request has its answer."""
        self.pending -= 1
        if self._room is not None:
            self._room.set()

    async def _wait_for_room(self) -> None:
        """Let some requests have their answers before more are read; timers go on."""
        self._room = asyncio.Event()
        self.connection.pause()
        try:
            async with asyncio.timeout(self._delay()):
                await self._room.wait()
        except TimeoutError:
            self.connection.handle_timer()
        finally:
            self._heard = asyncio.get_running_loop().time()
            self._room = None
            self.connection.resume()

    # Sending

    def flush_soon(self, size: int) -> None:
        """Send what is to be sent, an answer of `size` bytes among it, at the end of this turn of the loop.

        So answers that are there together travel together; long ones don't wait.
        """
        self._unsent += size
        if self._unsent > _PROMPT_SIZE:
            self.flush()
        elif not self._flush_due:
            self._flush_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        self.flush()

    def flush(self) -> None:
        """Send what is to be sent."""
        self._unsent = 0
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
        transport = self.writer.transport
        if not transport.is_closing() and not transport.get_write_buffer_size():
            return
        try:
            async with asyncio.timeout(self._reading):
                await self.writer.drain()
        except TimeoutError:
            self.cut()
            raise RemoteProtocolError(
                "the client does not read what it is sent", check="X10", expected=f"within {self._reading} s"
            ) from None

    # Reading

    def _delay(self) -> float | None:
        """In how many seconds a timer is due."""
        timer = self.connection.next_timer()
        return None if timer is None else max(0.0, timer - self._clock())

    async def _read(self) -> bytes | None:
        """The next bytes; b"" when a timer is due first, None at the end or after a long silence."""
        loop = asyncio.get_running_loop()
        ends = None if self._silence is None else self._heard + self._silence
        delay = self._delay()
        due = None if delay is None else loop.time() + delay
        try:
            async with asyncio.timeout_at(min((t for t in (ends, due) if t is not None), default=None)):
                data = await self._reader.read(_READ_SIZE)
        except TimeoutError:
            if ends is None or loop.time() < ends:  # our own timers don't count as a sign of life
                return b""
            logger.info("%s: nothing came for %s s", self.name, self._silence)
            return None
        self._heard = loop.time()
        if not data:
            self.connection.receive_eof()
            return None
        return data
