"""Whatever grows in a session is bounded, however long it lives and whatever the other side does (C23)."""

from __future__ import annotations

import pytest

from mtproto import api, service
from mtproto.acks import MAX_ACKS, MAX_OWED, OwedAcks
from mtproto.connection import ServerState
from mtproto.crypto.auth_key import AuthKey
from mtproto.errors import FateUnknown, LocalProtocolError
from mtproto.message import Message, constructor_id
from mtproto.salts import MAX_FUTURE_SALTS, KnownSalts, Salt
from mtproto.session import client_sending as client_module
from mtproto.session.answers import MAX_KEPT_ANSWERS, MAX_KEPT_BYTES, Answers
from mtproto.session.client_sending import MAX_RESENDS
from mtproto.session.sent import MAX_KEPT, SentMessages
from mtproto.session.server_sending import MAX_QUEUED
from tests.mtproto.helpers import ManualClock, seeded
from tests.mtproto.pair import agreed_pair

REQUEST = bytes(api.help.GetConfig())
ANSWER = bytes(api.BoolTrue())
SECOND = 2**32


def test_a_client_may_live_long() -> None:
    """Five thousand requests and answers, some asked after, and what is remembered of them."""
    pair = agreed_pair()
    for number in range(50):
        for _ in range(100):
            pair.client.send_request(REQUEST)
        pair.run()
        for request in pair.requests():
            pair.answer(request, ANSWER)
        pair.server_events.clear()
        pair.run()
        pair.client.ping(number)
        pair.pass_time(20)
    session = pair.client.session
    assert len(pair.answers()) == 5000
    assert len(session.requests) == len(session.requests._by_msg_id) == 0
    assert session.requests._first_question() is None
    assert len(session.requests._questions) <= 1
    assert len(session.sent._overdue) <= 2 * MAX_KEPT
    assert len(session.sent._kept) == session.sent._kept_bytes == 0
    assert len(session.window) <= 1000
    assert len(session.queries) <= 100
    assert not session.acks
    assert not session._queue
    (server,) = pair.state.sessions.values()
    assert len(server.sent._overdue) <= 2 * MAX_KEPT
    assert not server.sent._kept
    assert not server.answers
    assert len(server.answers._carried) <= 2 * MAX_KEPT_ANSWERS
    assert not server.answers._waiting
    assert not server.open_requests
    assert len(server.window) <= 1000
    assert len(server._containers) <= 1000
    assert not server._queue


def test_messages_kept_for_who_acknowledges_nothing() -> None:
    sent = SentMessages(max_known=50)
    for number in range(5000):
        sent.add(Message(4 * number, 1, bytes(8)), float(number))
        sent.add_container(4 * number + 2, [Message(4 * number, 1, b"")])
    assert len(sent._kept) == MAX_KEPT
    assert len(sent._known) == len(sent._containers) == 50
    assert len(sent._overdue) <= 2 * MAX_KEPT
    assert [m.msg_id for m in sent.unacknowledged()] == [4 * n for n in range(5000 - MAX_KEPT, 5000)]
    assert sent.oldest() == 5000 - MAX_KEPT
    first = sent.take_overdue(5000 - MAX_KEPT)
    assert [m.msg_id for m in first] == [4 * (5000 - MAX_KEPT)]
    for number in range(5000, 5000 + 3 * MAX_KEPT):
        sent.add(Message(4 * number, 1, bytes(8)), float(number))
        sent.acknowledge(4 * number)
    assert len(sent._overdue) <= 2 * MAX_KEPT
    assert first[0] not in sent.take_overdue(1e9), "once for each time that it is sent"


def test_bytes_kept_for_who_acknowledges_nothing() -> None:
    sent, answers = SentMessages(), Answers()
    for number in range(40):
        sent.add(Message(number, 1, bytes(1 << 20)), 0.0)
        answers.keep(number, bytes(1 << 20))
    assert sent._kept_bytes <= MAX_KEPT_BYTES
    assert len(sent._kept) == len(answers) == 16


def test_answers_kept_for_who_acknowledges_nothing() -> None:
    answers = Answers()
    for number in range(5000):
        answers.keep(number, b"")
        answers.wait(number)
        answers.was_sent(number, number)
    assert len(answers) == MAX_KEPT_ANSWERS
    assert len(answers._carried) == 2 * MAX_KEPT_ANSWERS
    assert not answers._waiting


def test_acknowledgements_that_can_not_be_sent() -> None:
    acks = OwedAcks()
    for number in range(MAX_OWED + 10):
        acks.add(number, 0.0)
    assert len(acks) == MAX_OWED
    assert acks.take(0.0) == list(range(10, 10 + MAX_ACKS))


