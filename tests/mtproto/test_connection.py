"""Conversations of the two sans-IO connections, joined in memory: what each side makes of the other's bytes."""

from __future__ import annotations

import gzip
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtproto import api, service
from mtproto.connection import MAX_BODY, ClientConnection, ServerConnection, ServerState
from mtproto.crypto.auth_key import AuthKey
from mtproto.envelope import Cipher, Envelope, PlainMessage, encode_plain
from mtproto.errors import HandshakeFailed, LocalProtocolError, RemoteProtocolError, RpcError
from mtproto.events import (
    KeyAgreed,
    MessageDropped,
    MessageReceived,
    PongReceived,
    RequestFailed,
    RequestReceived,
    SessionCreated,
    TransportErrorReceived,
)
from mtproto.message import Message, pack_container, pack_gzip, pack_rpc_result
from mtproto.salts import SaltTimetable
from mtproto.session import ClientSession, ServerSession
from mtproto.session.bad_message import BadMessage
from mtproto.session.base import Outgoing
from mtproto.session.client_sending import MAX_RESENDS
from mtproto.side import Side
from mtproto.transport import FRAMINGS, framing
from tests.mtproto.helpers import TEST_KEY, ManualClock, seeded
from tests.mtproto.pair import Pair, agreed_pair, frames_of
from tl import Limits

REQUEST = bytes(api.account.SendVerifyPhoneCode(phone_number="+12025550123", settings=api.CodeSettings()))
ANSWER = bytes(
    api.auth.SentCode(type=api.auth.SentCodeTypeSms(length=5), phone_code_hash="0123456789abcdef01")
)
SECOND = 2**32


def exchange(pair: Pair, request: bytes = REQUEST, answer: bytes = ANSWER) -> int:
    """One request, answered; return its number."""
    number = pair.client.send_request(request)
    pair.run()
    pair.answer(pair.requests()[-1], answer)
    pair.run()
    return number


def failures(pair: Pair) -> list[RequestFailed]:
    return [e for e in pair.client_events if isinstance(e, RequestFailed)]


def dropped(pair: Pair, side: Side) -> list[MessageDropped]:
    events = pair.client_events if side is Side.CLIENT else pair.server_events
    return [e for e in events if isinstance(e, MessageDropped)]


# The whole way


@pytest.mark.parametrize("transport", FRAMINGS)
def test_key_exchange_then_request_and_answer(transport: str) -> None:
    pair = Pair(transport)
    pair.run()
    (client_key,) = (e for e in pair.client_events if isinstance(e, KeyAgreed))
    (server_key,) = (e for e in pair.server_events if isinstance(e, KeyAgreed))
    assert client_key.auth_key == server_key.auth_key
    assert client_key.server_salt == server_key.server_salt
    number = exchange(pair)
    assert [e.body for e in pair.requests()] == [REQUEST]
    assert [(e.request_id, e.body) for e in pair.answers()] == [(number, ANSWER)]
    assert not pair.client.session.open_requests


@pytest.mark.parametrize("transport", FRAMINGS)
def test_the_same_conversation_byte_by_byte(transport: str) -> None:
    plain, cut = (
        Pair(transport),
        Pair(transport, cut=lambda data: [data[i : i + 1] for i in range(len(data))]),
    )
    for pair in (plain, cut):
        pair.run()
        exchange(pair)
    assert cut.client_events == plain.client_events
    assert cut.server_events == plain.server_events


def test_the_same_seed_gives_the_same_bytes() -> None:
    first, second, other = Pair(seed=5), Pair(seed=5), Pair(seed=6)
    for pair in (first, second, other):
        pair.run()
        exchange(pair)
    assert first.to_server == second.to_server
    assert first.to_client == second.to_client
    assert first.to_server != other.to_server


def test_requests_sent_together_travel_in_one_container() -> None:
    pair = agreed_pair()
    numbers = [pair.client.send_request(REQUEST) for _ in range(5)]
    data = pair.client.data_to_send()
    assert len(frames_of(data, "intermediate", Side.SERVER)) == 1
    pair.deliver_to_server(data)
    assert [e.body for e in pair.requests()] == [REQUEST] * 5
    for request in pair.requests():
        pair.answer(request, ANSWER)
    pair.run()
    assert [e.request_id for e in pair.answers()] == numbers


def test_a_new_session_is_announced_once() -> None:
    pair = agreed_pair()
    exchange(pair)
    exchange(pair)
    (created,) = (e for e in pair.client_events if isinstance(e, SessionCreated))
    assert created.first_msg_id == pair.requests()[0].msg_id
    assert len(pair.answers()) == 2


