"""The loopback server: `ServerConnection`s on asyncio sockets, with handlers for requests.

    async with mtproto.testing.serve() as server:
        ...  # server.host, server.port, server.public_key

It is made for tests: it binds 127.0.0.1 unless told otherwise, and everyone gets a key who asks for one.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

import tl
from mtproto import api, service
from mtproto.closing import close_writer
from mtproto.connection import Deadlines, ServerConnection, ServerState
from mtproto.crypto.rsa import PrivateKey, PublicKey
from mtproto.errors import LocalProtocolError, RemoteProtocolError, RpcError
from mtproto.events import RequestReceived, ServerEvent, SessionId
from mtproto.message import MAX_BODY, constructor_id
from mtproto.testing.handlers import (
    HANDLER_FAILED,
    UNBOUND,
    Handler,
    Handlers,
    checked,
    default_handlers,
    said,
    tl_name,
    unreadable,
    unwrap,
)
from mtproto.testing.key_exchange import KeyExchange, Retries
from mtproto.testing.peer import MAX_BACKLOG, Peer
from mtproto.transport import ProxySecret, ServerFraming
from mtproto.warming import warm_up

__all__ = ["LoopbackServer", "RequestLog", "serve"]

logger = logging.getLogger("mtproto.testing")

MAX_CONNECTIONS = 1000
"""How many connections a server takes at a time; one more is closed at once (X10)."""
_CLOSING_TIME = 0.5
_ENDING_TIME = 3.0


@dataclass(frozen=True, slots=True)
class RequestLog:
    """One request that was answered: who asked, the TL name (or the id of an unknown one), what was said."""

    peer: str
    method: str
    answer: str


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
        deadlines: Deadlines = Deadlines(),  # noqa: B008 - it is immutable
        max_connections: int = MAX_CONNECTIONS,
        max_backlog: int = MAX_BACKLOG,
        clock: Callable[[], float] = time.time,
        rng: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.host = host
        self.port = port
        self.errors: list[BaseException] = []
        """What handlers raised that was no RpcError; a test may want to see that this stays empty."""
        self.state = ServerState(clock=clock, rng=rng) if state is None else state
        self._key = key
        self._given = None if handlers is None else checked(handlers)
        self._phone_code_hash = phone_code_hash
        self._secret = None if mtproxy_secret is None else ProxySecret.read(mtproxy_secret)
        ServerFraming(
            secret=self._secret, transport=transport, obfuscated=obfuscated
        )  # raises here, not later
        self._transport = transport
        self._obfuscated = obfuscated
        self._exchange = key_exchange
        self._handlers: Handlers = {}
        self._on_request = on_request
        self._deadlines = deadlines
        self._max_connections = max_connections
        self._max_backlog = max_backlog
        self._clock = self.state.clock
        self._rng = self.state.rng
        self._server: asyncio.Server | None = None
        self._is_closing = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._peers: set[Peer] = set()

    @property
    def public_key(self) -> PublicKey:
        """The RSA key that clients have to trust; asked for before the server has begun, it is made now."""
        return self._made_key().public

    def _made_key(self) -> PrivateKey:
        self._key = self._key or PrivateKey.generate()
        return self._key

    async def __aenter__(self) -> LoopbackServer:
        await warm_up()
        await asyncio.get_running_loop().run_in_executor(None, self._made_key)
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.host, self.port = self._server.sockets[0].getsockname()[:2]
        self._handlers = self._given if self._given is not None else self.default_handlers()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_closing = True
        if self._server is not None:
            self._server.close()
        for _ in range(2):  # connections that were being accepted come to be, and can be closed
            await asyncio.sleep(0)
        for peer in self._peers:
            peer.connection.close()
            peer.flush()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            done, _ = await asyncio.wait(self._tasks, timeout=_ENDING_TIME)
            for task in done:
                if not task.cancelled():
                    task.exception()  # retrieved: what could go wrong has been logged

    def default_handlers(self) -> dict[type[tl.TLObject], Handler]:
        """The handlers in use where none are given: to be extended, or looked at."""
        return default_handlers(
            phone_code_hash=self._phone_code_hash,
            host=self.host,
            port=self.port,
            clock=self._clock,
            rng=self._rng,
        )

    # Connections

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._peers) >= self._max_connections:
            logger.info("one connection too many: there are %d", len(self._peers))
            writer.close()
            return
        retries = Retries(self._exchange, self.state.keys.__contains__)
        connection = ServerConnection(
            [self._made_key()],
            self.state,
            mtproxy_secret=self._secret,
            transport=self._transport,
            obfuscated=self._obfuscated,
            dc=self._exchange.dc,
            is_taken=retries.is_taken,
            is_refused=retries.is_refused,
            deadlines=self._deadlines,
        )
        peer = Peer(
            connection,
            reader,
            writer,
            clock=self._clock,
            max_backlog=self._max_backlog,
            reading=self._deadlines.reading,
        )
        self._peers.add(peer)
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        try:
            await peer.run(self._handle)
        except RemoteProtocolError as error:
            logger.info("%s: %s", peer.name, error)
        except OSError as error:
            peer.connection.abandon()
            logger.info("%s: the connection broke: %s", peer.name, error)
        except asyncio.CancelledError:
            pass  # the server is closing; asyncio would log a task that was cancelled
        finally:
            peer.flush()
            self._peers.discard(peer)
            if task is not None:
                self._tasks.discard(task)
            with contextlib.suppress(asyncio.CancelledError):
                await close_writer(writer, _CLOSING_TIME)

    # Requests

    def _handle(self, peer: Peer, event: ServerEvent) -> None:
        if isinstance(event, RequestReceived):
            try:
                request = unwrap(self._decode(event.body))
            except tl.DecodeError as error:
                self._answer(peer, event, tl_name(event.body), unreadable(error))
                return
            handler = self._handlers.get(type(request))
            if handler is None and isinstance(request, api.auth.BindTempAuthKey):
                self._answer(peer, event, request.TL_NAME, self._bound(event, request))
                return
            if self.state.needs_binding(event.session.auth_key_id) and not isinstance(request, UNBOUND):
                self._answer(peer, event, request.TL_NAME, RpcError(401, "AUTH_KEY_PERM_EMPTY"))
                return
            if handler is None:
                self._answer(peer, event, request.TL_NAME, RpcError(401, "AUTH_KEY_UNREGISTERED"))
                return
            self._call(peer, event, request, handler)

    def _bound(self, event: RequestReceived, request: api.auth.BindTempAuthKey) -> bytes | RpcError:
        try:
            self.state.bind_temp_key(event.session, event.msg_id, request)
        except RpcError as error:
            return error
        return tl.encode_result(request, True)

    def _decode(self, body: bytes) -> tl.TLObject:
        """The request, by the schema of the API or by that of whichever handler's class has its id."""
        schemas = {cls.SCHEMA: None for cls in (api.help.GetConfig, *self._handlers)}
        number = constructor_id(body)
        schema = next((s for s in schemas if s.find(number) is not None), api.SCHEMA)
        request: tl.TLObject = tl.decode(schema, body)
        return request

    def _call(self, peer: Peer, event: RequestReceived, request: tl.TLObject, handler: Handler) -> None:
        try:
            result = handler(request)
        except (Exception, asyncio.CancelledError) as error:
            # A handler's mistake must not end the connection.
            self._answer(peer, event, request.TL_NAME, self._failed(request, error))
            return
        if inspect.isawaitable(result):
            task = asyncio.create_task(self._await(peer, event, request, result))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self._answer(peer, event, request.TL_NAME, self._encoded(request, result))

    async def _await(self, peer: Peer, event: RequestReceived, request: tl.TLObject, result: object) -> None:
        try:
            answer = self._encoded(request, await result)  # type: ignore[misc]
        except (Exception, asyncio.CancelledError) as error:
            if self._is_closing:
                raise
            answer = self._failed(request, error)
        self._answer(peer, event, request.TL_NAME, answer)

    def _encoded(self, request: tl.TLObject, result: object) -> bytes | RpcError:
        try:
            return tl.encode_result(request, result)  # type: ignore[arg-type]
        except tl.EncodeError as error:
            return self._failed(request, error)

    def _failed(self, request: tl.TLObject, error: BaseException) -> RpcError:
        """A handler's RpcError is the answer; anything else is its mistake, and said to be one."""
        if isinstance(error, RpcError):
            return error
        self._mistake(f"the handler of {request.TL_NAME}", error)
        return RpcError(400, HANDLER_FAILED)  # not a 5xx: clients repeat these for ever

    def _answer(self, peer: Peer, event: RequestReceived, method: str, answer: bytes | RpcError) -> None:
        body = answer if isinstance(answer, bytes) else self._error_body(answer)
        if len(body) > MAX_BODY:
            self._mistake(method, ValueError(f"an answer of {len(body)} bytes, expected at most {MAX_BODY}"))
            body = _FAILED_BODY
        try:
            peer.connection.answer(event.session, event.msg_id, body)
        except LocalProtocolError:
            logger.info(
                "%s: %s: the session is gone, or does not want the answer any more", peer.name, method
            )
            return
        if self._on_request is not None:
            try:
                self._on_request(RequestLog(peer.name, method, said(body)))
            except Exception as error:
                self._mistake("on_request", error)
        self._flush_session(event.session)

    def _error_body(self, error: RpcError) -> bytes:
        try:
            return bytes(service.RpcError(error_code=error.code, error_message=error.message))
        except tl.EncodeError as mistake:
            self._mistake("an RpcError", mistake)
            return _FAILED_BODY

    def _mistake(self, where: str, error: BaseException) -> None:
        self.errors.append(error)
        logger.error("%s failed", where, exc_info=error)

    def _flush_session(self, session: SessionId) -> None:
        """Send what a session has to say in the connection it uses now, which may be a newer one."""
        carrier = self.state.carriers.get(session)
        for peer in self._peers:
            if peer.connection is carrier:
                peer.flush()


