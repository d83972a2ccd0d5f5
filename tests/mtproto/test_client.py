"""The asyncio client and the loopback server over real TCP: requests, their answers, and misuse."""

from __future__ import annotations

import asyncio
import importlib
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import mtproto
import tl
from mtproto import api, service
from mtproto.errors import ConnectionClosed, LocalProtocolError, RpcError
from mtproto.testing import Handlers, RequestLog, serve
from mtproto.transport import FRAMINGS
from tests.mtproto.clients import ANSWER, REQUEST, pair, run
from tests.mtproto.helpers import TEST_KEY
from tl.package import write_package
from tl.schema import Schema


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


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"host": 3}, "got 3 for host, expected str"),
        ({"credentials": "00ff"}, "got a str for credentials, expected Credentials or None"),
        ({"reconnect": "never"}, "got 'never' for reconnect, expected Backoff or None"),
        ({"keep_alive": 60}, "got 60 for keep_alive, expected KeepAlive or None"),
        ({"obfuscated": "yes"}, "got 'yes' for obfuscated, expected bool"),
        ({"max_pending": "x"}, "got 'x' for max_pending, expected int"),
        ({"max_pending_bytes": None}, "got None for max_pending_bytes, expected int"),
        ({"timeout": "soon"}, "got 'soon' for timeout, expected a number of seconds or None"),
    ],
)
def test_arguments_of_the_wrong_kind_are_refused_at_once(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(LocalProtocolError, match=complaint):
        mtproto.connect(**{"host": "127.0.0.1", "port": 1, **options})


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
        for keys in (None, TEST_KEY.public, TEST_KEY.public.to_pem(), 5):
            with pytest.raises(LocalProtocolError, match="as keys, expected a sequence"):
                mtproto.connect("127.0.0.1", 1, keys=keys)  # type: ignore[arg-type]
        for dc in (2**40, "2", 2.0):
            with pytest.raises(LocalProtocolError, match="dc"):
                await mtproto.connect("127.0.0.1", 1, keys=[TEST_KEY.public], dc=dc)  # type: ignore[arg-type]
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
            assert client.pending == 0

    run(scenario)