# Salts


def test_a_wrong_salt_is_corrected_and_the_request_sent_again_once() -> None:
    pair = agreed_pair(salt=0)
    number = exchange(pair)
    assert pair.client.session.server_salt == 1234567
    assert len(pair.requests()) == 1
    assert [e.request_id for e in pair.answers()] == [number]
    assert [e.check for e in dropped(pair, Side.SERVER)] == ["S4"]


def test_a_hundred_pending_requests_survive_a_change_of_salt() -> None:
    pair = agreed_pair()
    exchange(pair)
    (timetable,) = pair.state.salts.values()
    timetable.rotate(pair.clock(), keep_previous=False)
    numbers = [pair.client.send_request(REQUEST) for _ in range(100)]
    pair.run()
    assert len(pair.requests()) == 101
    for request in pair.requests()[1:]:
        pair.answer(request, ANSWER)
    pair.run()
    assert sorted(e.request_id for e in pair.answers()[1:]) == numbers


def test_twelve_thousand_requests_survive_a_change_of_salt() -> None:
    pair = agreed_pair()
    exchange(pair)
    pair.client.session.server_salt ^= 1
    numbers = [pair.client.send_request(bytes(api.help.GetConfig())) for _ in range(9_000)]
    numbers += [pair.client.send_request(bytes(api.help.GetConfig())) for _ in range(3_000)]
    done = 1
    for _ in range(200):
        pair.deliver_to_server(pair.client.data_to_send())
        for request in pair.requests()[done:]:
            pair.answer(request, ANSWER)
        done = len(pair.requests())
        pair.deliver_to_client(pair.server.data_to_send())
    assert sorted(e.request_id for e in pair.answers()[1:]) == numbers


def test_a_storm_of_wrong_salts_ends() -> None:
    pair = agreed_pair()
    number = pair.client.send_request(REQUEST)
    for attempt in range(MAX_RESENDS + 1):
        data = pair.client.data_to_send()
        assert data, f"attempt {attempt}"
        msg_id = max(pair.client.session.requests._by_msg_id)
        notice = service.BadServerSalt(
            bad_msg_id=msg_id, bad_msg_seqno=1, error_code=48, new_server_salt=attempt
        )
        pair.deliver_to_client(
            pair.forged(bytes(notice), msg_id=int(pair.clock() * SECOND) + 4 * attempt + 1)
        )
    assert not pair.client.data_to_send()
    (failed,) = failures(pair)
    assert failed.request_id == number
    assert isinstance(failed.error, BadMessage)
    assert failed.error.code == 48


def test_a_forged_salt_changes_nothing() -> None:
    pair = agreed_pair()
    exchange(pair)
    notice = service.BadServerSalt(bad_msg_id=4, bad_msg_seqno=1, error_code=48, new_server_salt=666)
    pair.deliver_to_client(pair.forged(bytes(notice), msg_id=int(pair.clock() * SECOND) + 1001))
    assert pair.client.session.server_salt == 1234567
    assert [e.check for e in dropped(pair, Side.CLIENT)] == ["C15"]


def test_a_bare_ack_is_never_refused_for_its_salt() -> None:
    pair = agreed_pair()
    exchange(pair)
    pair.client.session.server_salt = 99
    pair.clock.advance(5)
    pair.run()
    assert not dropped(pair, Side.SERVER)
    assert not pair.state.sessions[pair.requests()[0].session].answers


def test_a_ping_after_the_salt_has_run_out_learns_the_new_one_and_is_answered() -> None:
    pair = agreed_pair()
    exchange(pair)
    pair.clock.advance(3 * 3600)
    pair.client.session.ping(5)
    pair.run()
    assert PongReceived(5) in pair.client_events
    assert [e.check for e in dropped(pair, Side.SERVER)] == ["S4"]
    exchange(pair)
    assert len(dropped(pair, Side.SERVER)) == 1


# Answers in other wrappings


def test_a_gzipped_answer_is_unpacked() -> None:
    pair = agreed_pair()
    exchange(pair, answer=pack_gzip(ANSWER))
    assert [e.body for e in pair.answers()] == [ANSWER]


def test_a_gzipped_rpc_error_is_one() -> None:
    pair = agreed_pair()
    exchange(pair, answer=pack_gzip(bytes(service.RpcError(error_code=420, error_message="FLOOD_WAIT_5"))))
    (failed,) = failures(pair)
    assert isinstance(failed.error, RpcError)
    assert (failed.error.code, failed.error.message) == (420, "FLOOD_WAIT_5")


