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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import tl
from mtproto import api, service
from mtproto.closing import close_writer
from mtproto.connection import ServerConnection, ServerState
from mtproto.crypto.rsa import PrivateKey, PublicKey
from mtproto.errors import LocalProtocolError, RemoteProtocolError, RpcError
from mtproto.events import RequestReceived, ServerEvent, SessionId
from mtproto.message import MAX_BODY, constructor_id
from mtproto.testing.handlers import WRAPPERS, Handler, Handlers, default_handlers, unwrap

__all__ = ["LoopbackServer", "RequestLog", "serve"]

logger = logging.getLogger("mtproto.testing")

_READ_SIZE = 64 * 1024
_IDLE_TIMEOUT = 600.0
_CLOSING_TIME = 0.5
_ENDING_TIME = 3.0


@dataclass(frozen=True, slots=True)
class RequestLog:
    """One request that was answered: who asked, the TL name (or the id of an unknown one), what was said."""

    peer: str
    method: str
    answer: str


class _Peer:
    """One TCP connection."""

    def __init__(self, connection: ServerConnection, writer: asyncio.StreamWriter) -> None:
        self.connection = connection
        self.writer = writer
        host, port = writer.get_extra_info("peername", ("?", 0))[:2]
        self.name = f"{host}:{port}"

    def flush(self) -> None:
        data = self.connection.data_to_send()
        if data and not self.writer.is_closing():
            self.writer.write(data)


