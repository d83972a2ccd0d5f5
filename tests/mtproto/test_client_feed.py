"""What comes unasked: messages and events of the asyncio client, in their order, bounded, and how they end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import mtproto
from mtproto import api
from mtproto.client import Disconnected, EventsLost, Feed, Reconnected
from mtproto.errors import ConnectionClosed, TransportCodeReceived
from mtproto.events import AnswerReceived, MessageDropped, MessageReceived, PongReceived, SessionCreated
from tests.mtproto.clients import PlainServer, Sleeper, run
from tests.mtproto.helpers import TEST_KEY

CONFIG = bytes(api.help.GetConfig())


def connected(server: PlainServer, **options: Any) -> Any:
    return mtproto.connect(server.host, server.port, keys=[TEST_KEY.public], **options)


def message(number: int, size: int = 0) -> MessageReceived:
    return MessageReceived(number, bytes(size))


def user(number: int) -> bytes:
    return bytes(api.UserEmpty(id=number))


# Feeds


def test_a_feed_keeps_the_order_and_gives_each_event_once() -> None:
    async def scenario() -> None:
        feed: Feed[MessageReceived] = Feed()
        got: list[list[int]] = [[], []]

        async def read(into: list[int]) -> None:
            async for event in feed:
                into.append(event.msg_id)
                await asyncio.sleep(0)

        readers = [asyncio.create_task(read(into)) for into in got]
        for number in range(20):
            feed.put(message(number))
            await asyncio.sleep(0)
        feed.end(None)
        await asyncio.gather(*readers)
        assert sorted(got[0] + got[1]) == list(range(20))
        assert got[0] == sorted(got[0])
        assert got[1] == sorted(got[1])
        assert feed.lost == 0

    run(scenario)


def test_the_oldest_are_given_up_counted_and_told() -> None:
    async def scenario() -> None:
        plain: Feed[MessageReceived] = Feed(max_events=3)
        telling: Feed[MessageReceived | EventsLost] = Feed(max_events=3, say_lost=EventsLost)
        for number in range(5):
            plain.put(message(number))
            telling.put(message(number))
        assert plain.lost == telling.lost == 2
        assert [await anext(plain) for _ in range(3)] == [message(n) for n in (2, 3, 4)]
        assert [await anext(telling) for _ in range(2)] == [EventsLost(2), message(2)]
        telling.put(message(5))
        telling.put(message(6))
        assert [await anext(telling) for _ in range(2)] == [EventsLost(1), message(4)]

    run(scenario)


def test_bytes_are_bounded_too_but_the_youngest_is_kept() -> None:
    async def scenario() -> None:
        feed: Feed[MessageReceived] = Feed(max_bytes=100)
        for number, size in enumerate((40, 40, 40, 1000, 8)):
            feed.put(message(number, size))
        assert feed.lost == 4
        feed.put(message(5, 92))
        assert [(await anext(feed)).msg_id for _ in range(2)] == [4, 5]
        feed.put(message(6, 100))
        assert (await anext(feed)).msg_id == 6
        assert feed.lost == 4

    run(scenario)


@pytest.mark.parametrize("error", [None, ConnectionClosed("over")])
def test_a_feed_ends_after_what_still_waits(error: Exception | None) -> None:
    async def scenario() -> None:
        feed: Feed[MessageReceived] = Feed()
        feed.put(message(1))
        feed.end(error)
        assert await anext(feed) == message(1)
        for _ in range(2):
            with pytest.raises(StopAsyncIteration if error is None else ConnectionClosed):
                await anext(feed)

    run(scenario)


def test_a_reader_that_is_cancelled_takes_nothing_with_it() -> None:
    async def scenario() -> None:
        feed: Feed[MessageReceived] = Feed()
        task = asyncio.ensure_future(anext(feed))
        await asyncio.sleep(0)
        feed.put(message(1))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await anext(feed) == message(1)

    run(scenario)


# Clients


def test_messages_that_answer_nothing_come_as_they_are_also_those_before_one_asks() -> None:
    async def scenario() -> None:
        async with PlainServer() as server, connected(server) as client:
            await client.ping()
            for number in range(5):
                server.notify(user(number))
            await client.ping()
            got = []
            async for told in client.messages():
                got.append(told.body)
                if len(got) == 5:
                    server.notify(user(5))
                if len(got) == 6:
                    break
            assert got == [user(number) for number in range(6)]
            assert client.messages() is client.messages()

    run(scenario)


def test_messages_go_on_over_a_reconnection_and_end_with_the_client() -> None:
    async def scenario() -> None:
        got: list[bytes] = []

        async def read() -> None:
            got.extend([told.body async for told in client.messages()])

        async with PlainServer() as server:
            async with connected(server, sleep=Sleeper()) as client:
                await client.ping()
                reading = asyncio.create_task(read())
                server.notify(user(1))
                await client.ping()
                server.cut()
                await client.ping()
                server.notify(user(2))
                await client.ping()
            await reading
        assert got == [user(1), user(2)]

    run(scenario)


def test_what_ends_the_client_is_raised_to_who_reads_messages() -> None:
    async def scenario() -> None:
        async with PlainServer() as server, connected(server) as client:
            reading = asyncio.ensure_future(anext(client.messages()))
            await client.ping()
            server.say(-444)
            with pytest.raises(TransportCodeReceived):
                await reading
            with pytest.raises(TransportCodeReceived):
                await anext(client.events())

    run(scenario)


def test_events_tell_what_happens_from_now_on_to_each_who_asks() -> None:
    async def scenario() -> None:
        async with PlainServer() as server, connected(server, sleep=Sleeper()) as client:
            first = client.events()
            await client.invoke_raw(CONFIG)
            second = client.events()
            server.notify(user(1))
            await client.ping()
            server.cut()
            await client.ping()
        kinds = [[type(event) async for event in feed] for feed in (first, second)]
        assert kinds[0][:2] == [SessionCreated, AnswerReceived]
        assert kinds[0][2:] == kinds[1]
        assert [k for k in kinds[1] if k not in (SessionCreated, MessageDropped)] == [
            MessageReceived,
            PongReceived,
            Disconnected,
            Reconnected,
            PongReceived,
        ]

    run(scenario)


def test_who_reads_no_events_any_more_costs_nothing() -> None:
    async def scenario() -> None:
        async with PlainServer() as server, connected(server) as client:
            feed = client.events()
            assert len(client._feeds) == 1
            del feed
            assert len(client._feeds) == 0
            assert await client.ping() >= 0

    run(scenario)