_FAILED_BODY = bytes(service.RpcError(error_code=400, error_message=HANDLER_FAILED))


def serve(
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
    deadlines: Deadlines = Deadlines(),  # noqa: B008 - it is immutable
    max_connections: int = MAX_CONNECTIONS,
    max_backlog: int = MAX_BACKLOG,
    clock: Callable[[], float] = time.time,
    rng: Callable[[int], bytes] = os.urandom,
) -> LoopbackServer:
    """A server for tests, as an async context manager with `host`, `port` and `public_key`.

    `handlers` maps request classes to functions of the request, plain or async; None means the default ones,
    which answer account.sendVerifyPhoneCode, auth.sendCode and help.getConfig as Telegram would.  Requests
    without a handler get rpc_error 401 AUTH_KEY_UNREGISTERED.  `port` 0 is any free one; a `key` that is not given
    is made when the server begins, or `public_key` is asked for; `phone_code_hash` is what the default answer says
    instead of a random one; `on_request` is called for each request that was answered.

    With the `key` of a server that has stopped, and its `state.restarted()`, this one is the same server, started
    again: clients go on with their auth keys.  A `state` brings its own clock and rng.

    Which transport a client speaks, and whether obfuscated, is told by its first bytes: all are taken.  With an
    `mtproxy_secret` (hexadecimal) the server is one behind an MTProxy, and takes only clients that know it.
    `transport`, the name of a framing, and `obfuscated` restrict it to that framing, and to obfuscated connections.
    `key_exchange` (see `KeyExchange`) makes clients try again, fail, or prove which data centre they mean.
    `deadlines` (see `Deadlines`), `max_connections` and `max_backlog`, the bytes that a client may leave unread,
    are for clients that would cost too much.
    """
    return LoopbackServer(
        handlers,
        host=host,
        port=port,
        key=key,
        state=state,
        phone_code_hash=phone_code_hash,
        mtproxy_secret=mtproxy_secret,
        transport=transport,
        obfuscated=obfuscated,
        key_exchange=key_exchange,
        on_request=on_request,
        deadlines=deadlines,
        max_connections=max_connections,
        max_backlog=max_backlog,
        clock=clock,
        rng=rng,
    )
