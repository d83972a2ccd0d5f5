"""bad_msg_notification, every code: what a client makes of it, and when a server says it."""

from __future__ import annotations

import pytest

import tl
from mtproto import api, service
from mtproto.crypto.auth_key import AuthKey
from mtproto.envelope import Cipher, Envelope
from mtproto.errors import FateUnknown, RemoteProtocolError
from mtproto.events import MessageDropped, MessageReceived, RequestReceived, SessionCreated
from mtproto.message import (
    Message,
    constructor_id,
    pack_container,
    pack_gzip,
    pack_rpc_result,
    unpack_container,
)
from mtproto.message_id import MAX_SERVER_TIME
from mtproto.salts import SaltTimetable
from mtproto.session import BadCode, BadMessage, ServerSession
from mtproto.side import Side
from tests.mtproto.helpers import ManualClock, seeded
from tests.mtproto.pair import Pair, agreed_pair, frames_of

REQUEST = bytes(api.help.GetConfig())
SECOND = 2**32
PING = bytes(service.Ping(ping_id=1))


def notice(message: Message, code: int) -> tl.TLObject:
    return service.BadMsgNotification(
        bad_msg_id=message.msg_id, bad_msg_seqno=message.seq_no, error_code=code
    )


def asked(pair: Pair) -> tuple[int, Message]:
    """A request that has gone out: its number, its message."""
    number = pair.client.send_request(REQUEST)
    (message,) = pair.heard()
    return number, message


# A client


@pytest.mark.parametrize("code", [16, 17, 32, 33, 48])
def test_a_request_that_was_not_taken_is_sent_again(code: int) -> None:
    pair = agreed_pair()
    number, old = asked(pair)
    pair.say(notice(old, code))
    (again,) = pair.heard()
    assert again.body == REQUEST
    assert again.msg_id != old.msg_id
    pair.say(pack_rpc_result(again.msg_id, bytes(api.BoolTrue())))
    assert [e.request_id for e in pair.answers()] == [number]


@pytest.mark.parametrize("code", [18, 19, 34, 35, 64, 21, 999])
def test_what_would_be_wrong_again_fails(code: int) -> None:
    pair = agreed_pair()
    number, old = asked(pair)
    pair.say(notice(old, code))
    (failed,) = pair.failures()
    assert failed.request_id == number
    assert isinstance(failed.error, BadMessage)
    assert failed.error.code == code
    assert str(code) in str(failed.error)
    assert pair.heard() == []
    assert pair.client.is_ready


def test_a_container_that_has_come_twice_has_come() -> None:
    """A strict server says that of a copy (19): the first one may have been executed."""
    pair = agreed_pair()
    sent = [pair.client.send_request(REQUEST) for _ in range(2)]
    (payload,) = frames_of(pair.client.data_to_send(), "intermediate", Side.SERVER)
    container = pair.server_cipher().open(payload)
    parts = unpack_container(container.body, container.msg_id)
    old = Message(container.msg_id, container.seq_no, container.body)
    pair.say(notice(old, 19))
    assert pair.failures() == []
    pair.client.handle_timer()
    (question,) = pair.heard()
    asked_about = service.decode(question.body, as_type=service.MsgsStateReq).msg_ids
    assert asked_about == [part.msg_id for part in parts if part.body == REQUEST]
    for msg_id in asked_about:
        pair.say(pack_rpc_result(msg_id, bytes(api.BoolTrue())))
    assert [e.request_id for e in pair.answers()] == sent


def test_nobody_knows_whether_what_is_too_old_was_received() -> None:
    pair = agreed_pair()
    _, old = asked(pair)
    pair.say(notice(old, 20))
    (failed,) = pair.failures()
    assert isinstance(failed.error, FateUnknown)


@pytest.mark.parametrize("code", [32, 33, 17])
def test_wrong_numbers_end_the_session(code: int) -> None:
    pair = agreed_pair()
    before = pair.client.session.session_id
    _, old = asked(pair)
    pair.say(notice(old, code))
    assert pair.client.session.session_id != before
    (again,) = pair.heard()
    assert again.seq_no == 1


