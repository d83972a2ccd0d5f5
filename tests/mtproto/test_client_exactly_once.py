"""Exactly once, over real sockets that are cut: a request is executed once and answered once, or its fate is said
to be unknown."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

import mtproto
from mtproto import api
from mtproto.client import Backoff, Client
from mtproto.errors import FateUnknown
from mtproto.testing import LoopbackServer, serve
from tests.mtproto.clients import Proxy, Sleeper, never, request, run, through
from tests.mtproto.helpers import TEST_KEY, seeded

COUNT = 100


def told(asked: api.account.SendVerifyPhoneCode) -> api.auth.SentCode:
    """The answer, which says which request it is of."""
    return api.auth.SentCode(type=api.auth.SentCodeTypeSms(length=1), phone_code_hash=asked.phone_number)


class Rig:
    """A client, a proxy, a server whose handler counts, and what becomes of `COUNT` requests made at once."""

    def __init__(self) -> None:
        self.executed: Counter[str] = Counter()
        self.respond: Callable[[api.account.SendVerifyPhoneCode], Any] = told
        self.server: LoopbackServer
        self.proxy: Proxy
        self.client: Client

    def handle(self, asked: api.account.SendVerifyPhoneCode) -> Any:
        self.executed[asked.phone_number] += 1
        return self.respond(asked)

    async def invoke_all(self, **options: Any) -> list[Any]:
        requests = [request(number) for number in range(COUNT)]
        calls = [await self.client.send(r, **options) for r in requests]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        for asked, outcome in zip(requests, outcomes, strict=True):
            if isinstance(outcome, api.auth.SentCode):
                assert outcome.phone_code_hash == asked.phone_number
        return list(outcomes)

    def forget_sessions(self) -> None:
        for session in list(self.server.state.sessions):
            self.server.state.forget_session(session)


@asynccontextmanager
async def rig(**options: Any) -> AsyncIterator[Rig]:
    made = Rig()
    async with (
        serve({api.account.SendVerifyPhoneCode: made.handle}, key=TEST_KEY) as made.server,
        Proxy(made.server) as made.proxy,
        mtproto.connect(
            made.proxy.host,
            made.proxy.port,
            keys=[TEST_KEY.public],
            sleep=Sleeper(),
            rng=seeded(3),
            **options,
        ) as made.client,
    ):
        await made.client.ping()
        yield made
        assert await made.client.ping() >= 0
        assert made.client.pending == 0
        assert not made.server.errors


def once(cut: Callable[[bytes], bytes]) -> Callable[[bytes], tuple[bytes, bool]]:
    """A filter that lets through what `cut` leaves of the next bytes, and cuts the connection after it, once."""
    is_spent = False

    def filtered(data: bytes) -> tuple[bytes, bool]:
        nonlocal is_spent
        if is_spent:
            return data, False
        is_spent = True
        return cut(data), True

    return filtered


CUTS: dict[str, Callable[[bytes], bytes]] = {
    "before": lambda data: b"",
    "in the length": lambda data: data[:3],
    "in the middle": lambda data: data[: len(data) // 2],
    "before the last byte": lambda data: data[:-1],
    "after": lambda data: data,
}


@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(
    "options",
    [{}, {"transport": "full"}, {"transport": "padded", "obfuscated": True}],
    ids=["intermediate", "full", "obfuscated padded"],
)
def test_a_connection_that_is_cut(way: str, cut: str, options: dict[str, Any]) -> None:
    async def scenario() -> None:
        async with rig(**options) as made:
            setattr(made.proxy, way, once(CUTS[cut]))
            outcomes = await made.invoke_all()
            assert all(isinstance(outcome, api.auth.SentCode) for outcome in outcomes)
            assert set(made.executed.values()) == {1}
            assert len(made.executed) == COUNT
            assert made.proxy.connections == 2 or cut == "after"

    run(scenario)


def test_a_connection_that_is_cut_again_and_again() -> None:
    async def scenario() -> None:
        async with rig(reconnect=Backoff(attempts=None)) as made:
            left = 40

            def some(data: bytes) -> tuple[bytes, bool]:
                nonlocal left
                left -= 1
                return (data[: len(data) * left // 40], True) if left > 0 and left % 3 else (data, False)

            made.proxy.up = made.proxy.down = some
            outcomes = await made.invoke_all()
            assert {type(outcome): outcome for outcome in outcomes}.keys() == {api.auth.SentCode}
            assert set(made.executed.values()) == {1}
            assert made.proxy.connections > 5
            made.proxy.up = made.proxy.down = through

    run(scenario, deadline=30)


def test_a_connection_that_is_cut_while_requests_are_executed() -> None:
    async def scenario() -> None:
        async with rig() as made:
            half, gate = asyncio.Event(), asyncio.Event()
            executed = made.executed

            async def slow(asked: api.account.SendVerifyPhoneCode) -> api.auth.SentCode:
                if len(executed) >= COUNT // 2:
                    half.set()
                if len(executed) == COUNT:
                    gate.set()
                await gate.wait()
                return told(asked)

            made.respond = slow
            waiting = asyncio.create_task(made.invoke_all())
            await half.wait()
            made.proxy.cut()
            outcomes = await waiting
            assert all(isinstance(outcome, api.auth.SentCode) for outcome in outcomes)
            assert set(executed.values()) == {1}

    run(scenario)


@pytest.mark.parametrize("keep_previous", [True, False])
def test_a_salt_that_changes_with_a_hundred_requests_pending(keep_previous: bool) -> None:
    async def scenario() -> None:
        async with rig() as made:
            salts = made.server.state.salts[made.client.auth_key.key_id]
            calls = [await made.client.send(request(1000 + number)) for number in range(COUNT)]
            salts.rotate(made.server.state.clock(), keep_previous=keep_previous)
            outcomes = await made.invoke_all()
            assert all(isinstance(outcome, api.auth.SentCode) for outcome in outcomes)
            await asyncio.gather(*calls)
            assert set(made.executed.values()) == {1}
            assert len(made.executed) == 2 * COUNT

    run(scenario)


def test_a_server_that_forgets_the_session_before_the_requests_come() -> None:
    async def scenario() -> None:
        async with rig() as made:
            made.forget_sessions()
            outcomes = await made.invoke_all()
            assert all(isinstance(outcome, api.auth.SentCode) for outcome in outcomes)
            assert set(made.executed.values()) == {1}

    run(scenario)


@pytest.mark.parametrize("at_least_once", [False, True])
def test_a_server_that_restarts_with_empty_sessions_and_answers_lost(at_least_once: bool) -> None:
    async def scenario() -> None:
        async with rig() as made:

            def lost(data: bytes) -> tuple[bytes, bool]:
                made.proxy.down = through
                made.forget_sessions()
                return b"", True

            made.proxy.down = lost
            outcomes = await made.invoke_all(at_least_once=at_least_once)
            kinds = Counter(type(outcome) for outcome in outcomes)
            assert len(made.executed) == COUNT
            if at_least_once:
                assert kinds == {api.auth.SentCode: COUNT}
                assert max(made.executed.values()) == 2
            else:
                assert set(kinds) <= {api.auth.SentCode, FateUnknown}
                assert kinds[FateUnknown] > 0
                assert set(made.executed.values()) == {1}

    run(scenario)


@pytest.mark.parametrize("at_least_once", [False, True])
def test_a_server_that_restarts_while_requests_are_executed(at_least_once: bool) -> None:
    async def scenario() -> None:
        async with rig() as made:
            began = asyncio.Event()

            async def endless(asked: api.account.SendVerifyPhoneCode) -> api.auth.SentCode:
                began.set()
                await never(asked)
                return told(asked)

            made.respond = endless
            waiting = asyncio.create_task(made.invoke_all(at_least_once=at_least_once))
            await began.wait()
            made.respond = told
            await made.server.restart()
            outcomes = await waiting
            kinds = Counter(type(outcome) for outcome in outcomes)
            if at_least_once:
                assert kinds == {api.auth.SentCode: COUNT}
                assert max(made.executed.values()) == 2
            else:
                assert kinds[FateUnknown] > 0
                assert set(kinds) <= {api.auth.SentCode, FateUnknown}
                assert set(made.executed.values()) == {1}

    run(scenario)


def test_a_server_that_is_another_one_on_the_same_port_with_the_same_keys() -> None:
    async def scenario() -> None:
        made = Rig()
        handlers = {api.account.SendVerifyPhoneCode: made.handle}
        async with (
            serve(handlers, key=TEST_KEY) as first,
            Proxy(first) as proxy,
            mtproto.connect(proxy.host, proxy.port, keys=[TEST_KEY.public], sleep=Sleeper()) as made.client,
        ):
            await made.client.ping()
            async with serve(handlers, key=TEST_KEY) as second:
                second.state.add_key(made.client.auth_key, 77)
                proxy.target = second
                calls = [await made.client.send(request(number)) for number in range(COUNT)]
                proxy.cut()
                outcomes = await asyncio.gather(*calls, return_exceptions=True)
                known = [o for o in outcomes if isinstance(o, api.auth.SentCode)]
                assert all(isinstance(o, api.auth.SentCode | FateUnknown) for o in outcomes)
                assert max(made.executed.values(), default=1) == 1
                assert len(known) <= len(made.executed)
                assert isinstance(await made.client.invoke(request(5000)), api.auth.SentCode)
                assert made.client.server_salt == 77

    run(scenario)