class LoopbackServer:
    """An MTProto server on a local socket; an async context manager, made by `serve`."""

    def __init__(
        self,
        handlers: Handlers | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        key: PrivateKey | None = None,
        phone_code_hash: str | None = None,
        on_request: Callable[[RequestLog], None] | None = None,
        clock: Callable[[], float] = time.time,
        rng: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.host = host
        self.port = port
        self.errors: list[BaseException] = []
        """What handlers raised that was no RpcError; a test may want to see that this stays empty."""
        self.state = ServerState(clock=clock, rng=rng)
        self._key = key or PrivateKey.generate()
        self._given = None if handlers is None else _checked(handlers)
        self._phone_code_hash = phone_code_hash
        self._handlers: Handlers = {}
        self._on_request = on_request
        self._clock = clock
        self._rng = rng
        self._server: asyncio.Server | None = None
        self._is_closing = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._peers: set[_Peer] = set()

    @property
    def public_key(self) -> PublicKey:
        """The RSA key that clients have to trust."""
        return self._key.public

    async def __aenter__(self) -> LoopbackServer:
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
        peer = _Peer(ServerConnection([self._key], self.state), writer)
        self._peers.add(peer)
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        try:
            await self._read(peer, reader)
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

    async def _read(self, peer: _Peer, reader: asyncio.StreamReader) -> None:
        connection = peer.connection
        while not connection.closed:
            peer.flush()
            await peer.writer.drain()
            timer = connection.next_timer()
            delay = _IDLE_TIMEOUT if timer is None else max(0.0, timer - self._clock())
            try:
                async with asyncio.timeout(delay):
                    data = await reader.read(_READ_SIZE)
            except TimeoutError:
                if timer is None:
                    logger.info("%s: nothing came for %s s", peer.name, _IDLE_TIMEOUT)
                    return
                connection.handle_timer()
                continue
            if not data:
                connection.receive_eof()
                return
            for event in connection.receive_data(data):
                self._handle(peer, event)
            if connection.failure is not None:
                raise connection.failure

    # Requests

    def _handle(self, peer: _Peer, event: ServerEvent) -> None:
        if isinstance(event, RequestReceived):
            try:
                request = unwrap(self._decode(event.body))
            except tl.DecodeError as error:
                self._answer(peer, event, _name(event.body), _unreadable(error))
                return
            handler = self._handlers.get(type(request))
            if handler is None:
                self._answer(peer, event, request.TL_NAME, RpcError(401, "AUTH_KEY_UNREGISTERED"))
                return
            self._call(peer, event, request, handler)

    def _decode(self, body: bytes) -> tl.TLObject:
        """The request, by the schema of the API or by that of whichever handler's class has its id."""
        schemas = {cls.SCHEMA: None for cls in (api.help.GetConfig, *self._handlers)}
        number = constructor_id(body)
        schema = next((s for s in schemas if s.find(number) is not None), api.SCHEMA)
        request: tl.TLObject = tl.decode(schema, body)
        return request

    def _call(self, peer: _Peer, event: RequestReceived, request: tl.TLObject, handler: Handler) -> None:
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

    async def _await(self, peer: _Peer, event: RequestReceived, request: tl.TLObject, result: object) -> None:
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
        return RpcError(400, _FAILED)  # not a 5xx: clients repeat these for ever

    def _answer(self, peer: _Peer, event: RequestReceived, method: str, answer: bytes | RpcError) -> None:
        body = answer if isinstance(answer, bytes) else self._error_body(answer)
        if len(body) > MAX_BODY:
            self._mistake(method, ValueError(f"an answer of {len(body)} bytes, expected at most {MAX_BODY}"))
            body = _HANDLER_FAILED
        try:
            peer.connection.answer(event.session, event.msg_id, body)
        except LocalProtocolError:
            logger.info(
                "%s: %s: the session is gone, or does not want the answer any more", peer.name, method
            )
            return
        if self._on_request is not None:
            try:
                self._on_request(RequestLog(peer.name, method, _said(body)))
            except Exception as error:
                self._mistake("on_request", error)
        self._flush_session(event.session)

    def _error_body(self, error: RpcError) -> bytes:
        try:
            return bytes(service.RpcError(error_code=error.code, error_message=error.message))
        except tl.EncodeError as mistake:
            self._mistake("an RpcError", mistake)
            return _HANDLER_FAILED

    def _mistake(self, where: str, error: BaseException) -> None:
        self.errors.append(error)
        logger.error("%s failed", where, exc_info=error)

    def _flush_session(self, session: SessionId) -> None:
        """Send what a session has to say in the connection it uses now, which may be a newer one."""
        carrier = self.state.carriers.get(session)
        for peer in self._peers:
            if peer.connection is carrier:
                peer.flush()


_FAILED = "HANDLER_FAILED"
_HANDLER_FAILED = bytes(service.RpcError(error_code=400, error_message=_FAILED))


def _checked(handlers: Handlers) -> dict[Any, Handler]:
    """The handlers; raise LocalProtocolError for what is no function's class, or can't be called."""
    if not isinstance(handlers, Mapping):
        raise LocalProtocolError(
            f"got {handlers!r:.60} for handlers, expected a mapping from class to function"
        )
    for cls, handler in handlers.items():
        if not (isinstance(cls, type) and issubclass(cls, tl.TLFunction)):
            raise LocalProtocolError(f"got {cls!r:.60} among handlers, expected the class of a function")
        if cls in WRAPPERS:
            raise LocalProtocolError(f"{cls.TL_NAME} has no handler: requests are taken out of it first")
        if not callable(handler):
            raise LocalProtocolError(f"the handler of {cls.TL_NAME} is {handler!r:.60}, expected a function")
    return dict(handlers)


def _said(body: bytes) -> str:
    if constructor_id(body) == service.RpcError.CONSTRUCTOR_ID:
        error = service.decode(body, service.RpcError)
        return f"{error.error_code} {error.error_message}"
    return _name(body)


def _name(body: bytes) -> str:
    number = int.from_bytes(body[:4], "little")
    known = api.SCHEMA.find(number)
    return known.TL_NAME if known else f"0x{number:08x}"


def _unreadable(error: tl.DecodeError) -> RpcError:
    if isinstance(error, tl.UnexpectedConstructor):
        return RpcError(401, "AUTH_KEY_UNREGISTERED")
    return RpcError(400, "INPUT_FETCH_ERROR")


def serve(
    handlers: Handlers | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    key: PrivateKey | None = None,
    phone_code_hash: str | None = None,
    on_request: Callable[[RequestLog], None] | None = None,
    clock: Callable[[], float] = time.time,
    rng: Callable[[int], bytes] = os.urandom,
) -> LoopbackServer:
    """A server for tests, as an async context manager with `host`, `port` and `public_key`.

    `handlers` maps request classes to functions of the request, plain or async; None means the default ones,
    which answer account.sendVerifyPhoneCode, auth.sendCode and help.getConfig as Telegram would.  Requests
    without a handler get rpc_error 401 AUTH_KEY_UNREGISTERED.  `port` 0 is any free one; `key` is made anew
    unless it is given; `phone_code_hash` is what the default answer says instead of a random one;
    `on_request` is called for each request that was answered.
    """
    return LoopbackServer(
        handlers,
        host=host,
        port=port,
        key=key,
        phone_code_hash=phone_code_hash,
        on_request=on_request,
        clock=clock,
        rng=rng,
    )
