"""Requests that follow others (invokeAfterMsg): the reference is right, also where those were sent again."""

from __future__ import annotations

import pytest

import tl
from mtproto import api, service
from mtproto.errors import RpcError
from mtproto.message import Message, constructor_id, pack_rpc_result
from mtproto.session.client_sending import MAX_RESENDS
from tests.mtproto.pair import Pair, agreed_pair

FIRST, SECOND, THIRD = (
    bytes(api.auth.SendCode(phone_number=n, api_id=1, api_hash="", settings=api.CodeSettings()))
    for n in "123"
)
WAIT_FAILED = bytes(service.RpcError(error_code=400, error_message="MSG_WAIT_FAILED"))


def follows(message: Message) -> tuple[list[int], bytes]:
    """The msg_ids that a request is to follow, and the request; by hand."""
    if constructor_id(message.body) == 0xCB9F372D:
        return [int.from_bytes(message.body[4:12], "little")], message.body[12:]
    if constructor_id(message.body) == 0x3DC4B4F0:
        assert message.body[4:8].hex() == "15c4b51c"
        count = int.from_bytes(message.body[8:12], "little")
        ids = [int.from_bytes(message.body[12 + 8 * i : 20 + 8 * i], "little") for i in range(count)]
        return ids, message.body[12 + 8 * count :]
    return [], message.body


def requests_of(pair: Pair) -> list[Message]:
    return [m for m in pair.heard() if m.seq_no & 1 and constructor_id(m.body) not in (0x7ABE77EC,)]


def result(request: Message, answer: tl.TLObject | bytes) -> bytes:
    return pack_rpc_result(request.msg_id, bytes(answer))


def refused_for_its_salt(request: Message) -> bytes:
    numbers = {"bad_msg_id": request.msg_id, "bad_msg_seqno": request.seq_no}
    return bytes(service.BadServerSalt(**numbers, error_code=48, new_server_salt=5))


def test_the_schema_agrees() -> None:
    pair = agreed_pair()
    one = pair.client.send_request(FIRST)
    pair.client.send_request(SECOND, after=[one])
    first, second = requests_of(pair)
    read = api.decode(second.body)
    assert isinstance(read, api.InvokeAfterMsg)
    assert (read.msg_id, bytes(read.query)) == (first.msg_id, SECOND)


def test_requests_name_the_messages_that_they_follow() -> None:
    pair = agreed_pair()
    one = pair.client.send_request(FIRST)
    two = pair.client.send_request(SECOND, after=[one])
    pair.client.send_request(THIRD, after=[two, one, two])
    first, second, third = requests_of(pair)
    assert follows(first) == ([], FIRST)
    assert follows(second) == ([first.msg_id], SECOND)
    assert follows(third) == ([second.msg_id, first.msg_id], THIRD)


def test_what_was_answered_need_not_be_followed() -> None:
    pair = agreed_pair()
    one = pair.client.send_request(FIRST)
    (first,) = requests_of(pair)
    pair.say(result(first, api.BoolTrue()))
    pair.client.send_request(SECOND, after=[one, 12345])
    assert [follows(m) for m in requests_of(pair)] == [([], SECOND)]


def test_both_refused_together_are_sent_again_in_order() -> None:
    pair = agreed_pair()
    one = pair.client.send_request(FIRST)
    pair.client.send_request(SECOND, after=[one])
    old = requests_of(pair)
    pair.say(*(refused_for_its_salt(m) for m in reversed(old)))
    first, second = requests_of(pair)
    assert {first.msg_id, second.msg_id}.isdisjoint(m.msg_id for m in old)
    assert follows(first) == ([], FIRST)
    assert follows(second) == ([first.msg_id], SECOND)


def test_what_followed_a_message_that_was_never_taken_is_sent_again_when_it_fails() -> None:
    pair = agreed_pair()
    one = pair.client.send_request(FIRST)
    (old,) = requests_of(pair)
    pair.client.send_request(SECOND, after=[one])
    (follower,) = requests_of(pair)
    pair.say(refused_for_its_salt(old))
    (first,) = requests_of(pair)
    pair.say(result(follower, WAIT_FAILED))
    (again,) = requests_of(pair)
    assert follows(again) == ([first.msg_id], SECOND)
    pair.say(result(first, api.BoolTrue()), result(again, api.BoolFalse()))
    assert [e.body for e in pair.answers()] == [bytes(api.BoolTrue()), bytes(api.BoolFalse())]


def test_a_wait_that_failed_for_its_own_reasons_is_an_error() -> None:
    pair = agreed_pair()
    one = pair.client.send_request(FIRST)
    two = pair.client.send_request(SECOND, after=[one])
    _, follower = requests_of(pair)
    pair.say(result(follower, WAIT_FAILED))
    (failed,) = pair.failures()
    assert failed.request_id == two
    assert isinstance(failed.error, RpcError)


def test_such_resends_are_bounded() -> None:
    pair = agreed_pair()
    one = pair.client.send_request(FIRST)
    (old,) = requests_of(pair)
    two = pair.client.send_request(SECOND, after=[one])
    (follower,) = requests_of(pair)
    for _ in range(MAX_RESENDS + 1):
        pair.say(refused_for_its_salt(old))
        (old, *_) = requests_of(pair) or [old]
        pair.say(result(follower, WAIT_FAILED))
        (follower, *_) = requests_of(pair) or [follower]
    assert {e.request_id for e in pair.failures()} == {one, two}
    assert not pair.client.session.open_requests


def test_a_failed_wait_of_one_that_is_to_be_sent_again_does_not_send_it_twice() -> None:
    pair = agreed_pair()
    one = pair.client.send_request(FIRST)
    (old,) = requests_of(pair)
    pair.client.send_request(SECOND, after=[one], at_least_once=True)
    (follower,) = requests_of(pair)
    pair.say(
        refused_for_its_salt(old),
        service.NewSessionCreated(first_msg_id=2**63 - 1, unique_id=1, server_salt=5),
        result(follower, WAIT_FAILED),
    )
    assert [follows(m)[1] for m in requests_of(pair)] == [FIRST, SECOND]


@pytest.mark.parametrize("answered", [True, False])
def test_a_request_waits_for_one_of_a_session_that_was_left(answered: bool) -> None:
    """invokeAfterMsg names messages of its own session: another one's has to be answered first, or given up."""
    pair = agreed_pair()
    one = pair.client.send_request(FIRST)
    (first,) = requests_of(pair)
    left = pair.client.session.session_id
    pair.client.session.begin_again()
    pair.client.send_request(SECOND, after=[one])
    assert requests_of(pair) == []
    if answered:
        pair.deliver_to_client(
            pair.forged(result(first, api.BoolTrue()), msg_id=first.msg_id + 1, session_id=left)
        )
    else:
        pair.client.session.forget(one)
    assert [follows(m) for m in requests_of(pair)] == [([], SECOND)]
