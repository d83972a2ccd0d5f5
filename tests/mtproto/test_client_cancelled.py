"""Cancelled at any await: whatever a user of the client was about, no task, no socket and no request is left."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, TypeVar

import pytest

import mtproto
from mtproto import Credentials, api
from mtproto.client import Backoff, Client
from mtproto.crypto.auth_key import AuthKey
from tests.mtproto.clients import PlainServer, open_files
from tests.mtproto.helpers import TEST_KEY

KEY = AuthKey(bytes(range(256)))
CONFIG = bytes(api.help.GetConfig())
MOST = 1000
T = TypeVar("T")


class Stepped:
    """Runs a coroutine, and has its task cancelled at the k-th time that it waits; `count` is how often it did."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], cancelled_at: int) -> None:
        self._coroutine = coroutine
        self._cancelled_at = cancelled_at
        self.count = 0

    def __await__(self) -> Generator[Any, Any, None]:
        steps = self._coroutine.__await__()
        send: Callable[[], Any] = lambda: steps.send(None)  # noqa: E731
        while True:
            try:
                waited_for = send()
            except StopIteration:
                return
            self.count += 1
            if self.count == self._cancelled_at:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            try:
                yield waited_for
            except BaseException as error:
                send = lambda error=error: steps.throw(error)  # type: ignore[misc]  # noqa: E731
            else:
                send = lambda: steps.send(None)  # noqa: E731


async def whole(server: PlainServer, credentials: Credentials | None) -> None:
    """Connect, invoke, lose the connection, come back, close."""
    async with mtproto.connect(
        server.host, server.port, keys=[TEST_KEY.public], credentials=credentials, sleep=no_time
    ) as client:
        await client.invoke_raw(CONFIG)
        server.cut()
        calls = [await client.send(api.help.GetConfig()) for _ in range(3)]
        await client.ping()
        await asyncio.gather(*calls, return_exceptions=True)


async def crowded(server: PlainServer, credentials: Credentials | None) -> None:
    """Wait for room, for messages, for an answer that comes late."""
    async with mtproto.connect(
        server.host, server.port, keys=[TEST_KEY.public], credentials=credentials, max_pending=1
    ) as client:
        first = await client.send(api.help.GetConfig())
        second = asyncio.create_task(client.invoke_raw(CONFIG))
        try:
            await client.invoke_raw(CONFIG)
            server.notify(bytes(api.UserEmpty(id=1)))
            await anext(client.messages())
        finally:
            second.cancel()
            first.cancel()


async def lost(server: PlainServer, credentials: Credentials | None) -> None:
    """Wait while there is no connection, and give up."""
    client = await mtproto.connect(
        server.host,
        server.port,
        keys=[TEST_KEY.public],
        credentials=credentials,
        sleep=no_time,
        reconnect=Backoff(attempts=2),
    )
    try:
        server.answer = lambda body: None
        call = asyncio.create_task(client.invoke_raw(CONFIG))
        await asyncio.sleep(0)
        await server.__aexit__()
        await asyncio.wait([call])
        call.exception()
    finally:
        await client.close()


async def no_time(delay: float) -> None:
    await asyncio.sleep(0)


Use = Callable[[PlainServer, Credentials | None], Coroutine[Any, Any, None]]


async def checked(run: Callable[[PlainServer], Awaitable[T]], name: str, *, has_key: bool = True) -> T:
    """What `run` gives, with a server that knows the key; fail where a task or a socket is left behind."""
    async with PlainServer() as server:
        if has_key:
            server.state.add_key(KEY, 5)
        files = open_files()
        result = await run(server)
    for _ in range(4):
        await asyncio.sleep(0)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left, f"{name}: tasks left behind: {left}"
    # The server's own sockets have been closed by now.
    assert {f for f in open_files() - files if "socket" in f} == set(), name
    return result


@pytest.mark.parametrize("has_key", [False, True])
@pytest.mark.parametrize("use", [whole, crowded, lost])
def test_cancelled_at_the_kth_await(use: Use, has_key: bool) -> None:
    async def once(cancelled_at: int) -> bool:
        """Whether it was over before it was cancelled."""

        async def run(server: PlainServer) -> bool:
            stepped = Stepped(use(server, Credentials(KEY) if has_key else None), cancelled_at)
            task = asyncio.create_task(await_it(stepped))
            await asyncio.wait([task])
            if stepped.count < cancelled_at:
                task.result()
                return True
            assert task.cancelled(), f"cancelled at {cancelled_at}: {task}"
            return False

        return await checked(run, f"cancelled at {cancelled_at}", has_key=has_key)

    async def all_of_them() -> int:
        async with asyncio.timeout(60):
            await once(MOST)  # whatever is made once: classes, threads
            for cancelled_at in range(1, MOST):
                if await once(cancelled_at):
                    return cancelled_at - 1
        raise AssertionError("there is no end to it")

    awaits = asyncio.run(all_of_them())
    gc.collect()
    assert awaits > 5


@pytest.mark.parametrize("use", [whole, crowded, lost])
def test_cancelled_in_the_kth_turn_of_the_loop(use: Use) -> None:
    async def once(turns: int) -> bool:
        """Whether it was over before it was cancelled."""

        async def run(server: PlainServer) -> bool:
            task = asyncio.create_task(use(server, Credentials(KEY)))
            for _ in range(turns):
                if task.done():
                    break
                await asyncio.sleep(0)
            was_over = not task.cancel()
            await asyncio.wait([task])
            return was_over

        return await checked(run, f"cancelled in turn {turns}")

    async def all_of_them() -> int:
        async with asyncio.timeout(60):
            for turns in range(MOST):
                if await once(turns):
                    return turns
        raise AssertionError("there is no end to it")

    turns = asyncio.run(all_of_them())
    gc.collect()
    assert turns > 20


async def await_it(awaitable: Awaitable[None]) -> None:
    await awaitable


def test_the_tests_find_what_is_left_behind() -> None:
    async def scenario() -> None:
        async with PlainServer() as server:
            files = open_files()
            client = await mtproto.connect(server.host, server.port, keys=[TEST_KEY.public])
            assert isinstance(client, Client)
            assert any("socket" in f for f in open_files() - files)
            assert asyncio.all_tasks() - {asyncio.current_task()}
            await client.close()

    asyncio.run(scenario())
