"""What a client has received: remembered once it is good, ignored twice, acknowledged, and not for ever ignored."""

from __future__ import annotations

import pytest

from mtproto import api, service, testing
from mtproto.client.backoff import Backoff
from mtproto.connection import KeepAlive
from mtproto.errors import FateUnknown, RemoteProtocolError
from mtproto.events import MessageReceived
from mtproto.message import Message, constructor_id, pack_container
from mtproto.session.client import MAX_DROPPED
from mtproto.side import Side
from tests.mtproto.pair import Pair, agreed_pair

SECOND = 2**32
UPDATE = bytes.fromhex("11223344")


def begun() -> tuple[Pair, int]:
    """A pair that has spoken, and a msg_id of the server's that is right now."""
    pair = agreed_pair()
    pair.client.ping(1)
    pair.run()
    return pair, int(pair.clock() * SECOND) + 4 * 10**6 + 1


def checks(pair: Pair) -> list[str]:
    return [event.check for event in pair.dropped(Side.CLIENT)]


def updates(pair: Pair) -> int:
    return sum(isinstance(event, MessageReceived) for event in pair.client_events)


def hears(pair: Pair, msg_id: int, body: bytes = UPDATE, seq_no: int = 1) -> None:
    pair.deliver_to_client(pair.forged(body, msg_id=msg_id, seq_no=seq_no))


def test_a_message_in_two_containers_is_taken_once_and_acknowledged_again() -> None:
    pair, now = begun()
    for number in (10, 20):
        parts = [Message(now, 1, UPDATE), Message(now + 4 * number, 3, UPDATE)]
        hears(pair, now + 4 * number + 4, pack_container(parts), 4)
        assert now in pair.client.session.acks._owed
        pair.pass_time(2)
        assert now not in pair.client.session.acks._owed
    assert checks(pair) == ["C10"]
    assert updates(pair) == 3


def test_what_was_ignored_for_its_time_may_come_again() -> None:
    """It was not recorded: who can only send again what is not for us yet fills no window (C12)."""
    pair, now = begun()
    hears(pair, now + 40 * SECOND)
    assert checks(pair) == ["C11"]
    assert now + 40 * SECOND not in pair.client.session.window
    assert now + 40 * SECOND not in pair.client.session.acks._owed
    pair.clock.advance(15)
    hears(pair, now + 40 * SECOND)
    assert updates(pair) == 1


def test_below_all_that_are_remembered() -> None:
    pair, now = begun()
    for number in range(1100):
        hears(pair, now + 4000 + 4 * number, seq_no=0)
    hears(pair, now)
    assert checks(pair) == ["C10"]
    assert updates(pair) == 1100


@pytest.mark.parametrize("packed", [False, True])
def test_ten_ignored_in_a_row_end_the_connection(packed: bool) -> None:
    pair, now = begun()

    def hears_old(number: int) -> None:
        old = now - 400 * SECOND + 4 * number
        if packed:
            hears(pair, now + 4 * number, pack_container([Message(old, 1, UPDATE)]), 0)
        else:
            hears(pair, old)

    for number in range(MAX_DROPPED - 1):
        hears_old(number)
    assert checks(pair) == ["C11"] * (MAX_DROPPED - 1)
    with pytest.raises(RemoteProtocolError) as caught:
        hears_old(MAX_DROPPED)
    assert caught.value.check == "C11"
    assert pair.client.closed


def ignores_ten(pair: Pair, msg_id: int) -> None:
    for number in range(MAX_DROPPED - 1):
        hears(pair, msg_id + 4 * number)
    with pytest.raises(RemoteProtocolError, match="10 messages in a row"):
        hears(pair, msg_id + 4 * MAX_DROPPED)
    pair.reconnect()


@pytest.mark.parametrize("is_below", [False, True])
def test_ten_more_in_the_next_connection_end_the_session(is_below: bool) -> None:
    """The server, which can't say anything in a session that it does not know, hears of the new one at once."""
    pair, now = begun()
    for number in range(1100 if is_below else 1):
        hears(pair, now + 4000 + 4 * number, seq_no=0)
    first = pair.client.session.session_id
    old = now if is_below else now - 400 * SECOND
    ignores_ten(pair, old)
    assert pair.client.session.session_id == first
    assert not pair.heard()
    ignores_ten(pair, old)
    second = pair.client.session.session_id
    assert second != first
    (question,) = pair.heard()
    assert constructor_id(question.body) == service.GetFutureSalts.CONSTRUCTOR_ID
    assert question.seq_no == 1
    ignores_ten(pair, now - 400 * SECOND)
    assert pair.client.session.session_id == second


def test_a_good_message_between_the_connections_leaves_the_session() -> None:
    pair, now = begun()
    session_id = pair.client.session.session_id
    for number in range(3):
        ignores_ten(pair, now - 400 * SECOND)
        hears(pair, now + 4 * number)
    assert pair.client.session.session_id == session_id


def test_a_clock_that_jumps_ahead_of_many_updates() -> None:
    """They fill more than one container, so that the server's word about the clock stands behind them all."""
    pair = testing.Pair(reconnect=Backoff(), keep_alive=KeepAlive())
    pair.invoke(api.help.GetConfig())
    pair.run()
    pair.skew = 400.0
    for _ in range(150):
        pair.notify(api.BoolTrue())
    pair.run(for_=80)
    assert [str(failure).count("too_old_time") for failure in pair.failures] == [1, 1]
    assert abs(pair.client.session.ids.now() - pair.clock.now) < 1
    pair.notify(api.BoolFalse())
    call = pair.invoke(api.help.GetConfig())
    pair.run()
    assert call.outcome == "answered"
    assert [e.body for e in pair.client_events if isinstance(e, MessageReceived)] == [bytes(api.BoolFalse())]
    pair.check()


def test_more_updates_than_are_remembered_whose_acknowledgements_get_lost() -> None:
    """The server sends all of them again, the first of them below what the client can tell from new ones."""
    pair = testing.Pair(reconnect=Backoff())
    pair.invoke(api.help.GetConfig())
    pair.run()
    pair.cut(Side.CLIENT, pair.line.links[Side.CLIENT].sent, testing.Ending.SILENCE)
    for _ in range(1100):
        pair.notify(api.BoolTrue())
    pair.run(for_=3)
    pair.break_line()
    pair.invoke(api.help.GetConfig())
    pair.run()
    assert sum(isinstance(e, MessageReceived) for e in pair.client_events) == 1100
    assert [str(failure).count("too_old_window") for failure in pair.failures] == [0, 1, 1]
    pair.check(errors=[FateUnknown])


def test_a_good_message_in_between_begins_the_count_anew() -> None:
    pair, now = begun()
    for number in range(3 * MAX_DROPPED):
        hears(pair, now - 400 * SECOND + 4 * number)
        if number % 5 == 0:
            hears(pair, now + 4 * number)
    assert len(checks(pair)) == 3 * MAX_DROPPED
    assert not pair.client.closed


@pytest.mark.parametrize("message", [service.MsgsAck, service.MsgsStateReq, service.MsgResendReq])
def test_more_than_8192_ids_in_one_message(message: type[service.MsgsAck]) -> None:
    pair, now = begun()
    hears(pair, now, bytes(message(msg_ids=list(range(8192)))), 0)
    assert not pair.client.closed
    with pytest.raises(RemoteProtocolError) as caught:
        hears(pair, now + 4, bytes(message(msg_ids=list(range(8193)))), 0)
    assert caught.value.check == "C19"
    assert pair.client.data_to_send() == b""
