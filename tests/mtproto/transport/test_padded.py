"""The padded framing: its padding, what a server sends in place of messages, and where a message ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtproto.errors import FramingError
from mtproto.side import Side
from mtproto.transport import Frame, PaddedIntermediate, QuickAck, TransportCode, framing, unpadded
from tests.mtproto.helpers import seeded
from tests.mtproto.transport.streams import VECTORS, payload
from tests.vectors import load

TOKEN = bytes.fromhex(VECTORS["quick_ack_wire"]["example_token"])
PADDING = bytes.fromhex("a1a2a3a4a5a6a7a8a9aaabacadaeaf")


def frame(data: bytes) -> bytes:
    return len(data).to_bytes(4, "little") + data


@pytest.mark.parametrize("side", Side)
def test_what_is_sent_has_0_to_3_bytes_of_padding(side: Side) -> None:
    ours = framing("padded", side, rng=seeded(8))
    sizes = [len(ours.encode(payload(24))) - 28 for _ in range(200)]
    assert set(sizes) == {0, 1, 2, 3}
    assert min(sizes.count(size) for size in range(4)) > 20


def test_padding_may_be_given() -> None:
    client = PaddedIntermediate(Side.CLIENT)
    for case in VECTORS["cases"][:4]:
        wire = client.encode(payload(case["payload_length"]), padding=PADDING[:5])
        assert wire.hex() == case["padded_intermediate_pad5"]
    asks = client.encode(payload(24), quick_ack=True, padding=b"")
    assert asks[:4].hex() == VECTORS["cases"][3]["intermediate_quick_ack_head"]


@pytest.mark.parametrize("size", range(16))
def test_0_to_15_bytes_of_padding_are_taken(size: int) -> None:
    for side in Side:
        data = payload(24) + PADDING[:size]
        assert framing("padded", side).receive_data(frame(data)) == [Frame(data)]


@pytest.mark.parametrize("size", range(8))
def test_quick_acks_and_transport_errors_may_be_padded(size: int) -> None:
    client = framing("padded", Side.CLIENT)
    pad = PADDING[:size]
    assert client.receive_data(frame(b"\xff" * 4 + TOKEN + pad)) == [QuickAck(TOKEN)]
    for code in (-404, -429, -444):
        word = code.to_bytes(4, "little", signed=True)
        assert client.receive_data(frame(word + pad)) == [TransportCode(code)]
        assert client.receive_data(frame(word + PADDING[: 4 + size])) == [TransportCode(code)]
    assert client.receive_data(frame(bytes(4) + pad)) == []


def test_the_edges_between_quick_acks_errors_and_messages() -> None:
    client = framing("padded", Side.CLIENT)
    ack = b"\xff" * 4 + TOKEN
    assert client.receive_data(frame(ack[:7])) == [TransportCode(-1)]
    assert client.receive_data(frame(ack + PADDING[:8])) == [QuickAck(TOKEN)]
    assert client.receive_data(frame(ack + PADDING[:9])) == [Frame(ack + PADDING[:9])]
    assert client.receive_data(frame(payload(16))) == [Frame(payload(16))]
    word = (-404).to_bytes(4, "little", signed=True)
    assert client.receive_data(frame(word + PADDING[:11])) == [TransportCode(-404)]
    assert client.receive_data(TOKEN) == [QuickAck(TOKEN)]
    with pytest.raises(FramingError, match="negative"):
        client.receive_data(frame(payload(15)))


def test_a_server_takes_short_frames_as_they_are() -> None:
    for size in (4, 5, 8, 15, 16):
        data = b"\xff" * size
        assert framing("padded", Side.SERVER).receive_data(frame(data)) == [Frame(data)]


# -- where the message ends ---------------------------------------------------------------------------


@given(blocks=st.integers(3, 20), size=st.integers(0, 15), key_id=st.integers(1, 2**64 - 1))
def test_an_encrypted_message_ends_after_its_last_block(blocks: int, size: int, key_id: int) -> None:
    message = key_id.to_bytes(8, "little") + bytes(16 * (blocks + 1))
    assert unpadded(message + PADDING[:size]) == message


@given(body=st.integers(0, 20).map(lambda words: bytes(4 * words)), size=st.integers(0, 15))
def test_a_plain_message_says_where_it_ends(body: bytes, size: int) -> None:
    message = bytes(8) + b"\1" * 8 + len(body).to_bytes(4, "little") + body
    assert unpadded(message + PADDING[:size]) == message


def test_published_messages_survive_any_padding() -> None:
    messages = [bytes.fromhex(v["message"]) for v in load("encrypted_messages")["good"]]
    assert messages
    for message in messages:
        for size in range(16):
            assert unpadded(message + PADDING[:size]) == message


@pytest.mark.parametrize("length", [-1, 17, 100, 2**31 - 1, -(2**31)])
def test_a_plain_message_that_does_not_fit_is_left_to_be_refused(length: int) -> None:
    message = bytes(16) + length.to_bytes(4, "little", signed=True) + bytes(16)
    assert unpadded(message) == message


@given(data=st.binary(max_size=60))
def test_any_payload_loses_15_bytes_at_most(data: bytes) -> None:
    kept = unpadded(data)
    assert data.startswith(kept)
    assert len(data) - len(kept) <= 15
    assert unpadded(kept) == kept
