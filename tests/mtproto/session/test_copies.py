"""What comes twice is taken once, and acknowledged or answered each time: what was said before may be lost."""

from __future__ import annotations

import pytest

from mtproto import api, service
from mtproto.events import MessageReceived
from mtproto.message import Message, constructor_id, pack_container, unpack_container
from mtproto.side import Side
from tests.mtproto.pair import Pair, agreed_pair, frames_of

REQUEST = bytes(api.help.GetConfig())
UPDATE = bytes.fromhex("11223344")


def begun() -> Pair:
    """A pair that has spoken, and owes nothing."""
    pair = agreed_pair()
    pair.client.ping(1)
    pair.run()
    pair.pass_time(2)
    return pair


def said_by_server(pair: Pair) -> list[Message]:
    """What the server sends, which gets lost: containers taken apart."""
    messages: list[Message] = []
    for payload in frames_of(pair.server.data_to_send(), "intermediate", Side.CLIENT):
        envelope = pair.client.session.cipher.open(payload)
        is_packed = constructor_id(envelope.body) == service.MsgContainer.CONSTRUCTOR_ID
        whole = Message(envelope.msg_id, envelope.seq_no, envelope.body)
        messages += unpack_container(envelope.body, envelope.msg_id) if is_packed else [whole]
    return messages


@pytest.mark.parametrize("packed", [False, True])
def test_a_copy_of_a_request_that_is_being_executed_is_acknowledged_again(packed: bool) -> None:
    pair = begun()
    for _ in range(2 if packed else 1):
        pair.client.send_request(REQUEST)
    sent = pair.client.data_to_send()
    for _ in range(3):
        pair.deliver_to_server(sent)
        pair.clock.advance(2)
        pair.server.handle_timer()
        acks = [m for m in said_by_server(pair) if constructor_id(m.body) == service.MsgsAck.CONSTRUCTOR_ID]
        acknowledged = [msg_id for m in acks for msg_id in service.decode(m.body, service.MsgsAck).msg_ids]
        assert acknowledged == [request.msg_id for request in pair.requests()]
    assert len(pair.requests()) == (2 if packed else 1)


def test_a_copy_of_a_request_is_answered_again_until_the_answer_is_acknowledged() -> None:
    pair = begun()
    pair.client.send_request(REQUEST)
    sent = pair.client.data_to_send()
    pair.deliver_to_server(sent)
    (request,) = pair.requests()
    pair.answer(request, UPDATE)
    first = [m.body for m in said_by_server(pair) if m.body.endswith(UPDATE)]
    pair.deliver_to_server(sent)
    again = pair.server.data_to_send()
    pair.deliver_to_client(again)
    assert len(first) == len(pair.answers()) == 1
    pair.pass_time(2)  # acknowledged
    pair.deliver_to_server(sent)
    pair.clock.advance(2)
    pair.server.handle_timer()
    (told,) = [service.decode(m.body) for m in said_by_server(pair)]
    assert told == service.MsgsAck(msg_ids=[request.msg_id])
    assert len(pair.requests()) == 1


def test_what_a_container_brought_is_acknowledged_again_when_it_comes_again() -> None:
    pair = begun()
    now = int(pair.clock() * 2**32) + 4 * 10**6 + 1
    body = pack_container([Message(now, 3, UPDATE), Message(now + 4, 5, UPDATE)])
    for _ in range(2):
        pair.say(body, msg_id=now + 8, seq_no=6)
        pair.clock.advance(2)
        pair.client.handle_timer()
        (told,) = [service.decode(m.body) for m in pair.heard()]
        assert told == service.MsgsAck(msg_ids=[now, now + 4])
    assert sum(isinstance(event, MessageReceived) for event in pair.client_events) == 2
    assert [event.check for event in pair.dropped(Side.CLIENT)] == ["C10"]