def test_a_bad_gzip_fails_its_request_and_no_other() -> None:
    pair = agreed_pair()
    packed = bytes(service.GzipPacked(packed_data=gzip.compress(bytes(64), mtime=0)[:-3]))
    number = exchange(pair, answer=packed)
    (failed,) = failures(pair)
    assert failed.request_id == number
    assert isinstance(failed.error, RemoteProtocolError)
    assert failed.error.check == "C18"
    exchange(pair)
    assert len(pair.answers()) == 1


def test_a_gzipped_request_is_unpacked() -> None:
    pair = agreed_pair()
    pair.client.send_request(pack_gzip(REQUEST))
    pair.run()
    assert [e.body for e in pair.requests()] == [REQUEST]


def test_a_bad_gzipped_request_gets_an_error_and_the_connection_lives() -> None:
    pair = agreed_pair()
    pair.client.send_request(bytes(service.GzipPacked(packed_data=b"no gzip")))
    pair.run()
    (failed,) = failures(pair)
    assert str(failed.error) == "400 INPUT_FETCH_ERROR"
    exchange(pair)
    assert len(pair.answers()) == 1


def test_many_small_bombs_share_one_limit() -> None:
    pair = agreed_pair()
    bomb = pack_gzip(REQUEST + bytes(900_000))
    for _ in range(5):
        pair.client.send_request(bomb)
    pair.run()
    assert len(pair.requests()) == 1
    assert [str(f.error) for f in failures(pair)] == ["400 INPUT_FETCH_ERROR"] * 4


def test_a_thousand_bombs_cost_no_more_than_one() -> None:
    pair = agreed_pair()
    bombs = [pack_gzip(bytes(1024 * 1024 + 4))] * 1000
    session = pair.client.session
    inner = [
        Message(session.ids.next(), session.sequence.next(True), body)
        for body in (*bombs, pack_gzip(REQUEST))
    ]
    outer = Message(session.ids.next(), session.sequence.next(False), pack_container(inner))
    data = framing("intermediate", Side.CLIENT).encode(session._seal(outer))
    pair.deliver_to_server(pair.client.data_to_send())
    pair.deliver_to_server(data)
    # The first has used up what may be unpacked of this payload: even the good one is refused.
    assert [e.check for e in dropped(pair, Side.SERVER)] == ["C18"] * 1001
    errors = [e.reason for e in dropped(pair, Side.SERVER)]
    assert "got > 1048576 bytes" in errors[0]
    assert all("got > 0 bytes" in error for error in errors[1:])
    # The next payload has a budget of its own.
    pair.client.send_request(pack_gzip(REQUEST))
    pair.run()
    assert [e.body for e in pair.requests()] == [REQUEST]


def test_the_answers_of_one_payload_share_one_limit() -> None:
    pair = agreed_pair()
    answer = pack_gzip(seeded(3)(24 * 1024) + bytes(6 * 1024 * 1024))
    for _ in range(2):
        numbers = [pair.client.send_request(REQUEST) for _ in range(2)]
        pair.run()
        for request in pair.requests()[-2:]:
            pair.answer(request, answer)
        pair.run()
        assert pair.answers()[-1].request_id == numbers[0]
        failed = failures(pair)[-1]
        assert failed.request_id == numbers[1]
        assert isinstance(failed.error, RemoteProtocolError)
        assert failed.error.check == "C18"
        assert failed.error.got == f"> {4 * 1024 * 1024 - 24 * 1024} bytes"
    exchange(pair)
    assert len(pair.answers()) == 3


def test_a_bomb_is_refused_for_its_ratio() -> None:
    pair = agreed_pair()
    number = exchange(pair, answer=pack_gzip(bytes(8 * 1024 * 1024)))
    (failed,) = failures(pair)
    assert failed.request_id == number
    assert isinstance(failed.error, RemoteProtocolError)
    assert failed.error.check == "C18"
    assert "it unpacks to too much" in str(failed.error)
    exchange(pair, answer=pack_gzip(bytes(1024 * 1024)))
    assert len(pair.answers()) == 1


