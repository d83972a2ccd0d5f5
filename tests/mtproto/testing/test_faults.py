"""Every fault, on a Pair: it happens, it has the consequences that its docstring promises, and no others."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from dataclasses import FrozenInstanceError, dataclass
from functools import cache
from typing import Any

import pytest

import tl
from mtproto import api
from mtproto.connection import KeepAlive
from mtproto.errors import LocalProtocolError, RemoteProtocolError
from mtproto.events import MessageDropped, MessageReceived
from mtproto.session import BadMessage
from mtproto.side import Side
from mtproto.testing import Ending, Later, Network, Pair, faults
from mtproto.testing.faults import FAULTS, Fault
from mtproto.transport import FRAMINGS
from tests.mtproto.testing.test_pair import digest, send_code

CLIENT, SERVER = Side.CLIENT, Side.SERVER
CALLS = 16
DEADLINE = 900.0  # virtual seconds


@dataclass(frozen=True)
class Case:
    """A fault; why the client's connections end because of it, by parts of the reasons; how many calls fail how."""

    fault: Fault
    ends: tuple[str, ...] = ()
    failed: str | None = None
    least: int = 0

    def __str__(self) -> str:
        return repr(self.fault)


def flips(side: Side, field: str, *reasons: str, bit: int = 0) -> Case:
    return Case(faults.FlipBit(side=side, field=field, bit=bit), reasons)


LOST = ("-404",)
CLOSED = ("the server closed the connection",)
CASES = (
    Case(faults.Fragments()),
    Case(faults.Fragments(size=7)),
    Case(faults.Lumps()),
    Case(faults.Cut(), CLOSED),
    Case(faults.Cut(after=70, side=CLIENT, ending=Ending.RST), ("broke",)),
    Case(faults.Cut(after=301, side=CLIENT), CLOSED),
    Case(faults.HalfOpen(), ("C23",)),
    Case(faults.HalfOpen(after=100), ("C23",)),
    Case(faults.SkewClock(3600.0), ("C11",), "FateUnknown"),
    Case(faults.SkewClock(-3600.0), ("C11",)),
    Case(faults.SkewClock(200.0)),
    Case(faults.SkewClock(-20.0, at=0.3), CLOSED),  # the next ping comes too late
    *(Case(faults.Drop(side=side, nth=nth)) for side in Side for nth in range(6)),
    Case(faults.Drop(side=SERVER, times=6)),
    Case(faults.DropRequest()),
    Case(faults.DropRequest(nth=3, times=4)),
    Case(faults.DropAnswer()),
    Case(faults.DropAnswer(nth=2, times=5)),
    Case(faults.DropAck()),
    Case(faults.DropAck(side=SERVER)),
    Case(faults.Duplicate(times=9)),
    Case(faults.Duplicate(side=CLIENT, times=99)),
    Case(faults.Reorder()),
    Case(faults.Reorder(side=CLIENT, nth=4)),
    Case(faults.Delay()),
    Case(faults.Delay(side=CLIENT, seconds=40.0)),
    Case(faults.Delay(side=CLIENT, seconds=310.0)),
    Case(faults.Replay()),
    Case(faults.Replay(seconds=1.0)),
    Case(faults.Replay(side=CLIENT, seconds=1.0)),
    Case(faults.Replay(side=CLIENT, seconds=400.0)),
    Case(faults.Reflect(), ("C3",)),
    flips(SERVER, "auth_key_id", "C1"),
    *(flips(SERVER, field, "C3") for field in ("msg_key", "encrypted_data", "padding")),
    *(flips(SERVER, "encrypted_data", "C3", bit=bit) for bit in (100, 191)),
    *(
        Case(faults.FlipBit(side=CLIENT, field=field), LOST, "AuthKeyLost", CALLS - 1)
        for field in ("auth_key_id", "msg_key", "encrypted_data", "padding")
    ),
    *(flips(SERVER, field, "full: ") for field in ("length", "seq", "crc")),
    *(flips(CLIENT, field, *CLOSED) for field in ("length", "seq", "crc")),
    flips(SERVER, "length", "X1", bit=31),
    Case(faults.SaltRotation()),
    Case(faults.SaltRotation(keep_previous=True)),
    Case(faults.SaltRotation(pending=1)),
    Case(faults.SaltStorm(times=3)),
    Case(faults.SaltStorm(times=200), (), "BadMessage", CALLS - 1),
    Case(faults.KeyLoss(), LOST, "AuthKeyLost", CALLS - 1),
    Case(faults.KeyLoss(nth=12), LOST, "AuthKeyLost", 1),
    Case(faults.TransportError(), ("-429",)),
    Case(faults.TransportError(times=100), ("-429",) * 3, "FateUnknown", 1),
    Case(faults.TransportError(code=-404, nth=5), LOST, "AuthKeyLost", 1),
    Case(faults.TransportError(code=-444), ("-444",), "TransportCodeReceived", 1),
    Case(faults.ServerRestart(), ("broke",), "FateUnknown", 1),
    Case(faults.ServerRestart(nth=13), ("broke",), "FateUnknown", 1),
    *(Case(faults.ForgedContainer(kind=kind)) for kind in ("empty", "full")),
    *(
        Case(faults.ForgedContainer(kind=kind), ("C17",))
        for kind in faults.ForgedContainer.KINDS
        if kind not in ("empty", "full")
    ),
    Case(faults.ManyAcks(count=8192)),
    Case(faults.ManyAcks(count=8193), ("C19",)),
    Case(faults.ForgedSalt()),
    Case(faults.ForgedSalt(times=9)),
    Case(faults.ForgedAnswer()),
    Case(faults.StrayMessage(kind="session"), ("C8",)),
    Case(faults.StrayMessage(kind="key"), ("C1",)),
    Case(faults.StrayMessage(kind="parity"), ("C9",)),
    Case(faults.UnknownUpdate()),
    Case(faults.UpdateFlood()),
    Case(faults.BadAnswer(kind="unknown")),
    *(
        Case(faults.BadAnswer(kind=kind), (), "RemoteProtocolError", 1)
        for kind in faults.BadAnswer.KINDS
        if kind != "unknown"
    ),
)


