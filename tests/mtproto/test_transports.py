"""Whole connections over every transport: key exchange, requests, quick acks, replays; in memory and over TCP."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import mtproto
from mtproto import api
from mtproto.connection import ClientConnection, ServerConnection
from mtproto.connection.quick_acks import AwaitedQuickAcks, read_quick_ack
from mtproto.crypto.auth_key import AuthKey
from mtproto.errors import ConnectionClosed, FramingError, LocalProtocolError, RemoteProtocolError
from mtproto.events import (
    AnswerReceived,
    KeyAgreed,
    QuickAckReceived,
    RequestReceived,
    TransportErrorReceived,
)
from mtproto.side import Side
from mtproto.testing import serve
from mtproto.transport import Frame, QuickAck, framing, unpadded
from tests.mtproto.helpers import TEST_KEY, seeded
from tests.mtproto.pair import Pair, agreed_pair, whole
from tests.mtproto.transport.lines import SETUPS, Setup
from tests.mtproto.transport.streams import single_bytes
from tests.vectors import load

REQUEST = api.account.SendVerifyPhoneCode(phone_number="+12025550123", settings=api.CodeSettings())
ANSWER = bytes(api.auth.SentCode(type=api.auth.SentCodeTypeSms(length=5), phone_code_hash="0123"))
MESSAGES: dict[str, Any] = load("encrypted_messages")
each_setup = pytest.mark.parametrize("setup", SETUPS, ids=str)
with_quick_acks = pytest.mark.parametrize("setup", [s for s in SETUPS if s.name != "full"], ids=str)


def pair_of(setup: Setup, *, auth_key: AuthKey | None = None, cut: Any = whole) -> Pair:
    """A pair that speaks in this way; with an `auth_key`, both have it already."""
    pair = Pair(cut=cut)
    pair.server = ServerConnection([TEST_KEY], pair.state, mtproxy_secret=setup.secret)
    pair.client = ClientConnection(
        [TEST_KEY.public],
        transport=setup.name,
        obfuscated=setup.layer == "obfuscated",
        mtproxy_secret=setup.secret,
        auth_key=auth_key,
        server_salt=1234567,
        time_offset=0.0,
        clock=pair.clock,
        rng=seeded(2),
    )
    if auth_key is not None:
        pair.state.add_key(auth_key, 1234567)
    return pair


KEY = AuthKey(seeded(7)(256))


# -- in memory ----------------------------------------------------------------------------------------


@each_setup
@pytest.mark.parametrize("cut", [whole, single_bytes], ids=["whole", "single-bytes"])
def test_key_exchange_then_requests_and_answers(setup: Setup, cut: Any) -> None:
    pair = pair_of(setup, cut=cut)
    pair.run()
    assert [type(e) for e in pair.client_events] == [KeyAgreed]
    for size in range(3):
        number = pair.client.send_request(bytes(REQUEST))
        pair.run()
        pair.answer(pair.requests()[-1], ANSWER + bytes(4 * size))
        pair.run()
        assert pair.answers()[-1] == AnswerReceived(number, ANSWER + bytes(4 * size))
    assert [e.body for e in pair.requests()] == [bytes(REQUEST)] * 3
    assert pair.client.transport == pair.server.transport == setup.client().name


@each_setup
def test_an_unknown_key_is_answered_with_the_transport_error(setup: Setup) -> None:
    pair = pair_of(setup, auth_key=KEY)
    pair.state.forget_key(KEY.key_id)
    pair.client.send_request(bytes(REQUEST))
    with pytest.raises(RemoteProtocolError, match="unknown auth_key_id"):
        pair.server.receive_data(pair.client.data_to_send())
    assert pair.client.receive_data(pair.server.data_to_send()) == [TransportErrorReceived(-404)]


@each_setup
def test_a_replayed_connection_is_refused_without_a_word(setup: Setup) -> None:
    pair = pair_of(setup)
    pair.run()
    recorded = b"".join(pair.to_server)
    again = ServerConnection([TEST_KEY], pair.state, mtproxy_secret=setup.secret)
    if setup.layer == "plain":
        return  # there is nothing to tell it by
    with pytest.raises(FramingError, match="seen before") as caught:
        again.receive_data(recorded)
    assert caught.value.check == "X7"
    assert again.closed
    assert again.data_to_send() == b""


def test_what_a_server_remembers_of_inits_is_bounded() -> None:
    state = mtproto.ServerState(max_inits=3)
    for seed in range(5):
        init = ClientConnection([TEST_KEY.public], obfuscated=True, rng=seeded(seed)).data_to_send()
        ServerConnection([TEST_KEY], state).receive_data(init[:64])
        assert len(state.seen_inits) == min(seed + 1, 3)


# -- quick acks ---------------------------------------------------------------------------------------


def test_published_tokens() -> None:
    auth_key = AuthKey(bytes.fromhex(MESSAGES["auth_key"]))
    cases = [case for case in MESSAGES["good"] if "quick_ack_token_wire_intermediate" in case]
    assert cases
    for case in cases:
        token, msg_id = read_quick_ack(auth_key, bytes.fromhex(case["message"]))
        # Published as cut from the hash in some, with the top bit set in others: on the wire it is always set.
        cut = bytes.fromhex(case["quick_ack_token_wire_intermediate"])
        assert token == cut[:3] + bytes([cut[3] | 0x80])
        assert msg_id == case["msg_id"]
        for name, key in (("abridged", "abridged"), ("intermediate", "intermediate")):
            if cut[3] & 0x80:
                wire = framing(name, Side.SERVER).encode_quick_ack(token).hex()
                assert wire == case[f"quick_ack_token_wire_{key}"]


@with_quick_acks
def test_a_quick_ack_names_the_requests_it_is_about_and_comes_before_the_answer(setup: Setup) -> None:
    pair = pair_of(setup, auth_key=KEY)
    numbers = (
        pair.client.send_request(bytes(REQUEST)),
        pair.client.send_request(bytes(REQUEST), quick_ack=True),
    )
    pair.run()
    (ack,) = [e for e in pair.client_events if isinstance(e, QuickAckReceived)]
    assert ack.requests == numbers
    assert len(pair.requests()) == 2
    assert set(pair.client.session.open_requests) == set(numbers), "an ack is no answer"
    for request in pair.requests():
        pair.answer(request, ANSWER)
    pair.run()
    kinds = [type(e) for e in pair.client_events]
    assert kinds.index(QuickAckReceived) < kinds.index(AnswerReceived)
    assert len(pair.answers()) == 2


@with_quick_acks
def test_nobody_who_did_not_ask_gets_a_quick_ack(setup: Setup) -> None:
    pair = pair_of(setup, auth_key=KEY)
    for asks in (False, True, False):
        pair.client.send_request(bytes(REQUEST), quick_ack=asks)
        pair.run()
    assert len([e for e in pair.client_events if isinstance(e, QuickAckReceived)]) == 1


def test_the_token_is_that_of_the_message_on_the_wire() -> None:
    pair = agreed_pair("abridged")
    pair.client.send_request(bytes(REQUEST), quick_ack=True)
    sent = pair.client.data_to_send()
    (frame,) = framing("abridged", Side.SERVER).receive_data(sent[1:])
    assert isinstance(frame, Frame)
    assert frame.quick_ack
    assert pair.server.receive_data(sent)
    (auth_key,) = pair.state.keys.values()
    token, _ = read_quick_ack(auth_key, frame.payload)
    first, *_ = framing("abridged", Side.CLIENT).receive_data(pair.server.data_to_send())
    assert first == QuickAck(token)


def test_forged_and_repeated_quick_acks_are_ignored() -> None:
    pair = agreed_pair("intermediate")
    pair.client.send_request(bytes(REQUEST), quick_ack=True)
    sent = pair.client.data_to_send()
    server = framing("intermediate", Side.SERVER)
    (auth_key,) = pair.state.keys.values()
    (frame,) = server.receive_data(sent[4:])
    assert isinstance(frame, Frame)
    token, _ = read_quick_ack(auth_key, frame.payload)
    forged = bytes([token[0] ^ 1]) + token[1:]
    assert pair.client.receive_data(server.encode_quick_ack(forged)) == []
    assert pair.client.receive_data(server.encode_quick_ack(token)) == [QuickAckReceived(token, (1,))]
    assert pair.client.receive_data(server.encode_quick_ack(token)) == []
    assert pair.client.session.open_requests == (1,)


def test_a_message_that_can_not_be_opened_gets_no_quick_ack() -> None:
    pair = agreed_pair("intermediate")
    pair.client.send_request(bytes(REQUEST), quick_ack=True)
    sent = bytearray(pair.client.data_to_send())
    sent[-1] ^= 1
    with pytest.raises(RemoteProtocolError, match="C3"):
        pair.server.receive_data(bytes(sent))
    assert pair.server.data_to_send() == framing("intermediate", Side.SERVER).encode_code(-404)


def test_a_transport_without_quick_acks_says_so() -> None:
    pair = agreed_pair("full")
    with pytest.raises(LocalProtocolError, match="full: this framing has no quick acks"):
        pair.client.send_request(bytes(REQUEST), quick_ack=True)
    assert not pair.client.session.open_requests


def test_awaited_quick_acks_are_bounded() -> None:
    awaited = AwaitedQuickAcks()
    tokens = [number.to_bytes(3, "little") + b"\x80" for number in range(5000)]
    for token in tokens:
        awaited.add(token, (1,))
    assert len(awaited) == 1000
    assert awaited.take(tokens[0]) is None
    assert awaited.take(tokens[-1]) == (1,)


# -- over TCP -----------------------------------------------------------------------------------------


@each_setup
def test_loopback(setup: Setup) -> None:
    async def scenario() -> None:
        async with serve(key=TEST_KEY, phone_code_hash="0123", mtproxy_secret=setup.secret) as server:
            options = {"transport": setup.name, "obfuscated": setup.layer == "obfuscated"}
            connecting = mtproto.connect(
                server.host,
                server.port,
                keys=[server.public_key],
                mtproxy_secret=setup.secret,
                **options,  # type: ignore[arg-type]
            )
            async with connecting as client:
                answers = await asyncio.gather(*(client.invoke(REQUEST) for _ in range(3)))
                assert {answer.phone_code_hash for answer in answers if isinstance(answer, api.auth.SentCode)}
                assert await client.ping() >= 0
                assert client.transport == setup.client().name
            assert not server.errors

    asyncio.run(asyncio.wait_for(scenario(), 10))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"transport": "abridged"},
        {"transport": "full"},
        {"obfuscated": True},
        {"mtproxy_secret": "ff" * 16},
        {"mtproxy_secret": "dd" + "ff" * 16},
    ],
    ids=str,
)
def test_a_server_behind_a_proxy_speaks_to_nobody_who_does_not_know_its_secret(
    options: dict[str, Any],
) -> None:
    async def scenario() -> None:
        async with serve(key=TEST_KEY, mtproxy_secret="00" * 16) as server:
            with pytest.raises(ConnectionClosed, match="closed"):
                await mtproto.connect(server.host, server.port, keys=[server.public_key], **options)

    asyncio.run(asyncio.wait_for(scenario(), 10))


def test_what_does_not_go_together_is_said_before_anything_is_sent() -> None:
    async def scenario() -> None:
        for options in (
            {"transport": "full", "obfuscated": True},
            {"mtproxy_secret": "00"},
            {"transport": "udp"},
        ):
            with pytest.raises(LocalProtocolError):
                await mtproto.connect("127.0.0.1", 1, keys=[TEST_KEY.public], **options)
        with pytest.raises(LocalProtocolError, match="secret"):
            serve(mtproxy_secret="00", key=TEST_KEY)

    asyncio.run(scenario())


def test_padded_payloads_reach_the_session_without_their_padding() -> None:
    pair = pair_of(Setup("padded"), auth_key=KEY)
    pair.client.send_request(bytes(REQUEST))
    sent = pair.client.data_to_send()
    (frame,) = framing("padded", Side.SERVER).receive_data(sent[4:])
    assert isinstance(frame, Frame)
    message = unpadded(frame.payload)
    for size in range(16):
        server = ServerConnection([TEST_KEY], pair.state)
        wire = b"\xdd" * 4 + (len(message) + size).to_bytes(4, "little") + message + bytes(size)
        events = server.receive_data(wire)
        assert isinstance(events[0], RequestReceived) == (size == 0)  # then it is one that came before
        assert server.failure is None