@pytest.mark.parametrize("few", [False, True])
def test_sessions_take_limits(few: bool) -> None:
    key, clock = AuthKey(seeded(7)(256)), ManualClock()
    limits = Limits(gunzipped_bytes=len(REQUEST) - few)
    msg_id = int(clock() * SECOND)
    server = ServerSession(
        *(key, 5), salts=SaltTimetable(9, clock(), seeded(4)), clock=clock, rng=seeded(1), limits=limits
    )
    (event,) = server.receive(Envelope(9, 5, msg_id + 4, 1, pack_gzip(REQUEST)))
    assert isinstance(event, MessageDropped if few else RequestReceived)
    client = ClientSession(
        *(key, 5), server_salt=9, time_offset=0.0, clock=clock, rng=seeded(2), limits=limits
    )
    payload = Cipher(key, Side.SERVER).seal(Envelope(9, 5, msg_id + 3, 1, pack_gzip(REQUEST)), seeded(3))
    if few:
        with pytest.raises(RemoteProtocolError, match="it unpacks to too much"):
            list(client.receive(payload))
    else:
        assert list(client.receive(payload)) == [MessageReceived(msg_id + 3, REQUEST)]


@pytest.mark.parametrize(
    "message", [service.MsgsAck, service.MsgsStateReq, service.MsgResendReq], ids=lambda cls: cls.TL_NAME
)
def test_too_many_ids_are_a_flood(message: type[service.MsgsAck]) -> None:
    for count, allowed in ((8192, True), (8193, False)):
        pair = agreed_pair()
        pair.client.session.queue(Outgoing(bytes(message(msg_ids=list(range(count))))))
        if allowed:
            pair.run()
            continue
        with pytest.raises(RemoteProtocolError) as caught:
            pair.deliver_to_server(pair.client.data_to_send())
        assert (caught.value.check, caught.value.reply) == ("S6", -429)
        assert pair.client.receive_data(pair.server.data_to_send())[-1] == TransportErrorReceived(-429)


def test_an_answer_asked_for_many_times_in_one_message_comes_once() -> None:
    pair = agreed_pair()
    exchange(pair)
    session = pair.state.sessions[pair.requests()[0].session]
    (answer_id,) = (m for m, r in session.answers._carried.items())
    sent = len(b"".join(pair.to_client))
    pair.client.session.queue(Outgoing(bytes(service.MsgResendReq(msg_ids=[answer_id] * 1000))))
    pair.run()
    assert len(b"".join(pair.to_client)) - sent < 1000
    sent = len(b"".join(pair.to_client))
    for _ in range(50):
        pair.client.session.queue(Outgoing(bytes(service.MsgResendReq(msg_ids=[answer_id]))))
    pair.run()
    assert len(b"".join(pair.to_client)) - sent < 1000


def test_too_many_open_requests_are_a_flood() -> None:
    pair = agreed_pair()
    key = AuthKey(seeded(7)(256))
    salts = pair.state.salts[key.key_id]
    session = ServerSession(key, 5, salts=salts, clock=pair.clock, rng=seeded(1), max_open_requests=2)
    now = int(pair.clock() * SECOND)
    events = [
        *session.receive(Envelope(1234567, 5, now + 4, 1, REQUEST)),
        *session.receive(Envelope(1234567, 5, now + 8, 3, REQUEST)),
    ]
    assert len(events) == 2
    with pytest.raises(RemoteProtocolError) as caught:
        list(session.receive(Envelope(1234567, 5, now + 12, 5, REQUEST)))
    assert (caught.value.check, caught.value.reply) == ("C23", -429)
    session.answer(now + 4, ANSWER)
    assert list(session.receive(Envelope(1234567, 5, now + 16, 7, REQUEST)))


def test_a_repeated_container_gets_its_answers_again() -> None:
    pair = agreed_pair()
    pair.client.send_request(REQUEST)
    pair.client.send_request(REQUEST)
    data = pair.client.data_to_send()
    pair.deliver_to_server(data)
    for request in pair.requests():
        pair.answer(request, ANSWER)
    assert pair.server.data_to_send()  # lost on the way
    pair.deliver_to_server(data.removeprefix(framing("intermediate", Side.CLIENT).prefix))
    pair.run()
    assert len(pair.requests()) == 2
    assert len(pair.answers()) == 2


def test_an_answer_that_was_dropped_is_not_given() -> None:
    pair = agreed_pair()
    number = pair.client.send_request(REQUEST)
    pair.run()
    (request,) = pair.requests()
    pair.client.send_request(bytes(service.RpcDropAnswer(req_msg_id=request.msg_id)))
    pair.run()
    told = bytes(service.RpcAnswerDroppedRunning())
    assert [e.body for e in pair.answers()] == [told, told], "the request itself, and the query"
    with pytest.raises(LocalProtocolError):
        pair.answer(request, ANSWER)
    assert {e.request_id for e in pair.answers()} == {number, number + 1}
    assert not pair.client.session.open_requests