SENT = api.auth.SentCode(type=api.auth.SentCodeTypeSms(length=5), phone_code_hash="")


def answer(request: api.auth.SendCode) -> object:
    """Some answers take their time, so that their requests are acknowledged by themselves."""
    return Later(2.5, SENT) if request.phone_number[-1] in "37" else SENT


def conversation(fault: Fault | None, transport: str, *, obfuscated: bool = False) -> Pair:
    """Ten calls at once and five later, from when the fault begins; then a while for what it has left to come."""
    handlers = {api.auth.SendCode: answer}
    pair = Pair(
        handlers,
        transport=transport,
        obfuscated=obfuscated,
        network=Network(latency=0.05),
        keep_alive=KeepAlive(),
    )
    pair.invoke(send_code())
    pair.run(for_=61)  # the first ping has told the server when to give up
    if fault is not None:
        pair.install(fault)
    for number in range(1, 11):
        pair.invoke(send_code(number))
    pair.run(for_=0.01)
    for number in range(11, CALLS):
        pair.invoke(send_code(number))
        pair.run(for_=0.5)
    pair.run(deadline=DEADLINE)
    pair.run(for_=420)
    pair.run(deadline=DEADLINE)
    return pair


@cache
def usual(transport: str) -> str:
    return digest(conversation(None, transport))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_fault_has_its_consequences_and_no_others(case: Case) -> None:
    pair = conversation(case.fault, "full")
    is_invisible = isinstance(case.fault, faults.Fragments)  # to who sends
    assert (digest(pair) == usual("full")) is is_invisible, "it has happened"
    pair.check(errors=case.fault.errors)
    reasons = [str(failure) for failure in pair.failures]
    assert len(reasons) >= len(case.ends)
    assert all(part in reason for part, reason in zip(case.ends, reasons, strict=False)), reasons
    if not case.ends:
        assert reasons == []
    outcomes = Counter(call.outcome for call in pair.calls)
    assert set(outcomes) <= {"answered", case.failed}
    if case.failed is not None:
        assert outcomes[case.failed] >= max(case.least, 1)
    assert len(pair.lines) == (0 if pair.is_given_up else 1), "no connection is left behind"


