"""A Pair in whatever phase it is: calls are cancelled, the client is closed, others are there, many calls wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mtproto import api
from mtproto.connection import Deadlines, KeepAlive
from mtproto.errors import ConnectionClosed, FateUnknown
from mtproto.testing import Later, Network, Pair, faults
from mtproto.testing.faults import Fault
from tests.mtproto.helpers import TEST_KEY
from tests.mtproto.testing.rig import DEADLINE, SENT, leaves_nothing
from tests.mtproto.testing.test_pair import send_code

ERRORS = (ConnectionClosed, FateUnknown)
MOST = 400


def begun(fault: Fault | None, **options: Any) -> Pair:
    """Three calls, one of which takes its time, and an update; nothing has happened yet."""
    handlers = {api.auth.SendCode: lambda r: Later(2.0, SENT) if r.phone_number.endswith("2") else SENT}
    pair = Pair(
        handlers,
        network=Network(latency=0.05),
        keep_alive=KeepAlive(),
        faults=() if fault is None else [fault],
        **options,
    )
    for number in range(3):
        pair.invoke(send_code(number))
    pair.clock.after(0.5, lambda: pair.notify(api.BoolTrue()))
    return pair


def at_each_step(make: Callable[[], Pair], interfere: Callable[[Pair], object]) -> int:
    """Interfere after the first thing that happens, after the second, and so on; in how many phases that was."""
    for step in range(MOST):
        pair = make()
        for _ in range(step):
            if all(call.done for call in pair.calls):
                return step
            pair.clock.step()
        interfere(pair)
        pair.run(deadline=DEADLINE)
        pair.run(for_=100)
        pair.run(deadline=DEADLINE)
        pair.check(errors=ERRORS)
        assert all(call.executed <= 1 for call in pair.calls)
    raise AssertionError("it never ended")


INTERESTING = (
    None,
    faults.DropAnswer(),
    faults.Truncate(nth=1),
    faults.SaltRotation(),
    faults.ServerRestart(),
    faults.TransportError(),
)


def closed(pair: Pair) -> None:
    """What is left after a client has been closed: nothing, on either side."""
    pair.close()
    assert pair.is_given_up
    assert pair.open_calls == []
    assert pair.client.closed
    pair.run(deadline=DEADLINE)
    assert pair.lines == []
    assert [entry for *_, entry in pair.clock._heap if entry.do is not None] == []


@pytest.mark.parametrize("fault", INTERESTING, ids=str)
def test_the_client_is_closed_in_each_phase(fault: Fault | None) -> None:
    assert at_each_step(lambda: begun(fault), closed) > 10


def test_the_client_is_closed_in_each_phase_of_a_key_exchange() -> None:
    def close_all_the_way() -> None:
        for options in ({}, {"temp_key_lifetime": 3600}):
            assert at_each_step(lambda: begun(None, key=TEST_KEY, **options), closed) > 10  # noqa: B023

    leaves_nothing(close_all_the_way)


@pytest.mark.parametrize("fault", INTERESTING, ids=str)
def test_calls_are_cancelled_in_each_phase(fault: Fault | None) -> None:
    def cancel(pair: Pair) -> None:
        for call in pair.open_calls[::2]:
            pair.cancel(call)
            pair.cancel(call)

    assert at_each_step(lambda: begun(fault), cancel) > 10


def test_a_closed_client_takes_no_calls_and_may_be_closed_again() -> None:
    pair = begun(None)
    pair.close()
    pair.close()
    assert [str(failure) for failure in pair.failures] == ["the client was closed"]
    assert type(pair.invoke(send_code(9)).error) is ConnectionClosed


def test_a_client_that_waits_to_come_back_does_not_come_back_once_it_is_closed() -> None:
    pair = begun(None)
    pair.break_line()
    pair.close()
    pair.run()
    assert (pair.lines, pair.line.number) == ([], 0)


# Many


@pytest.mark.parametrize("fault", [None, faults.SaltRotation(pending=1000), faults.Cut(after=2000)], ids=str)
def test_more_calls_than_a_container_takes_wait_and_each_is_executed_once(fault: Fault | None) -> None:
    """1200 of them, for five seconds."""
    pair = Pair({api.auth.SendCode: lambda request: Later(5.0, SENT)}, network=Network(latency=0.05))
    pair.invoke(send_code())
    pair.run()
    if fault is not None:
        pair.install(fault)
    for number in range(1, 1201):
        pair.invoke(send_code(number))
    pair.run(for_=2)
    assert len(pair.open_calls) == 1200
    pair.run(deadline=DEADLINE)
    assert {call.outcome for call in pair.calls} == {"answered"}
    pair.check()


def test_a_server_closes_the_connection_of_a_client_that_is_silent_for_too_long() -> None:
    pair = Pair(deadlines=Deadlines(silence=30.0))
    pair.invoke(send_code())
    pair.run()
    pair.run(for_=28)
    assert pair.failures == []
    pair.invoke(send_code(1))
    pair.run(for_=29)
    assert pair.failures == []
    pair.run(for_=2)
    assert [str(failure) for failure in pair.failures] == ["the server closed the connection"]
    pair.run()
    pair.check()


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (faults.Slowloris(rate=0), "which framing it is"),
        (faults.Slowloris(rate=1, count=50), "a first frame"),
        (faults.HalfHandshakes(), "nothing came for 60 s"),
        (faults.HalfHandshakes(count=3, queries=2), "nothing came for 60 s"),
    ],
    ids=str,
)
def test_others_are_closed_in_time_and_meanwhile_calls_are_answered(fault: Any, why: str) -> None:
    pair = begun(fault, key=TEST_KEY, deadlines=Deadlines(silence=60.0))
    start = pair.clock.now
    pair.run(until=lambda: not pair.open_calls)
    assert pair.clock.now - start < 3
    assert len(pair.crowd.open) == fault.count
    pair.run(for_=61)
    assert pair.crowd.open == []
    assert len(pair.crowd.endings) == fault.count
    assert all(why in str(ending) for ending in pair.crowd.endings)
    pair.run()
    pair.check()
    assert len(pair.state.keys) == 1