def test_a_request_that_is_forgotten_before_it_is_sent_is_not_sent() -> None:
    pair = agreed_pair()
    number = pair.client.send_request(REQUEST)
    pair.client.session.forget(number)
    kept = pair.client.send_request(REQUEST)
    pair.run()
    assert len(pair.requests()) == 1
    assert pair.client.session.open_requests == (kept,)


def test_an_answer_that_is_too_long_is_refused_where_it_is_given() -> None:
    pair = agreed_pair()
    pair.client.send_request(REQUEST)
    pair.run()
    with pytest.raises(LocalProtocolError, match="a body of 4200000 bytes"):
        pair.answer(pair.requests()[0], bytes(4_200_000))


def test_an_answer_in_a_container_with_a_message_of_the_api() -> None:
    pair = agreed_pair()
    number = pair.client.send_request(REQUEST)
    pair.run()
    now = int(pair.clock() * SECOND) + 10**6 * 4
    req_msg_id = pair.requests()[0].msg_id
    container = pack_container(
        [
            Message(now + 1, 1, pack_rpc_result(req_msg_id, ANSWER)),
            Message(now + 3, 3, bytes.fromhex("11223344")),
        ]
    )
    pair.deliver_to_client(pair.forged(container, msg_id=now + 7))
    assert [e.request_id for e in pair.answers()] == [number]
    (message,) = (e for e in pair.client_events if isinstance(e, MessageReceived))
    assert message.body == bytes.fromhex("11223344")


def test_an_rpc_error_fails_its_request() -> None:
    pair = agreed_pair()
    number = exchange(
        pair, answer=bytes(service.RpcError(error_code=400, error_message="PHONE_NUMBER_INVALID"))
    )
    (failed,) = failures(pair)
    assert failed.request_id == number
    assert repr(failed.error) == "RpcError(code=400, message='PHONE_NUMBER_INVALID')"


def test_an_answer_to_nothing_is_dropped() -> None:
    pair = agreed_pair()
    number = pair.client.send_request(REQUEST)
    pair.run()
    pair.client.session.forget(number)
    pair.answer(pair.requests()[0], ANSWER)
    pair.run()
    assert not pair.answers()
    assert [e.check for e in dropped(pair, Side.CLIENT)] == ["C16"]


def test_ping_and_pong() -> None:
    pair = agreed_pair()
    pair.client.session.ping(77)
    pair.run()
    assert [e for e in pair.client_events if isinstance(e, PongReceived)] == [PongReceived(77)]


# Replays, reflections, damage


def test_a_replayed_request_is_executed_once_and_answered_again() -> None:
    pair = agreed_pair()
    exchange(pair)
    frame = pair.to_server[0].removeprefix(framing("intermediate", Side.CLIENT).prefix)
    pair.deliver_to_server(frame)
    assert len(pair.requests()) == 1
    pair.run()
    assert len(pair.answers()) == 1  # the client has it already, and says nothing twice
    assert pair.client.failure is None


def test_a_replayed_answer_is_dropped_and_changes_nothing() -> None:
    pair = agreed_pair()
    exchange(pair)
    salt = pair.client.session.server_salt
    for frame in list(pair.to_client):
        pair.deliver_to_client(frame)
    assert len(pair.answers()) == 1
    assert {e.check for e in dropped(pair, Side.CLIENT)} == {"C10"}
    assert pair.client.session.server_salt == salt


def test_a_reflected_message_ends_the_connection() -> None:
    pair = agreed_pair()
    pair.client.send_request(REQUEST)
    data = pair.client.data_to_send().removeprefix(framing("intermediate", Side.CLIENT).prefix)
    with pytest.raises(RemoteProtocolError) as caught:
        pair.client.receive_data(data)
    assert caught.value.check == "C3"
    assert pair.client.closed


@pytest.mark.parametrize(("check", "offset", "session_id"), [("C9", 0, None), ("C9", 2, None), ("C8", 1, 5)])
def test_messages_that_end_the_connection(check: str, offset: int, session_id: int | None) -> None:
    pair = agreed_pair()
    exchange(pair)
    data = pair.forged(
        bytes.fromhex("11223344"), msg_id=int(pair.clock() * SECOND) + 400 + offset, session_id=session_id
    )
    with pytest.raises(RemoteProtocolError) as caught:
        pair.client.receive_data(data)
    assert caught.value.check == check
    with pytest.raises(RemoteProtocolError):
        pair.client.receive_data(b"")
    with pytest.raises(LocalProtocolError):
        pair.client.send_request(REQUEST)


