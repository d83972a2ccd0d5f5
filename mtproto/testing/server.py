"""The loopback server: `ServerConnection`s on asyncio sockets, with handlers for requests.

    async with mtproto.testing.serve() as server:
        ...  # server.host, server.port, server.public_key

It is made for tests: it binds 127.0.0.1 unless told otherwise, and everyone gets a key who asks for one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import tl
from mtproto.closing import close_writer
from mtproto.connection import Deadlines, ServerConnection, ServerState
from mtproto.connection.state import Carrier
from mtproto.crypto.rsa import PrivateKey, PublicKey
from mtproto.errors import LocalProtocolError, RemoteProtocolError
from mtproto.events import SessionId
from mtproto.testing.arguments import (
    check_callable,
    check_kind,
    check_list,
    check_message,
    check_number,
    check_whole,
)
from mtproto.testing.dispatch import Dispatcher, RequestLog
from mtproto.testing.faults.base import Fault
from mtproto.testing.handlers import Handlers, checked, default_handlers
from mtproto.testing.key_exchange import KeyExchange, Retries
from mtproto.testing.peer import MAX_BACKLOG, MAX_PENDING, Peer
from mtproto.testing.scenes import LoopbackScene
from mtproto.transport import ProxySecret, ServerFraming
from mtproto.warming import warm_up

__all__ = ["MAX_CONNECTIONS", "LoopbackServer"]

logger = logging.getLogger("mtproto.testing")

MAX_CONNECTIONS = 10_000
"""How many connections a server takes at a time; one more is closed at once (X10)."""
_WAITING_CONNECTIONS = 1024  # that the system keeps until they are accepted
_CLOSING_TIME = 0.5
_ENDING_TIME = 3.0


class LoopbackServer:
    """An MTProto server on a local socket; an async context manager, made by `serve`."""

    def __init__(
        self,
        handlers: Handlers | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        key: PrivateKey | None = None,
        state: ServerState | None = None,
        phone_code_hash: str | None = None,
        mtproxy_secret: ProxySecret | str | bytes | None = None,
        transport: str | None = None,
        obfuscated: bool = False,
        key_exchange: KeyExchange = KeyExchange(),  # noqa: B008 - it is immutable
        on_request: Callable[[RequestLog], None] | None = None,
        on_connection: Callable[[ServerConnection], object] | None = None,
        deadlines: Deadlines = Deadlines(),  # noqa: B008 - it is immutable
        grace: float = 1.0,
        strict: bool = False,
        gzip_from: int | None = None,
        max_connections: int = MAX_CONNECTIONS,
        max_backlog: int = MAX_BACKLOG,
        max_pending: int = MAX_PENDING,
        faults: Sequence[Fault] = (),
        clock: Callable[[], float] = time.time,
        rng: Callable[[int], bytes] = os.urandom,
    ) -> None:
        check_kind("host", host, str)
        check_whole("port", port, least=0, most=65535)
        check_kind("key", key, PrivateKey, or_none=True, secret=True)
        check_kind("state", state, ServerState, or_none=True)
        check_kind("phone_code_hash", phone_code_hash, str, or_none=True)
        check_kind("key_exchange", key_exchange, KeyExchange)
        check_kind("deadlines", deadlines, Deadlines)
        check_number("grace", grace, "seconds", least=0)
        for name, flag in (("obfuscated", obfuscated), ("strict", strict)):
            check_kind(name, flag, bool)
        for name, most in (
            ("max_connections", max_connections),
            ("max_backlog", max_backlog),
            ("max_pending", max_pending),
        ):
            check_whole(name, most, least=1)
        if gzip_from is not None and type(gzip_from) is not int:
            raise LocalProtocolError(f"got {gzip_from!r:.60} for gzip_from, expected an int or None")
        for name, told in (("on_request", on_request), ("on_connection", on_connection)):
            check_callable(name, told)
        for name, source in (("clock", clock), ("rng", rng)):
            check_callable(name, source, or_none=False)
        check_list("faults", faults, "objects of mtproto.testing.faults")
        self.host = host
        self.port = port
        self.state = ServerState(clock=clock, rng=rng, strict=strict) if state is None else state
        self._key = key
        self._given = None if handlers is None else checked(handlers)
        self._phone_code_hash = phone_code_hash
        self._secret = None if mtproxy_secret is None else ProxySecret.read(mtproxy_secret)
        ServerFraming(
            secret=self._secret, transport=transport, obfuscated=obfuscated
        )  # raises here, not later
        self.transport = transport
        self._obfuscated = obfuscated
        self._exchange = key_exchange
        self._on_connection = on_connection
        self._deadlines = deadlines
        self._grace = grace
        self._max_connections = max_connections
        self._max_backlog = max_backlog
        self._max_pending = max_pending
        self._dispatcher = Dispatcher(
            self.state, flush=self._flush, on_request=on_request, gzip_from=gzip_from
        )
        self._scene = LoopbackScene(self, faults)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._peers: dict[Carrier, Peer] = {}

    @property
    def errors(self) -> list[BaseException]:
        """What handlers raised that was no RpcError; a test may want to see that this stays empty."""
        return self._dispatcher.errors

    @property
    def public_key(self) -> PublicKey:
        """The RSA key that clients have to trust; asked for before the server has begun, it is made now."""
        return self._made_key().public

    def _made_key(self) -> PrivateKey:
        self._key = self._key or PrivateKey.generate()
        return self._key

    def default_handlers(self) -> dict[type[tl.TLObject], Callable[[Any], Any]]:
        """The handlers in use where none are given: to be extended, or looked at."""
        return default_handlers(
            phone_code_hash=self._phone_code_hash,
            host=self.host,
            port=self.port,
            clock=self.state.clock,
            rng=self.state.rng,
        )

    # Beginning and end

    async def __aenter__(self) -> LoopbackServer:
        await warm_up()
        await asyncio.get_running_loop().run_in_executor(None, self._made_key)
        self._server = await asyncio.start_server(
            self._serve, self.host, self.port, backlog=_WAITING_CONNECTIONS
        )
        self.host, self.port = self._server.sockets[0].getsockname()[:2]
        self._dispatcher.use(self.default_handlers() if self._given is None else self._given)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close(grace=self._grace if kind is None else 0.0)

    async def close(self, *, grace: float | None = None) -> None:
        """Take no more connections and requests, let handlers end, send their answers, close all connections.

        Handlers get `grace` seconds, unless it is None those given to `serve`; who has not ended then is cancelled.
        """
        if self._server is not None:
            self._server.close()
        for _ in range(2):  # connections that were being accepted come to be, and can be closed
            await asyncio.sleep(0)
        for peer in self._peers.values():
            peer.stop_reading()
        try:
            await self._dispatcher.finish(self._grace if grace is None else grace)
        finally:
            await _ended(self._end(politely=True))

    async def restart(self, *, keep_sessions: bool = False) -> None:
        """Break all connections, and forget all sessions unless they are to be kept: as a server that crashed.

        Handlers at work are cancelled.  Auth keys, salts and the port stay; clients can connect again at once.
        """
        ending = self._end(politely=False)
        if not keep_sessions:
            for session in tuple(self.state.sessions):
                self.state.forget_session(session)
        await _ended(ending)

    def _end(self, *, politely: bool) -> set[asyncio.Task[None]]:
        """End all handlers and connections; their tasks, which have to be waited for."""
        handlers = self._dispatcher.cancel()
        for peer in tuple(self._peers.values()):
            if politely:
                peer.connection.close()
                peer.flush()
            else:
                peer.cut()
        for task in self._tasks:
            task.cancel()
        return {*handlers, *self._tasks}

    # Sessions

    @property
    def sessions(self) -> tuple[SessionId, ...]:
        """The sessions that have a connection now."""
        return tuple(self.state.carriers)

    def notify(self, message: tl.TLObject | bytes, session: SessionId | None = None) -> None:
        """Send a message that answers nothing, such as an update, in one session or in all that have a connection.

        One without gets it when its client comes back.  LocalProtocolError where there is no such session.
        """
        check_message(message)
        body = bytes(message)
        for receiver in self.sessions if session is None else (session,):
            self.state.notify(receiver, body)
            self._flush(receiver, len(body))

    def rotate_salt(self, *, keep_previous: bool = True) -> None:
        """Begin a new server_salt for every key; messages with the one before are refused unless it is kept.

        `state.rotate_salt` does it for one key, and may be told the salt.
        """
        for key_id in self.state.salts:
            self.state.rotate_salt(key_id, keep_previous=keep_previous)

    # Connections

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._peers) >= self._max_connections:
            logger.info("one connection too many: there are %d", len(self._peers))
            writer.close()
            return
        peer = self._peer(reader, writer)
        self._peers[peer.connection] = peer
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        try:
            await peer.run(self._dispatcher)
        except RemoteProtocolError as error:
            logger.info("%s: %s", peer.name, error)
        except OSError as error:
            peer.connection.abandon()
            logger.info("%s: the connection broke: %s", peer.name, error)
        except asyncio.CancelledError:
            pass  # the server is closing; asyncio would log a task that was cancelled
        finally:
            peer.flush()
            del self._peers[peer.connection]
            with contextlib.suppress(asyncio.CancelledError):
                await close_writer(writer, _CLOSING_TIME)
            if task is not None:
                self._tasks.discard(task)

    def _peer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Peer:
        retries = Retries(self._exchange, self._scene.is_taken)
        connection = ServerConnection(
            [self._made_key()],
            self.state,
            mtproxy_secret=self._secret,
            transport=self.transport,
            obfuscated=self._obfuscated,
            dc=self._exchange.dc,
            is_taken=retries.is_taken,
            is_refused=lambda key_id: retries.is_refused(key_id) or self._scene.is_refused(key_id),
            deadlines=self._deadlines,
        )
        self._scene.attach(connection)
        if self._on_connection is not None:
            self._on_connection(connection)
        return Peer(
            connection,
            reader,
            writer,
            clock=self.state.clock,
            max_backlog=self._max_backlog,
            max_pending=self._max_pending,
            deadlines=self._deadlines,
        )

    def flush(self) -> None:
        """Let all connections send what they have to, where something was queued by hand."""
        for peer in tuple(self._peers.values()):
            peer.flush()

    def hang_up(self, connection: ServerConnection) -> None:
        """Close a connection, once it has sent what is to be sent; nothing where it has ended."""
        peer = self._peers.get(connection)
        if peer is not None:
            connection.close()
            peer.flush()
            peer.writer.close()

    def cut(self, connection: ServerConnection) -> None:
        """End a connection at once, whatever is on its way; nothing where it has ended."""
        peer = self._peers.get(connection)
        if peer is not None:
            peer.cut()

    def _flush(self, session: SessionId, size: int) -> None:
        """Send what a session has to say in the connection it uses now, which may be a newer one."""
        carrier = self.state.carriers.get(session)
        peer = None if carrier is None else self._peers.get(carrier)
        if peer is not None:
            peer.flush_soon(size)


async def _ended(tasks: set[asyncio.Task[None]]) -> None:
    """Wait for tasks that were cancelled, though not for ever; what could go wrong in them has been logged."""
    if not tasks:
        return
    done, _ = await asyncio.wait(tasks, timeout=_ENDING_TIME)
    for task in done:
        if not task.cancelled():
            task.exception()