def test_salts_that_are_too_many() -> None:
    many = [Salt(1800 * n, 1800 * n + 3600, n) for n in range(1000)]
    told = KnownSalts(1, now=0)
    told.learn(reversed(many))
    assert told.timetable == KnownSalts(1, many, now=0).timetable == tuple(many[:MAX_FUTURE_SALTS])


def test_requests_that_are_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "MAX_OPEN_REQUESTS", 3)
    pair = agreed_pair()
    for _ in range(3):
        pair.client.send_request(REQUEST)
    with pytest.raises(LocalProtocolError, match="while 3 are open, expected at most 3"):
        pair.client.send_request(REQUEST)
    pair.run()
    pair.answer(pair.requests()[0], ANSWER)
    pair.run()
    pair.client.send_request(REQUEST)


def test_queries_that_are_open() -> None:
    pair = agreed_pair()
    for number in range(500):
        pair.client.ping(number)
    assert len(pair.heard()) >= 500
    assert len(pair.client.session.queries) == 100


def test_updates_for_who_does_not_come() -> None:
    pair = agreed_pair()
    pair.client.ping(1)
    pair.run()
    (session,) = pair.state.sessions.values()
    pair.server.abandon()
    for _ in range(MAX_QUEUED):
        pair.state.notify(session.id, REQUEST)
    with pytest.raises(LocalProtocolError, match="while 10000 wait to be sent, expected at most 10000"):
        pair.state.notify(session.id, REQUEST)


def test_sessions_that_were_left() -> None:
    pair = agreed_pair()
    for _ in range(30):
        number = pair.client.send_request(REQUEST)
        (message,) = pair.heard()
        pair.say(
            service.BadMsgNotification(bad_msg_id=message.msg_id, bad_msg_seqno=message.seq_no, error_code=32)
        )
        pair.client.session.forget(number)
    assert len(pair.client.session._left_sessions) == 10


def test_states_of_one_message_asked_for_again_and_again() -> None:
    """What is to be sent again waits once."""
    pair = agreed_pair()
    pair.client.send_request(REQUEST)
    (message,) = pair.heard()
    for _ in range(50):
        pair.say(service.MsgResendReq(msg_ids=[message.msg_id] * 10))
    assert len(pair.client.session._queue) == len(pair.client.session._repeated) == 1


def test_keys_and_sessions_of_a_server() -> None:
    state = ServerState(
        clock=ManualClock(), rng=seeded(1), max_keys=3, max_sessions=5, max_sessions_per_key=4
    )
    keys = [AuthKey(seeded(number)(256)) for number in range(10)]
    for key in keys:
        state.add_key(key, 1)
    assert list(state.keys) == list(state.salts) == [key.key_id for key in keys[-3:]]
    for number in range(20):
        state.session(keys[-1], number)
        assert len(state.sessions) <= 4
    for number in range(20):
        state.session(keys[-2], number)
        assert len(state.sessions) <= 5
    for key in keys[-2:]:
        state.forget_key(key.key_id)
    assert not state.sessions
    assert not state._sessions_of


# What is sent again


def test_a_request_that_the_server_says_again_and_again_not_to_have() -> None:
    pair = agreed_pair()
    pair.client.send_request(REQUEST)
    (message,) = pair.heard()
    for _ in range(MAX_RESENDS):
        pair.say(service.MsgsAllInfo(msg_ids=[message.msg_id], info=b"\x02"))
        assert pair.heard() == [message]
    pair.say(service.MsgsAllInfo(msg_ids=[message.msg_id], info=b"\x02"))
    assert pair.heard() == []
    (failed,) = pair.failures()
    assert isinstance(failed.error, FateUnknown)


def test_a_query_that_is_refused_again_and_again() -> None:
    pair = agreed_pair()
    pair.client.ping(1)
    for _ in range(MAX_RESENDS + 1):
        (ping,) = pair.heard()
        pair.say(service.BadMsgNotification(bad_msg_id=ping.msg_id, bad_msg_seqno=0, error_code=48))
    assert pair.heard() == []
    assert not pair.client.session.queries


def test_a_request_that_never_arrives() -> None:
    """The server says again and again that it has not received it; so does it go out again, but not for ever."""
    pair = agreed_pair()
    number = pair.client.send_request(REQUEST)
    sent = len(pair.heard())
    while not pair.failures():
        pair.clock.advance(15)
        pair.client.handle_timer()
        for message in pair.heard():
            if constructor_id(message.body) == service.MsgsStateReq.CONSTRUCTOR_ID:
                pair.say(service.MsgsStateInfo(req_msg_id=message.msg_id, info=b"\x02"))
        sent += sum(message.body == REQUEST for message in pair.heard())
        assert sent <= MAX_RESENDS + 1
    (failed,) = pair.failures()
    assert failed.request_id == number
    assert isinstance(failed.error, FateUnknown)