@pytest.mark.parametrize("age", [-301, 31])
def test_an_untimely_message_is_ignored(age: int) -> None:
    pair = agreed_pair()
    exchange(pair)
    pair.deliver_to_client(
        pair.forged(bytes.fromhex("11223344"), msg_id=int((pair.clock() + age) * SECOND) + 1)
    )
    assert [e.check for e in dropped(pair, Side.CLIENT)] == ["C11"]
    assert not any(isinstance(e, MessageReceived) for e in pair.client_events)


@pytest.mark.parametrize(("jump", "packed"), [(3600.0, False), (3600.0, True), (-3600.0, True)])
def test_a_clock_that_jumps_while_running_is_corrected(jump: float, packed: bool) -> None:
    pair = agreed_pair()
    exchange(pair)
    pair.skew = jump
    number = pair.client.send_request(REQUEST)
    if packed:
        data = pair.client.data_to_send()
        (wrong,) = (i for i in pair.client.session.requests._by_msg_id)
        code = 17 if jump > 0 else 16
        now = int(pair.clock() * SECOND) + 8 * 10**6
        notice = service.BadMsgNotification(bad_msg_id=wrong, bad_msg_seqno=3, error_code=code)
        inner = [Message(now + 1, 0, bytes(notice)), Message(now + 3, 1, bytes.fromhex("11223344"))]
        assert data
        pair.deliver_to_client(pair.forged(pack_container(inner), msg_id=now + 7))
    pair.run()
    pair.answer(pair.requests()[-1], ANSWER)
    pair.run()
    assert [e.request_id for e in pair.answers()[1:]] == [number]
    assert abs(pair.client.session.ids.now() - pair.clock()) < 1


def test_the_age_is_not_checked_while_the_time_is_unknown() -> None:
    pair = agreed_pair(known_time=False)
    pair.deliver_to_client(
        pair.forged(bytes.fromhex("11223344"), msg_id=int((pair.clock() - 5000) * SECOND) + 1)
    )
    assert any(isinstance(e, MessageReceived) for e in pair.client_events)


@pytest.mark.parametrize("skew", [-3600.0, 3600.0])
def test_a_wrong_clock_is_corrected_by_the_servers_notice(skew: float) -> None:
    pair = agreed_pair(skew=skew, known_time=False)
    number = exchange(pair)
    assert [e.request_id for e in pair.answers()] == [number]
    assert len(pair.requests()) == 1
    assert abs(pair.client.session.ids.now() - pair.clock()) < 1


def test_two_requests_under_a_clock_that_is_ahead_are_both_answered() -> None:
    pair = agreed_pair(skew=3600.0, known_time=False)
    for _ in range(2):
        pair.client.send_request(REQUEST)
        pair.deliver_to_server(pair.client.data_to_send())
    pair.run()
    for request in pair.requests():
        pair.answer(request, ANSWER)
    pair.run()
    assert len(pair.requests()) == len(pair.answers()) == 2
    assert not failures(pair)


def test_an_answer_in_the_session_that_was_left_still_counts() -> None:
    pair = agreed_pair()
    exchange(pair)
    first, second = pair.client.send_request(REQUEST), pair.client.send_request(REQUEST)
    pair.run()
    requests = pair.requests()[1:]
    session = pair.client.session
    left = session.session_id
    now = int(pair.clock() * SECOND) + 8 * 10**6
    notice = service.BadMsgNotification(bad_msg_id=requests[1].msg_id, bad_msg_seqno=1, error_code=32)
    pair.deliver_to_client(pair.forged(bytes(notice), msg_id=now + 1))
    assert session.session_id != left
    result = pack_rpc_result(requests[0].msg_id, ANSWER)
    pair.deliver_to_client(pair.forged(result, msg_id=now + 5, seq_no=1, session_id=left))
    assert [e.request_id for e in pair.answers()[1:]] == [first]
    assert session.open_requests == (second,)
    pair.deliver_to_client(pair.forged(bytes.fromhex("11223344"), msg_id=now + 9, session_id=left))
    assert [e.check for e in dropped(pair, Side.CLIENT)] == ["C8"]


def test_a_clock_that_the_key_exchange_has_corrected_needs_no_notice() -> None:
    pair = Pair(skew=-3600.0)
    pair.run()
    exchange(pair)
    assert len(pair.answers()) == 1
    assert not dropped(pair, Side.SERVER)


