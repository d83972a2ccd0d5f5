"""A connection on a socket: bytes to and fro, by two tasks, until either end is closed.

Reading never waits for writing: the server may not read on before we have.  Writing waits until the server has
read most of what it was sent, and meanwhile takes nothing out of the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable

from mtproto.closing import close_writer
from mtproto.connection import ClientConnection
from mtproto.errors import ConnectionClosed, MTProtoError
from mtproto.events import ClientEvent

__all__ = ["Link", "Tap"]

Tap = Callable[[str, bytes], None]
"""Called with "in" or "out" and the raw bytes of the socket."""

_READ_SIZE = 64 * 1024
_CLOSING_TIME = 1.0


class Link:
    """`connection` on the socket of `reader` and `writer`; `dispatch` is given what happens, in its order.

    What `dispatch` and `tap` raise ends the link, as damage does.
    """

    def __init__(
        self,
        connection: ClientConnection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        dispatch: Callable[[Iterable[ClientEvent]], None],
        clock: Callable[[], float],
        tap: Tap | None = None,
    ) -> None:
        connection.defer_work = True
        self._connection = connection
        self._reader = reader
        self._writer = writer
        self._dispatch = dispatch
        self._clock = clock
        self._tap = tap
        self._wanted = asyncio.Event()
        self._write_failure: Exception | None = None

    def wake(self) -> None:
        """There may be something to send: at the end of this turn of the loop, so that it travels together."""
        self._wanted.set()

    async def run(self) -> Exception:
        """Read and write until the connection ends, and close the socket; return why it did."""
        writing = asyncio.create_task(self._write(), name="mtproto client: writing")
        try:
            error = await self._read()
        finally:
            writing.cancel()
            await asyncio.wait([writing])
        self.cut()
        return self._reason(error)

    def finish(self) -> None:
        """Close the connection from this side, and send what it still has to say."""
        self._connection.close()
        with contextlib.suppress(Exception):  # a tap's, say: it is over anyway
            self._send(self._connection.data_to_send())

    def cut(self) -> None:
        """Close the socket at once; what has not been sent is given up."""
        self._connection.abandon()
        self._writer.transport.abort()

    async def close(self) -> None:
        """Close the socket; what is still to be sent gets a second, and nothing where this is cancelled."""
        try:
            await close_writer(self._writer, _CLOSING_TIME)
        finally:
            self._writer.transport.abort()

    def _reason(self, error: Exception) -> Exception:
        if self._write_failure is not None:
            error = self._write_failure
        if isinstance(error, OSError):
            return ConnectionClosed(f"the connection broke: {error.strerror or error}")
        return error

    # Reading

    async def _read(self) -> Exception:
        connection = self._connection
        try:
            while not connection.closed:
                self.wake()
                data = await self._receive()
                if data is None:
                    self._dispatch(connection.handle_timer())
                elif not data:
                    connection.receive_eof()
                else:
                    self._dispatch(connection.receive_data(data))
                    await self._work()
                if connection.failure is not None:
                    return connection.failure
        except (MTProtoError, OSError) as error:
            return error
        except Exception as error:  # a tap's, say: whoever waits has to hear of it
            return error
        return ConnectionClosed("the server closed the connection")

    async def _work(self) -> None:
        """Have the heavy arithmetic of the key exchange done by a thread: the loop goes on meanwhile."""
        while (work := self._connection.work) is not None:
            outcome = await asyncio.get_running_loop().run_in_executor(None, work.run)
            self._dispatch(self._connection.finish_work(outcome))

    async def _receive(self) -> bytes | None:
        """The next bytes, b"" at the end of the stream, None when a timer is due first."""
        timer = self._connection.next_timer()
        delay = None if timer is None else max(0.0, timer - self._clock())
        try:
            async with asyncio.timeout(delay):
                data = await self._reader.read(_READ_SIZE)
        except TimeoutError:
            return None
        if self._tap is not None and data:
            self._tap("in", data)
        return data

    # Writing

    async def _write(self) -> None:
        try:
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                self._send(self._connection.data_to_send())
                await self._writer.drain()
        except Exception as error:
            self._write_failure = error
            self.cut()

    def _send(self, data: bytes) -> None:
        if data and not self._writer.is_closing():
            if self._tap is not None:
                self._tap("out", data)
            self._writer.write(data)
