"""Connections that go on where others have ended, under temporary keys: with which key, session and requests."""

from __future__ import annotations

import pytest

from mtproto import api
from mtproto.connection import ClientConnection, Deadlines, ServerConnection, ServerState
from mtproto.errors import LocalProtocolError, RequestLost
from mtproto.events import (
    AnswerReceived,
    ClientEvent,
    KeyAgreed,
    RequestFailed,
    RequestReceived,
    TransportErrorReceived,
)
from tests.mtproto.helpers import TEST_KEY, ManualClock, seeded
from tests.mtproto.pair import agreed_pair

LIFE = 3600
REQUEST, ANSWER = bytes(api.help.GetConfig()), bytes(api.BoolTrue())


class Pair:
    """Client and server in memory; the server binds keys, and answers all that it is asked unless told not to."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.state = ServerState(clock=self.clock, rng=seeded(1))
        self.client = ClientConnection(
            [TEST_KEY.public], temp_key_lifetime=LIFE, clock=self.clock, rng=seeded(2)
        )
        self.events: list[ClientEvent] = []
        self.asked: list[RequestReceived] = []
        self.answers = True
        self.connect()

    def connect(self) -> None:
        self.server = ServerConnection([TEST_KEY], self.state, deadlines=Deadlines(None, None, None))
        self.run()

    def run(self) -> None:
        while out := self.client.data_to_send():
            for event in self.server.receive_data(out):
                if isinstance(event, RequestReceived):
                    self.receive(event)
            self.events += self.client.receive_data(self.server.data_to_send())
        if not self.client.closed:
            self.events += self.client.handle_timer()

    def receive(self, event: RequestReceived) -> None:
        request = api.decode(event.body)
        if isinstance(request, api.auth.BindTempAuthKey):
            self.state.bind_temp_key(event.session, event.msg_id, request)
        else:
            self.asked.append(event)
            if not self.answers:
                return
        self.server.answer(event.session, event.msg_id, ANSWER)

    def reconnect(self) -> None:
        self.client.abandon()
        self.server.abandon()
        self.client = self.client.successor()
        self.connect()

    def lose_key(self) -> None:
        """The server forgets the temporary key, and says so when it is used."""
        (key,) = (k.temp_auth_key for k in self.agreed()[-1:])
        assert key is not None
        self.state.forget_key(key.key_id)

    def agreed(self) -> list[KeyAgreed]:
        return [e for e in self.events if isinstance(e, KeyAgreed)]

    def answered(self) -> list[int]:
        return [e.request_id for e in self.events if isinstance(e, AnswerReceived)]

    def failed(self) -> list[RequestFailed]:
        return [e for e in self.events if isinstance(e, RequestFailed)]


def test_a_temporary_key_and_its_session_outlive_the_connection() -> None:
    pair = Pair()
    session = pair.client.session
    lost = session.send(REQUEST)
    pair.client.data_to_send()
    pair.reconnect()
    assert pair.client.session is session
    assert len(pair.agreed()) == 1
    assert pair.answered() == [lost]


def test_a_binding_that_was_cut_off_begins_anew() -> None:
    for rounds in range(8):
        pair = Pair.__new__(Pair)
        pair.clock, pair.events, pair.asked, pair.answers = ManualClock(), [], [], True
        pair.state = ServerState(clock=pair.clock, rng=seeded(1))
        pair.client = ClientConnection(
            [TEST_KEY.public], temp_key_lifetime=LIFE, clock=pair.clock, rng=seeded(2)
        )
        pair.server = ServerConnection([TEST_KEY], pair.state)
        for _ in range(rounds):
            for event in pair.server.receive_data(pair.client.data_to_send()):
                if isinstance(event, RequestReceived):
                    pair.receive(event)
            pair.events += pair.client.receive_data(pair.server.data_to_send())
        pair.reconnect()
        assert pair.client.is_ready, rounds
        assert len({e.auth_key.key_id for e in pair.agreed()}) == 1
        pair.client.send_request(REQUEST)
        pair.run()
        assert len(pair.answered()) == 1


def test_a_lost_temporary_key_is_replaced_and_what_was_under_way_is_said_to_be_lost() -> None:
    pair = Pair()
    pair.answers = False
    sent = pair.client.send_request(REQUEST)
    twice = pair.client.send_request(REQUEST, at_least_once=True)
    pair.run()
    assert len(pair.asked) == 2
    pair.lose_key()
    pair.answers = True
    pair.client.ping(1)

    with pytest.raises(Exception, match="unknown auth_key_id"):
        pair.run()
    pair.events += pair.client.receive_data(pair.server.data_to_send())
    assert TransportErrorReceived(-404) in pair.events
    waiting = pair.client.session.send(REQUEST)
    pair.client = pair.client.successor()
    with pytest.raises(LocalProtocolError):
        pair.client.send_request(REQUEST)
    pair.connect()
    assert len(pair.agreed()) == 2
    assert pair.agreed()[0].auth_key == pair.agreed()[1].auth_key
    assert sorted(pair.answered()) == [twice, waiting]
    (failed,) = pair.failed()
    assert failed.request_id == sent
    assert isinstance(failed.error, RequestLost)


def test_a_key_that_ran_out_meanwhile_is_replaced() -> None:
    pair = Pair()
    pair.client.abandon()
    waiting = pair.client.session.send(REQUEST)
    pair.clock.advance(LIFE)
    pair.client = pair.client.successor()
    pair.connect()
    assert len(pair.agreed()) == 2
    assert pair.answered() == [waiting]


def test_a_lost_permanent_key_has_no_successor() -> None:
    pair = agreed_pair()
    pair.client.ping(1)
    pair.state.keys.clear()
    with pytest.raises(Exception, match="unknown auth_key_id"):
        pair.run()
    pair.deliver_to_client(pair.server.data_to_send())
    with pytest.raises(LocalProtocolError, match="auth_key"):
        pair.client.successor()
