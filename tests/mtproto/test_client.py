"""The asyncio client and the loopback server over real TCP: answers, errors, ends; nothing hangs, nothing leaks."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import mtproto
import tl
from mtproto import api, service
from mtproto.client import Client
from mtproto.errors import (
    AuthKeyLost,
    ConnectionClosed,
    HandshakeFailed,
    LocalProtocolError,
    RemoteProtocolError,
    RequestTimeout,
    RpcError,
    TransportCodeReceived,
)
from mtproto.testing import Handlers, RequestLog, serve
from mtproto.transport import FRAMINGS
from tests.mtproto.helpers import TEST_KEY
from tl.package import write_package
from tl.schema import Schema

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


def run(scenario: Scenario, deadline: float = 10.0) -> None:
    """Run a scenario; fail if it hangs or leaves a task behind."""

    async def watched() -> None:
        async with asyncio.timeout(deadline):
            await scenario()
        for _ in range(3):
            await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks left behind: {left}"

    asyncio.run(watched())


@asynccontextmanager
async def pair(transport: str = "intermediate", **options: Any) -> AsyncIterator[Client]:
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


# Answers


@pytest.mark.parametrize("transport", FRAMINGS)
def test_the_commissions_request_and_its_answer(transport: str) -> None:
    async def scenario() -> None:
        async with pair(transport) as client:
            answer = await client.invoke(REQUEST)
            assert bytes(answer) == ANSWER
            assert isinstance(answer, api.auth.SentCode)

    run(scenario)


def test_twenty_calls_in_a_row_and_twenty_at_once() -> None:
    async def scenario() -> None:
        async with pair() as client:
            for _ in range(20):
                assert bytes(await client.invoke(REQUEST)) == ANSWER
            answers = await asyncio.gather(*(client.invoke(REQUEST) for _ in range(20)))
            assert [bytes(a) for a in answers] == [ANSWER] * 20

    run(scenario)


def test_requests_made_together_travel_together() -> None:
    async def scenario() -> None:
        writes: list[str] = []
        async with pair(tap=lambda direction, data: writes.append(direction)) as client:
            await client.ping()
            writes.clear()
            await asyncio.gather(*(client.invoke(REQUEST) for _ in range(10)))
            assert writes.count("out") == 1

    run(scenario)


@pytest.mark.parametrize(
    "phone",
    [
        "some string here",
        "",
        "123456",
        "+",
        "+1234567890123456",
        "12 34 56 x",
        "+1-202-555-0123",
        "１２３４５６７",
    ],
)
def test_a_phone_number_that_is_none_is_refused(phone: str) -> None:
    async def scenario() -> None:
        async with pair() as client:
            for request in (
                api.account.SendVerifyPhoneCode(phone_number=phone, settings=api.CodeSettings()),
                api.auth.SendCode(phone_number=phone, api_id=1, api_hash="x", settings=api.CodeSettings()),
            ):
                with pytest.raises(RpcError) as caught:
                    await client.invoke(request)
                assert (caught.value.code, caught.value.message) == (400, "PHONE_NUMBER_INVALID")

    run(scenario)


@pytest.mark.parametrize("phone", ["1234567", "+123456789012345", "+1 202 555 0123", " 12025550123 "])
def test_a_phone_number_may_have_blanks_and_a_plus(phone: str) -> None:
    async def scenario() -> None:
        async with pair() as client:
            request = api.auth.SendCode(
                phone_number=phone, api_id=1, api_hash="x", settings=api.CodeSettings()
            )
            assert bytes(await client.invoke(request)) == ANSWER

    run(scenario)


def test_the_phone_code_hash_is_random_unless_it_is_given() -> None:
    async def scenario() -> None:
        hashes = set()
        async with (
            serve(key=TEST_KEY) as server,
            mtproto.connect(server.host, server.port, keys=[server.public_key.to_pem()]) as client,
        ):
            for _ in range(3):
                answer = await client.invoke(REQUEST)
                assert isinstance(answer, api.auth.SentCode)
                hashes.add(answer.phone_code_hash)
        assert len(hashes) == 3
        assert all(len(h) == 18 for h in hashes)

    run(scenario)


def test_the_config_is_complete_and_unknown_requests_are_refused() -> None:
    async def scenario() -> None:
        async with pair() as client:
            config = await client.invoke(api.help.GetConfig())
            assert config.dc_options[0].ip_address == "127.0.0.1"
            assert abs(config.date - time.time()) < 5
            with pytest.raises(RpcError) as caught:
                await client.invoke(api.users.GetUsers(id=[api.InputUserSelf()]))
            assert str(caught.value) == "401 AUTH_KEY_UNREGISTERED"
            with pytest.raises(RpcError) as caught:
                await client.invoke_raw(bytes.fromhex("78563412"))
            assert str(caught.value) == "401 AUTH_KEY_UNREGISTERED"
            with pytest.raises(RpcError) as caught:
                await client.invoke_raw(bytes(REQUEST)[:-4])
            assert str(caught.value) == "400 INPUT_FETCH_ERROR"
            assert bytes(await client.invoke(REQUEST)) == ANSWER

    run(scenario)


def test_requests_go_raw_unless_there_is_an_api_id() -> None:
    async def scenario() -> None:
        seen: list[tl.TLObject] = []

        def watched(request: api.help.GetConfig) -> api.Config:
            seen.append(request)
            raise RpcError(400, "SEEN")

        async with pair(handlers={api.help.GetConfig: watched}) as client:
            sent = client._connection.session
            for api_id, expected in ((None, api.help.GetConfig), (17, api.InvokeWithLayer)):
                client._api_id = api_id
                bodies: list[bytes] = []
                original = sent.send
                sent.send = lambda body, keep=bodies, send=original, **_: (keep.append(body), send(body))[1]  # type: ignore[method-assign]
                with pytest.raises(RpcError):
                    await client.invoke(api.help.GetConfig())
                sent.send = original  # type: ignore[method-assign]
                assert isinstance(api.decode(bodies[0]), expected)
        assert len(seen) == 2

    run(scenario)


def test_an_rpc_error_introduces_us_too_unless_it_says_otherwise() -> None:
    async def scenario() -> None:
        answers = iter(["API_ID_INVALID", "CONNECTION_LAYER_INVALID", "SOMETHING_ELSE"])

        def fails(request: api.help.GetConfig) -> api.Config:
            raise RpcError(400, next(answers))

        async with pair(handlers={api.help.GetConfig: fails}, api_id=17) as client:
            for known in (17, 17, None):
                with pytest.raises(RpcError):
                    await client.invoke(api.help.GetConfig())
                assert client._api_id == known

    run(scenario)


def test_after_the_first_answer_requests_are_not_wrapped_any_more() -> None:
    async def scenario() -> None:
        async with pair(api_id=17) as client:
            assert bytes(await client.invoke(REQUEST)) == ANSWER
            assert client._api_id is None
            assert bytes(await client.invoke(REQUEST)) == ANSWER

    run(scenario)


def test_handlers_may_be_plain_or_async_and_answer_in_their_own_order() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()

        async def slow(request: api.users.GetUsers) -> list[api.TypeUser]:
            await gate.wait()
            return [api.UserEmpty(id=len(request.id))]

        def quick(request: api.auth.BindTempAuthKey) -> bool:
            gate.set()
            return True

        bind = api.auth.BindTempAuthKey(perm_auth_key_id=1, nonce=2, expires_at=3, encrypted_message=b"")
        log: list[RequestLog] = []
        handlers = {api.users.GetUsers: slow, api.auth.BindTempAuthKey: quick}
        async with pair(handlers=handlers, on_request=log.append) as client:
            users, bound = await asyncio.gather(
                client.invoke(api.users.GetUsers(id=[api.InputUserSelf()])), client.invoke(bind)
            )
            assert users == [api.UserEmpty(id=1)]
            assert bound is True
        assert [entry.method for entry in log] == ["auth.bindTempAuthKey", "users.getUsers"]

    run(scenario)


def test_a_handlers_mistake_is_said_to_be_one_and_the_connection_lives() -> None:
    async def scenario() -> None:
        def raises(request: api.help.GetConfig) -> api.Config:
            raise ZeroDivisionError

        async def wrong_type(request: api.users.GetUsers) -> object:
            return 5

        handlers: Handlers = {api.help.GetConfig: raises, api.users.GetUsers: wrong_type}
        async with (
            serve(handlers, key=TEST_KEY) as server,
            mtproto.connect(server.host, server.port, keys=[server.public_key]) as client,
        ):
            for request in (api.help.GetConfig(), api.users.GetUsers(id=[]), api.help.GetConfig()):
                with pytest.raises(RpcError, match="400 HANDLER_FAILED"):
                    await client.invoke_raw(bytes(request))
            assert [type(e) for e in server.errors] == [ZeroDivisionError, tl.EncodeError, ZeroDivisionError]

    run(scenario)


def test_answers_that_cant_be_sent_are_mistakes_too() -> None:
    async def scenario() -> None:
        def cancelled(request: api.help.GetConfig) -> api.Config:
            raise asyncio.CancelledError

        async def cancelled_later(request: api.users.GetUsers) -> list[api.TypeUser]:
            raise asyncio.CancelledError

        async def too_long(request: api.auth.SendCode) -> api.auth.SentCode:
            return api.auth.SentCode(type=api.auth.SentCodeTypeSms(length=1), phone_code_hash="x" * 4_194_304)

        def bad_code(request: api.account.SendVerifyPhoneCode) -> api.auth.SentCode:
            raise RpcError(2**40, "TOO_LARGE")

        async def bad_message(request: api.auth.BindTempAuthKey) -> bool:
            raise RpcError(400, "\ud800")

        handlers: Handlers = {
            api.help.GetConfig: cancelled,
            api.users.GetUsers: cancelled_later,
            api.auth.SendCode: too_long,
            api.account.SendVerifyPhoneCode: bad_code,
            api.auth.BindTempAuthKey: bad_message,
        }
        requests: list[tl.TLFunction[Any]] = [
            api.help.GetConfig(),
            api.users.GetUsers(id=[]),
            api.auth.SendCode(phone_number="1", api_id=1, api_hash="", settings=api.CodeSettings()),
            REQUEST,
            api.auth.BindTempAuthKey(perm_auth_key_id=1, nonce=1, expires_at=1, encrypted_message=b""),
        ]
        async with (
            serve(handlers, key=TEST_KEY) as server,
            mtproto.connect(server.host, server.port, keys=[server.public_key]) as client,
        ):
            for request in requests:
                with pytest.raises(RpcError, match="400 HANDLER_FAILED"):
                    await client.invoke(request, timeout=5)
            assert len(server.errors) == len(requests)
            assert await client.ping() >= 0

    run(scenario)


def test_an_observer_that_fails_disturbs_no_answer() -> None:
    async def scenario() -> None:
        def watch(entry: RequestLog) -> None:
            raise ZeroDivisionError

        async with (
            serve(key=TEST_KEY, on_request=watch) as server,
            mtproto.connect(server.host, server.port, keys=[server.public_key]) as client,
        ):
            await client.invoke(REQUEST)
            await client.invoke(REQUEST)
            assert [type(e) for e in server.errors] == [ZeroDivisionError] * 2

    run(scenario)


def test_handlers_may_be_of_a_schema_of_ones_own(tmp_path: Path) -> None:
    text = "echo#11223344 text:string = Echo; ---functions--- say#55667788 text:string = Echo;"
    write_package(Schema.parse(text), tmp_path / "echo_schema", "echo_schema")
    sys.path.insert(0, str(tmp_path))
    try:
        echo_schema = importlib.import_module("echo_schema")
    finally:
        sys.path.remove(str(tmp_path))

    async def scenario() -> None:
        handlers = {echo_schema.Say: lambda request: echo_schema.Echo(text=request.text.upper())}
        async with pair(handlers=handlers) as client:
            assert await client.invoke(echo_schema.Say(text="hello")) == echo_schema.Echo(text="HELLO")

    run(scenario)


def test_an_answer_that_does_not_fit_its_type_is_a_decode_error_and_the_connection_lives() -> None:
    async def scenario() -> None:
        async with pair() as client:
            body = await client.invoke_raw(bytes(REQUEST))
            with pytest.raises(tl.DecodeError):
                tl.decode_result(api.help.GetConfig(), body)
            assert await client.ping() >= 0

    run(scenario)


# Ends


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
            client._reader._transport.pause_reading()  # type: ignore[attr-defined]
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


def test_when_the_server_goes_everyone_who_waits_is_told() -> None:
    async def scenario() -> None:
        async def never(request: api.help.GetConfig) -> api.Config:
            await asyncio.Event().wait()
            raise AssertionError

        async with serve({api.help.GetConfig: never}, key=TEST_KEY) as server:
            client = await mtproto.connect(server.host, server.port, keys=[server.public_key])
            waiting = [asyncio.create_task(client.invoke(api.help.GetConfig())) for _ in range(3)]
            await client.ping()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(r) for r in results] == [ConnectionClosed] * 3
        with pytest.raises(ConnectionClosed):
            await client.invoke(REQUEST)
        await client.close()

    run(scenario)


def test_a_lost_auth_key_is_said_to_be_lost() -> None:
    async def scenario() -> None:
        async with (
            serve(key=TEST_KEY) as server,
            mtproto.connect(server.host, server.port, keys=[server.public_key]) as client,
        ):
            await client.ping()
            server.state.forget_key(client.auth_key.key_id)
            with pytest.raises(AuthKeyLost):
                await client.invoke(REQUEST)

    run(scenario)


def test_a_request_times_out_and_its_late_answer_is_dropped() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()

        async def slow(request: api.help.GetConfig) -> api.Config:
            await gate.wait()
            raise RpcError(400, "LATE")

        async with pair(handlers={api.help.GetConfig: slow}) as client:
            with pytest.raises(RequestTimeout, match=r"no answer within 0\.1 s"):
                await client.invoke(api.help.GetConfig(), timeout=0.1)
            assert not client._connection.session.open_requests
            gate.set()
            assert await client.ping() >= 0

    run(scenario)


def test_a_cancelled_request_leaves_nothing_behind() -> None:
    async def scenario() -> None:
        async def never(request: api.help.GetConfig) -> api.Config:
            await asyncio.Event().wait()
            raise AssertionError

        async with pair(handlers={api.help.GetConfig: never}) as client:
            for turns in range(4):
                task = asyncio.create_task(client.invoke(api.help.GetConfig()))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert not client._waiting
            assert not client._connection.session.open_requests
            assert await client.ping() >= 0

    run(scenario)


def test_close_fails_who_waits_and_may_be_called_twice() -> None:
    async def scenario() -> None:
        async def never(request: api.help.GetConfig) -> api.Config:
            await asyncio.Event().wait()
            raise AssertionError

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


def test_messages_that_answer_nothing_come_as_they_are() -> None:
    async def scenario() -> None:
        async with (
            serve(key=TEST_KEY) as server,
            mtproto.connect(server.host, server.port, keys=[server.public_key]) as client,
        ):
            await client.ping()
            (session,) = server.state.sessions.values()
            session.notify(bytes(api.UserEmpty(id=1)))
            await client.ping()
            async for message in client.messages():
                assert api.decode(message.body) == api.UserEmpty(id=1)
                break

    run(scenario)


# Misuse


def test_misuse_is_refused_with_a_reason() -> None:
    async def scenario() -> None:
        with pytest.raises(LocalProtocolError, match="no framing is called 'carrier pigeon'"):
            await mtproto.connect("127.0.0.1", 1, keys=[TEST_KEY.public], transport="carrier pigeon")
        with pytest.raises(LocalProtocolError, match="at least one RSA key"):
            await mtproto.connect("127.0.0.1", 1, keys=[])
        with pytest.raises(ValueError, match="PEM"):
            mtproto.connect("127.0.0.1", 1, keys=["no key"])
        for host, port in (("a..b", 1), ("127.0.0.1", 70_000), ("127.0.0.1", -1)):
            with pytest.raises(ConnectionClosed, match="can't connect to"):
                await mtproto.connect(host, port, keys=[TEST_KEY.public])
        for key in (None, 5, object()):
            with pytest.raises(LocalProtocolError, match="among keys"):
                mtproto.connect("127.0.0.1", 1, keys=[key])  # type: ignore[list-item]
        with pytest.raises(LocalProtocolError, match="dc"):
            await mtproto.connect("127.0.0.1", 1, keys=[TEST_KEY.public], dc=2**40)
        for handlers in (
            5,
            {"help.getConfig": print},
            {api.Config: print},
            {api.InvokeWithLayer: print},
            {api.help.GetConfig: 5},
        ):
            with pytest.raises(LocalProtocolError, match="handler"):
                serve(handlers, key=TEST_KEY)  # type: ignore[arg-type]
        async with pair() as client:
            for value in ("x", None, api.help.GetConfig, api.CodeSettings()):
                with pytest.raises(LocalProtocolError, match="expected a request"):
                    await client.invoke(value)  # type: ignore[arg-type]
            with pytest.raises(LocalProtocolError, match="is no request"):
                await client.invoke_raw(bytes(service.MsgContainer(messages=[])))
            with pytest.raises(LocalProtocolError, match="use ping"):
                await client.invoke(service.Ping(ping_id=1))
            with pytest.raises(tl.EncodeError, match="phone_number"):
                await client.invoke(
                    api.account.SendVerifyPhoneCode(
                        phone_number=5,  # type: ignore[arg-type]
                        settings=api.CodeSettings(),
                    )
                )
            assert not client._connection.session.open_requests

    run(scenario)
