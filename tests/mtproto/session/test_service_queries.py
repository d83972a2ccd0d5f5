"""Pings, salts in advance, dropped answers, destroyed sessions and keys: asked, and matched with what comes."""

from __future__ import annotations

import pytest

import tl
from mtproto import api, service
from mtproto.connection import ClientConnection, KeepAlive
from mtproto.crypto.auth_key import AuthKey
from mtproto.errors import LocalProtocolError, PeerSilent
from mtproto.events import AuthKeyDestroyed, MessageDropped, PongReceived, SessionDestroyed, SessionId
from mtproto.message import constructor_id, pack_rpc_result
from mtproto.salts import KnownSalts, Salt
from mtproto.side import Side
from tests.mtproto.helpers import ManualClock, seeded
from tests.mtproto.pair import Pair, agreed_pair

REQUEST = bytes(api.help.GetConfig())
ANSWER = bytes(api.BoolTrue())


def said(pair: Pair, cls: type[tl.TLObject]) -> list[int]:
    """The msg_ids of the client's messages of this class, since it was last heard."""
    return [m.msg_id for m in pair.heard() if constructor_id(m.body) == cls.CONSTRUCTOR_ID]


def checks(pair: Pair) -> list[str]:
    return [e.check for e in pair.dropped(Side.CLIENT)]


# Pings


@pytest.mark.parametrize(("msg_id_off", "ping_id"), [(4, 7), (0, 8)])
def test_a_pong_that_fits_no_ping_is_dropped(msg_id_off: int, ping_id: int) -> None:
    pair = agreed_pair()
    pair.client.ping(7)
    (ping,) = said(pair, service.Ping)
    pair.say(service.Pong(msg_id=ping + msg_id_off, ping_id=ping_id))
    assert checks(pair) == ["C16"]
    pair.say(service.Pong(msg_id=ping, ping_id=7))
    assert pair.client_events[-1] == PongReceived(7)
    pair.say(service.Pong(msg_id=ping, ping_id=7))
    assert checks(pair) == ["C16", "C16"]


def keeping(pair: Pair, **settings: float) -> ClientConnection:
    (key,) = pair.state.keys.values()
    keep_alive = KeepAlive(**settings)  # type: ignore[arg-type]
    pair.client = ClientConnection(
        auth_key=key,
        server_salt=1234567,
        time_offset=0.0,
        keep_alive=keep_alive,
        clock=pair.clock,
        rng=seeded(4),
    )
    return pair.client


def test_a_silent_link_is_found_dead() -> None:
    pair = agreed_pair()
    client = keeping(pair, interval=60.0, disconnect_delay=75, patience=15.0)
    assert client.next_timer() == pair.clock() + 60
    pair.pass_time(60)
    assert any(isinstance(e, PongReceived) for e in pair.client_events)
    pair.clock.advance(60)
    client.handle_timer()
    assert client.data_to_send()  # which gets lost
    assert client.next_timer() == pair.clock() + 15
    pair.clock.advance(14)
    client.handle_timer()
    pair.clock.advance(1)
    with pytest.raises(PeerSilent) as caught:
        client.handle_timer()
    assert caught.value.check == "C23"
    assert client.closed
    assert client.failure is caught.value


def test_anything_that_comes_proves_the_link() -> None:
    pair = agreed_pair()
    client = keeping(pair, interval=60.0, disconnect_delay=75, patience=15.0)
    pair.pass_time(0)
    pair.clock.advance(60)
    client.handle_timer()
    client.data_to_send()
    pair.say(service.MsgsAck(msg_ids=[]))
    pair.clock.advance(20)
    client.handle_timer()
    assert not client.closed


def test_the_ping_says_when_to_close() -> None:
    pair = agreed_pair()
    client = keeping(pair, interval=60.0, disconnect_delay=75, patience=15.0)
    pair.clock.advance(60)
    client.handle_timer()
    (ping,) = [
        m for m in pair.heard() if constructor_id(m.body) == service.PingDelayDisconnect.CONSTRUCTOR_ID
    ]
    read = service.decode(ping.body, as_type=service.PingDelayDisconnect)
    assert read.disconnect_delay == 75


