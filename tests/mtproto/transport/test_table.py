"""One table: every framing, bare and obfuscated × both directions × every payload × every cut × every bad stream.

The bytes are made by hand (`lines`), which is itself held against the published frames first.
"""

from __future__ import annotations

import tracemalloc
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtproto.errors import FramingError, LocalProtocolError
from mtproto.side import Side
from mtproto.transport import (
    FRAMINGS,
    MAX_PAYLOAD,
    Frame,
    ProxySecret,
    QuickAck,
    ServerFraming,
    TransportCode,
)
from tests.mtproto.transport.lines import CODES, SETUPS, Line, Oracle, Setup, init_keys
from tests.mtproto.transport.streams import CUTS, VECTORS, cut, outcome, payload, single_bytes

CASES: list[dict[str, Any]] = VECTORS["cases"]
LENGTHS = [case["payload_length"] for case in CASES]
LINES = [pytest.param(*pair, id=f"{pair[0]}-to-{pair[1].name.lower()}") for pair in product(SETUPS, Side)]
each_setup = pytest.mark.parametrize("setup", SETUPS, ids=str)
each_line = pytest.mark.parametrize(("setup", "side"), LINES)
TOKEN = bytes.fromhex(VECTORS["quick_ack_wire"]["example_token"])


def least(setup: Setup, side: Side) -> int:
    """The shortest payload of the vectors that is no transport error at `side`."""
    if side is Side.SERVER:
        return 4
    return 16 if setup.name == "padded" else 8


# -- the hand that makes the bytes --------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["payload_length"]))
def test_the_oracle_makes_the_published_frames(case: dict[str, Any]) -> None:
    data = payload(case["payload_length"])
    for name, flag in product(("abridged", "intermediate"), (False, True)):
        head = case[f"{name}_quick_ack_head" if flag else f"{name}_head"]
        assert Oracle(name, Side.CLIENT).frame(data, flag) == bytes.fromhex(head) + data
    full = Oracle("full", Side.CLIENT)
    for number in (0, 1, 0x7FFFFFFF):
        full.number = number
        crc = case[f"full_seq{number}_crc"] if number < 2 else case["full_seq_7fffffff_crc"]
        assert full.frame(data)[-4:].hex() == crc
    if "padded_intermediate_pad5" in case:
        padding = bytes.fromhex("a1a2a3a4a5")
        wire = Oracle("padded", Side.CLIENT).frame(data, padding=padding)
        assert wire.hex() == case["padded_intermediate_pad5"]


@pytest.mark.parametrize("name", FRAMINGS)
@pytest.mark.parametrize("vector", VECTORS["transport_errors"], ids=lambda vector: str(vector["code"]))
def test_the_oracle_makes_the_published_transport_errors(name: str, vector: dict[str, Any]) -> None:
    key = {"padded": "padded_intermediate_no_pad", "full": "full_seq0"}.get(name, name)
    assert Oracle(name, Side.SERVER).code(-vector["code"]).hex() == vector[key]


def test_the_oracle_makes_the_published_quick_acks() -> None:
    published = VECTORS["quick_ack_wire"]
    for name, key in (("abridged",) * 2, ("intermediate",) * 2, ("padded", "padded_intermediate_min")):
        assert Oracle(name, Side.SERVER).quick_ack(TOKEN).hex() == published[key]


# -- receiving ----------------------------------------------------------------------------------------


@each_line
@pytest.mark.parametrize("length", LENGTHS)
def test_each_payload_alone_cut_at_every_byte(setup: Setup, side: Side, length: int) -> None:
    if length < least(setup, side):
        return
    stream = Line(setup, side).wrap(Line(setup, side).oracle.frame(payload(length)))
    line = Line(setup, side)
    line.oracle.frame(b"")
    expected = [line.oracle.read_as(payload(length))]
    assert outcome(line.receiver, single_bytes(stream), MAX_PAYLOAD) == (expected, None)
    line.receiver.eof()
    for place in (
        range(len(stream)) if len(stream) < 200 else (*range(16), *range(len(stream) - 20, len(stream)))
    ):
        assert outcome(Line(setup, side).receiver, cut(stream, [place]), MAX_PAYLOAD) == (expected, None)


@each_line
def test_all_of_it_coalesced_and_byte_by_byte(setup: Setup, side: Side) -> None:
    stream, expected = Line(setup, side).conversation(
        [payload(n) for n in LENGTHS[:-1] if n >= least(setup, side)]
    )
    assert outcome(Line(setup, side).receiver, [stream], MAX_PAYLOAD) == (expected, None)
    assert outcome(Line(setup, side).receiver, single_bytes(stream), MAX_PAYLOAD) == (expected, None)


@each_line
@settings(max_examples=25)
@given(words=st.lists(st.sampled_from([2, 3, 6, 126, 127, 128]), max_size=6), cuts=CUTS)
def test_any_conversation_cut_anyhow(setup: Setup, side: Side, words: list[int], cuts: list[int]) -> None:
    payloads = [payload(4 * n) for n in words if 4 * n >= least(setup, side)]
    stream, expected = Line(setup, side).conversation(payloads)
    assert outcome(Line(setup, side).receiver, cut(stream, cuts), MAX_PAYLOAD) == (expected, None)


