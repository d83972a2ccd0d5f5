"""When acknowledgements are due, and which: by number, by time, each once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtproto.acks import ACK_BATCH, ACK_DELAY, MAX_ACKS, OwedAcks
from tests.mtproto.helpers import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def owing(count: int, now: float) -> OwedAcks:
    acks = OwedAcks()
    for msg_id in range(count):
        acks.add(msg_id, now)
    return acks


def test_limits_are_those_of_the_specification() -> None:
    assert (ACK_BATCH, MAX_ACKS) == (16, 8192)
    assert 0 < ACK_DELAY <= 60


def test_nothing_is_owed_at_first(clock: ManualClock) -> None:
    acks = OwedAcks()
    assert len(acks) == 0
    assert acks.deadline() is None
    assert not acks.are_due(clock() + 10**6)
    assert acks.take(clock()) == []
    assert acks.deadline() is None


def test_one_waits_for_company_but_not_for_ever(clock: ManualClock) -> None:
    acks = owing(1, clock())
    assert acks.deadline() == clock() + ACK_DELAY
    assert not acks.are_due(clock())
    clock.advance(ACK_DELAY - 0.001)
    assert not acks.are_due(clock())
    clock.advance(0.001)
    assert acks.are_due(clock())


def test_the_first_one_sets_the_deadline(clock: ManualClock) -> None:
    acks = owing(1, clock())
    clock.advance(ACK_DELAY / 2)
    acks.add(77, clock())
    assert acks.deadline() == clock() + ACK_DELAY / 2


@pytest.mark.parametrize(("count", "due"), [(1, False), (15, False), (16, True), (17, True)])
def test_sixteen_do_not_wait(clock: ManualClock, count: int, due: bool) -> None:
    assert owing(count, clock()).are_due(clock()) is due


def test_a_message_is_acknowledged_once_and_in_order(clock: ManualClock) -> None:
    acks = OwedAcks()
    for msg_id in (9, 5, 9, 7, 5):
        acks.add(msg_id, clock())
    assert len(acks) == 3
    assert acks.take(clock()) == [9, 5, 7]
    assert len(acks) == 0
    assert acks.deadline() is None


def test_taken_may_be_owed_again(clock: ManualClock) -> None:
    acks = owing(1, clock())
    acks.take(clock())
    clock.advance(100)
    acks.add(0, clock())
    assert acks.deadline() == clock() + ACK_DELAY
    assert acks.take(clock()) == [0]


def test_answered_needs_no_acknowledgement(clock: ManualClock) -> None:
    acks = owing(3, clock())
    acks.discard(1)
    acks.discard(77)
    assert acks.take(clock()) == [0, 2]


def test_deadline_goes_with_the_last_one(clock: ManualClock) -> None:
    acks = owing(1, clock())
    acks.discard(0)
    assert acks.deadline() is None
    clock.advance(100)
    assert not acks.are_due(clock())
    acks.add(1, clock())
    assert acks.deadline() == clock() + ACK_DELAY


def test_no_msgs_ack_has_more_than_8192(clock: ManualClock) -> None:
    acks = owing(8192 + 100, clock())
    assert acks.take(clock()) == list(range(8192))
    assert acks.are_due(clock())
    assert acks.take(clock()) == list(range(8192, 8292))
    assert not acks.are_due(clock() + 10**6)


@given(st.lists(st.tuples(st.sampled_from(["add", "discard", "take"]), st.integers(0, 30)), max_size=80))
def test_what_is_added_is_taken_once_unless_discarded(steps: list[tuple[str, int]]) -> None:
    acks, owed, clock = OwedAcks(), list[int](), ManualClock()
    for step, msg_id in steps:
        clock.advance(msg_id / 100)
        if step == "add":
            acks.add(msg_id, clock())
            owed += [msg_id] * (msg_id not in owed)
        elif step == "discard":
            acks.discard(msg_id)
            owed = [other for other in owed if other != msg_id]
        else:
            assert acks.take(clock()) == owed
            owed = []
        deadline = acks.deadline()
        assert len(acks) == len(owed)
        assert (deadline is None) == (not owed)
        assert deadline is None or deadline <= clock() + ACK_DELAY
        assert acks.are_due(clock()) == (len(owed) >= 16 or (deadline is not None and clock() >= deadline))
