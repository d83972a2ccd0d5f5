"""How the asyncio client comes back: after what, how soon, how often; and when it does not."""

from __future__ import annotations

import asyncio
import os
from typing import Any, TypeVar

import pytest

import mtproto
from mtproto import api
from mtproto.client import Backoff, Disconnected, Feed, Notice, Reconnected
from mtproto.connection.keep_alive import KeepAlive
from mtproto.errors import (
    AuthKeyLost,
    ConnectionClosed,
    HandshakeFailed,
    LocalProtocolError,
    PeerSilent,
    RemoteProtocolError,
    RequestLost,
    TempKeyLost,
    TransportCodeReceived,
)
from mtproto.events import PongReceived
from mtproto.testing import serve
from tests.mtproto.clients import (
    ANSWER,
    REQUEST,
    PlainServer,
    Proxy,
    Sleeper,
    never,
    raw_server,
    run,
    through,
)
from tests.mtproto.helpers import TEST_KEY, seeded

E = TypeVar("E")

CONFIG = bytes(api.help.GetConfig())
TRUE = bytes(api.BoolTrue())


def connected(server: Any, **options: Any) -> Any:
    return mtproto.connect(server.host, server.port, keys=[TEST_KEY.public], **options)


def slowest(count: int) -> bytes:
    """Randomness with the longest delays, which are drawn by 7 bytes."""
    return b"\xff" * 7 if count == 7 else os.urandom(count)


async def until(events: Feed[Notice], kind: type[E]) -> E:
    """The next event of this kind."""
    async for event in events:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"no {kind.__name__} before the end")


# Delays


def test_delays_are_drawn_below_a_bound_that_doubles() -> None:
    backoff = Backoff(first=0.5, longest=30.0)
    highest = [backoff.delay(attempt, lambda count: b"\xff" * count) for attempt in range(9)]
    assert highest == pytest.approx([0.5, 1, 2, 4, 8, 16, 30, 30, 30])
    assert [backoff.delay(attempt, lambda count: bytes(count)) for attempt in range(3)] == [0, 0, 0]
    assert backoff.delay(100_000, lambda count: b"\xff" * count) == pytest.approx(30)
    rng = seeded(1)
    drawn = [backoff.delay(3, rng) for _ in range(2000)]
    assert 0 <= min(drawn) < 0.1
    assert 3.9 < max(drawn) < 4
    assert 1.9 < sum(drawn) / len(drawn) < 2.1


def test_after_a_flood_delays_have_a_bound_below() -> None:
    backoff = Backoff(first=0.5, longest=30.0, flood=5.0)
    assert backoff.delay(0, seeded(1), flood=True) == 5.0
    assert backoff.delay(9, lambda count: b"\xff" * count, flood=True) == pytest.approx(30)


@pytest.mark.parametrize(
    "wrong",
    [
        {"first": -1},
        {"longest": float("inf")},
        {"flood": float("nan")},
        {"attempts": 0},
        {"first": "x"},
        {"attempts": 1.5},
    ],
)
def test_numbers_that_cant_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(LocalProtocolError, match=f"{next(iter(wrong))}: got"):
        Backoff(**wrong)  # type: ignore[arg-type]


# Coming back


def test_a_client_comes_back_with_the_same_key_and_session() -> None:
    async def scenario() -> None:
        sleeper = Sleeper()
        async with PlainServer() as server, connected(server, sleep=sleeper, rng=seeded(1)) as client:
            assert await client.invoke_raw(CONFIG) == TRUE
            key, session = client.auth_key, client._connection.session.session_id
            for number in range(1, 4):
                events = client.events()
                server.cut()
                assert isinstance(await anext(events), Disconnected)
                assert not client.is_connected
                assert await anext(events) == Reconnected(1)
                assert await client.invoke_raw(CONFIG) == TRUE
                assert (server.connections, len(sleeper.delays)) == (1 + number, number)
            assert (client.auth_key, client._connection.session.session_id) == (key, session)
            assert len(server.state.keys) == len(server.state.sessions) == 1
            assert all(0 <= delay <= 0.5 for delay in sleeper.delays)  # each time it was worth it

    run(scenario)


def test_what_is_invoked_meanwhile_waits_for_the_connection() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()

        async def sleep(delay: float) -> None:
            await gate.wait()

        async with PlainServer() as server, connected(server, sleep=sleep, max_pending=3) as client:
            events = client.events()
            server.cut()
            await anext(events)
            calls = [asyncio.create_task(client.invoke_raw(CONFIG)) for _ in range(5)]
            ping = asyncio.create_task(client.ping())
            await asyncio.sleep(0)
            assert client.pending == 3
            assert not client.is_connected
            gate.set()
            assert await asyncio.gather(*calls) == [TRUE] * 5
            assert await ping >= 0
            assert len(server.requests) == 5

    run(scenario)


