"""The timetable of salts, by a clock that is told what to show."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtproto import service
from mtproto.salts import SALT_LIFETIME, Salt, SaltTimetable, pack_future_salts
from tests.mtproto.helpers import ManualClock, replay, seeded

HALF_HOUR = 1800
START = 1_700_000_000


def salt(value: int) -> bytes:
    return value.to_bytes(8, "little", signed=True)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


def table(*values: int) -> SaltTimetable:
    """A timetable that begins at START with the first of `values` and goes on with the others."""
    return SaltTimetable(values[0], START, replay(*map(salt, values[1:])))


def test_lifetime_is_that_of_the_specification() -> None:
    assert SALT_LIFETIME == HALF_HOUR


def test_first_salt_is_current_for_half_an_hour(clock: ManualClock) -> None:
    salts = table(-5, 6)
    assert salts.current(clock()) == -5
    clock.advance(HALF_HOUR - 0.001)
    assert salts.current(clock()) == -5
    clock.advance(0.001)
    assert salts.current(clock()) == 6


def test_old_salt_is_accepted_for_half_an_hour_more(clock: ManualClock) -> None:
    salts = table(5, 6, 7)
    assert salts.accepts(5, clock())
    assert not salts.accepts(6, clock())
    clock.advance(HALF_HOUR)
    assert salts.accepts(5, clock())
    assert salts.accepts(6, clock())
    clock.advance(HALF_HOUR - 0.001)
    assert salts.accepts(5, clock())
    clock.advance(0.001)
    assert not salts.accepts(5, clock())
    assert salts.accepts(6, clock())
    assert salts.accepts(7, clock())


@pytest.mark.parametrize("wrong", [0, 1, -5, 2**63 - 1])
def test_no_other_salt_is_accepted(wrong: int) -> None:
    assert not table(5, 6).accepts(wrong, START)


def test_salts_are_random_and_signed(clock: ManualClock) -> None:
    salts = SaltTimetable(1, START, replay(b"\xff" * 8, b"\1" + bytes(7)))
    clock.advance(HALF_HOUR)
    assert salts.current(clock()) == -1
    clock.advance(HALF_HOUR)
    assert salts.current(clock()) == 1


def test_made_salt_is_never_zero_which_clients_begin_with(clock: ManualClock) -> None:
    salts = SaltTimetable(9, START, bytes)
    clock.advance(HALF_HOUR)
    assert salts.current(clock()) != 0
    assert not salts.accepts(0, clock())


def test_given_salt_is_taken_as_it_is() -> None:
    salts = SaltTimetable(0, START, replay())
    assert salts.current(START) == 0
    assert salts.rotate(START, 0) == 0


def test_future_salts_follow_each_other(clock: ManualClock) -> None:
    salts = SaltTimetable(5, START, seeded(1))
    future = salts.future(clock(), 5)
    assert future[0] == Salt(START, START + 2 * HALF_HOUR, 5)
    assert [s.valid_since for s in future] == [START + n * HALF_HOUR for n in range(5)]
    assert all(s.valid_until - s.valid_since == 2 * HALF_HOUR for s in future)
    assert len({s.value for s in future}) == 5


def test_future_salts_come_true(clock: ManualClock) -> None:
    salts = SaltTimetable(5, START + 0.75, seeded(2))
    for told in salts.future(clock() + 1, 64):
        clock.now = told.valid_since
        assert salts.current(clock()) == told.value
        assert salts.accepts(told.value, clock())
        clock.now = told.valid_until - 0.001
        assert salts.accepts(told.value, clock())
        clock.now = told.valid_until
        assert not salts.accepts(told.value, clock())


@pytest.mark.parametrize(
    ("count", "expected"), [(-(2**31), 1), (0, 1), (1, 1), (2, 2), (64, 64), (65, 64), (2**31 - 1, 64)]
)
def test_number_of_future_salts(count: int, expected: int) -> None:
    assert len(SaltTimetable(5, START, seeded(3)).future(START, count)) == expected


def test_fewer_future_salts_than_last_time() -> None:
    salts = SaltTimetable(5, START, seeded(3))
    assert salts.future(START, 64)[:2] == salts.future(START, 2)


def test_future_salt_is_not_accepted_before_its_time(clock: ManualClock) -> None:
    salts = SaltTimetable(5, START, seeded(4))
    later = salts.future(clock(), 2)[1]
    assert not salts.accepts(later.value, later.valid_since - 0.001)
    assert salts.accepts(later.value, later.valid_since)


def test_future_salts_begin_with_the_current_one(clock: ManualClock) -> None:
    salts = SaltTimetable(5, START, seeded(5))
    clock.advance(2.5 * HALF_HOUR)
    assert salts.future(clock(), 3)[0].value == salts.current(clock())


@pytest.mark.parametrize("sleep", [50 * HALF_HOUR, 99 * HALF_HOUR, 101 * HALF_HOUR, 10**9])
def test_after_a_long_sleep(clock: ManualClock, sleep: float) -> None:
    salts = SaltTimetable(5, START, seeded(6))
    clock.advance(sleep)
    future = salts.future(clock(), 64)
    assert future[0].valid_since <= clock() < future[0].valid_since + HALF_HOUR
    assert len(future) == 64
    assert salts.current(clock()) == future[0].value != 5
    assert not salts.accepts(5, clock())
    assert salts.accepts(future[0].value, clock())


def test_long_sleep_costs_little(clock: ManualClock) -> None:
    """Nobody has seen the salts in between, so they are not made."""
    draws: list[int] = []

    def rng(count: int) -> bytes:
        draws.append(count)
        return b"\5" * count

    salts = SaltTimetable(5, START, rng)
    clock.advance(10**9)
    salts.current(clock())
    assert draws == [8]


def test_clock_that_is_turned_back(clock: ManualClock) -> None:
    salts = SaltTimetable(5, START, seeded(7))
    clock.advance(-86_400)
    assert salts.current(clock()) == 5
    assert salts.accepts(5, clock())
    assert salts.future(clock(), 1)[0].value == 5
    assert salts.rotate(clock(), 6) == 6
    assert salts.current(clock()) == 6
    assert salts.accepts(5, clock())


def test_rotation_begins_a_new_salt_at_once(clock: ManualClock) -> None:
    salts = table(5, 6, 7)
    clock.advance(600.5)
    assert salts.rotate(clock()) == 6
    assert salts.current(clock()) == 6
    assert salts.accepts(5, clock())
    clock.advance(HALF_HOUR - 1)
    assert salts.current(clock()) == 6
    assert salts.accepts(5, clock())
    clock.advance(1)
    assert salts.current(clock()) == 7
    assert not salts.accepts(5, clock())
    assert salts.accepts(6, clock())


def test_rotation_to_a_given_salt(clock: ManualClock) -> None:
    salts = table(5)
    assert salts.rotate(clock(), -77) == -77
    assert salts.current(clock()) == -77
    assert [s.value for s in salts.future(clock(), 1)] == [-77]


def test_rotation_without_the_previous_one(clock: ManualClock) -> None:
    salts = table(5, 6)
    assert salts.rotate(clock(), keep_previous=False) == 6
    assert not salts.accepts(5, clock())


def test_rotation_keeps_only_the_current_one(clock: ManualClock) -> None:
    salts = table(5)
    salts.rotate(clock(), 6)
    salts.rotate(clock(), 7)
    assert [value for value in (5, 6, 7) if salts.accepts(value, clock())] == [6, 7]


Step = Callable[[SaltTimetable, float], object]
STEPS: list[Step] = [
    SaltTimetable.current,
    lambda salts, now: salts.accepts(5, now),
    lambda salts, now: salts.future(now, 64),
    SaltTimetable.rotate,
]


@given(st.lists(st.tuples(st.floats(-1e6, 1e7), st.sampled_from(STEPS)), max_size=12))
@settings(max_examples=60)
def test_current_salt_is_always_accepted_and_told(steps: list[tuple[float, Step]]) -> None:
    """Whatever happened before, and however the clock went."""
    salts, clock = SaltTimetable(5, START, seeded(8)), ManualClock(START)
    for seconds, step in steps:
        clock.advance(seconds)
        step(salts, clock())
        assert salts.accepts(salts.current(clock()), clock())
        assert salts.current(clock()) in [s.value for s in salts.future(clock(), 2)]


def test_future_salts_are_those_of_the_schema() -> None:
    salts = [Salt(1, 2, -3), Salt(4, 2**31 - 1, 2**63 - 1)]
    rows = [
        service.FutureSalt(valid_since=s.valid_since, valid_until=s.valid_until, salt=s.value) for s in salts
    ]
    for count in range(3):
        told = service.FutureSalts(req_msg_id=-5, now=6, salts=rows[:count])
        assert pack_future_salts(-5, 6, salts[:count]) == bytes(told)


def test_salts_that_are_good_for_longer_than_can_be_told() -> None:
    """mtproto.tl has int for all three times: 2147483647 is the last."""
    last = 2147483647
    salts = [Salt(last - 5000, last - 1400, 1), Salt(last - 3200, last + 400, 2), Salt(last, last + 3600, 3)]
    told = service.FutureSalts(
        req_msg_id=8,
        now=last,
        salts=[
            service.FutureSalt(valid_since=last - 5000, valid_until=last - 1400, salt=1),
            service.FutureSalt(valid_since=last - 3200, valid_until=last, salt=2),
            service.FutureSalt(valid_since=last, valid_until=last, salt=3),
        ],
    )
    later = Salt(last + 1, last + 3601, 4)
    assert pack_future_salts(8, last + 1, [*salts, later]) == bytes(told)
