"""Clients that take their time (X10): what they hold up is bounded, and nobody else waits for them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

import mtproto
from mtproto import api
from mtproto.closing import close_writer
from mtproto.connection import ClientConnection, Deadlines, ServerConnection
from mtproto.errors import FramingError, LocalProtocolError
from mtproto.events import AnswerReceived, KeyAgreed
from mtproto.testing import LoopbackServer, serve
from tests.mtproto.helpers import TEST_KEY, ManualClock, seeded
from tests.mtproto.pair import Pair
from tests.mtproto.transport.lines import SETUPS, Setup

DEADLINES = Deadlines(opening=10.0, first_frame=20.0, partial_frame=30.0)
each_setup = pytest.mark.parametrize("setup", SETUPS, ids=str)


def overdue(server: ServerConnection, clock: ManualClock, seconds: float) -> bool:
    """Whether the connection is closed by its timer once that time has passed, and not a second before."""
    timer = server.next_timer()
    assert timer is not None
    assert timer == clock() + seconds
    clock.advance(seconds - 1)
    server.handle_timer()
    assert server.failure is None
    clock.advance(1)
    server.handle_timer()
    return server.closed


# -- deadlines, without a socket ----------------------------------------------------------------------


@each_setup
def test_a_client_that_does_not_tell_its_framing(setup: Setup) -> None:
    opening = setup.client().prefix or b"\x34\0\0\0\0\0\0\0"
    for size in range(len(opening)):
        state = mtproto.ServerState(clock=ManualClock())
        server = ServerConnection([TEST_KEY], state, mtproxy_secret=setup.secret, deadlines=DEADLINES)
        if size:
            server.receive_data(opening[:size])
        clock = state.clock
        assert isinstance(clock, ManualClock)
        assert overdue(server, clock, 10)
        assert isinstance(server.failure, FramingError)
        assert server.failure.check == "X10"
        assert "which framing it is in time: expected within 10.0 s" in str(server.failure)
        assert server.data_to_send() == b""


@each_setup
def test_a_client_that_does_not_finish_its_first_frame(setup: Setup) -> None:
    client = setup.client()
    stream = client.prefix + client.encode(bytes(40))
    for size in (max(len(client.prefix), 8 if setup.name == "full" else 1), len(stream) - 1):
        clock = ManualClock()
        state = mtproto.ServerState(clock=clock)
        server = ServerConnection([TEST_KEY], state, mtproxy_secret=setup.secret, deadlines=DEADLINES)
        clock.advance(5)
        server.receive_data(stream[:size])
        assert overdue(server, clock, 15)
        assert "a first frame in time" in str(server.failure)


def asked_once(deadlines: Deadlines = DEADLINES) -> tuple[ServerConnection, ManualClock, bytes]:
    """A server that has got one frame, and that frame, which may be sent again."""
    pair, clock = Pair(), ManualClock()
    server = ServerConnection([TEST_KEY], mtproto.ServerState(clock=clock), deadlines=deadlines)
    first = pair.client.data_to_send()
    server.receive_data(first)
    return server, clock, first[4:]


def test_a_client_that_does_not_finish_a_later_frame() -> None:
    server, clock, frame = asked_once()
    assert server.next_timer() is None
    clock.advance(500)  # nothing is due between frames
    server.receive_data(frame[:1])
    for place in range(1, 30):  # a byte now and then does not help
        clock.advance(1)
        server.receive_data(frame[place : place + 1])
        server.handle_timer()
        assert server.failure is None
    assert overdue(server, clock, 1)
    assert "the rest of a frame in time: expected within 30.0 s" in str(server.failure)


def test_each_frame_has_its_own_time() -> None:
    server, clock, frame = asked_once()
    server.receive_data(frame[:1])
    for _ in range(5):
        clock.advance(29)
        server.handle_timer()
        server.receive_data(frame[1:] + frame[:1])
        assert server.failure is None
    assert overdue(server, clock, 30)


@pytest.mark.parametrize("start", [b"", b"\xef", b"\xef\x01"])
def test_the_deadlines_of_the_beginning_may_be_left_out(start: bytes) -> None:
    clock = ManualClock()
    deadlines = Deadlines(opening=None, first_frame=None)
    server = ServerConnection([TEST_KEY], mtproto.ServerState(clock=clock), deadlines=deadlines)
    server.receive_data(start)
    assert server.next_timer() is None
    clock.advance(10**6)
    server.handle_timer()
    assert server.failure is None


def test_the_deadline_of_a_later_frame_may_be_left_out() -> None:
    server, clock, frame = asked_once(Deadlines(partial_frame=None))
    server.receive_data(frame[:1])
    assert server.next_timer() is None
    clock.advance(10**6)
    server.handle_timer()
    assert server.failure is None


def test_a_client_that_keeps_its_deadlines_hears_nothing_of_them() -> None:
    pair = Pair()
    for _ in range(3):
        pair.run()
        pair.clock.advance(1000)
        pair.server.handle_timer()
        assert pair.server.failure is None
    assert any(isinstance(e, KeyAgreed) for e in pair.client_events)


# -- over TCP -----------------------------------------------------------------------------------------


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until that is so."""
    for _ in range(10**7):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to be")


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 20))