def test_what_ended_a_session_was_not_received_in_the_next_one() -> None:
    """The server's sessions number their messages each by itself: at one time two of them say the same."""
    pair = agreed_pair()
    _, old = asked(pair)
    pair.say(notice(old, 17), msg_id=int(pair.clock() * 2**32) + 1)
    (again,) = pair.heard()
    pair.say(notice(again, 18), msg_id=int(pair.clock() * 2**32) + 1)
    assert not pair.dropped(Side.CLIENT)
    assert len(pair.failures()) == 1


def untimely(pair: Pair, seconds: int) -> list[Message]:
    """Ten updates by a clock that is so many seconds ahead of the client's."""
    first = int(pair.clock() + seconds) * SECOND + 3
    return [Message(first + 4 * i, 2 * i + 1, REQUEST) for i in range(10)]


def test_what_corrects_a_clock_is_heard_behind_ten_messages_that_are_out_of_time() -> None:
    pair = agreed_pair()
    _, old = asked(pair)
    own = int(pair.clock() + 3600) * SECOND + 1001  # the server's clock
    correction = Message(own - 4, 20, bytes(notice(old, 16)))
    pair.say(pack_container([*untimely(pair, 3600), correction]), msg_id=own)
    assert not pair.client.closed
    assert not pair.dropped(Side.CLIENT)
    assert sum(isinstance(event, MessageReceived) for event in pair.client_events) == 10
    assert old.body in [message.body for message in pair.heard()]


def test_a_server_that_is_ahead_of_us_is_followed_in_the_next_connection() -> None:
    pair = agreed_pair()
    asked(pair)
    updates = untimely(pair, 3600)
    for update in updates[:9]:
        pair.say(update.body, msg_id=update.msg_id)
    with pytest.raises(RemoteProtocolError, match="10 messages in a row had to be ignored: got too_new_time"):
        pair.say(updates[9].body, msg_id=updates[9].msg_id)
    pair.clock.advance(1)
    pair.reconnect()
    pair.heard()
    pair.say(service.MsgsAck(msg_ids=[]), msg_id=updates[9].msg_id + SECOND)
    pair.say(service.MsgsAck(msg_ids=[]), msg_id=int(pair.clock()) * SECOND + 1)
    assert [event.msg_id for event in pair.dropped(Side.CLIENT)[9:]] == [int(pair.clock()) * SECOND + 1]


def test_a_new_session_is_not_asked_about_messages_of_the_one_before() -> None:
    pair = agreed_pair()
    asked(pair)
    pair.clock.advance(11)
    pair.client.handle_timer()
    (question,) = pair.heard()
    assert constructor_id(question.body) == service.MsgsStateReq.CONSTRUCTOR_ID
    pair.say(notice(question, 17))
    pair.client.session.ping(1)
    (ping,) = pair.heard()
    assert constructor_id(ping.body) == service.Ping.CONSTRUCTOR_ID
    assert not pair.failures()


def test_a_notice_about_what_was_received_is_about_a_copy() -> None:
    """Who replays a message of ours may get it refused: the request is not to be sent once more for that."""
    pair = agreed_pair()
    _, old = asked(pair)
    pair.say(service.MsgsAck(msg_ids=[old.msg_id]))
    pair.say(notice(old, 16))
    assert [e.check for e in pair.dropped(Side.CLIENT)] == ["C15"]
    assert pair.heard() == []
    assert not pair.failures()


@pytest.mark.parametrize("seconds", [MAX_SERVER_TIME, 2**31 - 1])
def test_a_clock_that_can_not_be_is_not_followed(seconds: int) -> None:
    pair = agreed_pair()
    _, old = asked(pair)
    with pytest.raises(RemoteProtocolError) as caught:
        pair.say(notice(old, 16), msg_id=seconds * SECOND + 1)
    assert caught.value.check == "C15"
    assert pair.client.session.ids.time_offset == 0


