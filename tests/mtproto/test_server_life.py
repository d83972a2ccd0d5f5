"""How a loopback server ends, is started again, and what it says unasked."""

from __future__ import annotations

import asyncio
import inspect
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import mtproto
from mtproto import api
from mtproto.cli.arguments import parser
from mtproto.client import Client, Connecting
from mtproto.connection import ServerConnection
from mtproto.errors import ConnectionClosed, LocalProtocolError, RpcError
from mtproto.events import SessionId
from mtproto.testing import KeyExchange, LoopbackServer, RequestContext, ThreadedServer, faults, serve
from tests.mtproto.desk import turns
from tests.mtproto.helpers import TEST_KEY

UPDATE = api.UserEmpty(id=5)
FDS = Path("/proc/self/fd")


def run(scenario: Callable[[], Awaitable[None]], seconds: float = 20) -> None:
    asyncio.run(asyncio.wait_for(scenario(), seconds))


def connecting(server: LoopbackServer, **options: Any) -> Connecting:
    """A client that does not come back: these tests are about who ends."""
    options = {"reconnect": None} | options
    return mtproto.connect(server.host, server.port, keys=[server.public_key], **options)


async def update(client: Client) -> object:
    async for message in client.messages():
        return api.decode(message.body)
    return None


class Slow:
    """A handler that waits for its gate, and what has become of it."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.begun = asyncio.Event()
        self.was_cancelled = False

    async def handle(self, _: api.users.GetUsers) -> list[Any]:
        self.begun.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        return [UPDATE]


# -- the beginning ------------------------------------------------------------------------------------


def test_a_server_is_for_this_machine_and_plain_unless_it_is_told_otherwise() -> None:
    """What makes life hard for clients is off (S10)."""

    async def scenario() -> None:
        async with serve(key=TEST_KEY) as server, LoopbackServer(key=TEST_KEY) as other:
            assert server.host == other.host == "127.0.0.1"
            for one in (server, other):
                assert one._server is not None
                assert {s.getsockname()[0] for s in one._server.sockets} == {"127.0.0.1"}
                assert not one.state.strict
                connection = ServerConnection([TEST_KEY], one.state)
                assert (connection.outgoing, connection.incoming) == (None, None)
            async with connecting(server) as client:
                salt = client.server_salt
                await client.ping()
                await client.invoke(api.help.GetConfig())
                assert client.server_salt == salt

    for made in (serve, LoopbackServer):
        options = inspect.signature(made).parameters
        assert options["key_exchange"].default == KeyExchange() == KeyExchange(None, 0, False)
        assert options["mtproxy_secret"].default is options["state"].default is None
        assert options["faults"].default == ()
    assert parser().parse_args(["serve"]).host == "127.0.0.1"
    run(scenario)


# -- the end ------------------------------------------------------------------------------------------


def test_handlers_may_end_and_their_answers_are_sent() -> None:
    async def scenario() -> None:
        slow = Slow()
        server = serve({api.users.GetUsers: slow.handle}, key=TEST_KEY, grace=10.0)
        async with server, connecting(server) as client:
            asking = asyncio.create_task(client.invoke(api.users.GetUsers(id=[])))
            await slow.begun.wait()
            closing = asyncio.create_task(server.close())
            await turns()
            assert not closing.done()
            with pytest.raises(ConnectionClosed):
                await connecting(server)
            slow.gate.set()
            await closing
            assert await asking == [UPDATE]
            assert not slow.was_cancelled
            assert not server.errors

    run(scenario)


def test_what_comes_while_the_server_closes_is_not_taken() -> None:
    async def scenario() -> None:
        slow = Slow()
        asked: list[Any] = []
        handlers = {api.users.GetUsers: slow.handle, api.help.GetConfig: asked.append}
        server = serve(handlers, key=TEST_KEY, grace=10.0)
        async with server, connecting(server) as client:
            asking = asyncio.create_task(client.invoke(api.users.GetUsers(id=[])))
            await slow.begun.wait()
            closing = asyncio.create_task(server.close())
            await turns()
            late = asyncio.create_task(client.invoke(api.help.GetConfig()))
            await turns(200)
            slow.gate.set()
            await closing
            assert await asking == [UPDATE]
            await asyncio.wait([late])
            assert isinstance(late.exception(), ConnectionClosed)
            assert not asked

    run(scenario)


@pytest.mark.parametrize("way", ["close", "leave", "fail"])
def test_handlers_that_do_not_end_are_cancelled(way: str) -> None:
    async def scenario() -> None:
        slow = Slow()
        grace = 60.0 if way == "fail" else 0.01  # a test that fails does not wait for handlers
        server = await serve({api.users.GetUsers: slow.handle}, key=TEST_KEY, grace=grace).__aenter__()
        client = await connecting(server)
        asking = asyncio.create_task(client.invoke(api.users.GetUsers(id=[])))
        await slow.begun.wait()
        if way == "close":
            await server.close()
        error = KeyError() if way == "fail" else None
        await server.__aexit__(None if error is None else KeyError, error, None)
        assert slow.was_cancelled
        assert not server.errors
        await asyncio.wait([asking])
        assert isinstance(asking.exception(), ConnectionClosed)
        await client.close()

    run(scenario)


def open_files() -> int:
    return sum(1 for _ in FDS.iterdir())


@pytest.mark.skipif(not FDS.is_dir(), reason="counts the descriptors of the process in /proc")
def test_nothing_is_left_of_a_server_that_was_closed() -> None:
    async def scenario() -> None:
        await asyncio.get_running_loop().run_in_executor(None, int)

        async def life() -> None:
            slow = Slow()
            async with serve({api.users.GetUsers: slow.handle}, key=TEST_KEY, grace=0.01) as server:
                clients = [await connecting(server) for _ in range(5)]
                asking = [asyncio.create_task(c.invoke(api.users.GetUsers(id=[]))) for c in clients]
                idle = await asyncio.open_connection(server.host, server.port)
                await slow.begun.wait()
            await asyncio.wait(asking)
            for client in clients:
                await client.close()
            idle[1].close()
            assert all(isinstance(task.exception(), ConnectionClosed) for task in asking)

        await life()
        await turns()
        before = open_files(), len(asyncio.all_tasks())
        for _ in range(3):
            await life()
            await turns()
        assert (open_files(), len(asyncio.all_tasks())) == before

    run(scenario)


# -- started again ------------------------------------------------------------------------------------


def noting(contexts: list[RequestContext]) -> dict[Any, Any]:
    def users(_: api.users.GetUsers, context: RequestContext) -> list[Any]:
        contexts.append(context)
        return []

    return {api.users.GetUsers: users}


@pytest.mark.parametrize("keeps", [False, True])
def test_a_restart_breaks_connections_and_keeps_keys(keeps: bool) -> None:
    async def scenario() -> None:
        contexts: list[RequestContext] = []
        async with serve(noting(contexts), key=TEST_KEY) as server:
            port = server.port
            client = await connecting(server)
            await client.invoke(api.users.GetUsers(id=[]))
            (session,) = server.sessions
            await server.restart(keep_sessions=keeps)
            assert server.port == port
            assert (session in server.state.sessions) is keeps
            assert not server.sessions
            assert not server._peers
            assert len(server.state.keys) == 1
            async with connecting(server) as other:
                await other.invoke(api.users.GetUsers(id=[]))
                assert len(server.sessions) >= 1
            await client.close()
            assert not server.errors

    run(scenario)


def test_a_restart_cancels_handlers() -> None:
    async def scenario() -> None:
        slow = Slow()
        async with serve({api.users.GetUsers: slow.handle}, key=TEST_KEY) as server:
            client = await connecting(server)
            asking = asyncio.create_task(client.invoke(api.users.GetUsers(id=[]), timeout=0.5))
            await slow.begun.wait()
            await server.restart()
            assert slow.was_cancelled
            assert not server.errors
            asking.cancel()
            await client.close()

    run(scenario)


# -- unasked ------------------------------------------------------------------------------------------


def test_updates_go_to_one_session_or_to_all() -> None:
    async def scenario() -> None:
        contexts: list[RequestContext] = []
        async with (
            serve(noting(contexts), key=TEST_KEY) as server,
            connecting(server) as one,
            connecting(server) as two,
        ):
            for client in (one, two):
                await client.invoke(api.users.GetUsers(id=[]))
            assert set(server.sessions) == {context.session for context in contexts}
            server.notify(UPDATE, contexts[0].session)
            assert await update(one) == UPDATE
            server.notify(bytes(api.UserEmpty(id=6)))
            assert await update(one) == await update(two) == api.UserEmpty(id=6)
            with pytest.raises(LocalProtocolError, match="there is no session"):
                server.notify(UPDATE, SessionId(bytes(8), 1))
            with pytest.raises(LocalProtocolError, match="a body of"):
                server.notify(b"\x01")

    run(scenario)


def test_a_handler_may_notify_its_own_session() -> None:
    async def scenario() -> None:
        def users(_: api.users.GetUsers, context: RequestContext) -> list[Any]:
            server.notify(UPDATE, context.session)
            raise RpcError(400, "LATER")

        server = serve({api.users.GetUsers: users}, key=TEST_KEY)
        async with server, connecting(server) as client:
            with pytest.raises(RpcError, match="LATER"):
                await client.invoke(api.users.GetUsers(id=[]))
            assert await update(client) == UPDATE

    run(scenario)


@pytest.mark.parametrize("keeps", [True, False])
def test_salts_change_at_once_when_they_are_told_to(keeps: bool) -> None:
    async def scenario() -> None:
        contexts: list[RequestContext] = []
        async with serve(noting(contexts), key=TEST_KEY) as server, connecting(server) as client:
            await client.invoke(api.users.GetUsers(id=[]))
            before = client.server_salt
            server.rotate_salt(keep_previous=keeps)
            (salts,) = server.state.salts.values()
            assert salts.accepts(before, server.state.clock()) is keeps
            await client.invoke(api.users.GetUsers(id=[]))
            assert (client.server_salt == before) is keeps
            assert len(contexts) == 2, "the request was executed once"

    run(scenario)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("key_exchange", "x"),
        ("deadlines", 5),
        ("max_connections", 0),
        ("max_backlog", -1),
        ("max_pending", "many"),
    ],
)
def test_arguments_that_can_not_be_are_refused_at_once(name: str, value: object) -> None:
    with pytest.raises(LocalProtocolError, match=f"for {name}, expected"):
        serve(key=TEST_KEY, **{name: value})  # type: ignore[arg-type]
    with pytest.raises(LocalProtocolError, match="32 bits"):
        KeyExchange(dc=2**40)


def test_long_answers_are_packed_where_a_test_wants_them_to_be() -> None:
    async def scenario() -> None:
        async with serve(key=TEST_KEY, gzip_from=100) as server:
            given: list[bytes] = []
            answer = server.state.answer

            def watched(session: SessionId, msg_id: int, body: bytes) -> None:
                given.append(body)
                answer(session, msg_id, body)

            server.state.answer = watched  # type: ignore[method-assign, assignment]
            async with mtproto.connect(server.host, server.port, keys=[server.public_key]) as client:
                config = await client.invoke(api.help.GetConfig())
                assert config.message_length_max == 4096
                with pytest.raises(RpcError):
                    await client.invoke(
                        api.account.SendVerifyPhoneCode(phone_number="?", settings=api.CodeSettings())
                    )
            assert [body[:4].hex() for body in given] == ["a1cf7230", "19ca4421"]
            assert len(given[0]) < len(bytes(config))

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"gzip_from": "all"}, "got 'all' for gzip_from, expected an int or None"),
        ({"host": 3}, "got 3 for host, expected a str"),
        ({"port": "x"}, "got 'x' for port, expected an int from 0 to 65535"),
        ({"port": 65536}, "got 65536 for port, expected an int from 0 to 65535"),
        ({"key": TEST_KEY.public}, "got a PublicKey for key, expected a PrivateKey or None"),
        ({"key": "x"}, "got a str for key, expected a PrivateKey or None"),
        ({"state": 3}, "got 3 for state, expected a ServerState or None"),
        ({"phone_code_hash": 3}, "got 3 for phone_code_hash, expected a str or None"),
        ({"strict": "x"}, "got 'x' for strict, expected a bool"),
        ({"obfuscated": 1}, "got 1 for obfuscated, expected a bool"),
        ({"grace": "x"}, "got 'x' for grace, expected a number of seconds"),
        ({"grace": -1}, "got -1 for grace, expected a number of seconds, 0 or more"),
        ({"deadlines": 5}, "got 5 for deadlines, expected a Deadlines"),
        ({"max_pending": 0}, "got 0 for max_pending, expected an int >= 1"),
        ({"on_request": 3}, "got 3 for on_request, expected a function or None"),
        ({"on_connection": 3}, "got 3 for on_connection, expected a function or None"),
        ({"clock": None}, "got None for clock, expected a function"),
        ({"rng": 3}, "got 3 for rng, expected a function"),
        (
            {"faults": faults.SaltRotation()},
            "for faults, expected a list of objects of mtproto.testing.faults",
        ),
        ({"faults": None}, "got None for faults, expected a list of objects of mtproto.testing.faults"),
    ],
)
def test_what_no_server_can_be_is_refused(options: dict[str, Any], complaint: str) -> None:
    for make in (serve, ThreadedServer):
        with pytest.raises(LocalProtocolError, match=complaint):
            make(**options)


def test_what_is_no_answer_is_said_to_be_a_handlers() -> None:
    async def scenario() -> None:
        async with serve({api.help.GetConfig: lambda request: None}, key=TEST_KEY) as server:
            async with mtproto.connect(server.host, server.port, keys=[server.public_key]) as client:
                with pytest.raises(RpcError, match="HANDLER_FAILED"):
                    await client.invoke(api.help.GetConfig())
            with pytest.raises(LocalProtocolError, match="got 5, expected an object of a schema, or bytes"):
                server.notify(5)  # type: ignore[arg-type]
            (error,) = server.errors
            said = "".join(traceback.format_exception(error))
            assert said.endswith("\nThis is the answer that the handler of help.getConfig gave.\n")

    asyncio.run(scenario())
