"""How connections of the asyncio client end: everyone who waits is told, nothing hangs, nothing is left behind."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

import mtproto
from mtproto import api
from mtproto.errors import (
    AuthKeyLost,
    ConnectionClosed,
    HandshakeFailed,
    RemoteProtocolError,
    RequestLost,
    RequestTimeout,
    RpcError,
    TransportCodeReceived,
)
from mtproto.testing import Handlers, serve
from tests.mtproto.clients import ANSWER, REQUEST, Sleeper, never, pair, raw_server, run
from tests.mtproto.helpers import TEST_KEY


def test_a_refused_connection() -> None:
    async def scenario() -> None:
        async with serve(key=TEST_KEY) as server:
            host, port = server.host, server.port
        with pytest.raises(ConnectionClosed, match=f"can't connect to 127.0.0.1:{port}"):
            await mtproto.connect(host, port, keys=[TEST_KEY.public])

    run(scenario)


def test_a_server_that_closes_at_once_or_during_the_key_exchange() -> None:
    async def scenario() -> None:
        async def close_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            pass

        async def close_after_a_query(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(20)

        for talk in (close_at_once, close_after_a_query):
            async with raw_server(talk) as (host, port):
                with pytest.raises(ConnectionClosed):
                    await mtproto.connect(host, port, keys=[TEST_KEY.public])

    run(scenario)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", RemoteProtocolError),
        (b"\x00\x00\x00\x00", RemoteProtocolError),
        (b"\x18\x00\x00\x00" + bytes(24), RemoteProtocolError),
        (b"\x14\x00\x00\x00" + bytes(8) + b"\x01" + bytes(7) + b"\x00\x00\x00\x00", HandshakeFailed),
        (b"\x04\x00\x00\x00\x6c\xfe\xff\xff", TransportCodeReceived),
        (b"\x04\x00\x00\x00\x53\xfe\xff\xff", TransportCodeReceived),
    ],
)
def test_a_server_that_talks_garbage(said: bytes, error: type[Exception]) -> None:
    async def scenario() -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(said)
            await reader.read(1000)
            await writer.drain()

        async with raw_server(talk) as (host, port):
            with pytest.raises(error) as caught:
                await mtproto.connect(host, port, keys=[TEST_KEY.public])
            assert not isinstance(caught.value, AuthKeyLost)

    run(scenario)


def test_a_server_that_says_nothing_runs_into_the_timeout() -> None:
    async def scenario() -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()

        async with raw_server(talk) as (host, port):
            with pytest.raises(RequestTimeout, match=r"0\.2 s"):
                await mtproto.connect(host, port, keys=[TEST_KEY.public], timeout=0.2)

    run(scenario)


def test_garbage_at_the_server_disturbs_nobody_else() -> None:
    async def scenario() -> None:
        async with (
            serve(key=TEST_KEY, phone_code_hash="0123456789abcdef01") as server,
            mtproto.connect(server.host, server.port, keys=[server.public_key]) as client,
        ):
            for garbage in (
                b"GET / HTTP/1.0\r\n\r\n",
                b"\xef\x0a" + bytes(40),
                b"\xee\xee\xee\xee" + b"\xff" * 9,
            ):
                reader, writer = await asyncio.open_connection(server.host, server.port)
                writer.write(garbage)
                await reader.read()
                writer.close()
            assert bytes(await client.invoke(REQUEST)) == ANSWER

    run(scenario)


def test_a_client_that_reads_nothing_does_not_keep_the_server_from_closing() -> None:
    async def scenario() -> None:
        answer = api.auth.SentCode(type=api.auth.SentCodeTypeSms(length=1), phone_code_hash="x" * 4_000_000)
        async with serve({api.account.SendVerifyPhoneCode: lambda request: answer}, key=TEST_KEY) as server:
            client = await mtproto.connect(server.host, server.port, keys=[server.public_key])
            client._upkeep._link._reader._transport.pause_reading()  # type: ignore[union-attr]
            waiting = [asyncio.create_task(client.invoke(REQUEST)) for _ in range(6)]
            await asyncio.sleep(0.2)
        await client.close()
        await asyncio.gather(*waiting, return_exceptions=True)

    run(scenario, deadline=6)


def test_a_server_that_reads_nothing_does_not_keep_the_client_from_closing() -> None:
    async def scenario() -> None:
        async with serve(key=TEST_KEY) as server:
            client = await mtproto.connect(server.host, server.port, keys=[server.public_key])
            (peer,) = server._peers.values()
            peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
            waiting = [asyncio.create_task(client.invoke_raw(bytes(4_000_000))) for _ in range(6)]
            await asyncio.sleep(0.2)
            await client.close()
            await asyncio.gather(*waiting, return_exceptions=True)

    run(scenario, deadline=6)


def test_heavy_load_both_ways_at_once() -> None:
    async def scenario() -> None:
        answer = api.auth.SentCode(type=api.auth.SentCodeTypeSms(length=1), phone_code_hash="x" * 100_000)
        request = api.account.SendVerifyPhoneCode(phone_number="1" * 100_000, settings=api.CodeSettings())
        handlers: Handlers = {api.account.SendVerifyPhoneCode: lambda request: answer}
        async with pair(handlers=handlers) as client:
            for _ in range(2):
                answers = await asyncio.gather(*(client.invoke(request, timeout=20) for _ in range(200)))
                assert all(a == answer for a in answers)

    run(scenario, deadline=40)


def test_closing_twice_when_the_first_time_was_cut_short() -> None:
    async def scenario() -> None:
        async with serve(key=TEST_KEY) as server:
            async with mtproto.connect(server.host, server.port, keys=[server.public_key]) as client:
                (peer,) = server._peers.values()
                peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
                waiting = [asyncio.create_task(client.invoke_raw(bytes(4_000_000))) for _ in range(6)]
                await asyncio.sleep(0.1)
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await client.close()
                await client.close()
            await asyncio.gather(*waiting, return_exceptions=True)

    run(scenario)


def test_a_handler_that_will_not_be_cancelled_does_not_keep_the_server_from_closing() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()

        async def stubborn(request: api.help.GetConfig) -> api.Config:
            while not gate.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await gate.wait()
            raise RpcError(400, "LATE")

        async with serve({api.help.GetConfig: stubborn}, key=TEST_KEY) as server:
            client = await mtproto.connect(server.host, server.port, keys=[server.public_key])
            waiting = asyncio.create_task(client.invoke(api.help.GetConfig()))
            await client.ping()
        await client.close()
        await asyncio.gather(waiting, return_exceptions=True)
        gate.set()
        await asyncio.sleep(0)

    run(scenario)


def test_who_is_cancelled_while_closing_is_cancelled() -> None:
    async def scenario() -> None:
        async with serve(key=TEST_KEY) as server:
            client = await mtproto.connect(server.host, server.port, keys=[server.public_key])
            task = asyncio.create_task(client.close())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    run(scenario)


def test_a_tap_that_fails_ends_the_connection_and_nobody_waits() -> None:
    async def scenario() -> None:
        calls = 0

        def tap(direction: str, data: bytes) -> None:
            nonlocal calls
            calls += 1
            if calls > 6:
                raise ZeroDivisionError

        async with serve(key=TEST_KEY) as server:
            client = await mtproto.connect(server.host, server.port, keys=[server.public_key], tap=tap)
            results = await asyncio.gather(
                *(client.invoke(REQUEST, timeout=5) for _ in range(3)), return_exceptions=True
            )
            assert [type(r) for r in results] == [ZeroDivisionError] * 3
            await client.close()

    run(scenario)


def test_a_key_that_the_server_has_not_is_no_key() -> None:
    async def scenario() -> None:
        async with serve(key=TEST_KEY) as server:
            other = mtproto.PrivateKey.generate().public
            with pytest.raises(HandshakeFailed) as caught:
                await mtproto.connect(server.host, server.port, keys=[other])
            assert caught.value.check == "H3"

    run(scenario)


def test_when_the_server_goes_everyone_who_waits_is_told_what_is_known() -> None:
    async def scenario() -> None:
        async with serve({api.help.GetConfig: never}, key=TEST_KEY) as server:
            client = await mtproto.connect(
                server.host, server.port, keys=[server.public_key], reconnect=None, max_pending=3
            )
            waiting = [asyncio.create_task(client.invoke(api.help.GetConfig())) for _ in range(5)]
            await client.ping()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(r) for r in results] == [RequestLost] * 3 + [ConnectionClosed] * 2
        assert "it is not known whether the request was executed" in str(results[0])
        assert "the request was not sent" in str(results[4])
        with pytest.raises(ConnectionClosed, match="the request was not sent"):
            await client.invoke(REQUEST)
        with pytest.raises(ConnectionClosed):
            await client.ping()
        assert client.is_closed
        await client.close()

    run(scenario)


def test_a_lost_auth_key_is_said_to_be_lost_at_once_and_there_is_no_other() -> None:
    async def scenario() -> None:
        sleeper = Sleeper()
        async with serve({api.help.GetConfig: never}, key=TEST_KEY) as server:
            client = await mtproto.connect(
                server.host, server.port, keys=[server.public_key], sleep=sleeper, max_pending=3
            )
            waiting = [asyncio.create_task(client.invoke(api.help.GetConfig())) for _ in range(5)]
            await client.ping()
            key = client.auth_key
            server.state.forget_key(key.key_id)
            with pytest.raises(AuthKeyLost):
                await client.ping()
            results = await asyncio.gather(*waiting, return_exceptions=True)
            assert [type(r) for r in results] == [AuthKeyLost] * 5
            with pytest.raises(AuthKeyLost):
                await client.invoke(REQUEST)
            with pytest.raises(AuthKeyLost):
                await anext(client.messages())
            assert (client.auth_key, client.is_closed) == (key, True)
            assert (sleeper.delays, server.state.keys) == ([], {})
            await client.close()

    run(scenario)


def test_close_fails_who_waits_and_may_be_called_twice() -> None:
    async def scenario() -> None:
        async with serve({api.help.GetConfig: never}, key=TEST_KEY) as server:
            client = await mtproto.connect(server.host, server.port, keys=[server.public_key])
            waiting = asyncio.create_task(client.invoke(api.help.GetConfig()))
            await client.ping()
            await client.close()
            await client.close()
            with pytest.raises(ConnectionClosed, match="the client was closed"):
                await waiting
            assert client.is_closed

    run(scenario)


def test_a_connection_cancelled_on_the_way_leaves_nothing_behind() -> None:
    async def scenario() -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()

        async def connect(host: str, port: int) -> None:
            await mtproto.connect(host, port, keys=[TEST_KEY.public])

        async with raw_server(talk) as (host, port):
            for delay in (0.0, 0.01, 0.05):
                task = asyncio.create_task(connect(host, port))
                await asyncio.sleep(delay)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

    run(scenario)