def test_the_time_of_the_first_message_is_the_servers_where_it_is_not_known() -> None:
    pair = agreed_pair(known_time=False, skew=20.0)
    asked(pair)
    pair.say(service.MsgsAck(msg_ids=[]))
    assert pair.client.session.is_time_known
    assert pair.client.session.ids.now() == pytest.approx(pair.clock(), abs=1e-3)
    pair.say(service.MsgsAck(msg_ids=[]), msg_id=(int(pair.clock()) - 400) * SECOND + 1)
    assert [e.check for e in pair.dropped(Side.CLIENT)] == ["C11"]


def test_a_request_in_gzip_packed_has_to_be_acknowledged() -> None:
    pair = agreed_pair()
    pair.client.send_request(REQUEST + bytes(400), gzip=True)
    pair.client.send_request(REQUEST)
    packed, plain = pair.heard()
    assert constructor_id(packed.body) == service.GzipPacked.CONSTRUCTOR_ID
    assert (packed.seq_no, plain.seq_no) == (1, 3)


def left(pair: Pair) -> tuple[list[Message], int]:
    """Two requests that have gone out in a session which is left for the second one: their messages, its id."""
    for _ in range(2):
        pair.client.send_request(REQUEST)
    first, second = pair.heard()
    before = pair.client.session.session_id
    pair.say(notice(second, 32))
    assert pair.client.session.session_id != before
    assert len(pair.heard()) == 1
    return [first, second], before


def say_late(pair: Pair, body: tl.TLObject, session_id: int) -> None:
    pair.said += 1
    msg_id = int(pair.clock() * SECOND) + 4 * pair.said + 1
    pair.deliver_to_client(pair.forged(bytes(body), msg_id=msg_id, session_id=session_id))


@pytest.mark.parametrize("code", [16, 17, 32, 33, 48])
def test_what_was_not_taken_in_a_session_that_was_left_is_sent_again(code: int) -> None:
    pair = agreed_pair()
    (first, _), session_id = left(pair)
    say_late(pair, notice(first, code), session_id)
    (again,) = pair.heard()
    assert again.body == REQUEST
    assert pair.client.session.ids.time_offset == 0


@pytest.mark.parametrize(("code", "error"), [(20, FateUnknown), (18, BadMessage), (64, BadMessage)])
def test_a_last_word_in_a_session_that_was_left(code: int, error: type[Exception]) -> None:
    pair = agreed_pair()
    (first, _), session_id = left(pair)
    say_late(pair, notice(first, code), session_id)
    (failed,) = pair.failures()
    assert isinstance(failed.error, error)
    assert pair.heard() == []


def test_what_was_received_in_a_session_that_was_left_is_not_sent_again() -> None:
    """Who replays a message of that session may get it refused there."""
    pair = agreed_pair()
    (first, _), session_id = left(pair)
    say_late(pair, service.MsgsAck(msg_ids=[first.msg_id]), session_id)
    say_late(pair, notice(first, 16), session_id)
    assert pair.heard() == []
    assert not pair.failures()


def test_a_clock_that_has_fallen_behind_is_corrected_in_the_next_connection() -> None:
    pair = agreed_pair()
    pair.client.ping(0)
    pair.run()
    pair.skew = -100.0  # the server takes our messages, and we drop its
    for _ in range(9):
        pair.client.ping(1)
        pair.run()
    pair.client.ping(1)
    with pytest.raises(RemoteProtocolError, match="in a row") as caught:
        pair.run()
    assert caught.value.check == "C11"
    pair.reconnect()
    number = pair.client.send_request(REQUEST)
    pair.run()
    pair.answer(pair.requests()[-1], REQUEST)
    pair.run()
    assert [e.request_id for e in pair.answers()] == [number]


# A server


