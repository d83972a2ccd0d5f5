"""One connection after the other: what ends one, whether another may mend it, and when that is tried."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from mtproto.client.backoff import Backoff
from mtproto.client.feed import Disconnected, Notice, Reconnected
from mtproto.client.link import Link, Tap
from mtproto.clock import steady_time
from mtproto.connection import ClientConnection
from mtproto.errors import (
    AuthKeyLost,
    ConnectionClosed,
    HandshakeFailed,
    RemoteProtocolError,
    RpcError,
    TempKeyLost,
    TransportCodeReceived,
)
from mtproto.events import (
    AnswerReceived,
    ClientEvent,
    KeyAgreed,
    PongReceived,
    RequestFailed,
    TransportErrorReceived,
)

__all__ = ["Dial", "Surroundings", "Upkeep"]

Socket: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial: TypeAlias = Callable[[], Awaitable[Socket]]
"""Opens a socket to the server; raises ConnectionClosed where that can't be."""

logger = logging.getLogger("mtproto.client")

_FLOOD = -429
_UNKNOWN_KEY = -404


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What connections need from outside: a way to the server, time, randomness; all as `connect` has it."""

    dial: Dial
    timeout: float | None = 10.0
    clock: Callable[[], float] = steady_time
    rng: Callable[[int], bytes] = os.urandom
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    tap: Tap | None = None


def _is_key_unknown(error: Exception) -> bool:
    """Whether the server could not read a binding under our permanent key, which it could once (H15)."""
    told = error.got if isinstance(error, HandshakeFailed) else None
    return isinstance(told, RpcError) and told.message == "ENCRYPTED_MESSAGE_INVALID"


class Upkeep:
    """Keeps a connection up, from the first one on, until one ends in a way that another one would not mend.

    `use` is called with each connection, before anything is sent in it, and again when it takes requests;
    `tell` with all that happens; `end` once, with the reason, when there will be no connection any more.
    """

    def __init__(
        self,
        connection: ClientConnection,
        around: Surroundings,
        backoff: Backoff | None,
        *,
        use: Callable[[ClientConnection], None],
        tell: Callable[[Notice], None],
        end: Callable[[Exception], None],
    ) -> None:
        self.connection = connection
        self._around = around
        self._backoff = backoff
        self._use = use
        self._tell = tell
        self._end = end
        self._link: Link | None = None
        self._task: asyncio.Task[None] | None = None
        self._was_ready = asyncio.Event()
        self._attempts = 0
        self._has_temp_key = False

    async def start(self) -> None:
        """Connect, and wait until requests can be sent, or until it has ended; `close` it in any case."""
        link = self._on(await self._around.dial())
        self._task = asyncio.create_task(self._run(link), name="mtproto client")
        ready = asyncio.ensure_future(self._was_ready.wait())
        try:
            await asyncio.wait((ready, self._task), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()

    def wake(self) -> None:
        """There may be something to send."""
        if self._link is not None:
            self._link.wake()

    async def close(self) -> None:
        """End it now.  What is still to be sent gets a second, or nothing where this is cancelled."""
        link, self._link = self._link, None
        if link is not None:
            link.finish()
        try:
            if self._task is not None:
                self._task.cancel()
                await asyncio.wait([self._task])
            if link is not None:
                await link.close()
        finally:
            if link is not None:
                link.cut()

    # Connections

    def _on(self, socket: Socket) -> Link:
        """The connection, which is new, on a socket, which is, too."""
        around = self._around
        self._link = Link(
            self.connection, *socket, dispatch=self._dispatch, clock=around.clock, tap=around.tap
        )
        return self._link

    async def _run(self, link: Link) -> None:
        error: Exception = ConnectionClosed("the client was stopped")
        try:
            while True:
                self._begin()
                error = await link.run()
                if self._was_ready.is_set() and _is_key_unknown(error):
                    raise AuthKeyLost from error
                if not self._may_go_on(error):
                    return
                socket = await self._dialled_again(error)
                self.connection = self.connection.successor()
                link = self._on(socket)
        except Exception as final:
            error = final
        finally:
            self._end(error)
            if self._link is not None:  # nobody has called `close`, who would take more time for it
                self._link.cut()

    def _begin(self) -> None:
        self._use(self.connection)
        if self.connection.is_ready:
            self._be_ready()

    def _be_ready(self) -> None:
        if self._was_ready.is_set() and self._attempts:
            self._tell(Reconnected(self._attempts))
        self._was_ready.set()
        self._use(self.connection)

    def _may_go_on(self, error: Exception) -> bool:
        """Whether another connection may mend what has ended this one."""
        if self._backoff is None or not self._was_ready.is_set():
            return False
        if isinstance(error, TransportCodeReceived):
            return isinstance(error, TempKeyLost) or error.code == _FLOOD
        return isinstance(error, ConnectionClosed | RemoteProtocolError)

    async def _dialled_again(self, error: Exception) -> Socket:
        """Try until there is a socket; ConnectionClosed after too many attempts in vain."""
        around, backoff = self._around, self._backoff or Backoff()
        while backoff.attempts is None or self._attempts < backoff.attempts:
            is_flood = isinstance(error, TransportCodeReceived) and error.code == _FLOOD
            delay = backoff.delay(self._attempts, around.rng, flood=is_flood)
            self._attempts += 1
            logger.info("%s; attempt %d to connect again in %.1f s", error, self._attempts, delay)
            self._tell(Disconnected(error, delay))
            await around.sleep(delay)
            try:
                async with asyncio.timeout(around.timeout):
                    return await around.dial()
            except ConnectionClosed as refused:
                error = refused
            except TimeoutError:
                error = ConnectionClosed(f"no connection within {around.timeout} s")
        raise ConnectionClosed(f"gave up after {self._attempts} attempts: {error}") from error

    def _dispatch(self, events: Iterable[ClientEvent]) -> None:
        for event in events:
            self._tell(event)
            if _is_answer(event):
                self._attempts = 0
            elif isinstance(event, KeyAgreed):
                self._has_temp_key = event.temp_auth_key is not None
                self._be_ready()
            elif isinstance(event, TransportErrorReceived):
                raise self._told_by(event.code)

    def _told_by(self, code: int) -> TransportCodeReceived:
        """What a transport error means: of -404, which key is not known, once there is one."""
        if code != _UNKNOWN_KEY or not self._was_ready.is_set():
            return TransportCodeReceived(code)
        return TempKeyLost() if self._has_temp_key else AuthKeyLost()


def _is_answer(event: ClientEvent) -> bool:
    """Whether the server has answered something: this connection was worth its attempt."""
    if isinstance(event, RequestFailed):
        return isinstance(event.error, RpcError)
    return isinstance(event, AnswerReceived | PongReceived)