def test_delays_grow_while_the_server_is_not_there_and_then_it_gives_up() -> None:
    async def scenario() -> None:
        sleeper = Sleeper()
        backoff = Backoff(attempts=6)
        async with serve({api.help.GetConfig: never}, key=TEST_KEY) as server:
            client = await connected(server, sleep=sleeper, reconnect=backoff, rng=slowest, max_pending=3)
            calls = [asyncio.create_task(client.invoke_raw(CONFIG, timeout=None)) for _ in range(5)]
            ping = asyncio.create_task(client.ping(timeout=None))
            await client.ping()
        results = await asyncio.gather(*calls, ping, return_exceptions=True)
        assert sleeper.delays == pytest.approx([0.5, 1, 2, 4, 8, 16])
        assert [type(r) for r in results[:3]] == [RequestLost] * 3
        assert [type(r) for r in results[3:5]] == [ConnectionClosed] * 2
        assert "gave up after 6 attempts: can't connect to" in str(results[0])
        assert "the request was not sent" in str(results[4])
        assert client.is_closed
        with pytest.raises(ConnectionClosed):
            await client.invoke_raw(CONFIG)
        with pytest.raises(ConnectionClosed):
            await anext(client.messages())
        await client.close()

    run(scenario)


def test_attempts_are_counted_until_the_server_answers_something() -> None:
    async def scenario() -> None:
        sleeper = Sleeper()
        async with (
            serve(key=TEST_KEY, phone_code_hash="0123456789abcdef01") as server,
            Proxy(server) as proxy,
            connected(proxy, sleep=sleeper, rng=slowest) as client,
        ):
            await client.invoke(REQUEST)
            proxy.refuses = 4
            proxy.cut()
            assert bytes(await client.invoke(REQUEST)) == ANSWER
            assert sleeper.delays == pytest.approx([0.5, 1, 2, 4, 8])
            proxy.cut()
            assert bytes(await client.invoke(REQUEST)) == ANSWER
            assert sleeper.delays[5:] == pytest.approx([0.5])

    run(scenario)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"\x00\x00\x00\x00", RemoteProtocolError),
        (b"\x18\x00\x00\x00" + bytes(24), RemoteProtocolError),
        (b"\x18\x00\x00\x00" + b"\x01" * 24, RemoteProtocolError),
        (b"\x18\x00\x00", RemoteProtocolError),
        (b"", ConnectionClosed),
        (b"\x04\x00\x00\x00" + (-429).to_bytes(4, "little", signed=True), TransportCodeReceived),
    ],
)
def test_damage_ends_a_connection_but_not_the_client(said: bytes, error: type[Exception]) -> None:
    async def scenario() -> None:
        sleeper = Sleeper()
        async with PlainServer(lambda body: None) as server, connected(server, sleep=sleeper) as client:
            events = client.events()
            call = await client.send(
                api.auth.BindTempAuthKey(perm_auth_key_id=1, nonce=1, expires_at=1, encrypted_message=b"")
            )
            await client.ping()
            (writer,) = server.writers
            server.answer = lambda body: TRUE
            writer.write(said)
            writer.close()
            notice = await until(events, Disconnected)
            assert isinstance(notice.error, error)
            if isinstance(notice.error, TransportCodeReceived):
                assert sleeper.delays[0] >= 5
            await client.ping()
            (session,) = server.state.sessions.values()
            assert len(session.open_requests) == 1  # it is not sent twice, and waited for
            assert not call.done()
            call.cancel()

    run(scenario)


@pytest.mark.parametrize("code", [-444, -403, -500])
def test_other_transport_errors_are_final(code: int) -> None:
    async def scenario() -> None:
        sleeper = Sleeper()
        async with PlainServer(lambda body: None) as server:
            client = await connected(server, sleep=sleeper)
            sent = await client.send(api.help.GetConfig())
            await client.ping()
            server.say(code)
            with pytest.raises(RequestLost, match=str(code)):
                await sent
            with pytest.raises(TransportCodeReceived) as caught:
                await client.invoke_raw(CONFIG)
            assert caught.value.code == code
            assert (client.is_closed, sleeper.delays) == (True, [])
            await client.close()

    run(scenario)


def test_without_reconnect_the_first_end_is_the_last() -> None:
    async def scenario() -> None:
        async with PlainServer() as server:
            client = await connected(server, reconnect=None)
            server.cut()
            with pytest.raises(ConnectionClosed):
                await client.invoke_raw(CONFIG)
            assert server.connections == 1
            await client.close()

    run(scenario)


def test_the_first_connection_is_not_tried_again() -> None:
    async def scenario() -> None:
        connections = 0

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            await reader.read(20)

        sleeper = Sleeper()
        async with raw_server(talk) as (host, port):
            with pytest.raises(ConnectionClosed):
                await mtproto.connect(host, port, keys=[TEST_KEY.public], sleep=sleeper)
        assert (connections, sleeper.delays) == (1, [])

    run(scenario)


