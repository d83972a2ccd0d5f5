"""The client: requests that are awaited, over one connection after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Any, TypeAlias, TypeVar
from weakref import WeakSet

import tl
from mtproto import service
from mtproto.client.backoff import Backoff
from mtproto.client.calls import Call, Calls
from mtproto.client.feed import EventsLost, Feed, Notice
from mtproto.client.introduction import Introduction
from mtproto.client.pings import Pings
from mtproto.client.room import Room
from mtproto.client.upkeep import Surroundings, Upkeep
from mtproto.connection import ClientConnection
from mtproto.credentials import Credentials
from mtproto.crypto.auth_key import AuthKey
from mtproto.errors import ConnectionClosed, LocalProtocolError, RequestTimeout
from mtproto.events import AnswerReceived, KeyAgreed, MessageReceived, PongReceived, RequestFailed
from mtproto.warming import warm_up

__all__ = ["MAX_PENDING", "MAX_PENDING_BYTES", "After", "Client"]

R = TypeVar("R")

After: TypeAlias = Call[Any] | Sequence[Call[Any]] | None
"""The requests that another one is to be executed after."""

MAX_PENDING = 1000
"""How many requests are open at a time, unless `connect` is told otherwise."""
MAX_PENDING_BYTES = 16 * 1024 * 1024
"""How many bytes they have together."""

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
    """A connected client; made by `connect`, which has the arguments.

    It is closed when `close` was called, when a connection ended in a way that another one would not mend, or
    when all attempts to get another one were in vain.
    """

    def __init__(
        self,
        connection: ClientConnection,
        around: Surroundings,
        *,
        dc: int = 2,
        auth_key: AuthKey | None = None,
        introduction: Introduction,
        room: Room,
        backoff: Backoff | None,
    ) -> None:
        self._dc = dc
        self._auth_key = auth_key
        self._has_temp_key = False
        self._upkeep = Upkeep(connection, around, backoff, use=self._use, tell=self._tell, end=self._end)
        self._introduction = introduction
        self._calls = Calls(room, introduction, self._upkeep.wake)
        self._pings = Pings(around.clock, around.rng, self._upkeep.wake)
        self._messages: Feed[MessageReceived] = Feed()
        self._feeds: WeakSet[Feed[Notice]] = WeakSet()
        self._failure: Exception | None = None
        self._was_closed = False

    # What it is

    @property
    def auth_key(self) -> AuthKey:
        """The permanent auth_key; LocalProtocolError before there is one."""
        if self._auth_key is None:
            raise LocalProtocolError("there is no auth_key before the key exchange is complete")
        return self._auth_key

    @property
    def credentials(self) -> Credentials:
        """What `connect` needs to come back with the same auth_key, as of now."""
        session = self._connection.session
        known = Credentials(self.auth_key, self._dc, time_offset=session.ids.time_offset)
        if self._has_temp_key:  # the salts are those of the temporary key
            return known
        return Credentials(
            known.auth_key, known.dc, session.server_salt, known.time_offset, self._connection.salts
        )

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
    def is_connected(self) -> bool:
        """Whether there is a connection now that takes requests."""
        return self._failure is None and self._connection.is_ready

    @property
    def is_closed(self) -> bool:
        """Whether there will be no connection any more, and every request has its outcome."""
        return self._failure is not None

    @property
    def _connection(self) -> ClientConnection:
        return self._upkeep.connection

    @property
    def pending(self) -> int:
        """How many requests are open."""
        return len(self._calls)

    # Requests

    async def invoke(
        self,
        request: tl.TLFunction[R],
        *,
        timeout: float | None = 30.0,
        after: After = None,
        at_least_once: bool = False,
        gzip: bool = False,
    ) -> R:
        """Send a request and return its answer, which is of the function's result type.

        `timeout`, in seconds (None: without end), is for all of it: waiting for room, for a connection, for the
        answer.  `after` are requests, made by `send`, that the server is to have executed before.  With `gzip`
        it is sent as gzip_packed where that is shorter.

        The server executes it once at most.  Where it is not known whether it has (its answer is late, or the
        server has forgotten the session), that is a `FateUnknown`; with `at_least_once` it is sent again, and
        may be executed twice.

        Raise RpcError for the server's rpc_error, FateUnknown (RequestTimeout, RequestLost), ConnectionClosed,
        AuthKeyLost and the like when there will be no connection any more, tl.EncodeError for a request that
        does not fit its schema, tl.DecodeError for an answer that does not.
        """
        call = self._call(request, after, at_least_once, gzip)
        return await self._in_time(call, timeout)

    async def send(
        self,
        request: tl.TLFunction[R],
        *,
        after: After = None,
        at_least_once: bool = False,
        gzip: bool = False,
    ) -> Call[R]:
        """As `invoke`, but do not wait for the answer: return what can be awaited for it, once there is room.

        Requests go out in the order in which they were sent; the server may execute them in another, unless
        `after` says otherwise.
        """
        call = self._call(request, after, at_least_once, gzip)
        await self._calls.enter(call)
        return call

    async def invoke_raw(
        self,
        body: bytes,
        *,
        timeout: float | None = 30.0,
        after: After = None,
        at_least_once: bool = False,
        gzip: bool = False,
    ) -> bytes:
        """As `invoke`, for the boxed bytes of a request, of any schema; return the boxed bytes of its answer."""
        call = Call(self._calls, body, bytes, self._earlier(after), at_least_once=at_least_once, gzip=gzip)
        return await self._in_time(call, timeout)

    async def ping(self, *, timeout: float | None = 30.0) -> float:
        """Send a ping; return the seconds until its pong came.  Raise as `invoke` does."""
        try:
            async with asyncio.timeout(timeout):
                return await self._pings.ping()
        except TimeoutError:
            raise RequestTimeout(f"no pong within {timeout} s") from None

    def _call(self, request: tl.TLFunction[R], after: After, at_least_once: bool, gzip: bool) -> Call[R]:
        if not isinstance(request, tl.TLFunction):
            raise LocalProtocolError(
                f"got {request!r:.80}, expected a request: an object of a function's class"
            )
        if isinstance(request, _NO_RPC):
            raise LocalProtocolError(
                f"{request.TL_NAME} is answered by no rpc_result, so there is nothing to await; use ping()"
            )
        return Call(
            self._calls,
            bytes(request),
            lambda body: tl.decode_result(request, body),
            self._earlier(after),
            at_least_once=at_least_once,
            gzip=gzip,
            introduces=request.SCHEMA is not service.SCHEMA,
        )

    def _earlier(self, after: After) -> tuple[Call[Any], ...]:
        earlier: tuple[object, ...]
        earlier = () if after is None else (after,) if isinstance(after, Call) else tuple(after)
        calls = []
        for call in earlier:
            if not isinstance(call, Call) or not call.belongs_to(self._calls):
                raise LocalProtocolError(f"after: got {call!r:.80}, expected what this client's send() gave")
            calls.append(call)
        return tuple(calls)

    async def _in_time(self, call: Call[R], timeout: float | None) -> R:
        try:
            async with asyncio.timeout(timeout):
                await self._calls.enter(call)
                return await call
        except TimeoutError:
            if call.done() and not call.cancelled():  # it came together with the end of the time
                return await call
            raise call.too_late(timeout) from None

    # What comes unasked

    def messages(self) -> Feed[MessageReceived]:
        """What the server sends unasked (updates), as it comes, for ``async for``.

        The last 1000 are kept for whoever asks, of at most 16 MiB together; its `lost` counts those before
        that nobody took.  It ends when the client is closed, and raises what else the client ends with.
        """
        return self._messages

    def events(self) -> Feed[Notice]:
        """All that happens from now on, for ``async for``: what connections tell, their ends and beginnings.

        Each call gives another one.  What it is too slow for is given up, and told as `EventsLost`.
        """
        feed: Feed[Notice] = Feed(say_lost=EventsLost)
        if self._failure is not None:
            feed.end(self._end_of_feeds())
        self._feeds.add(feed)
        return feed

    # What the upkeep of connections tells

    def _use(self, connection: ClientConnection) -> None:
        self._calls.use(connection)
        self._pings.use(connection)

    def _tell(self, notice: Notice) -> None:
        for feed in self._feeds:
            feed.put(notice)
        match notice:
            case KeyAgreed():
                self._auth_key = notice.auth_key
                self._has_temp_key = notice.temp_auth_key is not None
                self._introduction.begin_again()
            case AnswerReceived(number, body):
                self._calls.settle(number, body)
            case RequestFailed(number, error):
                self._calls.settle(number, error)
            case PongReceived(ping_id):
                self._pings.settle(ping_id)
            case MessageReceived():
                self._messages.put(notice)
            case _:
                pass

    def _end(self, error: Exception) -> None:
        """Nobody waits any longer: there will be no connection any more."""
        if self._failure is not None:
            return
        self._failure = error
        self._calls.fail(error)
        self._pings.fail(error)
        self._messages.end(self._end_of_feeds())
        for feed in self._feeds:
            feed.end(self._end_of_feeds())

    def _end_of_feeds(self) -> Exception | None:
        return None if self._was_closed else self._failure

    # Beginning and end

    async def start(self) -> None:
        """Connect, and wait until requests can be sent; whoever calls this closes the client, too."""
        await warm_up()
        await self._upkeep.start()
        if self._failure is not None:
            raise self._failure

    async def close(self) -> None:
        """Close the connection for good; whoever still waits for an answer gets ConnectionClosed.

        What is still to be sent gets a second; a server that reads nothing does not keep us longer.
        """
        self._was_closed = self._was_closed or self._failure is None
        self._end(ConnectionClosed("the client was closed"))
        await self._upkeep.close()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
