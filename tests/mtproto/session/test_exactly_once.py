"""What is sent is executed once and answered once, or its caller is told that nobody knows: whatever gets lost."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mtproto import api, service
from mtproto.connection import ServerConnection
from mtproto.envelope import Cipher
from mtproto.errors import FateUnknown, LocalProtocolError
from mtproto.events import AnswerReceived, MessageReceived, RequestFailed, SessionCreated
from mtproto.message import constructor_id, unpack_container
from mtproto.side import Side
from tests.mtproto.helpers import TEST_KEY
from tests.mtproto.pair import FOR_EVER, Pair, agreed_pair, frames_of

REQUEST = bytes(api.help.GetConfig())
ANSWER = bytes(api.BoolTrue())


def settle(pair: Pair) -> None:
    """Answer all that has come, until nothing more does."""
    while True:
        pair.run()
        open_requests = (
            [e for e in pair.requests() if e.msg_id in pair.state.sessions[e.session].open_requests]
            if pair.state.sessions
            else []
        )
        if not open_requests:
            return
        for request in open_requests:
            pair.answer(request, ANSWER)


def lose_to_server(pair: Pair) -> None:
    assert pair.client.data_to_send()


def lose_to_client(pair: Pair) -> None:
    assert pair.server.data_to_send()


def begun() -> Pair:
    """A pair with a session on both sides, and one answer behind it."""
    pair = agreed_pair()
    pair.client.send_request(REQUEST)
    settle(pair)
    pair.pass_time(2)  # acknowledged
    pair.client_events.clear()
    pair.server_events.clear()
    return pair


def test_a_request_that_was_lost_with_the_connection_is_sent_again() -> None:
    pair = begun()
    number = pair.client.send_request(REQUEST)
    lose_to_server(pair)
    pair.reconnect()
    settle(pair)
    assert [e.request_id for e in pair.answers()] == [number]
    assert len(pair.requests()) == 1


def test_a_copy_that_arrives_late_in_the_old_connection_is_not_executed() -> None:
    pair = begun()
    number = pair.client.send_request(REQUEST)
    late, old = pair.client.data_to_send(), pair.server
    pair.client.abandon()
    pair.client = pair.client.successor()
    pair.server = ServerConnection([TEST_KEY], pair.state)
    pair.run()
    assert len(pair.requests()) == 1
    pair.server_events += old.receive_data(late)
    settle(pair)
    pair.pass_time(10)
    assert len(pair.requests()) == 1
    assert [e.request_id for e in pair.answers()] == [number]


def test_what_is_too_old_to_be_taken_goes_out_as_a_new_message_when_its_copy_is_too() -> None:
    pair = begun()
    pair.client.send_request(REQUEST)
    (old,) = pair.heard()
    pair.clock.advance(250)
    for seconds, expected in ((0, []), (60, []), (60, [REQUEST])):
        pair.clock.advance(seconds)
        pair.client.handle_timer()
        for message in pair.heard():
            if constructor_id(message.body) == service.MsgsStateReq.CONSTRUCTOR_ID:
                pair.say(service.MsgsStateInfo(req_msg_id=message.msg_id, info=b"\x02"))
        assert [m.body for m in pair.heard() if m.msg_id != old.msg_id] == expected


def test_an_answer_that_was_lost_with_the_connection_is_given_again() -> None:
    pair = begun()
    number = pair.client.send_request(REQUEST)
    pair.deliver_to_server(pair.client.data_to_send())
    pair.answer(pair.requests()[0], ANSWER)
    lose_to_client(pair)
    pair.reconnect()
    settle(pair)
    assert [e.request_id for e in pair.answers()] == [number]
    assert len(pair.requests()) == 1


def test_nobody_waits_for_an_answer_that_the_server_had_no_room_for() -> None:
    """Seventeen answers of almost a MiB get lost with the connection; sixteen MiB are kept."""
    pair = agreed_pair()
    numbers = [pair.client.send_request(REQUEST) for _ in range(17)]
    pair.run()
    for request in pair.requests():
        pair.answer(request, bytes(1024 * 1023))
    pair.server.data_to_send()
    pair.reconnect()
    pair.run()
    pair.pass_time(60)
    (lost,) = pair.failures()
    assert isinstance(lost.error, FateUnknown)
    assert {lost.request_id, *(event.request_id for event in pair.answers())} == set(numbers)


def test_a_request_that_is_being_executed_is_not_sent_again() -> None:
    pair = begun()
    number = pair.client.send_request(REQUEST)
    pair.run()
    (request,) = pair.requests()
    for _ in range(3):
        pair.reconnect()
        pair.run()
        pair.pass_time(100)
    assert pair.requests() == [request]
    assert not pair.answers()
    pair.answer(request, ANSWER)
    pair.run()
    assert [e.request_id for e in pair.answers()] == [number]


def test_of_more_requests_than_the_server_remembers_messages_none_is_lost_with_the_connection() -> None:
    """The first are below all msg_ids that it remembers; but they are open."""
    pair = begun()
    for _ in range(1020):
        pair.client.send_request(REQUEST)
        pair.run()
    assert len(pair.requests()) == 1020
    pair.reconnect()
    settle(pair)
    assert len(pair.requests()) == 1020
    assert len(pair.answers()) == 1020
    assert pair.failures() == []


def test_a_request_that_waited_while_there_was_no_connection_is_sent_once() -> None:
    pair = begun()
    pair.client.abandon()
    number = pair.client.session.send(REQUEST)
    pair.reconnect()
    settle(pair)
    assert [e.request_id for e in pair.answers()] == [number]
    assert len(pair.requests()) == 1


@pytest.mark.parametrize("arrived", [False, True])
def test_nobody_knows_what_became_of_a_request_when_the_server_has_forgotten_the_session(
    arrived: bool,
) -> None:
    pair = begun()
    lost = pair.client.send_request(REQUEST)
    data = pair.client.data_to_send()
    if arrived:
        pair.deliver_to_server(data)
    pair.restart()
    later = pair.client.send_request(REQUEST)
    settle(pair)
    (failed,) = pair.failures()
    assert failed.request_id == lost
    assert isinstance(failed.error, FateUnknown)
    assert [e.request_id for e in pair.answers()] == [later]
    assert len(pair.requests()) == 1 + arrived
    assert sum(isinstance(e, SessionCreated) for e in pair.client_events) == 1


@pytest.mark.parametrize("arrived", [False, True])
def test_what_may_be_executed_twice_is_sent_again(arrived: bool) -> None:
    pair = begun()
    number = pair.client.send_request(REQUEST, at_least_once=True)
    data = pair.client.data_to_send()
    if arrived:
        pair.deliver_to_server(data)
    pair.restart()
    settle(pair)
    assert [e.request_id for e in pair.answers()] == [number]
    assert not pair.failures()


def test_a_message_that_got_lost_on_a_living_link_is_missed_after_a_while() -> None:
    pair = begun()
    number = pair.client.send_request(REQUEST)
    lose_to_server(pair)
    assert pair.client.next_timer() == pair.clock() + 10
    pair.pass_time(9)
    assert not pair.requests()
    pair.pass_time(1)
    settle(pair)
    assert [e.request_id for e in pair.answers()] == [number]
    assert len(pair.requests()) == 1


def test_an_answer_that_got_lost_on_a_living_link_is_asked_for() -> None:
    pair = begun()
    number = pair.client.send_request(REQUEST)
    pair.deliver_to_server(pair.client.data_to_send())
    pair.answer(pair.requests()[0], ANSWER)
    lose_to_client(pair)
    pair.pass_time(10)
    assert [e.request_id for e in pair.answers()] == [number]
    assert len(pair.requests()) == 1


def test_an_update_that_got_lost_is_sent_again_as_it_was() -> None:
    pair = begun()
    (session,) = pair.state.sessions.values()
    pair.state.notify(session.id, REQUEST)
    lose_to_client(pair)
    pair.pass_time(74)
    assert not [e for e in pair.client_events if hasattr(e, "body")]
    pair.pass_time(1)
    (update,) = [e for e in pair.client_events if hasattr(e, "body")]
    assert update.body == REQUEST
    pair.pass_time(2)
    assert not session.sent.unacknowledged()


def test_an_update_that_got_lost_until_it_was_too_old_is_sent_as_a_new_message() -> None:
    pair = begun()
    (session,) = pair.state.sessions.values()
    pair.state.notify(session.id, REQUEST)
    lose_to_client(pair)
    (kept,) = session.sent.unacknowledged()
    for _ in range(3):
        pair.clock.advance(75)
        lose_to_client(pair)
    pair.pass_time(75)
    (update,) = [e for e in pair.client_events if isinstance(e, MessageReceived)]
    assert update.body == REQUEST
    assert update.msg_id > kept.msg_id
    pair.pass_time(2)
    assert not session.sent.unacknowledged()


def test_a_client_that_acknowledges_nothing_is_not_told_for_ever() -> None:
    pair = begun()
    (session,) = pair.state.sessions.values()
    pair.state.notify(session.id, REQUEST)
    sent = 0
    for _ in range(40):
        sent += bool(pair.server.data_to_send())
        pair.clock.advance(75)
    assert sent == 8, "as it was, three times more; and once more like that as a new message"
    assert not session.sent.unacknowledged()


def test_an_update_that_was_lost_with_the_connection_comes_in_the_next_one_once() -> None:
    pair = begun()
    (session,) = pair.state.sessions.values()
    pair.state.notify(session.id, REQUEST)
    pair.run()  # it arrives, but its acknowledgement does not
    pair.reconnect()
    pair.client.ping(1)
    pair.run()
    assert len([e for e in pair.client_events if hasattr(e, "body")]) == 1
    assert [e.check for e in pair.dropped(Side.CLIENT)] == ["C10"]
    pair.pass_time(2)
    assert not session.sent.unacknowledged()


def test_copies_of_what_went_either_way_change_nothing() -> None:
    pair = begun()
    numbers = [pair.client.send_request(REQUEST) for _ in range(3)]
    data = pair.client.data_to_send()
    pair.deliver_to_server(data)
    pair.deliver_to_server(data)
    assert len(pair.requests()) == 3
    for request in pair.requests():
        pair.answer(request, ANSWER)
    back = pair.server.data_to_send()
    for _ in range(2):
        pair.deliver_to_client(back)
        pair.deliver_to_server(data)
    settle(pair)
    assert sorted(e.request_id for e in pair.answers()) == numbers
    assert len(pair.requests()) == 3
    assert not pair.failures()


def test_a_long_answer_is_announced_instead_of_being_repeated() -> None:
    pair = begun()
    number = pair.client.send_request(REQUEST)
    data = pair.client.data_to_send()
    pair.deliver_to_server(data)
    pair.answer(pair.requests()[0], bytes(api.BoolTrue()) * 20_000)
    lose_to_client(pair)
    pair.deliver_to_server(data)
    announced = pair.server.data_to_send()
    assert len(announced) < 200
    pair.deliver_to_client(announced)
    pair.run()
    assert [e.request_id for e in pair.answers()] == [number]


def test_only_a_closed_connection_has_a_successor() -> None:
    pair = begun()
    with pytest.raises(LocalProtocolError, match="not closed"):
        pair.client.successor()


def test_a_key_exchange_that_was_cut_off_begins_anew() -> None:
    pair = Pair()
    pair.deliver_to_server(pair.client.data_to_send())
    pair.reconnect()
    pair.run()
    assert pair.client.is_ready
    pair.client.send_request(REQUEST)
    settle(pair)
    assert len(pair.answers()) == 1


PREFIX = bytes.fromhex("eeeeeeee")
OPERATIONS = (
    "invoke",
    "invoke",
    "lose to server",
    "late",
    "lose to client",
    "deliver",
    "deliver",
    "copy",
    "answer",
    "reconnect",
    "restart",
    "rotate",
    "rotate for good",
    "short time",
    "long time",
)


class Book:
    """Every message of the client by its msg_id: nothing may ever be said twice under one with another content."""

    def __init__(self) -> None:
        self.outer: Counter[int] = Counter()
        self.messages: dict[int, tuple[int, bytes]] = {}
        self.lost: list[tuple[ServerConnection, bytes]] = []

    def note(self, pair: Pair, data: bytes) -> None:
        (auth_key,) = pair.state.keys.values()
        for payload in frames_of(data, "intermediate", Side.SERVER):
            envelope = Cipher(auth_key, Side.SERVER).open(payload)
            self.outer[envelope.msg_id] += 1
            assert self.outer[envelope.msg_id] == 1, "encrypted twice under one msg_id"
            if constructor_id(envelope.body) == service.MsgContainer.CONSTRUCTOR_ID:
                for part in unpack_container(envelope.body, envelope.msg_id):
                    said = self.messages.setdefault(part.msg_id, (part.seq_no, part.body))
                    assert said == (part.seq_no, part.body)
            else:
                said = self.messages.setdefault(envelope.msg_id, (envelope.seq_no, envelope.body))
                assert said == (envelope.seq_no, envelope.body)


def taken(pair: Pair) -> bytes:
    """What the client sends; the first bytes of the stream, which say what framing it is, always arrive."""
    data = pair.client.data_to_send()
    prefix = PREFIX if data.startswith(PREFIX) else b""
    pair.deliver_to_server(prefix)
    return data.removeprefix(prefix)


def perform(pair: Pair, book: Book, operation: str, asked: list[int]) -> None:
    match operation:
        case "invoke":
            # Each says its number, so that the server can tell what it has executed.
            asked.append(
                pair.client.send_request(
                    bytes(
                        api.auth.SendCode(
                            phone_number=str(len(asked)), api_id=0, api_hash="", settings=api.CodeSettings()
                        )
                    )
                )
            )
        case "lose to server":
            data = taken(pair)
            book.note(pair, data)
            book.lost.append((pair.server, data))
        case "late":
            for server, data in book.lost:
                pair.server_events += server.receive_data(data)
            book.lost.clear()
        case "lose to client":
            pair.server.data_to_send()
        case "deliver" | "copy":
            data = taken(pair)
            book.note(pair, data)
            for _ in range(1 if operation == "deliver" else 2):
                pair.deliver_to_server(data)
            pair.deliver_to_client(pair.server.data_to_send())
        case "answer":
            for request in pair.requests():
                session = pair.state.sessions.get(request.session)
                if session is not None and request.msg_id in session.open_requests:
                    pair.answer(request, ANSWER)
        case "reconnect":  # of which the server hears nothing
            pair.client.abandon()
            pair.client = pair.client.successor()
            pair.server = ServerConnection([TEST_KEY], pair.state, deadlines=FOR_EVER)
        case "restart":
            for server, _ in book.lost:
                server.abandon()
            pair.restart()
        case "rotate" | "rotate for good":
            for salts in pair.state.salts.values():
                salts.rotate(pair.clock(), keep_previous=operation == "rotate")
        case "short time" | "long time":
            pair.clock.advance(1 if operation == "short time" else 100)
            pair.client_events += pair.client.handle_timer()
            pair.server.handle_timer()


@settings(max_examples=300, deadline=None)
@example(["invoke", "lose to server", "long time", "deliver", "late", "restart"])
@example(["invoke", "lose to server", "reconnect", "deliver", "late", "rotate for good"])
@given(st.lists(st.sampled_from(OPERATIONS), max_size=40))
@example(
    ["invoke", "deliver", "answer", "lose to client", "rotate for good", "reconnect", "copy", "long time"]
)
def test_whatever_happens_each_request_ends_once_and_is_executed_once(operations: list[str]) -> None:
    pair, book = begun(), Book()
    asked: list[int] = []
    for operation in operations:
        perform(pair, book, operation, asked)
    for _ in range(8):  # then it is quiet for a while
        perform(pair, book, "deliver", asked)
        perform(pair, book, "answer", asked)
        perform(pair, book, "deliver", asked)
        perform(pair, book, "long time", asked)
    ended = Counter(e.request_id for e in pair.client_events if isinstance(e, AnswerReceived | RequestFailed))
    assert ended == Counter(asked), "each ends once"
    executed = Counter(e.body for e in pair.requests())
    assert all(times == 1 for times in executed.values()), "nothing is executed twice"
    assert all(isinstance(e.error, FateUnknown) for e in pair.failures()), pair.failures()
    assert len(executed) >= len(pair.answers())
    assert not pair.client.closed
