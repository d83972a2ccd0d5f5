"""Messages that somebody has recorded, and sends once more in another connection: nothing comes of that (S7, S8).

That is easy with messages that a server has refused, and so does not know: each first one with a wrong salt.
"""

from __future__ import annotations

import pytest

from mtproto import api, service
from mtproto.connection import ServerState
from mtproto.connection.state import MAX_SESSIONS_PER_KEY
from mtproto.crypto.auth_key import AuthKey
from mtproto.events import MessageDropped, RequestReceived
from mtproto.message import constructor_id
from tests.mtproto.desk import SALT, Hand
from tests.mtproto.helpers import ManualClock, seeded

REQUEST = bytes(api.help.GetConfig())
UPDATE = bytes(api.UserEmpty(id=1))
KEY = AuthKey(seeded(7)(256))


def known(clock: ManualClock) -> ServerState:
    state = ServerState(clock=clock, rng=seeded(1))
    state.add_key(KEY, SALT)
    return state


def names(hand: Hand) -> list[str]:
    """What the server has sent since the last time."""
    return [service.decode(message.body).TL_NAME for message in hand.received()]


@pytest.mark.parametrize(("later", "word"), [(0, "bad_server_salt"), (400, "bad_msg_notification")])
def test_who_sends_what_was_refused_does_not_get_the_session(later: int, word: str) -> None:
    clock = ManualClock()
    state = known(clock)
    client, other = Hand(state, KEY), Hand(state, KEY)
    msg_id = client.next_id()
    client.send(REQUEST, msg_id, salt=0)
    client.send(REQUEST)
    client.received()
    clock.now += later

    other.send(REQUEST, msg_id, salt=0)
    state.notify(client.session, UPDATE)
    assert names(other) == [word]
    assert UPDATE in [message.body for message in client.received()]


def test_what_is_refused_in_a_new_connection_is_said_to_be_there() -> None:
    state = known(ManualClock())
    before, now = Hand(state, KEY), Hand(state, KEY)
    before.send(REQUEST)
    before.received()
    now._count = before._count
    now.send(REQUEST, salt=0)
    assert names(now) == ["bad_server_salt"]
    now.send(REQUEST)
    state.notify(now.session, UPDATE)
    assert UPDATE in [message.body for message in now.received()]
    assert before.received() == []


def test_recorded_messages_of_old_sessions_push_out_no_other() -> None:
    state = known(ManualClock())
    client = Hand(state, KEY, session_id=-1)
    msg_id = client.next_id()
    assert any(isinstance(event, RequestReceived) for event in client.send(REQUEST, msg_id))
    for number in range(MAX_SESSIONS_PER_KEY):
        Hand(state, KEY, session_id=number).send(REQUEST, salt=0)
    assert list(state.sessions) == [client.session]
    (event,) = Hand(state, KEY, session_id=-1).send(REQUEST, msg_id)
    assert isinstance(event, MessageDropped)
    assert event.check == "S7"


def test_a_session_begins_with_the_first_message_that_is_taken() -> None:
    state = known(ManualClock())
    client = Hand(state, KEY)
    client.send(REQUEST, salt=0)
    (refusal,) = client.received()
    client.send(REQUEST)
    state.answer(client.session, *next((m, bytes(4)) for m in state.sessions[client.session].open_requests))
    later = client.received()
    assert constructor_id(later[0].body) == service.NewSessionCreated.CONSTRUCTOR_ID
    assert refusal.msg_id < min(message.msg_id for message in later)


def test_sessions_that_have_not_begun_are_few_and_go_with_their_key() -> None:
    state = known(ManualClock())
    for number in range(1100):
        Hand(state, KEY, session_id=number).send(REQUEST, salt=0)
    assert len(state._strangers) == 1000
    state.forget_key(KEY.key_id)
    assert not state._strangers
