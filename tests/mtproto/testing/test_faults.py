"""Every fault, on a Pair: it happens, it has the consequences that its docstring promises, and no others."""

from __future__ import annotations

from collections import Counter
from dataclasses import FrozenInstanceError
from functools import cache
from random import Random
from typing import Any

import pytest

import tl
from mtproto import api, service
from mtproto.connection import KeepAlive
from mtproto.errors import ConnectionClosed, FateUnknown
from mtproto.events import MessageDropped, MessageReceived, PongReceived, QuickAckReceived
from mtproto.session import BadMessage
from mtproto.session.sent import MAX_KEPT
from mtproto.side import Side
from mtproto.testing import Ending, Network, Pair, faults
from mtproto.testing.faults import FAULTS, Fault
from mtproto.transport import FRAMINGS
from tests.mtproto.helpers import TEST_KEY
from tests.mtproto.testing.fault_cases import CASES, ON_ALL_TRANSPORTS
from tests.mtproto.testing.rig import DEADLINE, Case, conversation, leaves_nothing, peak, settled
from tests.mtproto.testing.test_pair import digest, send_code

CLIENT, SERVER = Side.CLIENT, Side.SERVER


@cache
def usual(transport: str) -> str:
    return digest(conversation(None, transport))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_fault_has_its_consequences_and_no_others(case: Case) -> None:
    leaves_nothing(lambda: has_its_consequences(case))


def has_its_consequences(case: Case) -> None:
    pair = conversation(case.fault, case.transport, **case.options)
    if not case.options:
        assert (digest(pair) != usual(case.transport)) is case.is_seen, "it has happened"
    settled(pair, case.fault)
    reasons = [str(failure) for failure in pair.failures]
    assert len(reasons) >= len(case.ends)
    assert all(part in reason for part, reason in zip(case.ends, reasons, strict=False)), reasons
    if not case.ends:
        assert reasons == []
    outcomes = Counter(call.outcome for call in pair.calls)
    assert set(outcomes) <= {"answered", case.failed}
    if case.failed is not None:
        assert outcomes[case.failed] >= max(case.least, 1)


@pytest.mark.parametrize(
    ("transport", "obfuscated"),
    [("abridged", False), ("intermediate", True), ("padded", False), ("padded", True)],
)
@pytest.mark.parametrize("case", ON_ALL_TRANSPORTS, ids=str)
def test_the_invariants_hold_on_the_other_transports(case: Case, transport: str, obfuscated: bool) -> None:
    settled(conversation(case.fault, transport, obfuscated=obfuscated, **case.options), case.fault)


def test_every_fault_is_in_the_table_and_has_a_case() -> None:
    named = {value for value in vars(faults).values() if isinstance(value, type) and issubclass(value, Fault)}
    assert named - {Fault} == set(FAULTS)
    assert {type(case.fault) for case in CASES} == set(FAULTS)
    for fault in FAULTS:
        assert "Right: " in (fault.__doc__ or ""), fault


def test_faults_are_values() -> None:
    fault = faults.DropAnswer(nth=2)
    assert fault == faults.DropAnswer(nth=2) != faults.DropAnswer()
    assert len({fault, faults.DropAnswer(nth=2)}) == 1
    with pytest.raises(FrozenInstanceError):
        fault.nth = 3  # type: ignore[misc]


def test_a_fault_may_happen_to_many_pairs() -> None:
    fault = faults.DropRequest()
    assert digest(conversation(fault, "abridged")) == digest(conversation(fault, "abridged"))


# What exactly is right


def run_with(*several: Fault, calls: int = 3, **options: Any) -> Pair:
    """So many calls in a session that has begun, the first of which does not count."""
    pair = Pair(network=Network(latency=0.05), keep_alive=KeepAlive(), **options)
    pair.invoke(send_code())
    pair.run()
    for fault in several:
        pair.install(fault)
    for number in range(1, calls + 1):
        pair.invoke(send_code(number))
    pair.run(deadline=DEADLINE)
    return pair


def dropped(pair: Pair, side: Side) -> list[str]:
    events = pair.client_events if side is CLIENT else pair.server_events
    return [event.check for event in events if isinstance(event, MessageDropped)]


def sent_times(pair: Pair) -> list[int]:
    """How often each call's request, but that of the first, was sealed as a new message."""
    bodies = [call.body for call in pair.calls[1:]]
    ids = {(said.body, said.msg_id) for said in pair.ledger.said if said.body in bodies}
    count = Counter(body for body, _ in ids)
    return [count[body] for body in bodies]


def test_what_was_lost_is_asked_for_and_sent_again() -> None:
    pair = run_with(faults.DropRequest())
    assert any(said.name == "msgs_state_req" for said in pair.ledger.said)
    pair.check()
    pair = run_with(faults.DropAnswer())
    assert any(said.name == "msg_resend_ans_req" for said in pair.ledger.said)
    assert sent_times(pair) == [1, 1, 1]
    pair.check()