PLAIN = [case for case in CASES if "seq" not in str(case) and "crc" not in str(case)]


@pytest.mark.parametrize(
    ("transport", "obfuscated"),
    [("abridged", False), ("intermediate", True), ("padded", False), ("padded", True)],
)
@pytest.mark.parametrize("case", PLAIN, ids=str)
def test_the_invariants_hold_on_the_other_transports(case: Case, transport: str, obfuscated: bool) -> None:
    pair = conversation(case.fault, transport, obfuscated=obfuscated)
    pair.check(errors=case.fault.errors)
    assert len(pair.lines) == (0 if pair.is_given_up else 1)


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


def test_a_bomb_costs_nothing_but_its_call() -> None:
    run_with(faults.BadAnswer(kind="bomb"), calls=1)  # it has been made
    tracemalloc.start()
    pair = run_with(faults.BadAnswer(kind="bomb"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(pair.calls[1].error, RemoteProtocolError)
    assert [call.outcome for call in pair.calls[2:]] == ["answered"] * 2
    assert peak < 24 * 1024 * 1024, "of 64 MiB no more is unpacked than the limit"


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


# Bad use


@pytest.mark.parametrize("transport", [name for name in FRAMINGS if name != "full"])
@pytest.mark.parametrize("field", ["seq", "crc"])
def test_a_field_that_a_transport_does_not_have_can_not_be_changed(transport: str, field: str) -> None:
    with pytest.raises(
        LocalProtocolError, match=f"does not fit here: {field} is a field of the full framing"
    ):
        Pair(transport=transport, faults=[faults.FlipBit(field=field)])


def test_without_keep_alive_a_half_open_connection_would_never_be_found() -> None:
    with pytest.raises(LocalProtocolError, match="nobody would ever find out"):
        Pair(faults=[faults.HalfOpen()])


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (lambda: Pair(faults=["DropAnswer"]), "got 'DropAnswer' among the faults"),  # type: ignore[list-item]
        (lambda: Pair(faults=[faults.DropAnswer]), "among the faults"),  # type: ignore[list-item]
        (lambda: faults.DropAnswer(nth=-1), "DropAnswer: got -1 for nth, expected an int >= 0"),
        (lambda: faults.DropAnswer(times=0), "got 0 for times, expected an int >= 1"),
        (lambda: faults.Fragments(0), "got 0 for size"),
        (lambda: faults.Cut(after=-5), "got -5 for after"),
        (lambda: faults.FlipBit(field="salt"), "no field is called 'salt'; known are: auth_key_id"),
        (lambda: faults.FlipBit(field="crc", bit=32), "got bit 32 of crc, expected 0..31"),
        (lambda: faults.TransportError(code=404), "got code 404, expected a negative"),
        (lambda: faults.ForgedContainer(kind="odd"), "no kind is called 'odd'; known are: empty"),
        (lambda: faults.BadAnswer(kind="odd"), "no kind is called 'odd'"),
        (lambda: faults.StrayMessage(kind="odd"), "no kind is called 'odd'"),
        (lambda: faults.Delay(seconds=-1.0), "got -1.0 seconds"),
        (lambda: faults.SkewClock(float("nan")), "expected numbers"),
        (lambda: faults.SaltRotation(pending=-1), "got -1 for pending"),
        (lambda: faults.UpdateFlood(count=0), "got 0 for count"),
    ],
)
def test_what_no_fault_can_be_is_refused(wrong: Any, complaint: str) -> None:
    with pytest.raises(LocalProtocolError, match=complaint):
        wrong()
