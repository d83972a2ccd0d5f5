"""Messages with a right msg_key and any one thing odd: each is refused by its rule, or taken, on either side.

A client that refuses a message closes without another word; a server says -404 first, -429 where it is a flood.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtproto import api, service
from mtproto.crypto.auth_key import AuthKey
from mtproto.envelope import Cipher, Envelope, PlainMessage, encode_plain
from mtproto.errors import LocalProtocolError, RemoteProtocolError
from mtproto.events import MessageDropped, TransportErrorReceived
from mtproto.message import Message, pack_container, pack_gzip, pack_rpc_result
from mtproto.side import Side
from mtproto.transport import framing
from tests.mtproto.helpers import seeded
from tests.mtproto.pair import Pair, agreed_pair
from tests.mtproto.test_envelope import CHECKS
from tests.vectors import load

SECOND = 2**32
SALT = 1234567
REQUEST = bytes(api.help.GetConfig())
PING = bytes(service.Ping(ping_id=1))
ACK = bytes(service.MsgsAck(msg_ids=[4]))
FLOOD = bytes(service.MsgsAck(msg_ids=[4] * 8193))
COPY = bytes(
    service.MsgCopy(orig_message=service.Message(msg_id=4, seqno=0, bytes=12, body=service.Ping(ping_id=1)))
)
PREFIX = framing("intermediate", Side.CLIENT).prefix
VECTORS: dict[str, Any] = load("encrypted_messages")


def sealed(pair: Pair, sender: Side, **odd: Any) -> bytes:
    """The frame of a good message of this side with some things odd; `late` moves msg_id, in seconds."""
    session_id = pair.client.session.session_id
    msg_id = int((pair.clock() + odd.pop("late", 0)) * SECOND) + 4000 + (sender is Side.SERVER)
    envelope = Envelope(
        odd.pop("salt", SALT),
        odd.pop("session_id", session_id),
        odd.pop("msg_id", msg_id + odd.pop("low", 0)),
        odd.pop("seq_no", 1),
        odd.pop("body", REQUEST),
    )
    key = AuthKey(odd.pop("key")) if "key" in odd else pair.server_key()
    payload = Cipher(key, sender).seal(envelope, seeded(3), **odd)
    return framing("intermediate", sender).encode(payload)


def in_container(*bodies: bytes, back: int = 4) -> bytes:
    """A container of these, each older than what carries it unless `back` is 0 or less."""
    first = int(1_700_000_000 * SECOND) + 4001
    return pack_container([Message(first - back * (i + 1), 0, b"1234") for i, _ in enumerate(bodies)])[
        :8
    ] + b"".join(
        (first - back * (i + 1)).to_bytes(8, "little") + bytes(4) + len(body).to_bytes(4, "little") + body
        for i, body in enumerate(bodies)
    )


EMPTY = pack_container([])
GOOD = in_container(PING)

Cases: TypeAlias = dict[str, tuple[str | None, dict[str, Any]]]

ENVELOPES: Cases = {
    "under another key": ("C1", {"key": bytes(256)}),
    "msg_key of another message": ("C3", {"msg_key_": bytes(16)}),
    "msg_key and length wrong": ("C3", {"msg_key_": bytes(16), "length": -4}),
    "msg_key and padding wrong": ("C3", {"msg_key_": bytes(16), "body": bytes(16), "padding": b""}),
    "a negative length": ("C5", {"length": -4}),
    "a negative odd length": ("C5", {"length": -1}),
    "the least length": ("C5", {"length": -(2**31)}),
    "the greatest length": ("C5", {"length": 2**31 - 1}),
    "one byte too long": ("C5", {"body": bytes(16), "padding": bytes(16), "length": 33}),
    "a length of 1": ("C6", {"length": 1}),
    "a length of 3": ("C6", {"length": 3}),
    "a length of 2 more": ("C6", {"body": bytes(16), "padding": bytes(32), "length": 18}),
    "no padding": ("C7", {"body": bytes(48), "padding": b""}),
    "8 bytes of padding": ("C7", {"body": bytes(40), "padding": bytes(8)}),
    "11 bytes of padding": ("C6", {"body": bytes(21), "padding": bytes(11)}),
    "12 bytes of padding": (None, {"body": REQUEST, "padding": bytes(12)}),
    "zeros for padding": (None, {"body": REQUEST, "padding": bytes(28)}),
    "1020 bytes of padding": (None, {"body": REQUEST, "padding": bytes(1020)}),
    "1024 bytes of padding": (None, {"body": REQUEST + bytes(12), "padding": bytes(1024)}),
    "1025 bytes of padding": ("C6", {"body": bytes(15), "padding": bytes(1025)}),
    "1036 bytes of padding": ("C7", {"body": REQUEST, "padding": bytes(1036)}),
}
CLIENT: Cases = {
    **ENVELOPES,
    "of another session": ("C8", {"session_id": 5}),
    "msg_id 0 modulo 4": ("C9", {"low": 3}),
    "msg_id 2 modulo 4": ("C9", {"low": 1}),
    "msg_id 0": ("C9", {"msg_id": 0}),
    "a container in a container": ("C17", {"body": in_container(GOOD)}),
    "a container cut off": ("C17", {"body": GOOD[:-4]}),
    "a container with more": ("C17", {"body": GOOD + bytes(4)}),
    "a container of -1": ("C17", {"body": EMPTY[:4] + b"\xff" * 4}),
    "a container of something newer": ("C17", {"body": in_container(PING, back=-4)}),
    "a container of itself": ("C17", {"body": in_container(PING, back=0)}),
    "a container of nothing": ("C17", {"body": in_container(b"")}),
    "a container of an even msg_id": ("C9", {"body": in_container(PING, back=3)}),
    "a container in gzip": ("C18", {"body": pack_gzip(GOOD)}),
    "gzip in gzip": ("C18", {"body": pack_gzip(pack_gzip(REQUEST))}),
    "a container of a container in gzip": ("C18", {"body": in_container(pack_gzip(GOOD))}),
    "no gzip": ("C18", {"body": bytes(service.GzipPacked(packed_data=b"no gzip"))}),
    "gzip_packed cut off": ("C18", {"body": pack_gzip(REQUEST)[:-4]}),
    "msg_copy": ("C18", {"body": COPY}),
    "rpc_result cut off": ("C16", {"body": pack_rpc_result(4, b"")}),
    "a service message cut off": ("T1", {"body": ACK[:-4]}),
    "a service message with more": ("T1", {"body": ACK + bytes(4)}),
    "8193 acknowledgements": ("C19", {"body": FLOOD}),
}
CLIENT_DROPS: Cases = {
    "301 seconds old": ("C11", {"late": -301}),
    "31 seconds ahead": ("C11", {"late": 31}),
    "before all time": ("C11", {"msg_id": -(2**63) + 1}),
    "after all time": ("C11", {"msg_id": 2**63 - 1}),
    "an answer to nothing": ("C16", {"body": pack_rpc_result(4, REQUEST)}),
    "a request of clients": ("T8", {"body": PING}),
    "an answer to nothing in gzip": ("C16", {"body": pack_gzip(pack_rpc_result(4, REQUEST))}),
}
TAKEN: dict[str, dict[str, Any]] = {
    "a negative seq_no": {"seq_no": -1},
    "the least seq_no": {"seq_no": -(2**31)},
    "no body": {"body": b""},
    "a body that is no TL": {"body": b"\xff" * 8},
    "an empty container": {"body": EMPTY},
    "four bytes": {"body": b"1234"},
}
CLIENT_TAKES: dict[str, dict[str, Any]] = {
    **TAKEN,
    "no salt": {"salt": 0},
    "any salt": {"salt": -1},
    "msg_id 3 modulo 4": {"low": 2},
    "300 seconds old": {"late": -299},
    "30 seconds ahead": {"late": 29},
}
SERVER: Cases = {
    **ENVELOPES,
    "under another key": ("S1", {"key": bytes(256)}),
    "8193 acknowledgements": ("S6", {"body": FLOOD}),
}
SERVER_DROPS: Cases = {
    **{f"msg_id {n} modulo 4": ("S3", {"low": n}) for n in (1, 2, 3)},
    "301 seconds old": ("S3", {"late": -301}),
    "31 seconds ahead": ("S3", {"late": 31}),
    "before all time": ("S3", {"msg_id": -(2**63)}),
    "no salt": ("S4", {"salt": 0}),
    "a container under no salt": ("S4", {"body": GOOD, "salt": 0}),
    "a container in a container": ("S6", {"body": in_container(GOOD)}),
    "a container cut off": ("S6", {"body": GOOD[:-4]}),
    "a container of 1025": ("S6", {"body": EMPTY[:4] + (1025).to_bytes(4, "little") + bytes(1025 * 20)}),
    "a container of -1": ("S6", {"body": EMPTY[:4] + b"\xff" * 4}),
    "a container of something newer": ("S6", {"body": in_container(PING, back=-4)}),
    "a container of nothing": ("S6", {"body": in_container(b"")}),
    "a container in gzip": ("C18", {"body": pack_gzip(GOOD)}),
    "gzip in gzip": ("C18", {"body": pack_gzip(pack_gzip(REQUEST))}),
    "no gzip": ("C18", {"body": bytes(service.GzipPacked(packed_data=b"no gzip"))}),
    "msg_copy": ("T8", {"body": COPY}),
    "a service message cut off": ("T1", {"body": ACK[:-4]}),
}
SERVER_TAKES: dict[str, dict[str, Any]] = {
    **TAKEN,
    "a session that is new": {"session_id": 77},
    "300 seconds old": {"late": -299},
    "30 seconds ahead": {"late": 29},
}


def each(table: Mapping[str, Any]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", table.values(), ids=table.keys())


def told(pair: Pair) -> Pair:
    """A pair whose client has said hello, so that the server knows it."""
    pair.client.ping(9)
    pair.run()
    return pair


@each({name: case for name, case in CLIENT.items() if case[0] is not None})
def test_a_client_closes_without_a_word(case: tuple[str, dict[str, Any]]) -> None:
    check, odd = case
    pair = told(agreed_pair())
    with pytest.raises(RemoteProtocolError) as caught:
        pair.client.receive_data(sealed(pair, Side.SERVER, **odd))
    assert caught.value.check == check
    assert pair.client.closed
    assert pair.client.failure is caught.value
    pair.clock.advance(100)
    assert pair.client.handle_timer() == []
    assert pair.client.data_to_send() == b""


@each(CLIENT_DROPS)
def test_a_client_ignores(case: tuple[str, dict[str, Any]]) -> None:
    check, odd = case
    pair = told(agreed_pair())
    (event,) = pair.client.receive_data(sealed(pair, Side.SERVER, **odd))
    assert isinstance(event, MessageDropped)
    assert event.check == check
    assert not pair.client.closed


@each({**CLIENT_TAKES, **{n: odd for n, (check, odd) in ENVELOPES.items() if check is None}})
def test_a_client_takes(case: dict[str, Any]) -> None:
    pair = told(agreed_pair())
    events = pair.client.receive_data(sealed(pair, Side.SERVER, **case))
    body = case.get("body", REQUEST)
    assert [getattr(event, "body", None) for event in events] == ([] if body == EMPTY else [body])
    assert pair.client.session.server_salt == SALT


@each({name: case for name, case in SERVER.items() if case[0] is not None})
def test_a_server_says_one_thing_and_closes(case: tuple[str, dict[str, Any]]) -> None:
    check, odd = case
    pair = told(agreed_pair())
    with pytest.raises(RemoteProtocolError) as caught:
        pair.server.receive_data(sealed(pair, Side.CLIENT, **odd))
    assert caught.value.check == check
    assert pair.server.closed
    code = -429 if check == "S6" else -404
    assert pair.server.data_to_send() == framing("intermediate", Side.SERVER).encode_code(code)


@each(SERVER_DROPS)
def test_a_server_ignores_and_says_why(case: tuple[str, dict[str, Any]]) -> None:
    check, odd = case
    pair = told(agreed_pair())
    (event,) = pair.server.receive_data(sealed(pair, Side.CLIENT, **odd))
    assert isinstance(event, MessageDropped)
    assert event.check == check
    assert pair.server.data_to_send() != b""
    assert not pair.server.closed


@each({**SERVER_TAKES, **{n: odd for n, (check, odd) in ENVELOPES.items() if check is None}})
def test_a_server_takes(case: dict[str, Any]) -> None:
    pair = told(agreed_pair())
    events = pair.server.receive_data(sealed(pair, Side.CLIENT, **case))
    body = case.get("body", REQUEST)
    assert [getattr(event, "body", None) for event in events] == ([] if body == EMPTY else [body])


@pytest.mark.parametrize("low", [0, 2])
def test_an_even_msg_id_in_the_key_exchange(low: int) -> None:
    pair = Pair()
    pair.client.data_to_send()
    plain = encode_plain(PlainMessage(int(pair.clock() * SECOND) + low, bytes(20)))
    with pytest.raises(RemoteProtocolError) as caught:
        pair.client.receive_data(framing("intermediate", Side.SERVER).encode(plain))
    assert caught.value.check == "C9"
    assert pair.client.data_to_send() == b""


@pytest.mark.parametrize("code", [-404, -429, -444, -403, -1, -(2**31)])
def test_a_transport_error_ends_the_connection_and_is_told(code: int) -> None:
    """And nothing else: no new key is agreed on where a permanent one is lost (C22)."""
    pair = told(agreed_pair())
    pair.client.send_request(REQUEST)
    pair.client.data_to_send()
    frame = framing("intermediate", Side.SERVER).encode_code(code)
    assert pair.client.receive_data(frame) == [TransportErrorReceived(code)]
    assert pair.client.closed
    assert pair.client.data_to_send() == b""
    if code == -404:
        with pytest.raises(LocalProtocolError, match="does not know the auth_key"):
            pair.client.successor()
    else:
        assert pair.client.successor().is_ready


# Published messages, to whole connections


@pytest.mark.parametrize("case", VECTORS["bad"], ids=lambda case: case["name"])
def test_published_bad_messages(case: dict[str, Any]) -> None:
    """A client refuses each, or ignores it where only its time is wrong; to a server all of them are the same."""
    pair = Pair(auth_key=AuthKey(bytes.fromhex(VECTORS["auth_key"])), time_offset=0.0)
    pair.clock.now = float(VECTORS["reference_server_time"])
    pair.state.add_key(AuthKey(bytes.fromhex(VECTORS["auth_key"])), 1)
    pair.client.session.session_id = case["expected_session_id"]
    message = bytes.fromhex(case["message"])
    message = message[: len(message) & ~3]  # what a framing can carry, of the one that is no multiple of 16
    frame = framing("intermediate", Side.SERVER).encode(message)
    if case["expect"].startswith("msg_id_too"):
        (event,) = pair.client.receive_data(frame)
        assert isinstance(event, MessageDropped)
    else:
        with pytest.raises(RemoteProtocolError) as refused:
            pair.client.receive_data(frame)
        others = {"session_id_mismatch": "C8", "msg_id_parity": "C9"}
        assert refused.value.check == (CHECKS | others)[case["expect"]]
        assert pair.client.data_to_send() == PREFIX
    if case["direction"] == "client_to_server":
        return  # which a server takes
    with pytest.raises(RemoteProtocolError) as caught:
        pair.server.receive_data(PREFIX + frame)
    assert caught.value.check in ("C2", "C3", "S1", "H13", "S9")
    assert pair.server.data_to_send() == framing("intermediate", Side.SERVER).encode_code(-404)


def test_a_published_ping_is_answered() -> None:
    """After the quick ack that it asks for, with the published token."""
    pair = Pair()
    case: dict[str, Any] = VECTORS["good"][0]
    pair.clock.now = float(VECTORS["reference_server_time"])
    pair.state.add_key(AuthKey(bytes.fromhex(VECTORS["auth_key"])), case["salt"])
    pair.server.receive_data(
        PREFIX + framing("intermediate", Side.CLIENT).encode(bytes.fromhex(case["message"]), quick_ack=True)
    )
    out = pair.server.data_to_send()
    token = bytes.fromhex(case["quick_ack_token_wire_intermediate"])
    assert out[:4] == token[:3] + bytes([token[3] | 0x80])
    assert len(out) > 100
    assert pair.server.failure is None


@pytest.mark.parametrize("case", VECTORS["good"][2:6], ids=lambda case: case["name"])
def test_published_messages_of_a_server_are_taken(case: dict[str, Any]) -> None:
    pair = Pair(auth_key=AuthKey(bytes.fromhex(VECTORS["auth_key"])), time_offset=0.0)
    pair.clock.now = float(VECTORS["reference_server_time"])
    pair.client.session.session_id = case["session_id"]
    message = framing("intermediate", Side.SERVER).encode(bytes.fromhex(case["message"]))
    events = pair.client.receive_data(message)
    # A pong that nobody waits for, an empty container, no body at all.
    expected: Any = {"c573": ["C16"], "dcf8": [], "": [None]}[case["body"][:4]]
    assert [getattr(event, "check", None) for event in events] == expected
    assert case["msg_id"] in pair.client.session.window


# Anything at all


ODD = [
    odd["body"]
    for table in (CLIENT, CLIENT_DROPS, SERVER_DROPS)
    for _, odd in table.values()
    if "body" in odd
]
whole = st.binary(max_size=64).map(lambda data: data + bytes(-len(data) % 4))
oddities = st.fixed_dictionaries(
    {},
    optional={
        "salt": st.sampled_from([0, SALT, -1]),
        "session_id": st.sampled_from([0, 5]),
        "late": st.sampled_from([-1e9, -301, 31, 1e8]),
        "low": st.integers(0, 7),
        "seq_no": st.integers(-(2**31), 2**31 - 1),
        "body": st.sampled_from(ODD) | whole,
        "length": st.integers(-8, 64),
    },
)


@settings(max_examples=300, deadline=None)
@given(st.lists(oddities, min_size=1, max_size=4), st.sampled_from(Side), st.booleans(), st.booleans())
def test_whatever_comes_there_are_events_or_a_typed_end(
    messages: list[dict[str, Any]], sender: Side, known_time: bool, strict: bool
) -> None:
    pair = agreed_pair(known_time=known_time)
    pair.state.strict = strict
    told(pair)
    receiver = pair.client if sender is Side.SERVER else pair.server
    for odd in messages:
        frame = sealed(pair, sender, **odd)
        try:
            receiver.receive_data(frame)
        except RemoteProtocolError:
            break
        receiver.data_to_send()
    assert (receiver.failure is not None) == receiver.closed
    assert receiver.failure is None or receiver.failure.check[0] in "CST"
