"""msg_id and seq_no: what is made under any clock, and what is thought of those received."""

from __future__ import annotations

import random
from hashlib import sha256
from math import inf, nan
from typing import Any

import cryptg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mtproto.errors import LocalProtocolError
from mtproto.message_id import MessageIdGenerator, ReceivedWindow, SequenceNumbers, Verdict, unix_time
from mtproto.side import Side
from tests.vectors import load

VECTORS: dict[str, Any] = load("encrypted_messages")
NOW: int = VECTORS["reference_server_time"]
LOW = 2**32 - 1


class Clock:
    """A clock that shows what it is told."""

    def __init__(self, time: float) -> None:
        self.time = time

    def __call__(self) -> float:
        return self.time


def msg_id_of(message: bytes, x: int) -> int:
    """The msg_id inside a published message, by the key derivation of the specification."""
    auth_key, msg_key = bytes.fromhex(VECTORS["auth_key"]), message[8:24]
    a = sha256(msg_key + auth_key[x : x + 36]).digest()
    b = sha256(auth_key[40 + x : 76 + x] + msg_key).digest()
    key, iv = a[:8] + b[8:24] + a[24:], b[:8] + a[8:24] + b[24:]
    plaintext: bytes = cryptg.decrypt_ige(message[24:], key, iv)
    return int.from_bytes(plaintext[16:24], "little", signed=True)


def bad_msg_id(name: str) -> int:
    (vector,) = (v for v in VECTORS["bad"] if v["name"].startswith(name))
    return msg_id_of(bytes.fromhex(vector["message"]), 8)


GOOD = [v for v in VECTORS["good"] if "msg_id" in v]


# -- MessageIdGenerator -------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", GOOD, ids=lambda v: v["name"])
def test_msg_ids_are_those_of_the_published_messages(vector: dict[str, Any]) -> None:
    msg_id = vector["msg_id"]
    side = Side.CLIENT if vector["direction"] == "client_to_server" else Side.SERVER
    made = MessageIdGenerator(side, Clock(unix_time(msg_id))).next(answer=msg_id % 4 == 1)
    assert made % 4 == msg_id % 4
    assert abs(made - msg_id) <= 1024, "the resolution of a float"
    assert NOW <= unix_time(msg_id) < NOW + 1


TIMES = st.one_of(  # at most half the time there is, so that an offset leads to no end of it
    st.floats(-1e6, 1e9),
    st.integers(-10, 10**9).map(float),
    st.sampled_from([0.0, 1e9, 1e9 - 2**-22, 1e9 - 2**-20]),
)


@pytest.mark.parametrize("side", Side)
@given(steps=st.lists(st.tuples(TIMES, TIMES, st.booleans()), min_size=2, max_size=30))
@example([(1e9, 0.0, False), (1e9, 0.0, True), (1e9, 0.0, True), (0.0, 0.0, False)])
def test_msg_ids_increase_under_any_clock(side: Side, steps: list[tuple[float, float, bool]]) -> None:
    clock = Clock(0)
    generator = MessageIdGenerator(side, clock)
    last, latest = 0, 0.0
    for time, server_time, answer in steps:
        clock.time = time
        if answer:
            generator.synchronise(server_time)
        msg_id = generator.next(answer=answer)
        assert msg_id > last
        assert msg_id & LOW
        assert msg_id % 4 == (0 if side is Side.CLIENT else 1 if answer else 3)
        latest = max(latest, generator.now())
        assert abs(unix_time(msg_id) - latest) < 1e-6
        last = msg_id


@pytest.mark.parametrize("side", Side)
def test_msg_ids_when_the_clock_stands_just_before_a_whole_second(side: Side) -> None:
    generator = MessageIdGenerator(side, lambda: 1e9 - 2**-22)
    made = [generator.next() for _ in range(300)]
    assert made == sorted(set(made))
    assert {msg_id >> 32 for msg_id in made} == {10**9 - 1, 10**9}
    assert all(msg_id & LOW for msg_id in made)


@pytest.mark.parametrize("time", [0.1, 1000.7, 77_777.123456789])
def test_the_two_lowest_bits_are_not_those_of_the_time(time: float) -> None:
    """Times of today have none: they are too large for floats with bits so low."""
    assert int(time * 2**32) % 4
    assert MessageIdGenerator(Side.CLIENT, lambda: time).next() % 4 == 0
    assert MessageIdGenerator(Side.SERVER, lambda: time).next(answer=True) % 4 == 1
    assert MessageIdGenerator(Side.SERVER, lambda: time).next() % 4 == 3


