"""Requests of the asyncio client on their way: handles, order, time-outs, cancellation, initConnection."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import mtproto
import tl
from mtproto import api, service
from mtproto.client import Call, Client
from mtproto.client.introduction import Introduction
from mtproto.errors import ConnectionClosed, FateUnknown, LocalProtocolError, RequestTimeout, RpcError
from mtproto.events import RequestReceived
from mtproto.message import pack_gzip
from tests.mtproto.clients import REQUEST, PlainServer, never, pair, run

CONFIG = api.help.GetConfig()
TRUE = bytes(api.BoolTrue())


def connected(server: PlainServer, **options: Any) -> Any:
    return mtproto.connect(server.host, server.port, keys=[server.public_key], **options)


def rpc_error(message: str) -> bytes:
    return bytes(service.RpcError(error_code=400, error_message=message))


# Handles


def test_a_handle_can_be_awaited_again_and_again() -> None:
    async def scenario() -> None:
        async with pair() as client:
            call = await client.send(REQUEST)
            assert not call.done()
            first = await call
            assert await call == first
            assert call.done()
            assert not call.cancelled()
            assert client.pending == 0
            failing = await client.send(api.users.GetUsers(id=[]))
            for _ in range(2):
                with pytest.raises(RpcError):
                    await failing

    run(scenario)


def test_requests_go_out_in_the_order_in_which_they_were_sent() -> None:
    async def scenario() -> None:
        async with PlainServer() as server, connected(server) as client:
            bodies = [bytes(api.users.GetUsers(id=[api.InputUserSelf()] * number)) for number in range(50)]
            await asyncio.gather(*(client.invoke_raw(body) for body in bodies))
            assert server.requests == bodies

    run(scenario)


def test_a_request_may_be_after_others() -> None:
    async def scenario() -> None:
        async with PlainServer(lambda body: None) as server, connected(server) as client:
            first = await client.send(CONFIG)
            second = await client.send(CONFIG, after=first)
            third = await client.send(CONFIG, after=[first, second])
            await client.ping()
            ids = [event.msg_id for event in server.events if isinstance(event, RequestReceived)]
            assert server.requests == [
                bytes(CONFIG),
                bytes(api.InvokeAfterMsg(msg_id=ids[0], query=CONFIG)),
                bytes.fromhex("f0b4c43d 15c4b51c 02000000")
                + ids[0].to_bytes(8, "little", signed=True)
                + ids[1].to_bytes(8, "little", signed=True)
                + bytes(CONFIG),
            ]
            for call in (first, second, third):
                call.cancel()

    run(scenario)


def test_after_takes_only_what_send_gave() -> None:
    async def scenario() -> None:
        async with pair() as client, pair() as other:
            call = await other.send(REQUEST)
            for value in (call, [call], 5, [None]):
                with pytest.raises((LocalProtocolError, TypeError)):
                    await client.invoke(REQUEST, after=value)  # type: ignore[arg-type]
            await call
            assert client.pending == other.pending == 0

    run(scenario)


def test_gzip_is_as_asked_for() -> None:
    async def scenario() -> None:
        long = api.users.GetUsers(id=[api.InputUserSelf()] * 1000)
        async with PlainServer(lambda body: bytes.fromhex("15c4b51c00000000")) as server:
            async with connected(server) as client:
                writes: list[int] = []
                assert await client.invoke(long, gzip=True) == []
                assert await client.invoke_raw(bytes(long), gzip=True) == bytes.fromhex("15c4b51c00000000")
            assert server.requests == [bytes(long)] * 2
            async with connected(server, tap=lambda way, data: writes.append(len(data))) as client:
                await client.ping()
                writes.clear()
                await client.invoke(long, gzip=True)
                assert max(writes) < len(pack_gzip(bytes(long))) + 200

    run(scenario)


# Time-outs and cancellation


def test_a_request_times_out_and_its_late_answer_is_dropped() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()

        async def slow(request: api.help.GetConfig) -> api.Config:
            await gate.wait()
            raise RpcError(400, "LATE")

        async with pair(handlers={api.help.GetConfig: slow}) as client:
            with pytest.raises(RequestTimeout, match=r"no answer within 0\.1 s; it is not known") as caught:
                await client.invoke(CONFIG, timeout=0.1)
            assert isinstance(caught.value, FateUnknown)
            assert caught.value.was_sent
            assert client.pending == 0
            gate.set()
            assert await client.ping() >= 0

    run(scenario)


def test_a_time_out_of_what_was_not_sent_says_so() -> None:
    async def scenario() -> None:
        async with pair(handlers={api.help.GetConfig: never}, max_pending=1) as client:
            first = await client.send(CONFIG)
            with pytest.raises(
                RequestTimeout, match=r"no answer within 0 s; the request was not sent"
            ) as caught:
                await client.invoke(CONFIG, timeout=0)
            assert not caught.value.was_sent
            first.cancel()
            assert client.pending == 0

    run(scenario)


def test_the_server_is_told_of_what_nobody_waits_for_any_more() -> None:
    async def scenario() -> None:
        async with PlainServer(lambda body: None) as server, connected(server) as client:
            sent = await client.send(CONFIG)
            await client.ping()
            (session,) = server.state.sessions.values()
            assert len(session.open_requests) == 1
            sent.cancel()
            await client.ping()
            assert not session.open_requests

    run(scenario)


def test_what_is_cancelled_before_it_was_sent_is_not_sent() -> None:
    async def scenario() -> None:
        async with PlainServer() as server, connected(server) as client:
            call = await client.send(CONFIG)
            call.cancel()
            assert call.cancelled()
            assert not call.is_sent
            with pytest.raises(asyncio.CancelledError):
                await call
            await client.ping()
            assert server.requests == []

    run(scenario)


def test_a_cancelled_request_leaves_nothing_behind() -> None:
    async def scenario() -> None:
        async with pair(handlers={api.help.GetConfig: never}) as client:
            for turns in range(6):
                task = asyncio.create_task(client.invoke(CONFIG))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert client.pending == 0
            assert await client.ping() >= 0

    run(scenario)


def test_who_awaits_a_handle_and_is_cancelled_cancels_it() -> None:
    async def scenario() -> None:
        async def wait(call: Call[Any]) -> None:
            await call

        async with pair(handlers={api.help.GetConfig: never}) as client:
            call = await client.send(CONFIG)
            task = asyncio.create_task(wait(call))
            await client.ping()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert call.cancelled()
            assert client.pending == 0

    run(scenario)


def test_an_answer_that_comes_together_with_the_end_of_the_time_counts() -> None:
    async def scenario() -> None:
        async with pair(handlers={api.help.GetConfig: never}) as client:
            loop, timeout = asyncio.get_running_loop(), 0.2
            began = loop.time()
            task = asyncio.create_task(client.invoke_raw(bytes(CONFIG), timeout=timeout))
            await client.ping()
            ((number, call),) = client._calls._numbered.items()

            def hold_up() -> None:  # until both timers are due, which are then called in one turn
                while loop.time() < began + 2 * timeout:
                    pass

            loop.call_at(began + timeout - 0.002, hold_up)
            loop.call_at(began + timeout - 0.001, client._calls.settle, number, TRUE)
            assert await task == TRUE
            assert call.done()

    run(scenario)


# initConnection


def test_requests_go_raw_unless_there_is_an_api_id() -> None:
    async def scenario() -> None:
        async with PlainServer() as server, connected(server) as client:
            await client.invoke_raw(bytes(CONFIG))
            with pytest.raises(tl.DecodeError):
                await client.invoke(CONFIG)
            assert server.requests == [bytes(CONFIG)] * 2

    run(scenario)


def test_an_api_id_introduces_us_until_there_is_an_answer() -> None:
    async def scenario() -> None:
        answers = iter(
            [rpc_error("API_ID_INVALID"), rpc_error("CONNECTION_LAYER_INVALID"), rpc_error("X"), TRUE]
        )
        async with PlainServer(lambda body: next(answers)) as server, connected(server, api_id=17) as client:
            for _ in range(3):
                with pytest.raises(RpcError):
                    await client.invoke(CONFIG)
            with pytest.raises(tl.DecodeError):
                await client.invoke(CONFIG)
            wrapped = [api.decode(body) for body in server.requests[:3]]
            assert all(isinstance(w, api.InvokeWithLayer) and w.layer == api.LAYER for w in wrapped)
            inner = [w.query for w in wrapped if isinstance(w, api.InvokeWithLayer)]
            assert all(
                isinstance(i, api.InitConnection) and i.api_id == 17 and i.query == CONFIG for i in inner
            )
            assert server.requests[3] == bytes(CONFIG)

    run(scenario)


def test_an_api_id_that_is_none_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(tl.EncodeError, match="api_id"):
        mtproto.connect("127.0.0.1", 1, keys=[], api_id=2**31)


def test_a_new_key_has_to_be_introduced_again() -> None:
    introduction = Introduction(5)
    before = introduction.epoch
    introduction.note(before, TRUE)
    assert introduction.wrapped(b"body") == b"body"
    introduction.begin_again()
    assert introduction.wrapped(b"body") != b"body"
    introduction.note(before, TRUE)  # of a request that went under the key before
    assert introduction.is_due
    for outcome in (ConnectionClosed("x"), FateUnknown("x"), RpcError(400, "API_ID_PUBLISHED_FLOOD")):
        introduction.note(introduction.epoch, outcome)
        assert introduction.is_due
    introduction.note(introduction.epoch, RpcError(400, "PHONE_NUMBER_INVALID"))
    assert not introduction.is_due


def test_service_functions_are_not_introduced() -> None:
    async def scenario() -> None:
        async with PlainServer() as server, connected(server, api_id=17) as client:
            query = service.RpcDropAnswer(req_msg_id=5)
            answer = await client.invoke(query)
            assert isinstance(answer, service.RpcAnswerUnknown)
            assert isinstance(client, Client)
            assert server.requests == []

    run(scenario)