class Hand:
    """A server's session, and a client by hand: every number of every message is as it is said."""

    def __init__(self, *, strict: bool = False) -> None:
        self.clock = ManualClock()
        self.key = AuthKey(seeded(7)(256))
        self.session = ServerSession(
            self.key,
            5,
            salts=SaltTimetable(9, self.clock(), seeded(3)),
            clock=self.clock,
            rng=seeded(2),
            strict=strict,
        )
        self.now = int(self.clock()) * SECOND
        self.say(4, 1)
        self.codes()

    def say(
        self, low: int, seq_no: int, body: bytes = REQUEST, *, seconds: int = 0, salt: int = 9
    ) -> list[object]:
        envelope = Envelope(salt, 5, self.now + seconds * SECOND + low, seq_no, body)
        return list(self.session.receive(envelope))

    def container(self, low: int, seq_no: int, *parts: tuple[int, int, bytes]) -> list[object]:
        messages = [Message(self.now + part, seq, body) for part, seq, body in parts]
        return self.say(low, seq_no, pack_container(messages))

    def codes(self) -> list[tuple[int, int]]:
        """The complaints since the last time: of which message (its low bits), and the code."""
        cipher = Cipher(self.key, Side.CLIENT)
        found = []
        for payload in self.session.flush():
            envelope = cipher.open(payload)
            message = Message(envelope.msg_id, envelope.seq_no, envelope.body)
            is_packed = constructor_id(message.body) == service.MsgContainer.CONSTRUCTOR_ID
            for part in unpack_container(message.body, message.msg_id) if is_packed else [message]:
                if constructor_id(part.body) in (0xA7EFF811, 0xEDAB447B):
                    told = service.decode(part.body)
                    assert isinstance(told, service.BadMsgNotification | service.BadServerSalt)
                    found.append((told.bad_msg_id - self.now, told.error_code))
        return found


def requests(events: list[object]) -> int:
    return sum(isinstance(e, RequestReceived) for e in events)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    ("low", "seconds", "code"),
    [(8, -301, 16), (8, 31, 17), (9, 0, 18), (10, 0, 18), (11, 0, 18)],
)
def test_wrong_msg_ids(strict: bool, low: int, seconds: int, code: int) -> None:
    hand = Hand(strict=strict)
    events = hand.say(low, 3, seconds=seconds)
    assert hand.codes() == [(low + seconds * SECOND, code)]
    assert [(type(e), getattr(e, "check", None)) for e in events] == [(MessageDropped, "S3")]
    assert requests(hand.say(20, 3)) == 1, "it does not count as received"


def test_what_is_refused_does_not_count_as_received() -> None:
    """The same message is taken when its time has come, its salt is right, its container whole (C12)."""
    hand = Hand()
    assert not requests(hand.say(8, 3, seconds=31))
    hand.clock.advance(5)
    assert requests(hand.say(8, 3, seconds=31)) == 1
    assert not requests(hand.say(20, 5, salt=10))
    assert requests(hand.say(20, 5)) == 1
    whole = pack_container([Message(hand.now + 24, 7, REQUEST)])
    assert not requests(hand.say(28, 6, whole[:-4]))
    assert requests(hand.say(28, 6, whole)) == 1
    strict = Hand(strict=True)
    assert not requests(strict.say(8, 2))
    assert requests(strict.say(8, 3)) == 1


def test_what_is_refused_is_not_acknowledged() -> None:
    hand = Hand()
    hand.clock.advance(10)
    hand.session.flush()
    hand.say(8, 3, seconds=60)
    hand.say(12, 3, salt=10)
    hand.say(9, 3)
    assert not hand.session.acks


def test_a_msg_id_below_all_that_are_remembered() -> None:
    hand = Hand()
    for number in range(1100):
        hand.say(4000 + 4 * number, 2 * number + 3, PING)
    hand.codes()
    hand.say(400, 3)
    assert hand.codes() == [(400, 20)]


@pytest.mark.parametrize("strict", [False, True])
def test_a_wrong_salt(strict: bool) -> None:
    hand = Hand(strict=strict)
    assert not requests(hand.say(8, 3, salt=10))
    assert hand.codes() == [(8, 48)]


@pytest.mark.parametrize("strict", [False, True])
def test_a_container_that_is_none(strict: bool) -> None:
    hand = Hand(strict=strict)
    hand.say(8, 2, pack_container([Message(hand.now + 4, 3, PING)])[:-4])
    assert hand.codes() == [(8, 64)]
    hand.container(12, 2, (16, 3, PING))
    assert hand.codes() == [(12, 64)], "the message within is not older"