def test_msg_id_carries_the_fraction_of_the_second() -> None:
    assert MessageIdGenerator(Side.CLIENT, lambda: NOW + 0.75).next() == NOW << 32 | 0xC0000000
    assert MessageIdGenerator(Side.SERVER, lambda: NOW + 0.75).next(answer=True) == NOW << 32 | 0xC0000001
    assert MessageIdGenerator(Side.SERVER, lambda: NOW + 0.75).next() == NOW << 32 | 0xC0000003


def test_clients_do_not_mark_answers() -> None:
    assert MessageIdGenerator(Side.CLIENT, lambda: NOW + 0.5).next(answer=True) == NOW << 32 | 0x80000000


def test_synchronise_shifts_ids_to_server_time() -> None:
    clock = Clock(1000.25)
    generator = MessageIdGenerator(Side.CLIENT, clock)
    assert generator.time_offset == 0
    generator.synchronise(NOW)
    assert generator.time_offset == NOW - 1000.25
    clock.time += 2.5
    assert generator.now() == NOW + 2.5
    assert generator.next() == NOW + 2 << 32 | 0x80000000
    generator.time_offset = 7.0
    assert generator.now() == 1009.75


def test_turned_back_ids_still_increase_until_reset() -> None:
    generator = MessageIdGenerator(Side.CLIENT, lambda: NOW + 3600.5)
    ahead = generator.next()
    generator.synchronise(NOW + 0.5)
    assert [generator.next(), generator.next()] == [ahead + 4, ahead + 8]
    generator.reset()
    assert generator.next() == NOW << 32 | 0x80000000


@pytest.mark.parametrize("time", [nan, inf, -inf, 1e308, 2.0**31, 1e12])
def test_a_clock_that_shows_no_time_is_refused_and_spoils_nothing(time: float) -> None:
    clock = Clock(NOW + 0.5)
    generator = MessageIdGenerator(Side.CLIENT, clock)
    before = generator.next()
    clock.time = time
    with pytest.raises(LocalProtocolError, match="the clock shows"):
        generator.next()
    clock.time = NOW + 0.5
    assert generator.next() == before + 4


def test_the_last_msg_ids_of_all() -> None:
    generator = MessageIdGenerator(Side.CLIENT, lambda: 2**31 - 2**-22)
    made = [generator.next() for _ in range(256)]
    assert made[-1] == 2**63 - 4
    with pytest.raises(LocalProtocolError, match="64-bit"):
        generator.next()


# -- SequenceNumbers ----------------------------------------------------------------------------------


def test_seq_nos_of_a_conversation() -> None:
    numbers = SequenceNumbers()
    kinds = [True, False, False, True, True, False]
    assert [numbers.next(kind) for kind in kinds] == [1, 2, 2, 3, 5, 6]


@given(st.lists(st.booleans(), max_size=50))
def test_seq_no_is_twice_the_content_related_before(kinds: list[bool]) -> None:
    numbers = SequenceNumbers()
    for i, kind in enumerate(kinds):
        assert numbers.next(kind) == 2 * sum(kinds[:i]) + kind


def test_seq_nos_end() -> None:
    numbers = SequenceNumbers(2**30 - 1)
    assert [numbers.next(False), numbers.next(True)] == [2**31 - 2, 2**31 - 1]
    with pytest.raises(LocalProtocolError, match="no seq_no is left"):
        numbers.next(False)


# -- ReceivedWindow -----------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", GOOD, ids=lambda v: v["name"])
def test_published_messages_pass(vector: dict[str, Any]) -> None:
    direction = vector["direction"]
    receiver = Side.SERVER if direction == "client_to_server" else Side.CLIENT
    assert msg_id_of(bytes.fromhex(vector["message"]), vector["x"]) == vector["msg_id"]
    assert ReceivedWindow(receiver).check(vector["msg_id"], NOW) is Verdict.OK
    assert ReceivedWindow(receiver.peer).check(vector["msg_id"], NOW) is Verdict.PARITY


@pytest.mark.parametrize(
    ("name", "verdict", "without_time"),
    [
        ("even msg_id from server", Verdict.PARITY, Verdict.PARITY),
        ("msg_id 31 s in the future", Verdict.TOO_NEW_TIME, Verdict.OK),
        ("msg_id 301 s in the past", Verdict.TOO_OLD_TIME, Verdict.OK),
    ],
)
def test_published_bad_messages_do_not(name: str, verdict: Verdict, without_time: Verdict) -> None:
    window = ReceivedWindow(Side.CLIENT)
    assert window.check(bad_msg_id(name), NOW) is verdict
    assert window.check(bad_msg_id(name), None) is without_time