@pytest.mark.parametrize(
    "sent", [b"", b"\xee", b"\x01" * 63, b"\xef\x01", b"\xef" + b"\x0a" + bytes(30)], ids=bytes.hex
)
def test_a_silent_client_is_closed_and_the_others_are_served(sent: bytes) -> None:
    async def scenario() -> None:
        deadlines = Deadlines(opening=0.05, first_frame=0.05)
        async with serve(key=TEST_KEY, deadlines=deadlines) as server:
            silent = [await asyncio.open_connection(server.host, server.port) for _ in range(20)]
            for _, writer in silent:
                writer.write(sent)
            async with mtproto.connect(server.host, server.port, keys=[server.public_key]) as client:
                assert await client.ping() >= 0
                for reader, writer in silent:
                    assert await reader.read() == b""
                    await close_writer(writer, 1.0)
                assert await client.ping() >= 0
            assert not server.errors

    run(scenario)


def test_one_connection_too_many_is_closed_at_once() -> None:
    async def scenario() -> None:
        async with serve(key=TEST_KEY, max_connections=2) as server:
            first = [await asyncio.open_connection(server.host, server.port) for _ in range(2)]
            reader, writer = await asyncio.open_connection(server.host, server.port)
            assert await reader.read() == b""
            await close_writer(writer, 1.0)
            await close_writer(first[0][1], 1.0)
            await until(lambda: len(server._peers) == 1)
            async with mtproto.connect(server.host, server.port, keys=[server.public_key]) as client:
                assert await client.ping() >= 0
            await close_writer(first[1][1], 1.0)

    run(scenario)


GREAT = "x" * 256 * 1024
REQUESTS = 60


class Sender:
    """A client on a bare socket, which sends requests and reads when it is told to."""

    def __init__(self, server: LoopbackServer) -> None:
        self.server = server
        self.connection = ClientConnection([server.public_key], rng=seeded(1))
        self.answers = 0

    async def open(self) -> None:
        self.reader, self.writer = await asyncio.open_connection(self.server.host, self.server.port)
        while not self.connection.is_ready:
            self.writer.write(self.connection.data_to_send())
            self.connection.receive_data(await self.reader.read(65536))
        for _ in range(REQUESTS):
            self.connection.send_request(bytes(api.help.GetConfig()))
        self.writer.write(self.connection.data_to_send())

    async def read_on(self) -> None:
        while self.answers < REQUESTS and (data := await self.reader.read(2**20)):
            events = self.connection.receive_data(data)
            self.answers += sum(isinstance(event, AnswerReceived) for event in events)


def config() -> api.Config:
    found = mtproto.testing.handlers._config(0, "", 0)
    found.me_url_prefix = GREAT
    return found


def test_nothing_is_done_for_a_client_that_does_not_read() -> None:
    async def scenario() -> None:
        backlogs: list[int] = []

        def great(_: api.help.GetConfig) -> api.Config:
            (peer,) = server._peers.values()
            backlogs.append(peer.writer.transport.get_write_buffer_size())
            return config()

        async with serve({api.help.GetConfig: great}, key=TEST_KEY) as server:
            sender = Sender(server)
            await sender.open()
            await until(lambda: bool(backlogs))
            await sender.read_on()
            assert sender.answers == len(backlogs) == REQUESTS
            assert max(backlogs) < 2 * len(GREAT), "of 15 MiB of answers no more than one waits to be read"
            await close_writer(sender.writer, 1.0)

    run(scenario)


def test_a_client_that_leaves_too_much_unread_is_cut_off() -> None:
    async def scenario() -> None:
        started = 0
        gate = asyncio.Event()

        async def great(_: api.help.GetConfig) -> api.Config:
            nonlocal started
            started += 1
            await gate.wait()
            return config()

        async with serve({api.help.GetConfig: great}, key=TEST_KEY, max_backlog=2**20) as server:
            sender = Sender(server)
            await sender.open()
            await until(lambda: started == REQUESTS)
            (peer,) = server._peers.values()
            gate.set()
            await until(lambda: peer.connection.closed)
            assert peer.writer.transport.get_write_buffer_size() == 0
            with contextlib.suppress(ConnectionError):
                await sender.read_on()
            assert sender.answers < REQUESTS
            assert not server.errors
            await close_writer(sender.writer, 1.0)

    run(scenario)


@pytest.mark.parametrize("has_timers", [False, True])
def test_a_client_that_says_nothing_for_too_long_is_closed(has_timers: bool) -> None:
    """It may be gone without a word; that something is due to be sent to it is no sign of its life."""

    async def scenario() -> None:
        async with serve(key=TEST_KEY, deadlines=Deadlines(silence=0.2)) as server:
            sender = Sender(server)
            await sender.open()
            await sender.read_on()
            (peer,) = server._peers.values()
            if has_timers:
                due = server.state.clock
                peer.connection.next_timer = lambda: due() + 0.01  # type: ignore[method-assign]
            assert await sender.reader.read() is not None
            await until(lambda: not server._peers)
            await close_writer(sender.writer, 1.0)

    run(scenario)


def test_a_client_that_reads_nothing_for_too_long_is_cut_off() -> None:
    async def scenario() -> None:
        async with serve(
            {api.help.GetConfig: lambda _: config()}, key=TEST_KEY, deadlines=Deadlines(reading=0.1)
        ) as server:
            sender = Sender(server)
            await sender.open()
            (peer,) = server._peers.values()
            await until(lambda: not server._peers)
            assert peer.connection.closed
            await close_writer(sender.writer, 1.0)

    run(scenario)


@pytest.mark.parametrize("name", ["opening", "first_frame", "partial_frame", "reading", "silence"])
@pytest.mark.parametrize("wrong", [-1, float("nan"), float("inf"), "10", True])
def test_deadlines_that_can_not_be(name: str, wrong: object) -> None:
    with pytest.raises(LocalProtocolError, match=f"^{name}: got .*expected seconds from 0 on, or None"):
        Deadlines(**{name: wrong})  # type: ignore[arg-type]