@pytest.mark.parametrize(
    "wrong",
    [
        {"interval": 0.0},
        {"patience": -1.0},
        {"interval": 80.0},
        {"patience": float("nan")},
        {"interval": "60"},
        {"disconnect_delay": 2**31},
        {"disconnect_delay": 75.0},
    ],
)
def test_settings_that_can_not_be(wrong: dict[str, object]) -> None:
    with pytest.raises(LocalProtocolError, match="expected"):
        KeepAlive(**wrong)  # type: ignore[arg-type]


# Salts


def salt_of(pair: Pair) -> int:
    return pair.client.session.salt


def test_salts_are_asked_for_in_advance_and_used_in_time() -> None:
    pair = agreed_pair()
    pair.client.ping(1)
    pair.run()
    assert not pair.client.salts
    pair.pass_time(60)
    assert len(pair.client.salts) == KnownSalts.QUESTION_SIZE
    for _ in range(40):  # twenty hours, each half hour another salt
        before = salt_of(pair)
        pair.pass_time(1800)
        pair.client.ping(1)
        pair.run()
        assert salt_of(pair) != before
    assert not pair.dropped(Side.SERVER), "no salt was ever refused"


def test_salts_that_nobody_has_asked_for_change_nothing() -> None:
    pair = agreed_pair()
    now = int(pair.clock())
    salt = service.FutureSalt(valid_since=now - 100, valid_until=now + 100, salt=666)
    forged = service.FutureSalts(req_msg_id=4, now=now, salts=[salt])
    pair.say(forged)
    assert checks(pair) == ["C16"]
    assert not pair.client.salts
    assert salt_of(pair) == 1234567


def test_a_timetable_that_is_not_kept_is_forgotten() -> None:
    salts = KnownSalts(1, [Salt(100, 3700, 1), Salt(1900, 5500, 2), Salt(3700, 7300, 3)], now=100)
    assert salts.current(1959) == 1
    assert salts.current(1960) == 2
    salts.correct(1, 1961)  # our clock is ahead: what is to come stays
    assert salts.current(1962) == 1
    assert list(salts.timetable) == [Salt(3700, 7300, 3)]
    salts.correct(77, 1963)
    assert not salts.timetable
    assert salts.current(9999) == 77


def test_questions_for_salts_are_few() -> None:
    salts = KnownSalts(1, now=0)
    assert salts.next_question(0) == 60
    salts.was_asked(60)
    assert salts.next_question(60) == 660, "an answer that does not come is not asked for at once"
    salts.learn(Salt(1800 * i, 1800 * i + 3600, i) for i in range(4))
    assert salts.next_question(60) == 1800 * 2
    salts.learn([])
    assert salts.next_question(60) == 660


def test_salts_may_be_given_along_with_the_key() -> None:
    clock = ManualClock()
    timetable = [
        Salt(int(clock()) - 1800, int(clock()) + 1800, 1),
        Salt(int(clock()), int(clock()) + 3600, 2),
    ]
    key = AuthKey(seeded(1)(256))
    client = ClientConnection(auth_key=key, server_salt=1, salts=timetable, clock=clock, rng=seeded(2))
    assert client.salts == tuple(timetable)
    clock.advance(60)
    assert client.session.server_salt == 2


# States of messages


@pytest.mark.parametrize(("off", "info"), [(4, b"\x01"), (0, b""), (0, b"\x01\x01")])
def test_states_that_nobody_has_asked_for_change_nothing(off: int, info: bytes) -> None:
    pair = agreed_pair()
    pair.client.send_request(REQUEST)
    pair.heard()
    pair.clock.advance(10)
    pair.client.handle_timer()
    (query,) = said(pair, service.MsgsStateReq)
    pair.say(service.MsgsStateInfo(req_msg_id=query + off, info=info))
    assert checks(pair) == ["C16"]
    assert not pair.failures()
    assert pair.client.session.queries
    pair.say(service.MsgsStateInfo(req_msg_id=query, info=b"\x01"))
    assert len(pair.failures()) == 1


# Answers that nobody waits for


def test_a_dropped_request_is_forgotten_on_both_sides() -> None:
    pair = agreed_pair()
    number = pair.client.send_request(REQUEST)
    pair.run()
    (request,) = pair.requests()
    assert pair.client.is_sent(number)
    pair.client.drop_request(number)
    assert not pair.client.is_sent(number)
    pair.run()
    assert not pair.state.sessions[request.session].open_requests
    with pytest.raises(LocalProtocolError):
        pair.answer(request, ANSWER)
    pair.run()
    assert not pair.answers()
    assert not pair.failures()
    assert not pair.client.session.queries