@pytest.mark.parametrize(
    ("side", "accepted"), [(Side.CLIENT, {1, 3}), (Side.SERVER, {0})], ids=["client", "server"]
)
def test_parity(side: Side, accepted: set[int]) -> None:
    window = ReceivedWindow(side)
    for residue in range(4):
        expected = Verdict.OK if residue in accepted else Verdict.PARITY
        assert window.check((NOW << 32) + 400 + residue, NOW) is expected


@pytest.mark.parametrize(
    ("msg_id", "verdict"),
    [
        (NOW + 30 << 32, Verdict.OK),
        ((NOW + 30 << 32) + 4, Verdict.TOO_NEW_TIME),
        (NOW - 300 << 32, Verdict.OK),
        ((NOW - 300 << 32) - 4, Verdict.TOO_OLD_TIME),
        (0, Verdict.TOO_OLD_TIME),
        (-(2**63), Verdict.TOO_OLD_TIME),
        (2**63 - 4, Verdict.TOO_NEW_TIME),
    ],
)
def test_time_limits_are_inclusive(msg_id: int, verdict: Verdict) -> None:
    assert ReceivedWindow(Side.SERVER).check(msg_id, NOW) is verdict


def test_check_records_nothing() -> None:
    window = ReceivedWindow(Side.SERVER)
    for _ in range(2):
        assert window.check(NOW << 32, NOW) is Verdict.OK
    assert len(window) == 0
    window.record(NOW << 32)
    assert window.check(NOW << 32, NOW) is Verdict.DUPLICATE
    assert len(window) == 1
    assert NOW << 32 in window
    assert NOW + 1 << 32 not in window


def test_lower_than_all_is_refused_only_when_full() -> None:
    window = ReceivedWindow(Side.SERVER, size=3)
    window.record(40)
    window.record(20)
    assert window.check(16, None) is Verdict.OK
    window.record(30 * 4)
    assert window.check(16, None) is Verdict.TOO_OLD_WINDOW
    assert window.check(24, None) is Verdict.OK
    window.record(24)
    assert window.check(20, None) is Verdict.TOO_OLD_WINDOW, "20 was the lowest, and had to go"
    assert window.check(24, None) is Verdict.DUPLICATE


def test_time_is_judged_last() -> None:
    window = ReceivedWindow(Side.SERVER, size=1)
    window.record(NOW << 32)
    much_later = NOW + 10_000
    assert window.check(NOW << 32, much_later) is Verdict.DUPLICATE
    assert window.check((NOW << 32) - 4, much_later) is Verdict.TOO_OLD_WINDOW
    assert window.check((NOW << 32) + 1, much_later) is Verdict.PARITY
    assert window.check((NOW << 32) + 4, much_later) is Verdict.TOO_OLD_TIME


@given(
    size=st.integers(1, 6),
    ids=st.lists(st.integers(-20, 20).map(lambda n: 4 * n), max_size=40),
    keep=st.lists(st.booleans(), min_size=40, max_size=40),
)
def test_window_agrees_with_a_naive_model(size: int, ids: list[int], keep: list[bool]) -> None:
    window, model = ReceivedWindow(Side.SERVER, size), list[int]()
    for msg_id, record in zip(ids, keep, strict=False):
        expected = Verdict.OK
        if msg_id in model:
            expected = Verdict.DUPLICATE
        elif len(model) == size and msg_id < min(model):
            expected = Verdict.TOO_OLD_WINDOW
        assert window.check(msg_id, None) is expected
        if record:
            window.record(msg_id)
            model = sorted({*model, msg_id})[-size:]
        assert len(window) == len(model)


def test_many_ids_in_any_order() -> None:
    ids = [(NOW << 32) + 4 * i for i in range(50_000)]
    arrived = random.Random(7).sample(ids, len(ids))
    window = ReceivedWindow(Side.SERVER)
    for msg_id in arrived:
        window.record(msg_id)
    assert len(window) == window.size == 1000
    assert all(msg_id in window for msg_id in ids[-1000:])
    assert window.check(ids[-1001], NOW) is Verdict.TOO_OLD_WINDOW


@pytest.mark.parametrize("size", [0, -5])
def test_a_window_of_nothing_is_refused(size: int) -> None:
    with pytest.raises(LocalProtocolError, match="at least 1"):
        ReceivedWindow(Side.CLIENT, size)
