"""Around the renewal of temporary keys: requests under way, slow links, servers that forget, and what is kept."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest

from mtproto.connection import ClientConnection, ServerConnection, ServerState
from mtproto.crypto.auth_key import AuthKey
from mtproto.errors import HandshakeFailed, RequestLost, RpcError
from mtproto.events import AnswerReceived, KeyAgreed, MessageDropped, RequestFailed, RequestReceived
from mtproto.session.client_sending import MAX_RESENDS
from mtproto.session.server_sending import RESEND_AFTER
from mtproto.temp_keys import last_use, renewal_time
from tests.mtproto.helpers import TEST_KEY, ManualClock, seeded
from tests.mtproto.temp_key_pair import (
    CONFIG,
    LIFE,
    TRUE,
    UNBOUND,
    Pair,
    SlowPair,
    error_body,
    temp_key_id,
)


def outcomes(pair: Pair, number: int) -> list[AnswerReceived | RequestFailed]:
    return [
        e for e in pair.events if isinstance(e, AnswerReceived | RequestFailed) and e.request_id == number
    ]


def answer_all(pair: Pair) -> None:
    """Answer what the server has taken, and forget that it was asked."""
    for request in pair.requests:
        pair.server.answer(request.session, request.msg_id, TRUE)
    pair.requests.clear()
    pair.run()


def half_bound(pair: Pair) -> None:
    """Renew the key up to where the server has bound it, and its answer is on the way: nobody has it yet."""
    pair.clock.advance(LIFE - 300)
    pair.client.handle_timer()
    for _ in range(3):
        pair.server.receive_data(pair.client.data_to_send())
        pair.events += pair.client.receive_data(pair.server.data_to_send())
    (bind,) = [
        e for e in pair.server.receive_data(pair.client.data_to_send()) if isinstance(e, RequestReceived)
    ]
    pair.take(bind)
    assert len(pair.agreed()) == 1


# Requests that the server does not take because their key acts for nobody any more


def test_a_request_that_is_refused_while_a_key_is_bound_is_sent_again_under_it() -> None:
    """The server has bound the new key already, and its refusal comes before the client knows."""
    pair = Pair()
    pair.run()
    half_bound(pair)
    number = pair.client.send_request(CONFIG)
    taken = pair.server.data_to_send()  # with the answer to the binding, which is held up
    for event in pair.server.receive_data(pair.client.data_to_send()):
        assert isinstance(event, RequestReceived)
        pair.take(event)
    assert len(pair.unbound) == 1
    pair.events += pair.client.receive_data(pair.server.data_to_send())
    assert not outcomes(pair, number)
    assert pair.client.data_to_send() == b""
    pair.events += pair.client.receive_data(taken)
    pair.run()
    assert len(pair.agreed()) == 2
    (request,) = pair.requests
    assert request.session.auth_key_id == temp_key_id(pair)
    answer_all(pair)
    assert outcomes(pair, number) == [AnswerReceived(number, TRUE)]


def test_a_request_that_is_refused_in_the_session_before_is_sent_again_in_the_one_in_use() -> None:
    """It was sent while the old key was in use, and refused when the new one was."""
    pair = Pair()
    pair.run()
    half_bound(pair)
    number = pair.client.send_request(CONFIG)
    late = pair.client.data_to_send()
    pair.run()
    assert len(pair.agreed()) == 2
    for event in pair.server.receive_data(late):
        assert isinstance(event, RequestReceived)
        pair.take(event)
    pair.run()
    (request,) = pair.requests
    assert request.session.auth_key_id == temp_key_id(pair)
    answer_all(pair)
    assert outcomes(pair, number) == [AnswerReceived(number, TRUE)]
    assert len(pair.unbound) == 1


def test_a_key_that_has_lost_its_binding_is_renewed_and_the_requests_are_sent_under_the_next() -> None:
    """As when another connection has bound another key."""
    pair = Pair()
    pair.run()
    first = temp_key_id(pair)
    pair.state.bindings.forget(first)
    numbers = [pair.client.send_request(CONFIG) for _ in range(3)]
    pair.run()
    assert pair.client.next_timer() == pair.clock()
    pair.client.handle_timer()
    pair.run()
    assert len(pair.agreed()) == 2
    assert len(pair.requests) == 3
    answer_all(pair)
    for number in numbers:
        assert outcomes(pair, number) == [AnswerReceived(number, TRUE)]
    assert temp_key_id(pair) != first


def test_a_request_that_is_always_refused_fails_in_the_end() -> None:
    pair = Pair()
    pair.run()
    number = pair.client.send_request(CONFIG)
    for count in range(MAX_RESENDS + 1):
        assert not outcomes(pair, number)
        pair.run()
        assert len(pair.requests) == count + 1
        request = pair.requests[-1]
        pair.server.answer(request.session, request.msg_id, UNBOUND)
        pair.run()
        pair.client.handle_timer()
        pair.run()
    (failed,) = outcomes(pair, number)
    assert isinstance(failed, RequestFailed)
    assert str(failed.error) == "401 AUTH_KEY_PERM_EMPTY"
    pair.run()
    assert len(pair.requests) == MAX_RESENDS + 1


@pytest.mark.parametrize(
    "error", [RpcError(401, "AUTH_KEY_UNREGISTERED"), RpcError(400, "AUTH_KEY_PERM_EMPTY")]
)
def test_other_errors_are_told(error: RpcError) -> None:
    pair = Pair()
    pair.run()
    number = pair.client.send_request(CONFIG)
    pair.run()
    (request,) = pair.requests
    pair.server.answer(request.session, request.msg_id, error_body(error))
    pair.run()
    (failed,) = outcomes(pair, number)
    assert isinstance(failed, RequestFailed)
    assert repr(failed.error) == repr(error)
    assert not pair.client._keys.sending()[0].session.open_requests


def test_under_a_permanent_key_it_is_an_error_like_others() -> None:
    pair = Pair(lifetime=None)
    pair.run()
    number = pair.client.send_request(CONFIG)
    pair.run()
    (request,) = pair.requests
    pair.server.answer(request.session, request.msg_id, UNBOUND)
    pair.run()
    (failed,) = outcomes(pair, number)
    assert isinstance(failed, RequestFailed)
    pair.client.handle_timer()
    pair.run()
    assert len(pair.requests) == 1


@pytest.mark.parametrize("is_held", [True, False])
def test_what_nobody_waits_for_is_not_sent_again(is_held: bool) -> None:
    pair = Pair()
    pair.run()
    pair.state.bindings.forget(temp_key_id(pair))
    number = pair.client.send_request(CONFIG)
    if is_held:
        pair.run()
        pair.client.drop_request(number)
    else:
        out = pair.client.data_to_send()
        pair.client.drop_request(number)
        for event in pair.server.receive_data(out):
            assert isinstance(event, RequestReceived)
            pair.take(event)
        pair.run()
    assert len(pair.unbound) == 1
    pair.client.handle_timer()
    pair.run()
    pair.pass_time(LIFE - 300)
    assert not pair.requests
    assert not outcomes(pair, number)


def test_a_request_that_is_held_goes_on_in_a_successor() -> None:
    """The connection ends when the server has bound a key and the client does not know: that key is never used."""
    pair = Pair()
    pair.run()
    half_bound(pair)
    number = pair.client.send_request(CONFIG)
    pair.server.data_to_send()  # with the answer to the binding, which is lost
    for event in pair.server.receive_data(pair.client.data_to_send()):
        assert isinstance(event, RequestReceived)
        pair.take(event)
    pair.events += pair.client.receive_data(pair.server.data_to_send())
    pair.client.abandon()
    pair.server.abandon()
    pair.client = pair.client.successor()
    pair.server = ServerConnection([TEST_KEY], pair.state)
    pair.run()
    assert not outcomes(pair, number)
    pair.pass_time(0)
    assert len(pair.agreed()) == 2
    answer_all(pair)
    assert outcomes(pair, number) == [AnswerReceived(number, TRUE)]
    assert len(pair.unbound) == 2


@pytest.mark.parametrize("delay", [0.0, 0.25, 1.0, 3.0])
def test_requests_at_all_times_are_executed_once_each(delay: float) -> None:
    """A few keys on end, two requests a second: each is executed, once, and answered."""
    pair = SlowPair(delay, lifetime=90)
    numbers = []
    while len(pair.agreed()) < 5:
        pair.step()
        if pair.client.is_ready and pair.clock() % 0.5 == 0:
            numbers.append(pair.client.send_request(CONFIG))
    for _ in range(100):
        pair.step()
    assert len(numbers) > 200
    assert len(pair.requests) == len(numbers)
    for number in numbers:
        assert outcomes(pair, number) == [AnswerReceived(number, TRUE)]
    assert pair.unbound or not delay  # or else this shows nothing


# Slow links


@pytest.mark.parametrize("start", [1_700_000_000.0, 1_700_000_000.99])
@pytest.mark.parametrize("delay", [2.0, 4.0, 6.0])
def test_nothing_arrives_under_a_key_that_the_server_has_dropped(delay: float, start: float) -> None:
    """An answer that comes to the session before late is acknowledged as late as may be, and yet in time."""
    pair = SlowPair(delay, lifetime=240, start=start)
    while not pair.client.is_ready:
        pair.step()
    pair.take = lambda event: Pair.take(pair, event)  # type: ignore[method-assign]
    renewed = pair.client._keys
    numbers = []
    while len(pair.agreed()) < 3:
        pair.step()
        before = renewed._retired
        numbers.append(pair.client.send_request(CONFIG))
        if before is not None and pair.requests and pair.clock() % 1 == 0:
            request = pair.requests.pop(0)
            if request.session.auth_key_id in pair.state.keys:
                pair.server.answer(request.session, request.msg_id, TRUE)
        if before is not None and before.expires_at is not None and before.expires_at - pair.clock() <= 0.25:
            before.session.ping(1)  # as late as may be
    assert pair.server.failure is None


def test_a_link_on_which_keys_take_long_begins_earlier_with_the_next() -> None:
    pair = SlowPair(4.0, lifetime=120)
    while len(pair.agreed()) < 5:
        pair.step()
    assert not pair.client.closed


@pytest.mark.parametrize(
    ("lifetime", "round_trip", "before"),
    [
        (3600, 0.0, 5.0),
        (3600, 0.5, 6.0),
        (3600, 10.0, 25.0),
        (3600, 60.0, 125.0),
        (60, 60.0, 15.0),
        (16, 9.0, 5.0),
    ],
)
def test_last_use(lifetime: float, round_trip: float, before: float) -> None:
    assert last_use(1_700_000_000.0, lifetime, round_trip) == 1_700_000_000 - before


@pytest.mark.parametrize(
    ("lives", "took", "before"), [(100.0, 9.0, 20.0), (100.0, 30.0, 60.0), (3600.0, 30.0, 300.0)]
)
def test_renewal_takes_as_long_as_it_took(lives: float, took: float, before: float) -> None:
    assert renewal_time(0.0, lives, took) == lives - before


# What is kept of a key that is over


def reachable(start: object) -> list[object]:
    """All that `start` refers to, and what that does, within this package and plain containers."""
    seen: dict[int, object] = {}
    todo = [start]
    while todo:
        item = todo.pop()
        if id(item) in seen or isinstance(item, type) or type(item).__name__ in ("module", "function"):
            continue
        seen[id(item)] = item
        todo += gc.get_referents(item)
    return list(seen.values())


def holds(client: ClientConnection, key: AuthKey) -> bool:
    return any(isinstance(item, AuthKey) and item == key for item in reachable(client))


def test_a_key_that_is_over_is_forgotten_with_its_session() -> None:
    pair = Pair()
    pair.run()
    first = pair.agreed()[0].temp_auth_key
    assert first is not None
    number = pair.client.send_request(CONFIG)
    pair.run()
    (request,) = pair.requests
    pair.pass_time(LIFE - 300)
    second = pair.agreed()[1].temp_auth_key
    pair.server.answer(request.session, request.msg_id, TRUE)
    late = pair.server.data_to_send()
    session = pair.state.sessions[request.session]
    for message in session.sent.unacknowledged():  # or it would be sent again, and arrive
        session.sent.acknowledge(message.msg_id)
    session.answers.drop(request.msg_id)
    pair.pass_time(304.0)
    assert holds(pair.client, first)
    timer = pair.client.next_timer()
    assert timer is not None
    assert 0 < timer - pair.clock() < 7
    pair.clock.advance(timer - pair.clock())
    pair.events += pair.client.handle_timer()
    assert not holds(pair.client, first)
    assert second is not None
    assert holds(pair.client, second)
    (lost,) = outcomes(pair, number)
    assert isinstance(lost, RequestFailed)
    assert isinstance(lost.error, RequestLost)
    pair.events += pair.client.receive_data(late)
    dropped = [e for e in pair.events if isinstance(e, MessageDropped)][-1]
    assert dropped.check == "H15"
    other = pair.client.send_request(CONFIG)
    pair.run()
    pair.requests.remove(request)
    answer_all(pair)
    assert outcomes(pair, other) == [AnswerReceived(other, TRUE)]


def test_a_server_sends_nothing_under_a_key_that_is_over() -> None:
    """An answer that nobody acknowledges is sent again and again, but no longer than its key lasts."""
    pair, sent = Pair(), []
    pair.run()
    pair.client.send_request(CONFIG)
    pair.run()
    (request,) = pair.requests
    pair.pass_time(LIFE - 300)
    pair.server.answer(request.session, request.msg_id, TRUE)
    pair.server.data_to_send()  # lost on the way

    def framed(payload: bytes, frame: Callable[[bytes], bytes]) -> bytes:
        sent.append(payload[:8])
        return frame(payload)

    pair.server.outgoing = framed
    pair.clock.advance(RESEND_AFTER)
    pair.server.data_to_send()
    assert request.session.auth_key_id in sent
    sent.clear()
    pair.clock.advance(300)
    pair.server.handle_timer()
    pair.server.data_to_send()
    assert request.session.auth_key_id not in sent
    assert request.session not in pair.state.sessions
    assert request.session.auth_key_id not in pair.state.keys
    assert temp_key_id(pair) in pair.state.keys


# The server's clock, and what a server may do while a key is bound


@pytest.mark.parametrize("ahead", [-1_700_000_000.0, -3600.0, 0.75, 3600.0, 4e8])
def test_a_server_with_another_clock_does_not_change_how_long_a_key_lives(ahead: float) -> None:
    pair = Pair(skew=-ahead, start=1_700_000_000.0 + ahead)
    pair.run()
    (agreed,) = pair.agreed()
    assert agreed.expires_at is not None
    assert 1_700_000_000 + LIFE - 7 < agreed.expires_at <= 1_700_000_000 + LIFE - 5
    pair.pass_time(LIFE - 300)
    assert len(pair.agreed()) == 2


def test_an_error_to_a_later_binding_ends_the_connection() -> None:
    pair = Pair()
    pair.run()
    pair.binding = error_body(RpcError(500, "INTERNAL"))
    with pytest.raises(HandshakeFailed, match="500 INTERNAL"):
        pair.pass_time(LIFE - 300)
    assert pair.client.closed


def test_a_key_is_not_used_before_the_server_has_said_that_it_is_bound() -> None:
    pair = Pair()
    for _ in range(7):
        pair.server.receive_data(pair.client.data_to_send())
        pair.client.receive_data(pair.server.data_to_send())
    assert not pair.client.is_ready
    pair = Pair()
    pair.run()
    half_bound(pair)
    assert pair.client.session is pair.client._keys.sending()[0].session
    pair.client.send_request(CONFIG)
    for event in pair.server.receive_data(pair.client.data_to_send()):
        assert isinstance(event, RequestReceived)
        assert event.session.auth_key_id == temp_key_id(pair, 0)


# The server's memory


def test_a_permanent_key_lives_as_long_as_its_temporary_one_is_used() -> None:
    clock = ManualClock()
    state = ServerState(clock=clock, rng=seeded(1), max_keys=3)
    pair = Pair()
    pair.clock, pair.state, pair.server = clock, state, ServerConnection([TEST_KEY], state)
    pair.run()
    (agreed,) = [e for e in pair.events if isinstance(e, KeyAgreed)]
    for seed in range(10):
        state.add_key(AuthKey(seeded(100 + seed)(256)), 1)
        pair.client.send_request(CONFIG)
        pair.run()
    assert len(pair.requests) == 10
    assert agreed.auth_key.key_id in state.keys
