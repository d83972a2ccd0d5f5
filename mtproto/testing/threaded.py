"""A loopback server, and a client, for code that is not asyncio's: their event loop is in a thread of its own.

    with ThreadedServer(handlers) as server:
        with BlockingClient(server.host, server.port, keys=[server.public_key]) as client:
            client.invoke(api.help.GetConfig())

Whoever speaks MTProto may connect to the server: from this thread, another loop, another process.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any, TypeVar

import tl
from mtproto.client import Client, connect
from mtproto.client.connecting import Connecting
from mtproto.crypto.rsa import PublicKey
from mtproto.errors import LocalProtocolError
from mtproto.events import MessageReceived, SessionId
from mtproto.testing.dispatch import RequestLog
from mtproto.testing.handlers import Handlers
from mtproto.testing.serving import serve

__all__ = ["BlockingClient", "LoopThread", "ThreadedServer"]

R = TypeVar("R")
SelfT = TypeVar("SelfT", bound="_InThread")

_PATIENCE = 30.0
"""How many seconds a caller waits, where it is not said."""


class LoopThread:
    """An event loop in a thread, from when it is made until `close`, which cancels what is left in it."""

    def __init__(self, name: str = "mtproto") -> None:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._thread.start()
        self._ready.wait()

    def _main(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._live())

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        self._ready.set()
        await self._end.wait()

    @property
    def is_here(self) -> bool:
        """Whether this is the thread."""
        return threading.current_thread() is self._thread

    def run(self, coroutine: Coroutine[Any, Any, R], timeout: float | None = _PATIENCE) -> R:
        """Run `coroutine` in the loop, wait for what it returns or raises; TimeoutError after so many seconds."""
        if self.is_here:
            coroutine.close()
            raise LocalProtocolError("called in the thread that would have to do it: it would wait for ever")
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(timeout)
        finally:
            future.cancel()  # where the time was too short, or the caller was interrupted

    def call(self, function: Callable[[], R]) -> R:
        """Call a function in the thread, at once where this is it."""

        async def called() -> R:
            return function()

        return function() if self.is_here else self.run(called())

    def close(self) -> None:
        """End the loop, and wait for the thread; once is enough."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join()