def test_a_request_that_has_not_gone_out_is_dropped_in_silence() -> None:
    pair = agreed_pair()
    pair.client.drop_request(pair.client.send_request(REQUEST))
    pair.client.drop_request(12345)
    assert pair.heard() == []


# Sessions and keys that are to be forgotten


def test_a_session_is_destroyed_once() -> None:
    pair = agreed_pair()
    pair.client.ping(1)
    pair.run()
    (auth_key,) = pair.state.keys.values()
    pair.state.keep(pair.state.session(auth_key, 42))
    for _ in range(2):
        pair.client.destroy_session(42)
        pair.run()
    destroyed = [e for e in pair.client_events if isinstance(e, SessionDestroyed)]
    assert destroyed == [SessionDestroyed(42, True), SessionDestroyed(42, False)]
    assert SessionId(auth_key.key_id, 42) not in pair.state.sessions
    assert not pair.client.session.queries


def test_states_answer_only_those_who_ask_for_states() -> None:
    pair = agreed_pair()
    pair.client.destroy_session(42)
    (query,) = said(pair, service.DestroySession)
    pair.say(service.MsgsStateInfo(req_msg_id=query, info=b"\1"))
    assert checks(pair) == ["C16"]
    assert list(pair.client.session.queries) == [query]


def test_a_query_is_sent_once_more_for_a_server_that_asks_for_it() -> None:
    pair = agreed_pair()
    pair.client.destroy_session(42)
    (query,) = said(pair, service.DestroySession)
    pair.say(service.MsgResendReq(msg_ids=[query]))
    assert said(pair, service.DestroySession) == [query]


def test_the_session_in_use_can_not_be_destroyed() -> None:
    pair = agreed_pair()
    own = pair.client.session.session_id
    pair.client.destroy_session(own)
    pair.run()
    assert SessionDestroyed(own, False) in pair.client_events
    assert len(pair.state.sessions) == 1


def test_an_auth_key_is_destroyed() -> None:
    pair = agreed_pair()
    pair.client.destroy_auth_key()
    pair.run()
    assert AuthKeyDestroyed("ok") in pair.client_events
    assert not pair.state.keys
    assert not pair.state.sessions
    pair.client.ping(1)
    pair.deliver_to_server(b"")
    with pytest.raises(Exception, match="unknown auth_key_id"):
        pair.deliver_to_server(pair.client.data_to_send())


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_server_may_wrap_what_it_says_of_the_key(wrapped: bool) -> None:
    pair = agreed_pair()
    pair.client.destroy_auth_key()
    (query,) = said(pair, service.DestroyAuthKey)
    outcome = bytes(service.DestroyAuthKeyFail())
    pair.say(pack_rpc_result(query, outcome) if wrapped else outcome)
    assert AuthKeyDestroyed("fail") in pair.client_events
    assert not [e for e in pair.client_events if isinstance(e, MessageDropped)]


@pytest.mark.parametrize(
    "answer",
    [
        service.DestroySessionOk(session_id=1),
        service.DestroySessionNone(session_id=1),
        service.DestroyAuthKeyOk(),
    ],
)
def test_what_nobody_wanted_destroyed_is_no_event(answer: tl.TLObject) -> None:
    pair = agreed_pair()
    pair.client.destroy_session(2)
    pair.heard()
    pair.say(answer)
    assert checks(pair) == ["C16"]
    assert len(pair.client_events) == 1


@pytest.mark.parametrize("result", [ANSWER, bytes(service.DestroyAuthKeyOk())])
def test_an_answer_to_a_query_that_does_not_ask_for_it(result: bytes) -> None:
    pair = agreed_pair()
    pair.client.ping(1)
    (ping,) = said(pair, service.Ping)
    pair.say(pack_rpc_result(ping, result))
    assert checks(pair) == ["C16"]
    assert not pair.client.session.queries


def test_http_wait_is_refused_over_tcp() -> None:
    pair = agreed_pair()
    pair.client.session.send(bytes(service.HttpWait(max_delay=0, wait_after=0, max_wait=0)))
    pair.run()
    (failed,) = pair.failures()
    assert str(failed.error) == "400 HTTP_WAIT_INVALID"
    assert not pair.server.closed
