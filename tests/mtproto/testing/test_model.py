"""The model, on conversations made by hand: it complains of what is wrong, and of nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

import tl
from mtproto import api, service
from mtproto.errors import FateUnknown
from mtproto.events import SessionId
from mtproto.message import pack_gzip, pack_rpc_result
from mtproto.side import Side
from mtproto.testing.calls import Call
from mtproto.testing.ledger import Arrived, Event, Ignored, Said
from mtproto.testing.model import Model

START = 1_700_000_000.0
SESSION, OTHER = SessionId(b"\1" * 8, 1), SessionId(b"\1" * 8, 2)
FIRST, SECOND = 11, 22
REQUEST = bytes(api.help.GetConfig())
ANSWER = bytes(api.BoolTrue())


def at(seconds: float, rest: int = 0) -> int:
    """A msg_id of this time."""
    return int((START + seconds) * 2**32) + 4 * 64 + rest


def client(
    seconds: float, body: bytes | tl.TLObject, seq_no: int = 1, *, salt: int = FIRST, rest: int = 0
) -> Said:
    return Said(START + seconds, Side.CLIENT, SESSION, salt, at(seconds), seq_no, bytes(body))


def server(seconds: float, body: bytes | tl.TLObject, seq_no: int = 1, *, rest: int = 1) -> Said:
    return Said(START + seconds, Side.SERVER, SESSION, FIRST, at(seconds, rest), seq_no, bytes(body))


def come(said: Said, after: float = 0.0) -> list[Event]:
    """It is said, and arrives."""
    return [said, Arrived(said.time + after, said)]


def model_of(*calls: Call[object]) -> Model:
    model = Model(FIRST, START)
    for call in calls:
        model.calls.asked(call)
    return model


def call(**options: bool) -> Call[object]:
    return Call(0, REQUEST, (), {"at_least_once": False, "gzip": False, "quick_ack": False, **options})


def complaints(model: Model, events: Sequence[Event]) -> str:
    model.read(events)
    return "\n".join([*model.complaints, *model.calls.ends()])


def refused(said: Said, new_salt: int) -> service.BadServerSalt:
    return service.BadServerSalt(
        bad_msg_id=said.msg_id, bad_msg_seqno=said.seq_no, error_code=48, new_server_salt=new_salt
    )


# Salts


@pytest.mark.parametrize("kept", [False, True])
def test_a_server_refuses_a_salt_that_it_does_not_keep_and_no_other(kept: bool) -> None:
    model = model_of(call())
    model.server_salts.changed(START + 10, keep_previous=kept)
    request = client(20, REQUEST)
    found = complaints(model, [*come(request), server(20, refused(request, SECOND), 0)])
    assert ("for its salt, which is right" in found) is kept


@pytest.mark.parametrize("is_told", [False, True])
@pytest.mark.parametrize("kept", [False, True])
def test_a_server_takes_a_salt_that_it_keeps_and_no_other(kept: bool, is_told: bool) -> None:
    model = model_of(call())
    model.server_salts.changed(START + 10, keep_previous=kept)
    asks = client(11, service.GetFutureSalts(num=1))
    rows = [service.FutureSalt(valid_since=int(START) + 10, valid_until=int(START) + 3610, salt=SECOND)]
    told = service.FutureSalts(req_msg_id=asks.msg_id, now=int(START) + 11, salts=rows)
    request = client(20, REQUEST, 3)
    ack = service.MsgsAck(msg_ids=[request.msg_id])
    listed = [*come(asks), server(12, told, 0)] if is_told else []
    found = complaints(model, [*listed, *come(request), server(21, ack, 0, rest=3)])
    assert ("never came with a good salt" in found) is not kept
    assert "lists" not in found


def test_a_server_tells_the_salt_of_its_timetable() -> None:
    request = client(1, REQUEST)
    found = complaints(model_of(call()), [*come(request), server(1, refused(request, SECOND), 0)])
    assert f"tells salt {SECOND}, expected one of [{FIRST}]" in found


@pytest.mark.parametrize(("salt", "is_wrong"), [(FIRST, True), (SECOND, False)])
def test_a_client_that_acknowledges_a_new_session_uses_its_salt(salt: int, is_wrong: bool) -> None:
    model = model_of(call())
    model.server_salts.changed(START, keep_previous=True)
    request = client(1, REQUEST)
    new = server(
        1, service.NewSessionCreated(first_msg_id=request.msg_id, unique_id=1, server_salt=SECOND), rest=3
    )
    ack = client(2, service.MsgsAck(msg_ids=[new.msg_id]), 2, salt=salt)
    assert ("from before the new session" in complaints(model, [*come(request), *come(new), ack])) is is_wrong


@pytest.mark.parametrize("is_ignored", [False, True])
def test_a_client_uses_the_next_salt_when_its_time_has_come(is_ignored: bool) -> None:
    asks = client(60, service.GetFutureSalts(num=2), 1)
    rows = [
        service.FutureSalt(valid_since=int(START) + since, valid_until=int(START) + since + 3600, salt=salt)
        for since, salt in ((0, FIRST), (1800, SECOND))
    ]
    told = server(60, service.FutureSalts(req_msg_id=asks.msg_id, now=int(START) + 60, salts=rows), 0)
    ignored = [Ignored(Side.CLIENT, told.msg_id)] if is_ignored else []
    events = [
        *come(asks),
        *come(told),
        *ignored,
        client(1890, REQUEST, 3),
        client(1950, service.Ping(ping_id=1), 4),
    ]
    found = complaints(model_of(call()), events)
    assert found.count("still in use") == (0 if is_ignored else 1)


def test_a_server_lists_salts_from_the_current_one_on() -> None:
    asks = client(60, service.GetFutureSalts(num=1), 1)
    later = service.FutureSalt(valid_since=int(START) + 1800, valid_until=int(START) + 5400, salt=SECOND)
    told = service.FutureSalts(req_msg_id=asks.msg_id, now=int(START) + 60, salts=[later])
    assert "which is not the current one" in complaints(model_of(), [*come(asks), server(60, told, 0)])


# Numbers


def test_a_msg_id_is_of_one_session() -> None:
    request = client(1, REQUEST)
    found = complaints(model_of(call()), [request, replace(request, session=OTHER)])
    assert "was used in another session" in found


# Calls


def test_a_request_goes_out_anew_only_after_it_was_refused() -> None:
    first, again = client(1, REQUEST), client(2, REQUEST, 3)
    notice = service.BadMsgNotification(bad_msg_id=first.msg_id, bad_msg_seqno=1, error_code=16)
    assert "may be executed as" in complaints(model_of(call()), [*come(first), again])
    assert not complaints(model_of(call()), [*come(first), *come(server(1, notice, 0)), again])


@pytest.mark.parametrize("later", [300, 400])
def test_or_when_it_can_not_be_taken_any_more(later: float) -> None:
    found = complaints(model_of(call()), [client(1, REQUEST), client(1 + later, REQUEST, 3)])
    assert ("may be executed as" in found) is (later < 330)


def test_a_call_is_over_with_its_answer_unless_that_was_ignored() -> None:
    request = client(1, REQUEST)
    answer = server(1, pack_rpc_result(request.msg_id, ANSWER))
    model = model_of(call())
    assert not complaints(model, come(request))
    assert model.calls.pending() == {0}
    assert not complaints(model, come(answer))
    assert model.calls.pending() == set()
    assert not complaints(model, [Ignored(Side.CLIENT, answer.msg_id)])
    assert model.calls.pending() == {0}
    assert not complaints(model, [Arrived(START + 2, answer)])
    assert "call 0 is over" in complaints(model, [replace(request, container=at(3))])


def test_how_a_call_has_ended_was_told_by_the_server() -> None:
    request = client(1, REQUEST)
    answered, failed = call(), call()
    answered.end(ANSWER)
    failed.end(FateUnknown("so it is"))
    assert "its answer never came" in complaints(model_of(answered), come(request))
    assert "fails without a reason" in complaints(model_of(failed), come(request))
    answer = server(1, pack_rpc_result(request.msg_id, ANSWER))
    assert not complaints(model_of(answered), [*come(request), *come(answer)])
    later = client(2, service.Ping(ping_id=1), 2)
    new = service.NewSessionCreated(first_msg_id=later.msg_id, unique_id=1, server_salt=FIRST)
    for state, count, is_reason in ((1, 1, True), (2, 1, False), (2, 3, True), (4, 9, False)):
        events = come(request)
        for i in range(count):
            asks = client(10 + i, service.MsgsStateReq(msg_ids=[request.msg_id]), 2)
            told = service.MsgsStateInfo(req_msg_id=asks.msg_id, info=bytes([state]))
            events += [*come(asks), *come(server(10 + i, told, 0))]
        assert ("fails without a reason" in complaints(model_of(failed), events)) is not is_reason
    assert not complaints(model_of(failed), [*come(request), *come(later), *come(server(3, new, rest=3))])


def test_requests_are_known_behind_others_and_packed() -> None:
    after = bytes.fromhex("2d379fcb") + at(1).to_bytes(8, "little") + REQUEST
    many = bytes.fromhex("f0b4c43d15c4b51c01000000") + at(1).to_bytes(8, "little") + pack_gzip(REQUEST)
    for body in (after, many, pack_gzip(REQUEST)):
        assert not complaints(model_of(call()), come(client(2, body)))
    assert "nobody has made" in complaints(model_of(call()), come(client(2, ANSWER)))