@settings(max_examples=60)
@given(st.data())
def test_any_flipped_bit_of_a_message_ends_the_connection(data: st.DataObject) -> None:
    side = data.draw(st.sampled_from(Side))
    pair = agreed_pair()
    pair.client.send_request(REQUEST)
    wire = pair.client.data_to_send()
    if side is Side.CLIENT:
        pair.deliver_to_server(wire)
        pair.answer(pair.requests()[0], ANSWER)
        wire = pair.server.data_to_send()
    header = 4 + (4 if side is Side.SERVER else 0)
    bit = data.draw(st.integers(header * 8, len(wire) * 8 - 1))
    damaged = bytearray(wire)
    damaged[bit // 8] ^= 1 << bit % 8
    receiver = pair.client if side is Side.CLIENT else pair.server
    with pytest.raises(RemoteProtocolError):
        receiver.receive_data(bytes(damaged))
    assert receiver.closed


@settings(max_examples=150)
@given(
    st.sampled_from(sorted(FRAMINGS)),
    st.lists(st.binary(max_size=80), max_size=5),
    st.booleans(),
    st.booleans(),
)
def test_any_bytes_give_events_or_a_remote_protocol_error(
    transport: str, pieces: list[bytes], framed: bool, ready: bool
) -> None:
    pair = agreed_pair(transport) if ready else Pair(transport)
    wire = framing(transport, Side.SERVER)
    client: ClientConnection | None = pair.client
    for piece in pieces:
        if framed:
            piece = wire.encode(piece + bytes(-len(piece) % 4 or 4))
        try:
            if client is not None:
                client.receive_data(piece)
        except RemoteProtocolError:
            assert pair.client.closed
            client = None
    server: ServerConnection | None = ServerConnection([TEST_KEY], pair.state)
    prefix = wire.prefix
    for piece in pieces:
        data = prefix + (
            framing(transport, Side.CLIENT).encode(piece + bytes(-len(piece) % 4 or 4)) if framed else piece
        )
        prefix = b""
        try:
            if server is not None:
                server.receive_data(data)
        except RemoteProtocolError:
            assert server is not None
            assert server.closed
            server = None


# Ends


@pytest.mark.parametrize("rounds", [0, 1, 2])
def test_a_server_that_closes_during_the_key_exchange(rounds: int) -> None:
    pair = Pair()
    for _ in range(rounds):
        pair.deliver_to_server(pair.client.data_to_send())
        pair.deliver_to_client(pair.server.data_to_send())
    pair.client.receive_eof()
    assert pair.client.closed
    with pytest.raises(LocalProtocolError):
        pair.client.send_request(REQUEST)


def test_the_end_of_the_stream_inside_a_frame_is_damage() -> None:
    pair = Pair()
    pair.deliver_to_server(pair.client.data_to_send())
    pair.client.receive_data(pair.server.data_to_send()[:-1])
    with pytest.raises(RemoteProtocolError):
        pair.client.receive_eof()


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"\xef\x01\x00\x00\x00\x00",
        b"\xee\xee\xee\xee\xff\xff\xff\x7f",
    ],
)
def test_garbage_at_the_server_ends_the_connection(garbage: bytes) -> None:
    server = ServerConnection([TEST_KEY], ServerState(clock=ManualClock(), rng=seeded(0)))
    with pytest.raises(RemoteProtocolError):
        server.receive_data(garbage)
    assert server.closed


def test_an_unknown_key_gets_404_and_nothing_else() -> None:
    pair = agreed_pair()
    pair.state.forget_key(AuthKey(seeded(7)(256)).key_id)
    pair.client.send_request(REQUEST)
    with pytest.raises(RemoteProtocolError) as caught:
        pair.deliver_to_server(pair.client.data_to_send())
    assert (caught.value.check, caught.value.reply) == ("S1", -404)
    out = pair.server.data_to_send()
    assert out == framing("intermediate", Side.SERVER).encode_code(-404)
    assert pair.client.receive_data(out) == [TransportErrorReceived(-404)]
    assert pair.client.closed


def test_every_refusal_of_a_message_looks_the_same() -> None:
    replies = set()
    for position in (8, 24, 40, -1):
        pair = agreed_pair()
        pair.client.send_request(REQUEST)
        wire = bytearray(pair.client.data_to_send())
        wire[position + (8 if position > 0 else 0)] ^= 1
        with pytest.raises(RemoteProtocolError):
            pair.server.receive_data(bytes(wire))
        replies.add(pair.server.data_to_send())
    assert replies == {framing("intermediate", Side.SERVER).encode_code(-404)}