def test_a_dead_link_is_found_by_its_silence() -> None:
    async def scenario() -> None:
        keep_alive = KeepAlive(interval=0.05, disconnect_delay=60, patience=0.05)
        async with (
            serve(key=TEST_KEY, phone_code_hash="0123456789abcdef01") as server,
            Proxy(server) as proxy,
            connected(proxy, sleep=Sleeper(), keep_alive=keep_alive) as client,
        ):
            await client.invoke(REQUEST)
            events = client.events()
            proxy.up = proxy.down = lambda data: (b"", False)  # half open: nobody says that it is over
            call = await client.send(REQUEST)
            notice = await until(events, Disconnected)
            assert isinstance(notice.error, PeerSilent)
            proxy.up = proxy.down = through
            assert bytes(await call) == ANSWER

    run(scenario)


def test_a_server_that_reads_nothing_is_dead_too() -> None:
    async def scenario() -> None:
        keep_alive = KeepAlive(interval=0.05, disconnect_delay=60, patience=0.05)
        async with (
            PlainServer() as server,
            connected(server, sleep=Sleeper(), keep_alive=keep_alive) as client,
        ):
            await client.ping()
            events = client.events()
            (writer,) = server.writers
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            call = asyncio.create_task(client.invoke_raw(bytes(4_000_000)))
            notice = await until(events, Disconnected)
            assert isinstance(notice.error, PeerSilent)
            writer.transport.abort()
            assert await call == TRUE
            assert len(server.requests) == 1

    run(scenario)


def test_keep_alive_pings_by_itself() -> None:
    async def scenario() -> None:
        writes: list[str] = []
        keep_alive = KeepAlive(interval=0.02, disconnect_delay=60, patience=5)
        async with (
            PlainServer() as server,
            connected(server, keep_alive=keep_alive, tap=lambda way, data: writes.append(way)) as client,
        ):
            events = client.events()
            writes.clear()
            for _ in range(3):
                await until(events, PongReceived)
            assert writes.count("out") >= 3
            assert server.connections == 1

    run(scenario)


def test_a_temporary_key_that_the_server_has_lost_is_replaced() -> None:
    async def scenario() -> None:
        async with (
            serve(key=TEST_KEY, phone_code_hash="0123456789abcdef01") as server,
            connected(server, sleep=Sleeper(), temp_key_lifetime=3600, api_id=5) as client,
        ):
            assert bytes(await client.invoke(REQUEST)) == ANSWER
            events, key = client.events(), client.auth_key
            (temporary,) = set(server.state.keys) - {key.key_id}
            server.state.forget_key(temporary)
            assert await client.ping() >= 0
            assert bytes(await client.invoke(REQUEST)) == ANSWER
            notice = await until(events, Disconnected)
            assert isinstance(notice.error, TempKeyLost)
            assert client.auth_key == key
            assert temporary not in server.state.keys
            assert len(server.state.keys) == 2

    run(scenario)


def test_a_permanent_key_that_is_lost_behind_a_temporary_one_is_said_to_be_lost() -> None:
    async def scenario() -> None:
        async with (
            serve(key=TEST_KEY) as server,
            connected(server, sleep=Sleeper(), temp_key_lifetime=3600) as client,
        ):
            server.state.forget_key(client.auth_key.key_id)
            with pytest.raises(AuthKeyLost) as caught:
                await client.invoke(REQUEST)
            assert isinstance(caught.value.__cause__, HandshakeFailed)
            assert client.is_closed

    run(scenario)


def test_a_client_that_is_closed_while_it_waits_to_come_back() -> None:
    async def scenario() -> None:
        async def for_ever(delay: float) -> None:
            await asyncio.Event().wait()

        async with PlainServer() as server:
            client = await connected(server, sleep=for_ever)
            events = client.events()
            server.cut()
            await anext(events)
            call = asyncio.create_task(client.invoke_raw(CONFIG))
            await asyncio.sleep(0)
            await client.close()
            with pytest.raises(ConnectionClosed, match="the client was closed; the request was not sent"):
                await call
            assert [notice async for notice in events] == []

    run(scenario)


def test_a_client_that_is_closed_while_it_comes_back() -> None:
    async def scenario() -> None:
        async with PlainServer() as server, Proxy(server) as proxy:
            client = await connected(proxy, sleep=Sleeper())
            events = client.events()
            proxy.down = lambda data: (b"", False)
            proxy.cut()
            await until(events, Reconnected)
            call = asyncio.create_task(client.invoke_raw(CONFIG))
            await asyncio.sleep(0)
            await client.close()
            with pytest.raises(ConnectionClosed, match="the client was closed"):
                await call

    run(scenario)
