"""One connected client: futures for requests, and the task that reads."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, TypeVar

import tl
from mtproto import api, service
from mtproto.closing import close_writer
from mtproto.connection import ClientConnection
from mtproto.crypto.auth_key import AuthKey
from mtproto.errors import (
    AuthKeyLost,
    ConnectionClosed,
    LocalProtocolError,
    MTProtoError,
    RequestTimeout,
    RpcError,
    TempKeyLost,
    TransportCodeReceived,
)
from mtproto.events import (
    AnswerReceived,
    ClientEvent,
    KeyAgreed,
    MessageReceived,
    PongReceived,
    RequestFailed,
    TransportErrorReceived,
)
from mtproto.warming import warm_up

__all__ = ["Client"]

R = TypeVar("R")

_READ_SIZE = 64 * 1024
_KEPT_MESSAGES = 1000
_CLOSING_TIME = 1.0

# Errors after which the server still does not know who we are.
_NOT_INTRODUCED = ("API_ID_", "CONNECTION_")

# The server's answer to these is no rpc_result, so there would be nothing to await.
_NO_RPC = (
    service.Ping,
    service.PingDelayDisconnect,
    service.GetFutureSalts,
    service.DestroySession,
    service.ReqPq,
    service.ReqPqMulti,
    service.ReqDHParams,
    service.SetClientDHParams,
)


class Client:
    """A connected client; made by `connect`.

    Of the server's messages that answer nothing (updates) the last 1000 are kept for `messages`.
    """

    def __init__(
        self,
        connection: ClientConnection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        api_id: int | None = None,
        clock: Callable[[], float] = time.time,
        rng: Callable[[int], bytes] = os.urandom,
        tap: Callable[[str, bytes], None] | None = None,
    ) -> None:
        self._connection = connection
        self._reader = reader
        self._writer = writer
        self._api_id = api_id
        self._introduces_as = api_id
        self._clock = clock
        self._rng = rng
        self._tap = tap
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._pings: dict[int, asyncio.Future[None]] = {}
        self._ready: asyncio.Future[KeyAgreed | None] = asyncio.get_running_loop().create_future()
        self._messages: deque[MessageReceived] = deque(maxlen=_KEPT_MESSAGES)
        self._news = asyncio.Event()
        self._failure: Exception | None = None
        self._flush_due = False
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._auth_key: AuthKey | None = None
        self._has_temp_key = False

    # What it is

    @property
    def auth_key(self) -> AuthKey:
        """The auth_key of this connection."""
        if self._auth_key is None:
            raise LocalProtocolError("there is no auth_key before the key exchange is complete")
        return self._auth_key

    @property
    def server_salt(self) -> int:
        """The server_salt in use, signed 64-bit."""
        return self._connection.session.server_salt

    @property
    def time_offset(self) -> float:
        """By how many seconds the server's clock is ahead of ours."""
        return self._connection.session.ids.time_offset

    @property
    def transport(self) -> str:
        """What the framing in use is called, as in "padded" and "obfuscated abridged"."""
        return self._connection.transport

    @property
    def is_closed(self) -> bool:
        """Whether the connection has ended, by either side."""
        return self._task is None or self._task.done()

    # Requests

    async def invoke(self, request: tl.TLFunction[R], *, timeout: float | None = 30.0) -> R:
        """Send a request and return its answer, which is of the function's result type.

        Raise RpcError for the server's rpc_error, RequestTimeout after `timeout` seconds (None: never),
        ConnectionClosed and the like when the connection ends first, tl.EncodeError for a request that does
        not fit its schema, tl.DecodeError for an answer that does not.
        """
        if not isinstance(request, tl.TLFunction):
            raise LocalProtocolError(
                f"got {request!r:.80}, expected a request: an object of a function's class"
            )
        if isinstance(request, _NO_RPC):
            raise LocalProtocolError(
                f"{request.TL_NAME} is answered by no rpc_result, so there is nothing to await; use ping()"
            )
        session = self._connection.session if self._connection.is_ready else None
        body = bytes(self._wrapped(request))
        try:
            answer = await self.invoke_raw(body, timeout=timeout)
        except RpcError as error:
            if not error.message.startswith(_NOT_INTRODUCED):
                self._is_known_in(session)
            raise
        self._is_known_in(session)
        return tl.decode_result(request, answer)

    def _is_known_in(self, session: object) -> None:
        """The server knows us now, unless the session has changed since, with its temporary key."""
        if self._connection.session is session:
            self._api_id = None

    async def invoke_raw(self, body: bytes, *, timeout: float | None = 30.0) -> bytes:
        """Send the boxed bytes of a request, of any schema; return the boxed bytes of its answer."""
        self._check_open()
        number = self._connection.send_request(body)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._flush_soon()
        try:
            return await self._in_time(future, timeout, "no answer")
        finally:
            if self._waiting.pop(number, None) is not None:
                self._connection.session.forget(number)

    async def ping(self, *, timeout: float | None = 30.0) -> float:
        """Send a ping; return the seconds until its pong came."""
        self._check_open()
        ping_id = int.from_bytes(self._rng(8), "little", signed=True)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pings[ping_id] = future
        started = self._clock()
        self._connection.session.ping(ping_id)
        self._flush_soon()
        try:
            await self._in_time(future, timeout, "no pong")
        finally:
            self._pings.pop(ping_id, None)
        return self._clock() - started

    async def messages(self) -> AsyncIterator[MessageReceived]:
        """What the server sends unasked, as it comes; ends when the connection does."""
        while True:
            while self._messages:
                yield self._messages.popleft()
            if self.is_closed:
                return
            self._news.clear()
            await self._news.wait()

    async def close(self) -> None:
        """Close the connection; whoever still waits for an answer gets ConnectionClosed.

        What is still to be sent gets a second; a server that reads nothing does not keep us longer.
        """
        self._fail(ConnectionClosed("the client was closed"))
        self._connection.close()
        try:
            with contextlib.suppress(Exception):
                self._write()
            if self._task is not None:
                self._task.cancel()
                await asyncio.wait([self._task])
        finally:
            await close_writer(self._writer, _CLOSING_TIME)

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def _check_open(self) -> None:
        if self._failure is not None:
            raise ConnectionClosed(f"the connection is closed: {self._failure}") from self._failure
        if self.is_closed:
            raise ConnectionClosed("the connection is closed")

    async def _in_time(self, future: asyncio.Future[R], timeout: float | None, what: str) -> R:
        try:
            async with asyncio.timeout(timeout):
                return await future
        except TimeoutError:
            raise RequestTimeout(f"{what} within {timeout} s") from None

    def _wrapped(self, request: tl.TLFunction[R]) -> tl.TLFunction[R]:
        """The request as the first one has to be where the user gave an api_id."""
        if self._api_id is None or request.SCHEMA is service.SCHEMA:
            return request
        init = api.InitConnection(
            api_id=self._api_id,
            device_model="mtwire",
            system_version="unknown",
            app_version=tl.__version__,
            system_lang_code="en",
            lang_pack="",
            lang_code="en",
            query=request,
        )
        return api.InvokeWithLayer(layer=api.LAYER, query=init)

    # The connection

    async def start(self) -> None:
        """Begin to read, and wait until requests can be sent."""
        await warm_up()
        self._connection.defer_work = True
        self._task = asyncio.create_task(self._run(), name="mtproto client")
        if self._connection.is_ready:
            self._set_ready(None)
        await self._ready

    def _set_ready(self, agreed: KeyAgreed | None) -> None:
        if not self._ready.done():
            self._ready.set_result(agreed)

    async def _run(self) -> None:
        """Read, feed, dispatch, send, until the connection ends; then nobody is left waiting."""
        failure: Exception = ConnectionClosed("the server closed the connection")
        try:
            while not self._connection.closed:
                # Never waiting for the server to read: it may be waiting for us to.
                self._write()
                data = await self._read()
                if data is None:
                    self._connection.handle_timer()
                elif data:
                    self._dispatch(self._connection.receive_data(data))
                    await self._work()
                    if self._connection.failure is not None:
                        raise self._connection.failure
                else:
                    self._connection.receive_eof()
        except MTProtoError as error:
            failure = error
        except OSError as error:
            self._connection.abandon()
            failure = ConnectionClosed(f"the connection broke: {error.strerror or error}")
        except Exception as error:  # a tap's, say: whoever waits has to hear of it
            self._connection.abandon()
            failure = error
        finally:
            self._fail(failure)
            self._news.set()
            self._writer.close()

    async def _work(self) -> None:
        """Have the heavy arithmetic of the key exchange done by a thread: the loop goes on meanwhile."""
        while (work := self._connection.work) is not None:
            outcome = await asyncio.get_running_loop().run_in_executor(None, work.run)
            self._dispatch(self._connection.finish_work(outcome))

    async def _read(self) -> bytes | None:
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

    def _write(self) -> None:
        data = self._connection.data_to_send()
        if data and not self._writer.is_closing():
            if self._tap is not None:
                self._tap("out", data)
            self._writer.write(data)

    def _flush_soon(self) -> None:
        """Send at the end of this turn of the loop, so that requests made together travel together."""
        if not self._flush_due:
            self._flush_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        if self._connection.closed:
            return
        try:
            self._write()
        except Exception as error:  # a tap's, say: whoever waits has to hear of it
            self._connection.abandon()
            self._fail(error)
            self._writer.close()

    def _dispatch(self, events: list[ClientEvent]) -> None:
        for event in events:
            match event:
                case KeyAgreed():
                    self._auth_key = event.auth_key
                    self._has_temp_key = event.temp_auth_key is not None
                    self._api_id = self._introduces_as  # a new temporary key has to be introduced too
                    self._set_ready(event)
                case AnswerReceived(number, body):
                    self._settle(number, body)
                case RequestFailed(number, error):
                    self._settle(number, error)
                case PongReceived(ping_id):
                    pong = self._pings.pop(ping_id, None)
                    if pong is not None and not pong.done():
                        pong.set_result(None)
                case MessageReceived():
                    self._messages.append(event)
                    self._news.set()
                case TransportErrorReceived(code):
                    raise self._told_by(code)
                case _:
                    pass

    def _told_by(self, code: int) -> TransportCodeReceived:
        """What a transport error means: of -404, which key is not known, once there is one."""
        if code != -404 or not self._ready.done():
            return TransportCodeReceived(code)
        return TempKeyLost() if self._has_temp_key else AuthKeyLost()

    def _settle(self, number: int, outcome: bytes | Exception) -> None:
        future = self._waiting.pop(number, None)
        if future is None or future.done():
            return
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)

    def _fail(self, error: Exception) -> None:
        """Nobody waits any longer: the connection has ended."""
        self._failure = self._failure or error
        waiting: list[asyncio.Future[Any]] = [self._ready, *self._waiting.values(), *self._pings.values()]
        self._waiting.clear()
        self._pings.clear()
        for future in waiting:
            if not future.done():
                future.set_exception(error)
                future.exception()  # retrieved: not everyone who could wait does