def test_a_duplicate_is_ignored_on_both_sides() -> None:
    assert "S7" in dropped(run_with(faults.Duplicate(side=CLIENT, times=3)), SERVER)
    assert "C10" in dropped(run_with(faults.Duplicate(times=3)), CLIENT)


def test_a_replay_changes_nothing() -> None:
    pair = run_with(faults.Replay(seconds=301))
    session = pair.client.session
    pair.run(for_=200)
    before = session.salt, session.ids.time_offset, pair.client.salts
    pair.run(for_=150)
    assert (session.salt, session.ids.time_offset, pair.client.salts) == before
    assert "C10" in dropped(pair, CLIENT)


def test_what_is_delayed_comes_so_much_later_and_others_overtake_it() -> None:
    pair = Pair(network=Network(latency=0.05), begun=True)
    pair.install(faults.Delay(seconds=5.0))
    begun, times = pair.clock.now, list[float]()
    for _ in range(2):
        pair.notify(api.BoolTrue())
        pair.run(for_=0.01)
    for number in (1, 2):
        pair.run(until=lambda number=number: count_updates(pair) == number)  # type: ignore[misc]
        times.append(pair.clock.now - begun)
    assert times == pytest.approx([0.06, 5.05])
    sent = [said.msg_id for said in pair.ledger.said if said.name == "update"]
    received = [event.msg_id for event in pair.client_events if isinstance(event, MessageReceived)]
    assert received == sent[::-1]
    pair.run()
    pair.check()


def count_updates(pair: Pair) -> int:
    return sum(isinstance(event, MessageReceived) for event in pair.client_events)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(("seconds", "is_too_old"), [(299.0, False), (301.0, True)])
def test_what_is_delayed_too_long_is_not_taken(side: Side, seconds: float, is_too_old: bool) -> None:
    """A ping, or its pong, which nobody sends again meanwhile."""
    pair = Pair(network=Network(latency=0.05), begun=True)
    pair.install(faults.Delay(side=side, seconds=seconds))
    pair.client.ping(7)
    pair.pump()
    pair.run(for_=seconds + 0.09)
    codes = [
        service.decode(said.body, service.BadMsgNotification).error_code
        for said in pair.ledger.said
        if said.name == "bad_msg_notification"
    ]
    assert codes == ([16] if side is CLIENT and is_too_old else [])
    pair.run(for_=0.02)
    assert ("C11" in dropped(pair, CLIENT)) is (side is SERVER and is_too_old)
    pair.run(for_=1)
    pongs = [event.ping_id for event in pair.client_events if isinstance(event, PongReceived)]
    assert pongs[1:] == ([7] if side is CLIENT or not is_too_old else [])
    pair.check()


@pytest.mark.parametrize("pending", [1, 99])
def test_hundred_pending_requests_are_each_sent_once_more_for_a_new_salt(pending: int) -> None:
    pair = Pair(network=Network(latency=0.05))
    pair.invoke(send_code())
    pair.run()
    pair.install(faults.SaltRotation(pending=pending))
    if pending > 1:
        pair.break_line()  # so that they go out together, in the next connection
    for number in range(1, 101):
        pair.invoke(send_code(number))
    pair.run(deadline=DEADLINE)
    assert sent_times(pair) == [2] * 100
    pair.check()


def test_a_storm_of_salts_is_followed_five_times() -> None:
    pair = run_with(faults.SaltStorm(times=500), calls=1)
    assert isinstance(pair.calls[1].error, BadMessage)
    assert sent_times(pair) == [6]
    assert pair.calls[1].executed == 0


def test_a_forged_salt_is_not_taken() -> None:
    pair = run_with(faults.ForgedSalt())
    assert "C15" in dropped(pair, CLIENT)
    assert 0x0BAD not in {said.salt for said in pair.ledger.said}


@pytest.mark.parametrize("bad", [faults.BadAnswer, faults.BadUpdate, faults.BadRequest])
@pytest.mark.parametrize("kind", ["bomb of 200 MiB", "nested 12 times", "arrays 100000 deep", "long string"])
def test_a_bomb_costs_nothing_but_its_call(bad: Any, kind: str) -> None:
    fault = bad(kind=kind)
    run_with(fault, calls=1)  # it has been made
    assert peak(lambda: run_with(fault)) < 24 * 1024 * 1024, "of 200 MiB no more is unpacked than the limit"


def test_an_answer_of_no_known_constructor_fails_where_it_is_decoded() -> None:
    pair = run_with(faults.BadAnswer(kind="unknown"))
    with pytest.raises(tl.DecodeError):
        pair.calls[1].result()
    pair.check()


def test_updates_are_handed_over_each_once() -> None:
    pair = run_with(faults.UpdateFlood(count=2000))
    assert sum(isinstance(event, MessageReceived) for event in pair.client_events) == 2000
    pair.check()
    pair = run_with(faults.UnknownUpdate(), faults.Duplicate(times=99))
    assert sum(isinstance(event, MessageReceived) for event in pair.client_events) == 1