def test_a_key_that_none_of_ours_is_ends_the_exchange() -> None:
    clock = ManualClock()
    server = ServerConnection([TEST_KEY], ServerState(clock=clock, rng=seeded(1)))
    from mtproto.crypto import PRODUCTION_KEYS

    client = ClientConnection(PRODUCTION_KEYS, clock=clock, rng=seeded(2))
    server.receive_data(client.data_to_send())
    with pytest.raises(HandshakeFailed) as caught:
        client.receive_data(server.data_to_send())
    assert caught.value.check == "H3"


def test_a_flood_of_fingerprints_is_refused_before_it_is_read() -> None:
    pair = Pair()
    pair.client.data_to_send()
    answer = service.ResPQ(
        nonce=bytes(16), server_nonce=bytes(16), pq=b"\x15", server_public_key_fingerprints=[1] * 500_000
    )
    wire = framing("intermediate", Side.SERVER).encode(encode_plain(PlainMessage(1, bytes(answer))))
    started = time.process_time()
    with pytest.raises(HandshakeFailed) as caught:
        pair.client.receive_data(wire)
    assert caught.value.check == "H13"
    assert time.process_time() - started < 0.1


def test_what_came_before_the_damage_is_not_lost() -> None:
    pair = agreed_pair()
    pair.client.send_request(REQUEST)
    pair.run()
    pair.answer(pair.requests()[0], ANSWER)
    good = pair.server.data_to_send()
    pair.client_events += pair.client.receive_data(good + b"\x00\x00\x00\x00")
    assert len(pair.answers()) == 1
    assert pair.client.failure is not None
    with pytest.raises(RemoteProtocolError):
        pair.client.receive_data(b"")


# A session is not a connection


def test_an_answer_given_after_a_reconnect_goes_out_in_the_new_connection() -> None:
    pair = agreed_pair()
    pair.client.send_request(REQUEST)
    pair.run()
    pair.server.abandon()
    second = ServerConnection([TEST_KEY], pair.state)
    pair.server.answer(pair.requests()[0].session, pair.requests()[0].msg_id, ANSWER)
    assert pair.server.data_to_send() == b""
    pair.client.session.ping(1)
    prefix = framing("intermediate", Side.CLIENT).prefix
    second.receive_data(prefix + pair.client.data_to_send())
    pair.client_events += pair.client.receive_data(second.data_to_send())
    assert [e.body for e in pair.answers()] == [ANSWER]


def test_a_key_and_its_salt_outlive_the_connection() -> None:
    pair = Pair()
    pair.run()
    (agreed,) = (e for e in pair.client_events if isinstance(e, KeyAgreed))
    again = Pair(auth_key=agreed.auth_key, server_salt=agreed.server_salt, time_offset=0.0, seed=40)
    again.server = ServerConnection([TEST_KEY], pair.state)
    exchange(again)
    assert len(again.answers()) == 1
    assert not dropped(again, Side.SERVER)


# Acknowledgements


def test_sixteen_answers_are_acknowledged_at_once_and_fewer_after_a_while() -> None:
    pair = agreed_pair()
    for _ in range(3):
        exchange(pair)
    session = pair.state.sessions[pair.requests()[0].session]
    assert session.answers
    assert pair.client.next_timer() is not None
    pair.clock.advance(2)
    pair.client.handle_timer()
    pair.run()
    assert not session.answers
    assert pair.client.next_timer() == pair.clock() + 58, "the salts to come are asked for after a minute"


def test_every_content_related_message_of_the_server_is_acknowledged() -> None:
    pair = agreed_pair()
    for _ in range(20):
        exchange(pair)
    pair.clock.advance(2)
    pair.run()
    session = pair.state.sessions[pair.requests()[0].session]
    assert not session.answers
    assert not pair.client.session.acks


# Misuse


@pytest.mark.parametrize("body", [b"", b"123", bytes(MAX_BODY + 4), bytes(service.MsgContainer(messages=[]))])
def test_a_body_that_no_request_can_have_is_refused(body: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        agreed_pair().client.send_request(body)


def test_requests_need_a_key() -> None:
    with pytest.raises(LocalProtocolError):
        Pair().client.send_request(REQUEST)
    with pytest.raises(LocalProtocolError):
        ClientConnection([])


def test_an_answer_can_be_given_once() -> None:
    pair = agreed_pair()
    exchange(pair)
    with pytest.raises(LocalProtocolError):
        pair.answer(pair.requests()[0], ANSWER)


def test_the_largest_body_fits() -> None:
    pair = agreed_pair()
    exchange(pair, request=REQUEST[:4] + bytes(MAX_BODY - 4))
    assert len(pair.requests()[0].body) == MAX_BODY