@each_line
@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_payloads_are_bytes_whatever_the_data_comes_in(setup: Setup, side: Side, kind: Any) -> None:
    line = Line(setup, side)
    data = bytearray(line.wrap(line.oracle.frame(payload(88))))
    (event,) = line.receiver.receive_data(kind(data))
    data[:] = bytes(len(data))
    assert event == line.oracle.read_as(payload(88))
    assert isinstance(event, Frame)
    assert type(event.payload) is bytes


# -- sending ------------------------------------------------------------------------------------------


@each_setup
def test_what_the_client_sends_is_what_the_oracle_makes(setup: Setup) -> None:
    client, oracle = setup.client(), Oracle(setup.name, Side.CLIENT)
    opened = init_keys(client.prefix, setup.key)[Side.CLIENT] if setup.layer != "plain" else None
    if opened is not None:
        opened.update(bytes(64))
    for number, (length, flag) in enumerate(product(LENGTHS, (False, True))):
        asks = flag and client.has_quick_acks
        wire = client.encode(payload(length), quick_ack=asks)
        if opened is not None:
            wire = opened.update(wire)
        padding = wire[4 + length :] if setup.name == "padded" else b""
        assert wire == oracle.frame(payload(length), asks, padding), number
        assert len(padding) < 4


@each_setup
def test_server_and_client_speak_with_each_other(setup: Setup) -> None:
    client = setup.client()
    server = ServerFraming(secret=None if setup.secret is None else ProxySecret.read(setup.secret))
    asks = client.has_quick_acks
    assert server.receive_data(client.prefix) == []
    (event,) = server.receive_data(client.encode(payload(88), quick_ack=asks))
    assert isinstance(event, Frame)
    assert (event.payload[:88], event.quick_ack) == (payload(88), asks)
    assert server.name == client.name == ("obfuscated " if setup.layer != "plain" else "") + setup.name
    for length in LENGTHS[2:]:
        (event,) = client.receive_data(server.encode(payload(length)))
        assert isinstance(event, Frame)
        assert event.payload[:length] == payload(length)
        assert len(event.payload) - length < (4 if setup.name == "padded" else 1)
    for code in CODES:
        assert client.receive_data(server.encode_code(code)) == [TransportCode(code)]
    if asks:
        assert client.receive_data(server.encode_quick_ack(TOKEN)) == [QuickAck(TOKEN)]
    else:
        with pytest.raises(LocalProtocolError, match="no quick acks"):
            server.encode_quick_ack(TOKEN)
        with pytest.raises(LocalProtocolError, match="no quick acks"):
            client.encode(payload(88), quick_ack=True)


@each_setup
def test_what_can_not_be_sent_leaves_the_stream_as_it_is(setup: Setup) -> None:
    client, other = setup.client(), setup.client()
    for length in (0, 1, 3, 5, 33, client.max_payload + 4):
        with pytest.raises(LocalProtocolError, match=f"of {length} bytes"):
            client.encode(bytes(length))
    with pytest.raises(LocalProtocolError, match="server"):
        client.encode_quick_ack(TOKEN)
    with pytest.raises(LocalProtocolError, match="server"):
        client.encode_code(-404)
    if setup.name != "padded":  # whose padding is drawn each time
        assert client.encode(payload(24)) == other.encode(payload(24))


# -- bad streams --------------------------------------------------------------------------------------

CHECKS = {
    "zero_length": "X2",
    "too_large": "X1",
    "crc_mismatch": "X6",
    "seq_mismatch": "X6",
    "not_multiple_of_4": "X2",
}
BAD = [
    (bad["transport"].removesuffix("_intermediate"), bytes.fromhex(bad["after_prefix"]), bad["expect"])
    for bad in VECTORS["bad_streams"]
    if bad["expect"] != "accept_or_non_canonical"
]
BAD += [
    ("padded", bytes.fromhex("00000000"), "zero_length"),
    ("padded", bytes.fromhex("03000000010203"), "zero_length"),
    ("full", bytes.fromhex(VECTORS["full_empty_seq0"]), "zero_length"),
    ("full", bytes.fromhex("10000000ffffffff"), "seq_mismatch"),
    ("intermediate", bytes.fromhex("06000000"), "zero_length"),
]
BAD_LINES = [
    pytest.param(
        setup,
        side,
        stream,
        CHECKS.get(expect, "X6" if name == "full" else "X2"),
        id=f"{setup}-{side.name}-{i}",
    )
    for i, (name, stream, expect) in enumerate(BAD)
    for setup in SETUPS
    for side in Side
    if setup.name == name
]


def test_no_bad_stream_is_left_out() -> None:
    assert len(BAD) == len(VECTORS["bad_streams"]) - 1 + 5
    assert {name for name, _, _ in BAD} == set(FRAMINGS)


