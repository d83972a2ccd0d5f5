"""Temporary keys in connections: agreed, bound, renewed in time, replaced; and what a server may do wrong."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import mtproto
from mtproto import api, testing
from mtproto.connection import ClientConnection, ServerState
from mtproto.crypto.auth_key import AuthKey
from mtproto.errors import (
    AuthKeyLost,
    ConnectionClosed,
    HandshakeFailed,
    LocalProtocolError,
    RequestLost,
    RpcError,
    TempKeyLost,
)
from mtproto.events import (
    AnswerReceived,
    RequestFailed,
    SessionId,
    TransportErrorReceived,
)
from mtproto.temp_keys import bind_request
from tests.mtproto.helpers import TEST_KEY, ManualClock, seeded
from tests.mtproto.temp_key_pair import CONFIG, END, LIFE, TRUE, Pair, temp_key_id


@pytest.mark.parametrize("skew", [0.0, 5000.0, -5000.0])
def test_a_temporary_key_is_agreed_and_bound_before_anything_is_said(skew: float) -> None:
    pair = Pair(skew=skew)
    assert not pair.client.is_ready
    pair.run()
    (event,) = pair.agreed()
    assert event.temp_auth_key is not None
    assert set(pair.state.keys) == {event.auth_key.key_id, event.temp_auth_key.key_id}
    binding = pair.state.bindings[event.temp_auth_key.key_id]
    assert binding is not None
    assert binding.permanent == event.auth_key.key_id
    assert event.expires_at is not None
    assert event.expires_at - skew == pair.clock() + END
    assert abs(binding.expires_at - pair.clock() - LIFE) <= 1
    assert pair.client.is_ready


def test_requests_go_under_the_temporary_key() -> None:
    pair = Pair()
    pair.run()
    number = pair.client.send_request(CONFIG)
    pair.run()
    (request,) = pair.requests
    assert request.session.auth_key_id == temp_key_id(pair)
    pair.server.answer(request.session, request.msg_id, TRUE)
    pair.run()
    assert AnswerReceived(number, TRUE) in pair.events


def test_with_a_permanent_key_only_the_temporary_one_is_agreed() -> None:
    pair, key = Pair(), AuthKey(seeded(3)(256))
    pair.state.add_key(key, 1)
    pair.client = ClientConnection(
        [TEST_KEY.public], auth_key=key, temp_key_lifetime=60, clock=pair.clock, rng=seeded(4)
    )
    pair.run()
    assert pair.agreed()[0].auth_key == key
    assert set(pair.state.keys) == {key.key_id, temp_key_id(pair)}


def test_a_key_is_renewed_before_it_expires() -> None:
    pair = Pair()
    pair.run()
    first = pair.agreed()[0]
    pair.pass_time(70)  # acknowledgements have been sent, and the salts of the next hours are known
    assert pair.client.next_timer() == pair.clock() + END - 370
    pair.pass_time(END - 371)
    assert len(pair.agreed()) == 1
    pair.pass_time(1)
    first_again, second = pair.agreed()
    assert first_again == first
    assert second.auth_key == first.auth_key
    assert second.temp_auth_key != first.temp_auth_key
    assert second.expires_at == pair.clock() + END
    number = pair.client.send_request(CONFIG)
    pair.run()
    assert pair.requests[0].session.auth_key_id == temp_key_id(pair, 1)
    assert number not in {1, 2}  # which were the bindings
    assert pair.state.bindings[temp_key_id(pair, 0)] is None
    for _ in range(3):
        pair.pass_time(LIFE - 300)
    assert len(pair.agreed()) == 5


def test_an_answer_to_the_session_before_still_arrives() -> None:
    pair = Pair()
    pair.run()
    number = pair.client.send_request(CONFIG)
    pair.run()
    pair.pass_time(LIFE - 300)
    assert len(pair.agreed()) == 2
    (request,) = pair.requests
    pair.server.answer(request.session, request.msg_id, TRUE)
    pair.run()
    assert AnswerReceived(number, TRUE) in pair.events


def test_a_request_without_an_answer_fails_when_its_key_is_long_gone() -> None:
    pair = Pair()
    pair.run()
    number = pair.client.send_request(CONFIG)
    pair.run()
    pair.pass_time(LIFE - 300)
    assert not [e for e in pair.events if isinstance(e, RequestFailed)]
    pair.pass_time(LIFE - 300)
    (failed,) = [e for e in pair.events if isinstance(e, RequestFailed)]
    assert failed.request_id == number
    assert isinstance(failed.error, ConnectionClosed)


def test_a_key_that_is_not_renewed_ends_the_connection() -> None:
    """The server is silent: first the exchange takes too long."""
    pair = Pair()
    pair.run()
    pair.clock.advance(LIFE - 300)
    pair.client.handle_timer()
    assert pair.client.data_to_send()
    assert pair.client.next_timer() == pair.clock() + 60
    pair.clock.advance(60)
    with pytest.raises(HandshakeFailed) as caught:
        pair.client.handle_timer()
    assert caught.value.check == "H14"
    assert pair.client.closed


def test_a_key_that_has_expired_ends_the_connection() -> None:
    pair = Pair()
    pair.run()
    pair.clock.advance(END)
    with pytest.raises(HandshakeFailed) as caught:
        pair.client.handle_timer()
    assert caught.value.check == "H15"
    assert pair.client.failure is caught.value
    assert pair.client.next_timer() is None


def test_a_server_may_forget_a_key_before_it_expires() -> None:
    pair = Pair()
    pair.run()
    pair.state.expiry[temp_key_id(pair)] = pair.clock()
    pair.client.send_request(CONFIG)
    with pytest.raises(mtproto.RemoteProtocolError) as caught:
        pair.server.receive_data(pair.client.data_to_send())
    assert (caught.value.check, caught.value.reply) == ("S1", -404)
    assert pair.client.receive_data(pair.server.data_to_send()) == [TransportErrorReceived(-404)]


@pytest.mark.parametrize("answer", [bytes(api.BoolFalse()), CONFIG])
def test_an_answer_that_is_not_true(answer: bytes) -> None:
    pair = Pair(binding=answer)
    with pytest.raises(HandshakeFailed, match="did not bind") as caught:
        pair.run()
    assert caught.value.check == "H15"
    assert pair.client.closed
    assert not pair.agreed()


def test_a_server_that_has_lost_the_permanent_key() -> None:
    pair, key = Pair(), AuthKey(seeded(3)(256))
    pair.client = ClientConnection(
        [TEST_KEY.public], auth_key=key, temp_key_lifetime=60, clock=pair.clock, rng=seeded(4)
    )
    with pytest.raises(HandshakeFailed, match="400 ENCRYPTED_MESSAGE_INVALID"):
        pair.run()


PLAIN = bytes(8) + (5).to_bytes(8, "little") + (4).to_bytes(4, "little") + b"1234"
PLAIN_FRAME = len(PLAIN).to_bytes(4, "little") + PLAIN


def test_plain_messages_are_refused_where_no_key_is_being_agreed() -> None:
    pair = Pair()
    pair.run()
    with pytest.raises(mtproto.RemoteProtocolError) as caught:
        pair.client.receive_data(PLAIN_FRAME)
    assert caught.value.check == "C1"


def test_plain_messages_are_refused_while_a_key_is_bound() -> None:
    """The exchange is over, and there is no session for requests yet."""
    pair = Pair()
    for _ in range(7):
        pair.server.receive_data(pair.client.data_to_send())
        pair.client.receive_data(pair.server.data_to_send())
    assert not pair.client.is_ready
    with pytest.raises(HandshakeFailed, match="no key is being agreed") as caught:
        pair.client.receive_data(PLAIN_FRAME)
    assert caught.value.check == "H13"


def test_a_binding_without_an_answer_ends_the_connection() -> None:
    pair = Pair()
    for _ in range(7):
        pair.server.receive_data(pair.client.data_to_send())
        pair.client.receive_data(pair.server.data_to_send())
    assert not pair.client.is_ready
    pair.clock.advance(2)
    pair.client.handle_timer()
    pair.client.data_to_send()
    assert pair.client.next_timer() == pair.clock() + 18, "to ask what has become of it"
    pair.clock.advance(58)
    with pytest.raises(HandshakeFailed, match="too long to bind") as caught:
        pair.client.handle_timer()
    assert caught.value.check == "H14"


def test_nothing_is_sent_under_an_expired_key() -> None:
    pair = Pair()
    pair.run()
    pair.client.send_request(CONFIG)
    pair.clock.advance(END)
    assert pair.client.data_to_send() == b""
    pair.clock.advance(-1)
    assert pair.client.data_to_send()


@pytest.mark.parametrize("fraction", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("skew", [0.0, 0.3, -0.3])
@pytest.mark.parametrize("lifetime", [60, 90])
def test_the_client_stops_before_the_server_does(fraction: float, skew: float, lifetime: int) -> None:
    """Requests at all times, for some keys on end: none is lost, whatever was cut off the clocks."""
    pair = Pair(skew=skew, lifetime=lifetime, start=1_700_000_000 + fraction)
    pair.run()
    for count in range(1, 6 * lifetime + 1):
        pair.pass_time(0.5)
        pair.client.send_request(CONFIG)
        pair.run()
        assert len(pair.requests) == count
        for event in pair.agreed()[-1:]:
            assert event.expires_at is not None
            ends = pair.state.expiry[temp_key_id(pair)]
            assert 3 < ends - (event.expires_at - skew) <= 6
    assert len(pair.agreed()) >= 4


def test_a_retired_session_is_silent_near_its_end() -> None:
    """An answer that comes for it late is taken, and not acknowledged: the server may have dropped its key."""
    pair = Pair(lifetime=100, start=1_700_000_000.99)
    pair.run()
    number = pair.client.send_request(CONFIG)
    pair.run()
    first = temp_key_id(pair)
    pair.pass_time(80)
    assert len(pair.agreed()) == 2
    pair.clock.advance(18.9)
    (request,) = pair.requests
    pair.server.answer(request.session, request.msg_id, TRUE)
    pair.run()
    assert AnswerReceived(number, TRUE) in pair.events
    for _ in range(8):
        pair.pass_time(0.5)
    assert pair.state.key(first) is None
    assert not pair.client.closed


def test_a_retired_session_acknowledges_before_its_end() -> None:
    pair = Pair()
    pair.run()
    pair.client.send_request(CONFIG)
    pair.run()
    pair.pass_time(LIFE - 300)
    (request,) = pair.requests
    pair.server.answer(request.session, request.msg_id, TRUE)
    pair.run()
    pair.clock.advance(60)
    assert pair.client.data_to_send()


@pytest.mark.parametrize("server_time", [2**31 - 10, 2**31 - 1])
@pytest.mark.parametrize("lifetime", [None, 86400])
def test_a_server_whose_clock_can_not_be(server_time: int, lifetime: int | None) -> None:
    pair = Pair(skew=1_700_000_000.0 - server_time, lifetime=lifetime, start=server_time)
    with pytest.raises(HandshakeFailed, match="server_time") as caught:
        pair.run()
    assert caught.value.check == "H12"
    assert pair.client.closed


@pytest.mark.parametrize("lifetime", [0, -5, 1, 59, 31_536_001, 2**31, 1.5, 3600.0, True, "3600"])
def test_lifetime_that_can_not_be(lifetime: Any) -> None:
    """Said at once, also by `connect`, which has not looked for a server then."""
    expected = r"temp_key_lifetime .*, expected whole seconds from 60 to 31536000"
    with pytest.raises(LocalProtocolError, match=expected):
        ClientConnection([TEST_KEY.public], temp_key_lifetime=lifetime)

    async def main() -> None:
        await mtproto.connect("127.0.0.1", 1, keys=[TEST_KEY.public], temp_key_lifetime=lifetime)

    with pytest.raises(LocalProtocolError, match=expected):
        asyncio.run(main())


@pytest.mark.parametrize("lifetime", [60, 31_536_000])
def test_lifetime_that_can_be(lifetime: int) -> None:
    pair = Pair(lifetime=lifetime)
    pair.run()
    assert pair.client.is_ready


def test_forgetting_the_permanent_key_takes_the_temporary_one_along() -> None:
    pair = Pair()
    pair.run()
    pair.state.forget_key(pair.agreed()[0].auth_key.key_id)
    assert not pair.state.keys


@pytest.mark.parametrize("is_itself", [True, False])
def test_a_temporary_key_is_no_permanent_one(is_itself: bool) -> None:
    """Everything about the request is right, but that the key it names is temporary, too."""
    clock = ManualClock()
    state = ServerState(clock=clock, rng=seeded(1))
    temporary, other = AuthKey(seeded(2)(256)), AuthKey(seeded(3)(256))
    state.add_key(temporary, 1, clock() + LIFE)
    body = bind_request(
        4,
        temporary=temporary,
        permanent=temporary if is_itself else other,
        session_id=5,
        expires_at=int(clock()) + LIFE,
        rng=seeded(4),
    )
    request = api.decode(body, api.auth.BindTempAuthKey)
    state.add_key(other, 1, clock() + LIFE)
    with pytest.raises(RpcError, match="400 ENCRYPTED_MESSAGE_INVALID"):
        state.bind_temp_key(SessionId(temporary.key_id, 5), 4, request)
    if not is_itself:  # and with a permanent key it would do
        state.expiry.pop(other.key_id)
        assert state.bind_temp_key(SessionId(temporary.key_id, 5), 4, request).permanent == other.key_id


def test_a_plain_message_with_an_even_msg_id() -> None:
    """Those of servers are odd: ours comes back, maybe.  With the msg_id as it was, the answer is taken."""
    for change, check in ((0, None), (1, "C9")):
        pair = Pair()
        pair.server.receive_data(pair.client.data_to_send())
        answer = bytearray(pair.server.data_to_send())
        answer[4 + 8] ^= change  # the length, an auth_key_id of zeros, then the msg_id
        if check is None:
            pair.client.receive_data(bytes(answer))
            assert pair.client.data_to_send()
            continue
        with pytest.raises(HandshakeFailed, match="even msg_id") as caught:
            pair.client.receive_data(bytes(answer))
        assert caught.value.check == check
        assert pair.client.closed


def test_binding_in_no_session() -> None:
    state = ServerState(clock=ManualClock(), rng=seeded(1))
    request = api.auth.BindTempAuthKey(perm_auth_key_id=1, nonce=2, expires_at=3, encrypted_message=b"")
    with pytest.raises(LocalProtocolError, match="no session"):
        state.bind_temp_key(SessionId(bytes(8), 1), 4, request)


# The same with sockets


def test_loopback_server_with_temporary_keys() -> None:
    async def main() -> None:
        async with testing.serve(key=TEST_KEY) as server:
            connecting = mtproto.connect(
                server.host, server.port, keys=[server.public_key], temp_key_lifetime=600, api_id=1
            )
            async with connecting as client:
                await client.invoke(api.help.GetConfig())
                sent = await client.invoke(
                    api.account.SendVerifyPhoneCode(phone_number="+12025550123", settings=api.CodeSettings())
                )
                assert isinstance(sent, api.auth.SentCode)
                temporary = server.state.bindings.temporary_of(client.auth_key.key_id)
                assert temporary is not None
                assert {session.auth_key_id for session in server.state.sessions} == {temporary}
                server.state.bindings.forget(temporary)
                await client.invoke(api.help.GetConfig())
                assert server.state.bindings.temporary_of(client.auth_key.key_id) is None
                await client.invoke(
                    api.account.SendVerifyPhoneCode(phone_number="+12025550123", settings=api.CodeSettings())
                )
                another = server.state.bindings.temporary_of(client.auth_key.key_id)
                assert another not in {None, temporary}
            assert not server.errors

    asyncio.run(main())


def test_a_lost_temporary_key_is_not_a_lost_permanent_one() -> None:
    async def main() -> None:
        async with testing.serve(key=TEST_KEY) as server:
            connecting = mtproto.connect(
                server.host, server.port, keys=[server.public_key], temp_key_lifetime=600, reconnect=None
            )
            async with connecting as client:
                temporary = server.state.bindings.temporary_of(client.auth_key.key_id)
                assert temporary is not None
                server.state.forget_key(temporary)
                with pytest.raises(RequestLost, match="the permanent one is intact") as sent:
                    await client.invoke(api.help.GetConfig())
                with pytest.raises(TempKeyLost) as caught:
                    await client.invoke(api.help.GetConfig())
                assert sent.value.__cause__ is caught.value
                assert caught.value.code == -404
                assert not isinstance(caught.value, AuthKeyLost)
                assert server.state.key(client.auth_key.key_id) == client.auth_key

    asyncio.run(main())


def test_requests_under_a_permanent_key_can_not_bind() -> None:
    async def main() -> None:
        async with (
            testing.serve(key=TEST_KEY) as server,
            mtproto.connect(server.host, server.port, keys=[server.public_key]) as client,
        ):
            request = api.auth.BindTempAuthKey(
                perm_auth_key_id=1, nonce=2, expires_at=3, encrypted_message=b""
            )
            with pytest.raises(RpcError, match="400 TEMP_AUTH_KEY_EMPTY"):
                await client.invoke(request)

    asyncio.run(main())