@pytest.mark.parametrize(("count", "times"), [(12_000, 1), (3000, 4)])
def test_a_flood_waits_for_a_slow_reader(count: int, times: int) -> None:
    """What is kept, and what is under way, does not grow with the flood."""
    pair = Pair(network=Network(latency=0.05), begun=True)
    pair.install(faults.SlowReader(rate=20_000.0))
    pair.install(faults.UpdateFlood(count=count, times=times))
    (session,) = pair.state.sessions.values()
    link, most = pair.line.links[SERVER], Counter[str]()
    calls = [pair.invoke(send_code(number)) for number in range(3)]

    def is_over() -> bool:
        most["kept"] = max(most["kept"], len(session.sent.unacknowledged()))
        most["bytes"] = max(most["bytes"], link.sent - pair.line.ends[CLIENT]._received)
        return False

    begun = pair.clock.now
    pair.run(until=lambda: is_over() or pair._is_quiet())
    updates = Counter(event.msg_id for event in pair.client_events if isinstance(event, MessageReceived))
    assert len(updates) == count * times
    assert set(updates.values()) == {1}
    assert pair.clock.now - begun > count * times * 24 / 20_000, "it was read slowly"
    assert most["kept"] <= MAX_KEPT
    assert most["bytes"] < 2 * 24 * MAX_KEPT
    assert [call.outcome for call in calls] == ["answered"] * 3
    assert not pair.failures
    pair.check()


def test_several_faults_happen_together() -> None:
    pair = run_with(
        faults.DropRequest(nth=1),
        faults.DropAnswer(nth=1),
        faults.Duplicate(side=CLIENT, times=9),
        faults.SaltRotation(pending=2),
        faults.Fragments(size=3),
        faults.SkewClock(20.0, at=3.0),
        calls=10,
        transport="padded",
        obfuscated=True,
    )
    assert {call.outcome for call in pair.calls} == {"answered"}
    pair.check()


@pytest.mark.parametrize("ending", [Ending.FIN, Ending.RST])
def test_a_frame_may_be_cut_off_at_every_byte(ending: Ending) -> None:
    for keep in range(100):
        pair = run_with(faults.Truncate(keep=keep, ending=ending))
        assert len(pair.failures) == 1
        settled(pair, faults.Truncate())
        assert {call.outcome for call in pair.calls} == {"answered"}


def test_quick_acks_that_are_waited_for_come_behind_forged_ones() -> None:
    pair = Pair(transport="abridged", network=Network(latency=0.05))
    pair.invoke(send_code())
    pair.run()
    pair.install(faults.ForgedQuickAck(times=9))
    for number in range(1, 4):
        before = quick_acked(pair)
        pair.invoke(send_code(number), quick_ack=True)
        pair.invoke(send_code(10 * number), quick_ack=True)
        pair.notify(api.BoolTrue())  # with a forged one, half a way before those that are right
        pair.run(for_=0.06)
        assert sum(isinstance(event, MessageReceived) for event in pair.client_events) == number
        assert quick_acked(pair) == before, "it is nobody's"
        pair.run()
    assert quick_acked(pair) == [call.request_id for call in pair.calls[1:]]


def quick_acked(pair: Pair) -> list[int]:
    """The requests of which the client was told so, in order."""
    events = [event for event in pair.client_events if isinstance(event, QuickAckReceived)]
    return [request for event in events for request in event.requests]


@pytest.mark.parametrize("kind", faults.BadKeyExchange.KINDS)
def test_nothing_is_sent_after_a_bad_answer_in_a_key_exchange(kind: str) -> None:
    """But in the next connection."""
    bad = faults.BadKeyExchange(kind=kind)
    pair = Pair(key=TEST_KEY, faults=[bad], reconnect=None, network=Network(latency=0.05))
    call = pair.invoke(send_code())
    pair.run()
    assert f"[{bad.check}]" in str(pair.failures[0])
    assert type(call.error) is ConnectionClosed
    frames = {"resPQ": 1, "server_DH": 2, "dh_gen": 3}
    asked = sum(side is CLIENT for _, side, _ in pair.wire)
    expected = [count for name, count in frames.items() if kind.startswith(name)]
    assert asked in (expected or (1, 2, 3))


WIRES = [
    ("full", False),
    *((name, hidden) for name in FRAMINGS if name != "full" for hidden in (False, True)),
]


@pytest.mark.parametrize("seed", range(20))
def test_two_at_a_time(seed: int) -> None:
    """Any two; but what is in place of an answer to what was in place of a request would pass for an answer."""
    random = Random(seed)
    cases = [case.fault for case in ON_ALL_TRANSPORTS if not case.options]
    two = random.sample([fault for fault in cases if not isinstance(fault, faults.BadAnswer)], 2)
    transport, obfuscated = random.choice(WIRES)
    if any(isinstance(fault, faults.FlipBit | faults.ForgedQuickAck) for fault in two):
        transport = "padded"
    pair = run_with(
        *two, calls=10, transport=transport, obfuscated=obfuscated and transport != "full", seed=seed
    )
    pair.run(for_=420)
    pair.run(deadline=DEADLINE)
    pair.check(errors=(*two[0].errors, *two[1].errors, FateUnknown))
    assert all(call.executed <= 1 for call in pair.calls)