@pytest.mark.parametrize(("setup", "side", "stream", "check"), BAD_LINES)
def test_bad_streams(setup: Setup, side: Side, stream: bytes, check: str) -> None:
    line = Line(setup, side)
    wire = line.wrap(stream)
    with pytest.raises(FramingError) as caught:
        line.receiver.receive_data(wire)
    assert caught.value.check == check
    assert setup.name in str(caught.value)
    assert outcome(Line(setup, side).receiver, single_bytes(wire), MAX_PAYLOAD) == ([], str(caught.value))


@each_line
def test_frames_before_the_damage_are_delivered_then_every_call_raises(setup: Setup, side: Side) -> None:
    line = Line(setup, side)
    good, bad = line.oracle.frame(payload(24)), b"\0" * 8
    expected = [line.oracle.read_as(payload(24))]
    assert line.receiver.receive_data(line.wrap(good + bad + good)) == expected
    failure = line.receiver.failure
    assert failure is not None
    for data in (b"", good, b"\0" * 1000):
        with pytest.raises(FramingError) as caught:
            line.receiver.receive_data(data)
        assert str(caught.value) == str(failure)
        assert line.receiver.buffered == 0
    with pytest.raises(FramingError):
        line.receiver.eof()


# -- limits -------------------------------------------------------------------------------------------


def head_of(name: str, length: int) -> bytes:
    """The first four bytes of a frame of `length` bytes of payload."""
    if name == "abridged":
        return (length // 4 << 8 | 0x7F).to_bytes(4, "little")
    return (length + (12 if name == "full" else 0)).to_bytes(4, "little")


@each_line
def test_the_limit_is_checked_on_the_header_alone(setup: Setup, side: Side) -> None:
    limit = MAX_PAYLOAD + (15 if setup.name == "padded" else 0)
    line = Line(setup, side)
    assert line.receiver.receive_data(line.wrap(head_of(setup.name, limit))) == []
    line = Line(setup, side)
    with pytest.raises(FramingError, match="at most") as caught:
        line.receiver.receive_data(line.wrap(head_of(setup.name, limit // 4 * 4 + 4)))
    assert caught.value.check == "X1"


@each_line
def test_the_limit_is_inclusive(setup: Setup, side: Side) -> None:
    line = Line(setup, side, 32)
    assert line.receiver.receive_data(line.wrap(line.oracle.frame(bytes(32))))
    with pytest.raises(FramingError, match="at most"):
        line.receiver.receive_data(line.wrap(line.oracle.frame(bytes(48))))


@each_line
def test_a_stream_that_ends_inside_a_frame(setup: Setup, side: Side) -> None:
    stream = Line(setup, side).wrap(Line(setup, side).oracle.frame(payload(88)))
    for place in range(1, len(stream)):
        line = Line(setup, side)
        line.receiver.receive_data(stream[:place])
        for _ in range(2):
            with pytest.raises(FramingError):
                line.receiver.eof()
        assert line.receiver.buffered == 0


# -- any bytes at all ---------------------------------------------------------------------------------

LIMIT = 64
WORDS = [0, 1, 4, 8, 16, 64, 76, 79, 80, 2**31, 2**32 - 1, 2**32 - 404, 2**32 - 429]
PIECES = st.one_of(
    st.binary(max_size=8),
    st.sampled_from(WORDS).map(lambda word: word.to_bytes(4, "little")),
    st.sampled_from([b"\x01\x6c\xfe\xff\xff", b"\x04\0\0\0\x6c\xfe\xff\xff", TOKEN, TOKEN[::-1]]),
    st.integers(1, 16).map(lambda words: ("frame", words)),
)


@each_line
@settings(max_examples=40)
@given(pieces=st.lists(PIECES, max_size=8), cuts=CUTS)
def test_any_stream_gives_frames_or_a_framing_error_however_cut(
    setup: Setup, side: Side, pieces: list[Any], cuts: list[int]
) -> None:
    line = Line(setup, side, LIMIT)
    stream = line.wrap(
        b"".join(line.oracle.frame(bytes(4 * p[1])) if isinstance(p, tuple) else p for p in pieces)
    )
    whole = outcome(Line(setup, side, LIMIT).receiver, [stream], LIMIT)
    assert outcome(Line(setup, side, LIMIT).receiver, cut(stream, cuts), LIMIT) == whole
    assert outcome(Line(setup, side, LIMIT).receiver, single_bytes(stream), LIMIT) == whole


@each_line
def test_memory_is_bounded_by_the_limit_not_by_what_is_announced(setup: Setup, side: Side) -> None:
    line = Line(setup, side, 2**20)
    head = head_of(setup.name, 2**20) + (bytes(4) if setup.name == "full" else b"")
    tracemalloc.start()
    try:
        line.receiver.receive_data(line.wrap(head))
        assert tracemalloc.get_traced_memory()[1] < 100_000, "a megabyte was announced, eight bytes came"
    finally:
        tracemalloc.stop()
