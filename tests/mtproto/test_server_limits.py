"""What one client may cost a server: sessions, requests without an answer, and how long it stays."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

import mtproto
from mtproto import api, service
from mtproto.connection import Deadlines, ServerState
from mtproto.connection.schedule import Schedule
from mtproto.crypto.auth_key import AuthKey
from mtproto.errors import LocalProtocolError
from mtproto.events import RequestReceived, SessionId
from mtproto.message import constructor_id
from mtproto.testing import serve
from tests.mtproto.desk import SALT, Hand, turns
from tests.mtproto.helpers import TEST_KEY, ManualClock, seeded

CONFIG = bytes(api.help.GetConfig())


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 20))


def hand(*, deadlines: Deadlines = Deadlines(), **options: Any) -> tuple[Hand, ManualClock]:  # noqa: B008
    clock = ManualClock()
    state = ServerState(clock=clock, rng=seeded(1), **options)
    key = AuthKey(seeded(7)(256))
    state.add_key(key, SALT)
    return Hand(state, key, deadlines=deadlines), clock


# -- sessions of a key --------------------------------------------------------------------------------


def test_of_one_keys_sessions_the_one_longest_unused_is_forgotten() -> None:
    client, _ = hand(max_sessions_per_key=3)
    state = client.server.state
    other = AuthKey(seeded(8)(256))
    state.add_key(other, SALT)
    stranger = Hand(state, other, 99)
    stranger.send(CONFIG)
    for session_id in (1, 2, 3, 1, 4, 5):
        client.session_id = session_id
        client.send(CONFIG)
    assert [s.session_id for s in state.sessions] == [99, 1, 4, 5]
    assert {s.session_id for s in client.server.sessions} == {1, 4, 5}
    assert {s.session_id for s in state.carriers} == {99, 1, 4, 5}
    state.forget_key(client.session.auth_key_id)
    assert list(state.sessions) == [stranger.session]
    assert set(state._sessions_of) == {other.key_id}


def test_a_hundred_sessions_unless_it_is_said() -> None:
    client, _ = hand()
    for session_id in range(120):
        client.session_id = session_id
        client.send(CONFIG)
    assert [s.session_id for s in client.server.state.sessions] == list(range(20, 120))


# -- many sessions in one connection ------------------------------------------------------------------


def test_of_ten_thousand_sessions_only_those_are_asked_that_may_have_changed() -> None:
    client, clock = hand(max_sessions_per_key=20_000)
    server = client.server
    asked: list[SessionId] = []

    def counted(session: Any) -> None:
        timer, flush = session.next_timer, session.flush

        def noted(function: Callable[[], Any]) -> Any:
            asked.append(session.id)
            return function()

        session.next_timer, session.flush = partial(noted, timer), partial(noted, flush)

    for session_id in range(10_000):
        client.session_id = session_id
        client.send(CONFIG)
        server.data_to_send()
        clock.advance(0.0001)
    for session in server.sessions.values():
        counted(session)
    client.session_id = 5000
    (event,) = client.send(CONFIG)
    server.data_to_send()
    assert isinstance(event, RequestReceived)
    server.answer(event.session, event.msg_id, bytes(api.UserEmpty(id=1)))
    assert server.data_to_send()
    server.state.notify(event.session, bytes(api.UserEmpty(id=1)))
    assert server.data_to_send()
    assert {s.session_id for s in asked} == {5000}
    assert len(asked) <= 10
    asked.clear()
    timer = server.next_timer()
    assert timer is not None
    clock.now = timer
    server.handle_timer()
    assert server.data_to_send()
    assert server.next_timer() is not None
    assert len({s.session_id for s in asked}) < 5


def test_acknowledgements_of_all_sessions_are_sent_in_time() -> None:
    client, clock = hand()
    for session_id in range(50):
        client.session_id = session_id
        client.send(CONFIG)
        client.received()
        client.send(CONFIG)
        client.received()
        clock.advance(0.001)
    acknowledged = 0
    for _ in range(50):
        timer = client.server.next_timer()
        assert timer is not None
        assert timer >= clock.now
        clock.now = timer
        client.server.handle_timer()
        for message in client.received():
            acknowledged += constructor_id(message.body) == service.MsgsAck.CONSTRUCTOR_ID
    assert acknowledged == 50


class Alarm:
    """A session, as far as `Schedule` is concerned."""

    def __init__(self, due: float | None) -> None:
        self.due = due

    def next_timer(self) -> float | None:
        return self.due


def test_a_schedule_forgets_timers_that_were_changed() -> None:
    ids = [SessionId(bytes(8), number) for number in range(3)]
    alarms = {session_id: Alarm(10.0 + session_id.session_id) for session_id in ids}
    schedule = Schedule(alarms)
    for session_id in ids:
        schedule.touch(session_id)
    assert schedule.next_timer() == 10.0
    assert schedule.take(0.0) == ids
    alarms[ids[0]].due = None
    schedule.set(ids[0])
    assert schedule.next_timer() == 11.0
    for due in range(10_000):
        alarms[ids[1]].due = 20.0 + due
        schedule.set(ids[1])
    assert len(schedule._heap) < 100
    assert schedule.next_timer() == 12.0
    del alarms[ids[2]]
    assert schedule.next_timer() == 20.0 + 9999
    assert schedule.take(10**6) == [ids[1]]
    assert schedule.next_timer() is None


# -- ping_delay_disconnect ----------------------------------------------------------------------------


def ping(delay: int) -> bytes:
    return bytes(service.PingDelayDisconnect(ping_id=1, disconnect_delay=delay))


def test_the_connection_is_closed_so_long_after_the_last_ping_that_asks_for_it() -> None:
    client, clock = hand()
    server = client.server
    client.send(ping(75))
    for _ in range(3):
        clock.advance(60)
        server.handle_timer()
        assert not server.closed
        client.send(ping(75))
    clock.advance(60)
    client.send(bytes(service.Ping(ping_id=2)))  # which changes nothing
    client.send(CONFIG)
    client.received()
    assert server.next_timer() is not None
    for seconds, closes in ((14.9, False), (0.1, True)):
        clock.advance(seconds)
        server.handle_timer()
        assert server.closed is closes
    assert server.failure is None
    assert server.next_timer() is None


def test_the_next_timer_is_the_disconnection() -> None:
    client, clock = hand()
    client.send(ping(75))
    client.received()
    timers = []
    while (timer := client.server.next_timer()) is not None:
        timers.append(timer - clock.now)
        clock.now = timer
        client.server.handle_timer()
    assert sum(timers) == 75
    assert client.server.closed


def test_what_is_queued_goes_out_before_the_connection_is_closed() -> None:
    client, _ = hand()
    client.send(ping(0))
    client.server.handle_timer()
    assert client.server.closed
    assert service.Pong.CONSTRUCTOR_ID in {constructor_id(m.body) for m in client.received()}


def test_over_tcp_the_client_is_told_by_the_end_of_the_stream() -> None:
    async def scenario() -> None:
        async with serve(key=TEST_KEY) as server:
            async with mtproto.connect(server.host, server.port, keys=[server.public_key]) as client:
                await client.ping()
                (peer,) = server._peers.values()
                for session in peer.connection.sessions.values():
                    session.wants_disconnect(0)
                await client.ping()
                await turns(1000)
                assert not server._peers
            assert not server.errors

    run(scenario)


# -- requests without an answer -----------------------------------------------------------------------


def test_time_in_which_nothing_is_read_is_not_the_clients() -> None:
    client, clock = hand(deadlines=Deadlines(partial_frame=10.0))
    server = client.server
    client.send(CONFIG)
    server.receive_data(b"\x40")
    timer = server.next_timer()
    clock.advance(5)
    server.pause()
    clock.advance(100)
    server.handle_timer()
    assert server.failure is None
    server.resume()
    clock.advance(4.9)
    server.handle_timer()
    assert server.failure is None
    assert timer is not None
    clock.advance(0.1)
    server.handle_timer()
    assert server.failure is not None


def test_nothing_is_read_while_too_many_requests_wait() -> None:
    async def scenario() -> None:
        begun = 0
        gate = asyncio.Event()

        async def slow(_: api.help.GetConfig) -> api.Config:
            nonlocal begun
            begun += 1
            await gate.wait()
            return mtproto.testing.handlers._config(0, "", 0)

        async with (
            serve({api.help.GetConfig: slow}, key=TEST_KEY, max_pending=50) as server,
            mtproto.connect(server.host, server.port, keys=[server.public_key]) as client,
        ):
            requests = []
            for _ in range(40):
                requests += [asyncio.create_task(client.invoke(api.help.GetConfig())) for _ in range(10)]
                await turns(50)
            (peer,) = server._peers.values()
            assert 50 <= begun < 400
            assert peer.pending == begun
            async with mtproto.connect(server.host, server.port, keys=[server.public_key]) as other:
                assert await other.ping() >= 0  # others are not held up
            gate.set()
            assert len(await asyncio.gather(*requests)) == begun == 400
            assert peer.pending == 0

    run(scenario)


def test_a_full_container_of_requests_is_answered() -> None:
    async def scenario() -> None:
        async def slow(_: api.help.GetConfig) -> api.Config:
            await asyncio.sleep(0)
            return mtproto.testing.handlers._config(0, "", 0)

        async with (
            serve({api.help.GetConfig: slow}, key=TEST_KEY) as server,
            mtproto.connect(server.host, server.port, keys=[server.public_key]) as client,
        ):
            answers = await asyncio.gather(*(client.invoke(api.help.GetConfig()) for _ in range(1024)))
            assert len(answers) == 1024
            assert not server.errors

    run(scenario)


# -- strictness ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("strict", [False, True])
def test_a_strict_server_minds_seq_nos(strict: bool) -> None:
    client, _ = hand(strict=strict)
    events = client.send(CONFIG, seq_no=0)
    assert any(isinstance(event, RequestReceived) for event in events) is not strict
    assert client.server.state.restarted().strict is strict
    assert serve(strict=strict).state.strict is strict


def test_sessions_that_are_not_there() -> None:
    client, _ = hand()
    for wrong in (
        lambda: client.server.answer(client.session, 1, b""),
        lambda: client.server.state.notify(client.session, b""),
        lambda: client.server.state.rotate_salt(bytes(8)),
    ):
        with pytest.raises(LocalProtocolError, match="there is no"):
            wrong()
