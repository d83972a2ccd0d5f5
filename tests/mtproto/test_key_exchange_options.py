"""What a loopback server does in key exchanges when a test asks for it, and the loop that goes on meanwhile."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import mtproto
from mtproto.errors import HandshakeFailed, LocalProtocolError, TransportCodeReceived
from mtproto.testing import KeyExchange, LoopbackServer, serve
from tests.mtproto.helpers import TEST_KEY


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 20))


async def ping(server: LoopbackServer, **options: Any) -> None:
    async with mtproto.connect(server.host, server.port, keys=[server.public_key], **options) as client:
        assert await client.ping() >= 0


def dh_queries(tapped: list[tuple[str, bytes]]) -> int:
    """How many times set_client_DH_params went out."""
    return sum(b"\x1f\x5f\x04\xf5" in data for way, data in tapped if way == "out")


@pytest.mark.parametrize("options", [{}, {"temp_key_lifetime": 86400}], ids=["permanent", "temporary"])
@pytest.mark.parametrize("retries", [0, 1, 5])
def test_each_exchange_is_answered_with_retries(retries: int, options: dict[str, int]) -> None:
    async def scenario() -> None:
        tapped: list[tuple[str, bytes]] = []
        exchange = KeyExchange(retries=retries)
        async with serve(key=TEST_KEY, key_exchange=exchange) as server:
            await ping(server, tap=lambda way, data: tapped.append((way, data)), **options)
            await ping(server)
            assert len(server.state.keys) == 2 + len(options)
        assert dh_queries(tapped) == (retries + 1) * (1 + len(options))

    run(scenario)


def test_more_retries_than_a_client_follows() -> None:
    async def scenario() -> None:
        async with serve(key=TEST_KEY, key_exchange=KeyExchange(retries=6)) as server:
            with pytest.raises(HandshakeFailed, match="more than 5 retries"):
                await ping(server)
            assert not server.state.keys

    run(scenario)


@pytest.mark.parametrize("retries", [0, 2])
def test_an_exchange_fails(retries: int) -> None:
    async def scenario() -> None:
        tapped: list[tuple[str, bytes]] = []
        async with serve(key=TEST_KEY, key_exchange=KeyExchange(retries=retries, fails=True)) as server:
            with pytest.raises(HandshakeFailed, match="dh_gen_fail"):
                await ping(server, tap=lambda way, data: tapped.append((way, data)))
            assert not server.state.keys
        assert dh_queries(tapped) == retries + 1

    run(scenario)


@pytest.mark.parametrize(("dc", "is_right"), [(2, True), (-2, True), (4, False), (10002, False)])
def test_clients_of_another_data_centre(dc: int, is_right: bool) -> None:
    async def scenario() -> None:
        async with serve(key=TEST_KEY, key_exchange=KeyExchange(dc=2)) as server:
            if is_right:
                await ping(server, dc=dc)
            else:
                with pytest.raises(TransportCodeReceived) as caught:
                    await ping(server, dc=dc)
                assert caught.value.code == -444
            assert len(server.state.keys) == is_right

    run(scenario)


def test_any_data_centre_will_do_unless_it_is_said() -> None:
    async def scenario() -> None:
        async with serve(key=TEST_KEY) as server:
            await ping(server, dc=10005)

    run(scenario)


@pytest.mark.parametrize("wrong", [{"retries": -1}, {"retries": 1.0}, {"retries": True}, {"dc": "2"}])
def test_numbers_that_are_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(LocalProtocolError, match="expected an int"):
        KeyExchange(**wrong)


def test_the_key_is_made_when_it_is_first_needed_and_is_one() -> None:
    async def scenario() -> None:
        server = serve()
        early = server.public_key
        async with server:
            assert server.public_key == early
            await ping(server)
        assert serve().public_key != early
        async with serve() as other:
            await ping(other)

    run(scenario)


FRESH = """
import asyncio, mtproto
from mtproto import service
from mtproto.warming import warm_up

async def main():
    turns = 0
    async def count():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)
    task = asyncio.create_task(count())
    names = set(service.SCHEMA.by_name)
    left = {name for name in names if not service.SCHEMA.is_made(name)}
    await warm_up()
    assert left
    assert turns >= len(left), (turns, len(left))
    assert all(map(service.SCHEMA.is_made, names))
    turns = 0
    await warm_up()
    assert turns == 0, "nothing is left to do, and nobody waits for it"
    task.cancel()

asyncio.run(main())
"""


def test_classes_are_made_one_a_turn_of_the_loop() -> None:
    subprocess.run([sys.executable, "-c", FRESH], check=True, timeout=60)
