"""What the tests of the asyncio client share: scenarios that leave nothing behind, a server, a proxy that cuts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import mtproto
from mtproto import api
from mtproto.client import Client
from mtproto.connection import ServerConnection, ServerState
from mtproto.errors import RemoteProtocolError
from mtproto.events import RequestReceived, ServerEvent
from mtproto.testing import LoopbackServer, serve
from tests.mtproto.helpers import TEST_KEY

__all__ = [
    "ANSWER",
    "REQUEST",
    "PlainServer",
    "Proxy",
    "Scenario",
    "Sleeper",
    "never",
    "open_files",
    "pair",
    "raw_server",
    "request",
    "run",
    "through",
]

REQUEST = api.account.SendVerifyPhoneCode(
    phone_number="+12025550123",
    settings=api.CodeSettings(
        allow_flashcall=True,
        current_number=True,
        allow_app_hash=True,
        allow_missed_call=True,
        logout_tokens=[b"arbitrary data here"],
    ),
)
ANSWER = bytes.fromhex(
    "0225005e06000000a2bb00c0050000001230313233343536373839616263646566303100e3d31c743c000000"
)

Scenario = Callable[[], Awaitable[None]]


def request(number: int, size: int = 0) -> api.account.SendVerifyPhoneCode:
    """A request that says which one it is, of about so many bytes."""
    text = str(number).rjust(max(size, 7), "0")
    return api.account.SendVerifyPhoneCode(phone_number=text, settings=api.CodeSettings())


def run(scenario: Scenario, deadline: float = 10.0) -> None:
    """Run a scenario; fail if it hangs or leaves a task behind."""

    async def watched() -> None:
        async with asyncio.timeout(deadline):
            await scenario()
        for _ in range(5):
            await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks left behind: {left}"

    asyncio.run(watched())


def open_files() -> set[str]:
    """What the process has open: numbers, and what they stand for."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(f"{entry.name} {entry.readlink()}")
    return found


async def never(request: object) -> Any:
    """A handler that does not answer."""
    await asyncio.Event().wait()


@asynccontextmanager
async def pair(transport: str = "intermediate", **options: Any) -> AsyncIterator[Client]:
    """A client and its server, which has to have made no mistake in the end."""
    handlers = options.pop("handlers", None)
    on_request = options.pop("on_request", None)
    async with (
        serve(handlers, key=TEST_KEY, phone_code_hash="0123456789abcdef01", on_request=on_request) as server,
        mtproto.connect(
            server.host, server.port, keys=[server.public_key], transport=transport, **options
        ) as client,
    ):
        yield client
        assert not server.errors


@asynccontextmanager
async def raw_server(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[tuple[str, int]]:
    """A server that says whatever `talk` says."""

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[:2]
    finally:
        server.close()


class Sleeper:
    """Stands for `asyncio.sleep`: no time passes, and what was asked for is remembered."""

    def __init__(self) -> None:
        self.delays: list[float] = []

    async def __call__(self, delay: float) -> None:
        self.delays.append(delay)
        await asyncio.sleep(0)


Filter = Callable[[bytes], tuple[bytes, bool]]
"""Of bytes that pass: those that are let through, and whether the connection is cut after them."""


def through(data: bytes) -> tuple[bytes, bool]:
    """What a filter says that does nothing."""
    return data, False


class Proxy:
    """Stands between clients and a server; `up` and `down` say what becomes of bytes, `refuses` of connections."""

    def __init__(self, server: LoopbackServer | PlainServer) -> None:
        self.target = server
        self.host, self.port = "127.0.0.1", 0
        self.up: Filter = through
        self.down: Filter = through
        self.refuses = 0
        self.connections = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._serve, self.host, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        await asyncio.sleep(0)
        self.cut()
        while self._tasks:
            await asyncio.wait(self._tasks)

    def cut(self) -> None:
        """End all connections at once."""
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        self._writers.add(writer)
        try:
            if self.refuses:
                self.refuses -= 1
                return
            up_reader, up_writer = await asyncio.open_connection(self.target.host, self.target.port)
            self._writers.add(up_writer)
            pumps = (self._pump(reader, up_writer, "up"), self._pump(up_reader, writer, "down"))
            await asyncio.gather(*pumps)
            self._writers.discard(up_writer)
        except OSError:
            pass  # the server is not there
        finally:
            writer.transport.abort()
            self._writers.discard(writer)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                passed, is_cut = getattr(self, way)(data)
                writer.write(passed)
                await writer.drain()
                if is_cut:
                    await asyncio.sleep(0)
                    self.cut()
        writer.close()


class PlainServer:
    """A `ServerConnection` on each socket: requests are kept as they came, and answered with what `answer` gives.

    None is no answer.  `writers` are the sockets that are open.
    """

    def __init__(self, answer: Callable[[bytes], bytes | None] = lambda body: bytes(api.BoolTrue())) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self.events: list[ServerEvent] = []
        self.state = ServerState()
        self.host, self.port = "127.0.0.1", 0
        self.public_key = TEST_KEY.public
        self.connections = 0
        self.writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flushes: dict[asyncio.StreamWriter, Callable[[], None]] = {}

    async def __aenter__(self) -> PlainServer:
        self._server = await asyncio.start_server(self._serve, self.host, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await asyncio.sleep(0)
        self.cut()
        while self._tasks:
            await asyncio.wait(self._tasks)

    def cut(self) -> None:
        """End all connections at once."""
        for writer in self.writers:
            writer.transport.abort()

    def say(self, code: int) -> None:
        """Send a transport error in all connections, and close them."""
        for writer in self.writers:
            writer.write((4).to_bytes(4, "little") + code.to_bytes(4, "little", signed=True))
            writer.close()

    def notify(self, body: bytes) -> None:
        """Send a message that answers nothing in each session."""
        for session in self.state.sessions.values():
            session.notify(body)
        for flush in self._flushes.values():
            flush()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        self.writers.add(writer)
        connection = ServerConnection([TEST_KEY], self.state)

        def flush() -> None:
            writer.write(connection.data_to_send())

        self._flushes[writer] = flush
        try:
            while data := await reader.read(65536):
                for event in connection.receive_data(data):
                    self._take(connection, event)
                flush()
        except (OSError, RemoteProtocolError):
            flush()
        finally:
            connection.abandon()
            del self._flushes[writer]
            self.writers.discard(writer)
            writer.close()

    def _take(self, connection: ServerConnection, event: ServerEvent) -> None:
        self.events.append(event)
        if isinstance(event, RequestReceived):
            self.requests.append(event.body)
            result = self.answer(event.body)
            if result is not None:
                connection.answer(event.session, event.msg_id, result)