class _InThread:
    """What has a thread while it is open: a context manager, with `open` and `close`."""

    _thread: LoopThread | None = None

    def open(self: SelfT) -> SelfT:
        """Begin; nothing where that was done."""
        if self._thread is None:
            self._thread = LoopThread(type(self).__name__)
            try:
                self._thread.run(self._begin())
            except BaseException:
                self._thread.close()
                self._thread = None
                raise
        return self

    def close(self) -> None:
        """End, with the thread; nothing where it is not open."""
        thread = self._thread
        if thread is not None:
            try:
                thread.run(self._finish())
            finally:
                self._thread = None
                thread.close()

    async def _begin(self) -> None:
        raise NotImplementedError

    async def _finish(self) -> None:
        raise NotImplementedError

    @property
    def thread(self) -> LoopThread:
        """Where it lives; LocalProtocolError while it is not open."""
        if self._thread is None:
            raise LocalProtocolError(f"the {type(self).__name__} is not open")
        return self._thread

    def __enter__(self: SelfT) -> SelfT:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class ThreadedServer(_InThread):
    """A `LoopbackServer`, `server`, in a thread of its own; the arguments are those of `serve`.

    `requests` are those that were answered.  Handlers run in the server's thread.
    """

    def __init__(
        self,
        handlers: Handlers | None = None,
        *,
        transport: str | None = None,
        obfuscated: bool = False,
        mtproxy_secret: Any = None,
        **options: Any,
    ) -> None:
        self.transport = transport
        self.obfuscated = obfuscated
        self.requests: list[RequestLog] = []
        self._secret = mtproxy_secret
        self.server = serve(
            handlers,
            transport=transport,
            obfuscated=obfuscated,
            mtproxy_secret=mtproxy_secret,
            **{"on_request": self.requests.append, **options},
        )

    def __repr__(self) -> str:
        return f"<ThreadedServer {self.host}:{self.port}, {len(self.requests)} requests>"

    async def _begin(self) -> None:
        await self.server.__aenter__()

    async def _finish(self) -> None:
        await self.server.close()

    @property
    def host(self) -> str:
        """The address that it is bound to."""
        return self.server.host

    @property
    def port(self) -> int:
        """Its TCP port, a free one."""
        return self.server.port

    @property
    def public_key(self) -> PublicKey:
        """The RSA key that clients have to trust; ``public_key.to_pem()`` is for those that are not ours."""
        return self.server.public_key

    @property
    def errors(self) -> list[BaseException]:
        """What handlers raised that was no RpcError."""
        return self.server.errors

    @property
    def sessions(self) -> tuple[SessionId, ...]:
        """The sessions that have a connection now."""
        return self.thread.call(lambda: self.server.sessions)

    def connect(self, **options: Any) -> Connecting:
        """What `mtproto.connect` gives for this server and its transport: for ``async with``, in any loop."""
        return connect(self.host, self.port, **{**self.for_clients(), **options})

    def for_clients(self) -> dict[str, Any]:
        """The arguments of `mtproto.connect` that this server asks for: keys, transport, obfuscation, secret."""
        return {
            "keys": [self.public_key],
            "transport": self.transport,
            "obfuscated": self.obfuscated,
            "mtproxy_secret": self._secret,
        }

    def notify(self, message: tl.TLObject | bytes, session: SessionId | None = None) -> None:
        """As `LoopbackServer.notify`: send what nobody has asked for."""
        self.thread.call(lambda: self.server.notify(message, session))

    def rotate_salt(self, *, keep_previous: bool = True) -> None:
        """As `LoopbackServer.rotate_salt`."""
        self.thread.call(lambda: self.server.rotate_salt(keep_previous=keep_previous))

    def restart(self, *, keep_sessions: bool = False) -> None:
        """As `LoopbackServer.restart`: a crash; clients have to come back."""
        self.thread.run(self.server.restart(keep_sessions=keep_sessions))


class BlockingClient(_InThread):
    """A `Client` whose methods wait for what they give; the arguments are those of `mtproto.connect`.

    It connects when it is first used, so that what goes wrong then goes wrong where that is.
    """

    def __init__(self, host: str, port: int, **options: Any) -> None:
        connect(host, port, **options)  # raises here what is wrong with them
        self.host = host
        self.port = port
        self.options = options
        """Those of `mtproto.connect`, which may be changed before it connects."""
        self._client: Client | None = None

    def __repr__(self) -> str:
        return f"<BlockingClient of {self.host}:{self.port}, {'closed' if self._thread is None else 'open'}>"

    async def _begin(self) -> None:
        self._client = await connect(self.host, self.port, **self.options)

    async def _finish(self) -> None:
        if self._client is not None:
            await self._client.close()

    @property
    def client(self) -> Client:
        """The client, connected; to be used in its thread only, as `run` does."""
        self.open()
        if self._client is None:
            raise LocalProtocolError("the client has no connection")
        return self._client

    def run(self, function: Callable[[Client], Awaitable[R]], timeout: float | None = _PATIENCE) -> R:
        """Call an async function of the `Client` in its thread, and wait for what it returns or raises."""
        client = self.client

        async def awaited() -> R:
            return await function(client)

        return self.thread.run(awaited(), timeout)

    def invoke(self, request: tl.TLFunction[R], **options: Any) -> R:
        """As `Client.invoke`: send a request, and return its answer."""
        return self.run(
            lambda client: client.invoke(request, **options), None
        )  # it has a time-out of its own

    def ping(self, *, timeout: float | None = _PATIENCE) -> float:
        """As `Client.ping`: the seconds until the pong came."""
        return self.run(lambda client: client.ping(timeout=timeout), None)

    def next_message(self, *, timeout: float | None = _PATIENCE) -> MessageReceived:
        """What the server has sent unasked, the oldest first; TimeoutError where nothing comes in time."""
        return self.run(lambda client: anext(client.messages()), timeout)
