"""Back-pressure of the asyncio client: whose turn it is, and what a server can make it keep."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import mtproto
from mtproto import api
from mtproto.client.calls import Call, Calls
from mtproto.client.introduction import Introduction
from mtproto.client.room import Room
from mtproto.errors import ConnectionClosed, LocalProtocolError
from tests.mtproto.clients import PlainServer, pair, request, run
from tests.mtproto.helpers import TEST_KEY

CONFIG = bytes(api.help.GetConfig())


def connected(server: PlainServer, **options: Any) -> Any:
    return mtproto.connect(server.host, server.port, keys=[TEST_KEY.public], **options)


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


# Room


def test_turns_come_in_the_order_of_asking() -> None:
    async def scenario() -> None:
        room, entered = Room(2, 1000), []

        async def enter(number: int) -> None:
            await room.enter(1)
            entered.append(number)

        tasks = [asyncio.create_task(enter(number)) for number in range(6)]
        await turns()
        assert (entered, room.waiting) == ([0, 1], 4)
        for expected in ([0, 1, 2], [0, 1, 2, 3]):
            room.leave(1)
            late = asyncio.create_task(enter(99))  # is not let in before the others
            await turns()
            assert entered == expected
            late.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert (room.items, room.bytes, room.waiting) == (2, 2, 0)

    run(scenario)


def test_bytes_count_too_and_what_is_too_large_gets_in_alone() -> None:
    async def scenario() -> None:
        room, entered = Room(100, 10), []

        async def enter(size: int) -> None:
            await room.enter(size)
            entered.append(size)

        tasks = [asyncio.create_task(enter(size)) for size in (6, 4, 50, 1)]
        await turns()
        assert entered == [6, 4]
        room.leave(6)
        await turns()
        assert entered == [6, 4]  # nor is the small one let in before the large one
        room.leave(4)
        await turns()
        assert entered == [6, 4, 50]
        room.leave(50)
        await turns()
        assert entered == [6, 4, 50, 1]
        assert (room.items, room.bytes) == (1, 1)
        await asyncio.gather(*tasks)

    run(scenario)


def test_who_would_fit_in_does_not_overtake() -> None:
    async def scenario() -> None:
        room = Room(100, 10)
        await room.enter(6)
        large, small = (asyncio.create_task(room.enter(size)) for size in (50, 1))
        await turns()
        assert not small.done()
        room.leave(6)
        await large
        room.leave(50)
        await small

    run(scenario)


@pytest.mark.parametrize("when", ["waiting", "admitted", "both at once"])
def test_who_is_cancelled_leaves_no_hole(when: str) -> None:
    async def scenario() -> None:
        room = Room(1, 1000)
        await room.enter(3)
        first, second = (asyncio.create_task(room.enter(size)) for size in (5, 7))
        await turns()
        if when == "waiting":
            first.cancel()
            await turns()
            room.leave(3)
        elif when == "admitted":
            room.leave(3)
            first.cancel()
        else:
            first.cancel()
            room.leave(3)
        await asyncio.wait([first])
        assert first.cancelled()
        await second
        assert (room.items, room.bytes, room.waiting) == (1, 7, 0)

    run(scenario)


def test_a_large_one_that_is_cancelled_lets_small_ones_in() -> None:
    async def scenario() -> None:
        room = Room(10, 10)
        await room.enter(5)
        large, small = (asyncio.create_task(room.enter(size)) for size in (9, 5))
        await turns()
        large.cancel()
        await small
        assert (room.items, room.bytes) == (2, 10)

    run(scenario)


def test_a_closed_room_lets_nobody_in() -> None:
    async def scenario() -> None:
        room = Room(1, 1000)
        await room.enter(1)
        waiting = asyncio.create_task(room.enter(1))
        await turns()
        room.close(ConnectionClosed("over"))
        for task in (waiting, asyncio.create_task(room.enter(1))):
            with pytest.raises(ConnectionClosed, match="over"):
                await task
        room.leave(1)
        assert (room.items, room.bytes) == (0, 0)

    run(scenario)


@pytest.mark.parametrize("numbers", [{"max_pending": 0}, {"max_pending_bytes": -1}])
def test_room_for_nothing_is_refused(numbers: dict[str, int]) -> None:
    async def scenario() -> None:
        with pytest.raises(LocalProtocolError, match=f"{next(iter(numbers))}: got"):
            await mtproto.connect("127.0.0.1", 1, keys=[TEST_KEY.public], **numbers)  # type: ignore[arg-type]

    run(scenario)


def test_the_end_that_comes_together_with_ones_turn() -> None:
    async def scenario() -> None:
        room = Room(1, 1000)
        calls = Calls(room, Introduction(None), lambda: None)
        first, second = (Call(calls, CONFIG, bytes) for _ in range(2))
        await calls.enter(first)
        entering = asyncio.create_task(calls.enter(second))
        await turns()
        first.cancel()
        calls.fail(ConnectionClosed("over"))
        with pytest.raises(ConnectionClosed, match="over; the request was not sent"):
            await entering
        assert (room.items, len(calls)) == (0, 0)

    run(scenario)


# Clients


def test_no_more_requests_than_there_is_room_for_are_open() -> None:
    async def scenario() -> None:
        most = 0

        async def slow(asked: api.account.SendVerifyPhoneCode) -> api.auth.SentCode:
            nonlocal most
            most = max(most, client.pending)
            await asyncio.sleep(0)
            return api.auth.SentCode(
                type=api.auth.SentCodeTypeSms(length=1), phone_code_hash=asked.phone_number
            )

        handlers = {api.account.SendVerifyPhoneCode: slow}
        async with pair(handlers=handlers, max_pending=7) as client:
            answers = await asyncio.gather(*(client.invoke(request(number)) for number in range(200)))
            assert [a.phone_code_hash for a in answers if isinstance(a, api.auth.SentCode)] == [
                request(number).phone_number for number in range(200)
            ]
            assert most == 7
            assert client.pending == 0

    run(scenario)


def test_what_a_server_does_not_read_does_not_pile_up() -> None:
    async def scenario() -> None:
        size, room = 100_000, 1_000_000
        sent = 0

        def tap(way: str, data: bytes) -> None:
            nonlocal sent
            sent += len(data) if way == "out" else 0

        async with PlainServer() as server, connected(server, tap=tap, max_pending_bytes=room) as client:
            await client.ping()
            (writer,) = server.writers
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            before = sent
            body = CONFIG + bytes(size - len(CONFIG))
            calls = [asyncio.create_task(client.invoke_raw(body)) for _ in range(100)]
            await turns(50)
            assert client.pending == room // size
            assert sent - before < room + 10_000
            writer.transport.resume_reading()  # type: ignore[attr-defined]
            await asyncio.gather(*calls)
            assert len(server.requests) == 100

    run(scenario, deadline=20)


def test_what_is_cancelled_while_the_server_does_not_read_is_never_sent() -> None:
    async def scenario() -> None:
        async with PlainServer() as server, connected(server) as client:
            await client.ping()
            (writer,) = server.writers
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            first = await client.send(api.users.GetUsers(id=[api.InputUserSelf()] * 1_000_000))
            await turns(10)
            assert first.is_sent
            second = await client.send(api.users.GetUsers(id=[]))
            await turns(10)
            assert not second.is_sent
            second.cancel()
            writer.transport.resume_reading()  # type: ignore[attr-defined]
            await client.ping()
            assert len(server.requests) == 1

    run(scenario, deadline=20)