@pytest.mark.parametrize("strict", [False, True])
def test_another_container_under_the_same_msg_id(strict: bool) -> None:
    hand = Hand(strict=strict)
    assert requests(hand.container(16, 4, (8, 3, REQUEST))) == 1
    assert hand.codes() == []
    assert requests(hand.container(16, 6, (12, 5, REQUEST))) == 0
    assert hand.codes() == [(16, 19)]
    assert requests(hand.say(4, 1, pack_container([]))) == 0
    assert hand.codes() == [(4, 19)], "it was used for a request"


@pytest.mark.parametrize("strict", [False, True])
def test_the_same_container_once_more(strict: bool) -> None:
    """By the book it is a mistake; a copy that somebody replays does no harm, and is answered like one message."""
    hand = Hand(strict=strict)
    hand.container(16, 4, (8, 3, REQUEST))
    assert requests(hand.container(16, 4, (8, 3, REQUEST))) == 0
    assert hand.codes() == ([(16, 19)] if strict else [])


@pytest.mark.parametrize(
    ("seq_no", "body", "code"),
    [
        (2, REQUEST, BadCode.SEQ_NO_NOT_ODD),
        (3, PING, BadCode.SEQ_NO_NOT_EVEN),
        (3, bytes(service.MsgsAck(msg_ids=[])), BadCode.SEQ_NO_NOT_EVEN),
        (3, pack_container([]), BadCode.SEQ_NO_NOT_EVEN),
        (1, REQUEST, BadCode.SEQ_NO_TOO_LOW),
        (0, PING, BadCode.SEQ_NO_TOO_LOW),
    ],
)
def test_wrong_seq_nos_matter_to_a_strict_server_only(seq_no: int, body: bytes, code: int) -> None:
    strict, liberal = Hand(strict=True), Hand()
    events = strict.say(8, seq_no, body)
    assert [getattr(e, "check", None) for e in events] == ["S5"]
    assert strict.codes() == [(8, code)]
    liberal.say(8, seq_no, body)
    assert liberal.codes() == []


def test_a_seq_no_above_that_of_a_later_message() -> None:
    hand = Hand(strict=True)
    assert requests(hand.say(100, 5)) == 1
    assert requests(hand.say(60, 5)) == 0
    assert requests(hand.say(60, 7)) == 0
    assert hand.codes() == [(60, 33), (60, 33)]
    assert requests(hand.say(60, 3)) == 1
    hand.say(64, 4, PING)
    hand.say(68, 4, PING)
    assert hand.codes() == [], "even ones may be equal"


@pytest.mark.parametrize("seq_no", [2, 3])
def test_gzip_packed_may_have_either(seq_no: int) -> None:
    hand = Hand(strict=True)
    assert requests(hand.say(8, seq_no, pack_gzip(REQUEST))) == 1
    assert hand.codes() == []


def test_our_own_client_is_strict_enough() -> None:
    pair = agreed_pair()
    pair.state.strict = True
    for number in range(50):
        for _ in range(number % 4):
            pair.client.send_request(REQUEST, gzip=number % 3 == 0)
        pair.client.ping(number)
        pair.run()
        for request in pair.requests():
            if request.msg_id in pair.state.sessions[request.session].open_requests:
                pair.answer(request, REQUEST)
        pair.pass_time(number % 5)
    assert len(pair.answers()) == sum(n % 4 for n in range(50))
    assert not pair.dropped(Side.SERVER)


def test_a_new_session_is_told_its_first_message_its_own_number_and_the_salt() -> None:
    pair = agreed_pair()
    salt = pair.state.rotate_salt(pair.server_key().key_id)
    for _ in range(2):
        pair.client.send_request(REQUEST)
    pair.run()
    (session,) = pair.state.sessions.values()
    (created,) = (e for e in pair.client_events if isinstance(e, SessionCreated))
    assert created == SessionCreated(min(r.msg_id for r in pair.requests()), session.unique_id)
    assert pair.client.session.server_salt == salt
    pair.restart()
    pair.client.ping(1)
    pair.run()
    again = [e for e in pair.client_events if isinstance(e, SessionCreated)][-1]
    assert again.unique_id != created.unique_id
    assert again.first_msg_id > created.first_msg_id
