"""A client that goes on in a new session: nothing of the old one is mistaken for the new one's, or done twice."""

from __future__ import annotations

import pytest

import tl
from mtproto import api, service
from mtproto.errors import FateUnknown, RemoteProtocolError
from mtproto.message import Message, constructor_id, pack_rpc_result
from tests.mtproto.pair import Pair, agreed_pair

REQUEST = bytes(api.help.GetConfig())
ANSWER = bytes(api.BoolTrue())


def bad(message: Message, code: int) -> tl.TLObject:
    return service.BadMsgNotification(
        bad_msg_id=message.msg_id, bad_msg_seqno=message.seq_no, error_code=code
    )


def left(at_least_once: bool = False) -> tuple[Pair, Message, int]:
    """A pair, a request that is open in a session that the client has left, and that session."""
    pair = agreed_pair()
    session_id = pair.client.session.session_id
    pair.client.send_request(REQUEST, at_least_once=at_least_once)
    (request,) = pair.heard()
    pair.client.ping(1)
    (ping,) = pair.heard()
    pair.say(bad(ping, 32))
    assert pair.client.session.session_id != session_id
    pair.client.ping(2)
    pair.heard()
    return pair, request, session_id


def test_no_msg_id_is_used_again() -> None:
    """Also where the clock has not moved on: what is said of a msg_id is said of one message."""
    pair = agreed_pair()
    for _ in range(4):
        pair.client.send_request(REQUEST)
    old = pair.heard()
    pair.client.ping(1)
    (ping,) = pair.heard()
    pair.say(bad(ping, 32))
    number = pair.client.send_request(REQUEST)
    new = pair.heard()
    assert {m.msg_id for m in (*old, ping)}.isdisjoint(m.msg_id for m in new)
    (request,) = (m for m in new if m.body == REQUEST)
    pair.say(pack_rpc_result(request.msg_id, ANSWER))
    assert [e.request_id for e in pair.answers()] == [number]


def test_neither_is_it_by_a_container() -> None:
    pair = agreed_pair()
    pair.clock.advance(2**-22)  # 256 msg_ids
    pair.client.send_request(REQUEST)
    (request,) = pair.heard()
    pair.client.ping(1)
    (ping,) = pair.heard()
    pair.say(bad(ping, 32))
    pair.clock.advance(-(2**-22))
    for _ in range(253):  # in three containers, the third of which would have the msg_id of the request
        pair.client.send_request(REQUEST)
    pair.heard()
    assert pair.client.session.sent.parts(request.msg_id) == (request.msg_id,)


@pytest.mark.parametrize("at_least_once", [False, True])
def test_a_late_word_that_a_message_is_too_old_says_nothing_of_its_fate(at_least_once: bool) -> None:
    pair, request, session_id = left(at_least_once)
    pair.deliver_to_client(
        pair.forged(bytes(bad(request, 20)), msg_id=request.msg_id + 1, session_id=session_id)
    )
    if at_least_once:
        assert REQUEST in [m.body for m in pair.heard()]
        assert not pair.failures()
    else:
        assert isinstance(pair.failures()[0].error, FateUnknown)
        assert not pair.heard()


def test_what_was_not_taken_in_the_old_session_is_sent_in_the_new_one() -> None:
    pair, request, session_id = left()
    pair.deliver_to_client(
        pair.forged(bytes(bad(request, 48)), msg_id=request.msg_id + 1, session_id=session_id)
    )
    assert REQUEST in [m.body for m in pair.heard()]


def test_messages_of_the_old_session_are_not_sent_again_in_the_new_one() -> None:
    pair, request, _ = left()
    pair.say(service.MsgResendReq(msg_ids=[request.msg_id]))
    (states,) = pair.heard()
    assert constructor_id(states.body) == service.MsgsStateInfo.CONSTRUCTOR_ID


def test_neither_are_those_that_wait_for_that() -> None:
    pair = agreed_pair()
    pair.client.send_request(REQUEST)
    (request,) = pair.heard()
    pair.client.ping(1)
    (ping,) = pair.heard()
    pair.say(service.MsgResendReq(msg_ids=[request.msg_id]), bad(ping, 32))
    assert [constructor_id(m.body) for m in pair.heard()] == [service.Ping.CONSTRUCTOR_ID]


def test_nor_when_the_server_says_that_it_has_not_received_them() -> None:
    pair, request, _ = left()
    pair.say(service.MsgsAllInfo(msg_ids=[request.msg_id], info=b"\2"))
    assert not pair.heard()
    assert len(pair.client.session.open_requests) == 1


def test_messages_ignored_before_the_connection_broke_do_not_count_in_the_next() -> None:
    pair = agreed_pair()
    old = int((pair.clock() - 400) * 2**32) | 1
    for i in range(9):
        pair.say(api.BoolTrue(), msg_id=old + 4 * i)
    with pytest.raises(RemoteProtocolError, match="10 messages in a row"):
        pair.say(api.BoolTrue(), msg_id=old)
    pair.client = pair.client.successor()
    pair.say(api.BoolTrue(), msg_id=old)
    assert not pair.client.closed
