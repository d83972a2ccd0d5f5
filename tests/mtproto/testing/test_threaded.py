"""A server and a client in threads of their own, for code that knows no asyncio: nothing hangs, nothing is left."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from mtproto import api
from mtproto.client import Client
from mtproto.errors import ConnectionClosed, LocalProtocolError, RpcError
from mtproto.testing import BlockingClient, ThreadedServer
from mtproto.testing.threaded import LoopThread
from tests.mtproto.helpers import TEST_KEY


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before


def client_of(server: ThreadedServer, **options: Any) -> BlockingClient:
    return BlockingClient(server.host, server.port, **{**server.for_clients(), **options})


def test_a_request_and_its_answer() -> None:
    with ThreadedServer(key=TEST_KEY) as server, client_of(server) as client:
        assert client.invoke(api.help.GetConfig()).this_dc == 2
        assert client.ping() > 0
        inner = client.client
        assert [log.method for log in server.requests] == ["help.getConfig"]
        assert (len(server.sessions), server.errors) == (1, [])
    assert inner.is_closed


def test_who_watches_requests_himself_does() -> None:
    seen: list[Any] = []
    with ThreadedServer(key=TEST_KEY, on_request=seen.append) as server, client_of(server) as client:
        client.invoke(api.help.GetConfig())
    assert [log.method for log in seen] == ["help.getConfig"]


def test_what_a_server_says_unasked_and_what_happens_to_it() -> None:
    with ThreadedServer(key=TEST_KEY) as server, client_of(server) as client:
        client.ping()
        server.notify(api.UserEmpty(id=7))
        assert api.decode(client.next_message().body) == api.UserEmpty(id=7)
        server.rotate_salt(keep_previous=False)
        assert client.invoke(api.help.GetConfig()).this_dc == 2
        server.restart()
        assert client.invoke(api.help.GetConfig()).this_dc == 2


def test_a_handler_may_use_its_server() -> None:
    def config(request: api.help.GetConfig) -> None:
        server.notify(api.UserEmpty(id=len(server.sessions)))
        raise RpcError(400, "NOTHING")

    with ThreadedServer({api.help.GetConfig: config}, key=TEST_KEY) as server, client_of(server) as client:
        with pytest.raises(RpcError, match="400 NOTHING"):
            client.invoke(api.help.GetConfig())
        assert api.decode(client.next_message().body) == api.UserEmpty(id=1)


def test_a_handler_that_would_wait_for_itself_is_told() -> None:
    def config(request: api.help.GetConfig) -> None:
        server.restart()

    with ThreadedServer({api.help.GetConfig: config}, key=TEST_KEY) as server, client_of(server) as client:
        with pytest.raises(RpcError, match="HANDLER_FAILED"):
            client.invoke(api.help.GetConfig())
        assert [type(error) for error in server.errors] == [LocalProtocolError]


def test_a_loop_of_another_thread_may_connect() -> None:
    async def scenario(server: ThreadedServer) -> api.Config:
        async with server.connect(transport="padded") as client:
            answer: api.Config = await client.invoke(api.help.GetConfig())
            return answer

    with ThreadedServer(key=TEST_KEY) as server:
        assert asyncio.run(scenario(server)).this_dc == 2


def test_a_server_may_be_for_one_transport() -> None:
    with ThreadedServer(key=TEST_KEY, transport="padded", obfuscated=True) as server:
        with client_of(server) as client:
            client.ping()
            assert client.client.transport == "obfuscated padded"
        with pytest.raises(ConnectionClosed):
            client_of(server, obfuscated=False).ping()


def test_a_client_connects_when_it_is_first_used_and_can_fail_then() -> None:
    client = BlockingClient("127.0.0.1", 1, keys=[TEST_KEY.public])
    assert repr(client) == "<BlockingClient of 127.0.0.1:1, closed>"
    with pytest.raises(ConnectionClosed):
        client.invoke(api.help.GetConfig())
    client.close()


def test_who_waits_too_long_is_told_and_the_client_goes_on() -> None:
    ended = threading.Event()

    async def never(client: Client) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with ThreadedServer(key=TEST_KEY) as server, client_of(server) as client:
        with pytest.raises(TimeoutError):
            client.run(never, timeout=0.01)
        assert ended.wait(10)
        with pytest.raises(TimeoutError):
            client.next_message(timeout=0.01)
        assert client.ping() > 0


def test_what_was_closed_says_so() -> None:
    server = ThreadedServer(key=TEST_KEY)
    with pytest.raises(LocalProtocolError, match="the ThreadedServer is not open"):
        server.notify(api.UserEmpty(id=1))
    with server:
        server.open()
        assert server.sessions == ()
    server.close()
    with pytest.raises(LocalProtocolError, match="not open"):
        server.restart()


def test_a_thread_cancels_what_is_left_in_it() -> None:
    ended = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    thread = LoopThread()
    tasks = []
    thread.call(lambda: tasks.append(asyncio.create_task(wait())))
    thread.call(lambda: None)
    thread.close()
    thread.close()
    assert ended == [True]
