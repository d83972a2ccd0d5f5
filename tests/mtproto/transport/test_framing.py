"""Framings against the published frames, however the stream is cut, and against streams that are none."""

from __future__ import annotations

from itertools import product
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtproto.errors import FramingError, LocalProtocolError
from mtproto.side import Side
from mtproto.transport import FRAMINGS, MAX_PAYLOAD, Event, Frame, QuickAck, TransportCode, framing
from tests.mtproto.transport.streams import CUTS, NAMES, VECTORS, cut, outcome, payload, single_bytes, wire

CASES: list[dict[str, Any]] = VECTORS["cases"]
CROSSED = [pytest.param(*pair, id=f"{pair[0]}-{pair[1]['payload_length']}") for pair in product(NAMES, CASES)]
MESSAGES = [parameter for parameter in CROSSED if not str(parameter.id).endswith("-4")]
each_framing = pytest.mark.parametrize("name", NAMES)
each_frame = pytest.mark.parametrize(("name", "case"), CROSSED)
each_message = pytest.mark.parametrize(("name", "case"), MESSAGES)
TOKEN = bytes.fromhex(VECTORS["quick_ack_wire"]["example_token"])


# -- the table: every framing × every payload × every cut ---------------------------------------------


@each_frame
def test_client_encodes_the_published_bytes(name: str, case: dict[str, Any]) -> None:
    client = framing(name, Side.CLIENT)
    data = payload(case["payload_length"])
    assert client.encode(data) == wire(case, name)
    assert client.encode(data, quick_ack=True) == wire(case, name, quick_ack=True)


@each_frame
def test_server_encodes_the_published_bytes(name: str, case: dict[str, Any]) -> None:
    assert framing(name, Side.SERVER).encode(payload(case["payload_length"])) == wire(case, name)


@each_frame
@pytest.mark.parametrize("quick_ack", [False, True])
def test_server_reads_the_published_bytes_however_cut(
    name: str, case: dict[str, Any], quick_ack: bool
) -> None:
    stream = wire(case, name, quick_ack=quick_ack)
    expected = [Frame(payload(case["payload_length"]), quick_ack)]
    reader = framing(name, Side.SERVER)
    assert reader.receive_data(stream) == expected
    assert outcome(reader, single_bytes(stream), MAX_PAYLOAD) == (expected, None)
    head = len(stream) - case["payload_length"]
    for place in range(len(stream)) if len(stream) < 2000 else (*range(head + 2), len(stream) - 1):
        assert outcome(reader, cut(stream, [place]), MAX_PAYLOAD) == (expected, None)
    reader.eof()


@each_message  # to a client four bytes are a transport error: see below
def test_client_reads_the_published_bytes_however_cut(name: str, case: dict[str, Any]) -> None:
    stream = wire(case, name)
    expected = [Frame(payload(case["payload_length"]))]
    reader = framing(name, Side.CLIENT)
    assert reader.receive_data(stream) == expected
    assert outcome(reader, single_bytes(stream), MAX_PAYLOAD) == (expected, None)


@each_framing
@given(cuts=CUTS)
def test_all_published_frames_in_one_stream_however_cut(name: str, cuts: list[int]) -> None:
    stream = b"".join(wire(case, name, quick_ack=flag) for case in CASES for flag in (False, True))
    expected: list[Event] = [
        Frame(payload(case["payload_length"]), flag) for case in CASES for flag in (False, True)
    ]
    assert outcome(framing(name, Side.SERVER), cut(stream, cuts), MAX_PAYLOAD) == (expected, None)


@each_framing
@given(words=st.lists(st.integers(1, 200), max_size=8), flags=st.integers(0, 255), cuts=CUTS)
def test_what_one_side_encodes_the_other_reads(
    name: str, words: list[int], flags: int, cuts: list[int]
) -> None:
    frames = [Frame(bytes([i]) * (4 * n), bool(flags >> i & 1)) for i, n in enumerate(words)]
    client, server = framing(name, Side.CLIENT), framing(name, Side.SERVER)
    stream = b"".join(client.encode(frame.payload, quick_ack=frame.quick_ack) for frame in frames)
    assert outcome(server, cut(stream, cuts), MAX_PAYLOAD) == (frames, None)


@each_framing
@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_payloads_are_bytes_whatever_the_data_comes_in(name: str, kind: type[bytearray]) -> None:
    reader = framing(name, Side.SERVER)
    data = bytearray(wire(CASES[2], name))
    (event,) = reader.receive_data(kind(data))
    data[:] = bytes(len(data))
    assert event == Frame(payload(16))
    assert isinstance(event, Frame)
    assert type(event.payload) is bytes


# -- quick acks and transport errors, from the server -------------------------------------------------


@each_framing
def test_quick_ack_between_frames(name: str) -> None:
    server, client = framing(name, Side.SERVER), framing(name, Side.CLIENT)
    token = bytes.fromhex(VECTORS["quick_ack_wire"][name])
    assert server.encode_quick_ack(TOKEN) == token
    frame = wire(CASES[4], name)
    expected: list[Event] = [Frame(payload(88)), QuickAck(TOKEN), QuickAck(TOKEN), Frame(payload(88))]
    stream = frame + token + token + frame
    assert client.receive_data(stream) == expected
    assert outcome(client, single_bytes(stream), MAX_PAYLOAD) == (expected, None)


@each_framing
@given(head=st.binary(min_size=3, max_size=3), last=st.integers(0x80, 0xFF))
def test_any_token_survives(name: str, head: bytes, last: int) -> None:
    token = head + bytes([last])
    on_wire = framing(name, Side.SERVER).encode_quick_ack(token)
    assert framing(name, Side.CLIENT).receive_data(on_wire) == [QuickAck(token)]


@each_framing
@pytest.mark.parametrize("token", [b"", TOKEN[:3], TOKEN + b"\x80", TOKEN[:3] + b"\x7f"])
def test_what_is_no_token_is_not_sent(name: str, token: bytes) -> None:
    with pytest.raises(LocalProtocolError, match="top bit"):
        framing(name, Side.SERVER).encode_quick_ack(token)


@each_framing
@pytest.mark.parametrize("vector", VECTORS["transport_errors"], ids=lambda vector: str(vector["code"]))
def test_transport_errors(name: str, vector: dict[str, Any]) -> None:
    server, client = framing(name, Side.SERVER), framing(name, Side.CLIENT)
    stream = bytes.fromhex(vector[name])
    assert server.encode_code(-vector["code"]) == stream
    assert client.receive_data(stream) == [TransportCode(-vector["code"])]
    assert outcome(client, single_bytes(stream), MAX_PAYLOAD) == ([TransportCode(-vector["code"])], None)


@each_framing
@pytest.mark.parametrize("data", ["00000000", "01000000", "94010000", "ffffff7f"])
def test_four_bytes_that_are_no_negative_number_are_refused_by_the_client_only(name: str, data: str) -> None:
    stream = framing(name, Side.CLIENT).encode(bytes.fromhex(data))
    with pytest.raises(FramingError, match="negative") as caught:
        framing(name, Side.CLIENT).receive_data(stream)
    assert caught.value.check == "C1"
    assert caught.value.got == int.from_bytes(bytes.fromhex(data), "little")
    assert framing(name, Side.SERVER).receive_data(stream) == [Frame(bytes.fromhex(data))]


@each_framing
@pytest.mark.parametrize("code", [0, 404, -(2**31) - 1, 2**31])
def test_what_is_no_transport_error_is_not_sent(name: str, code: int) -> None:
    with pytest.raises(LocalProtocolError, match=str(code)):
        framing(name, Side.SERVER).encode_code(code)


@each_framing
def test_extreme_transport_errors(name: str) -> None:
    for code in (-1, -(2**31)):
        stream = framing(name, Side.SERVER).encode_code(code)
        assert framing(name, Side.CLIENT).receive_data(stream) == [TransportCode(code)]


# -- what is refused locally --------------------------------------------------------------------------


@each_framing
@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("length", [0, 1, 2, 3, 5, 30, 36, 33])
def test_payloads_of_a_wrong_length_are_not_sent(name: str, side: Side, length: int) -> None:
    with pytest.raises(LocalProtocolError, match=f"of {length} bytes"):
        framing(name, side, max_payload=32).encode(bytes(length))


@each_framing
def test_each_side_sends_only_what_is_its_own(name: str) -> None:
    client, server = framing(name, Side.CLIENT), framing(name, Side.SERVER)
    with pytest.raises(LocalProtocolError, match="client"):
        server.encode(bytes(16), quick_ack=True)
    with pytest.raises(LocalProtocolError, match="server"):
        client.encode_quick_ack(TOKEN)
    with pytest.raises(LocalProtocolError, match="server"):
        client.encode_code(-404)


def test_table_of_framings() -> None:
    assert tuple(FRAMINGS) == NAMES
    for name, kind in FRAMINGS.items():
        assert kind.name == name
        assert kind.prefix.hex() == VECTORS["client_prefix"][name]
        assert type(framing(name, Side.CLIENT)) is kind
    with pytest.raises(LocalProtocolError, match=r"'udp'.*abridged, intermediate"):
        framing("udp", Side.CLIENT)


@each_framing
@pytest.mark.parametrize("limit", [-1, 0, 3])
def test_a_limit_that_lets_nothing_through_is_refused(name: str, limit: int) -> None:
    with pytest.raises(LocalProtocolError, match="max_payload"):
        framing(name, Side.CLIENT, max_payload=limit)


# -- damage -------------------------------------------------------------------------------------------

CHECKS = {"zero_length": "X2", "too_small": "X2", "too_large": "X1"}
BAD = [
    pytest.param(bad["transport"], bytes.fromhex(bad["after_prefix"]), CHECKS[bad["expect"]], id=str(i))
    for i, bad in enumerate(VECTORS["bad_streams"])
    if bad["transport"] in NAMES and bad["expect"] in CHECKS
]


def test_no_bad_stream_is_left_out() -> None:
    listed = [bad for bad in VECTORS["bad_streams"] if bad["transport"] in NAMES]
    assert len(listed) == 7
    assert len(BAD) == 6


def test_long_form_of_a_short_length_is_accepted() -> None:
    (bad,) = (b for b in VECTORS["bad_streams"] if b["expect"] == "accept_or_non_canonical")
    reader = framing("abridged", Side.SERVER)
    assert reader.receive_data(bytes.fromhex(bad["after_prefix"])) == [Frame(bytes(4))]
    assert reader.receive_data(b"\xff\x01\0\0abcd") == [Frame(b"abcd", quick_ack=True)]


@pytest.mark.parametrize(("name", "stream", "check"), BAD)
@pytest.mark.parametrize("side", Side)
def test_bad_streams(name: str, stream: bytes, check: str, side: Side) -> None:
    with pytest.raises(FramingError) as caught:
        framing(name, side).receive_data(stream)
    assert caught.value.check == check
    assert name in str(caught.value)
    assert outcome(framing(name, side), single_bytes(stream), MAX_PAYLOAD) == ([], str(caught.value))


@pytest.mark.parametrize(("name", "stream", "check"), BAD)
def test_frames_before_the_damage_are_delivered_then_every_call_raises(
    name: str, stream: bytes, check: str
) -> None:
    good = wire(CASES[3], name)
    reader = framing(name, Side.SERVER)
    assert reader.receive_data(good + good + stream + good) == [Frame(payload(24))] * 2
    assert reader.failure is not None
    for data in (b"", good, stream, b"\0" * 1000):
        with pytest.raises(FramingError) as caught:
            reader.receive_data(data)
        assert str(caught.value) == str(reader.failure)
        assert caught.value.check == check
        assert reader.buffered == 0
    with pytest.raises(FramingError):
        reader.eof()


@pytest.mark.parametrize("request_bit", [False, True])
@pytest.mark.parametrize(
    ("name", "words"), [("abridged", 0), ("abridged", 9), ("intermediate", 0), ("intermediate", 9)]
)
def test_the_quick_ack_bit_hides_no_bad_length(name: str, words: int, request_bit: bool) -> None:
    bit = 0x80 if request_bit else 0
    head = bytes([words | bit]) if name == "abridged" else bytes([4 * words, 0, 0, bit])
    with pytest.raises(FramingError, match=f"got {4 * words}"):
        framing(name, Side.SERVER, max_payload=32).receive_data(head)


@each_framing
def test_limit_is_checked_on_the_header_alone(name: str) -> None:
    def head(length: int) -> bytes:
        return (length // 4 << 8 | 0x7F if name == "abridged" else length).to_bytes(4, "little")

    assert framing(name, Side.SERVER).receive_data(head(4 * 1024 * 1024 + 1024)) == []
    with pytest.raises(FramingError, match="4195328") as caught:
        framing(name, Side.SERVER).receive_data(head(4 * 1024 * 1024 + 1028))
    assert (caught.value.check, caught.value.got) == ("X1", 4 * 1024 * 1024 + 1028)


def test_a_length_at_an_odd_limit_is_not_called_too_long() -> None:
    with pytest.raises(FramingError, match="multiple of 4") as caught:
        framing("intermediate", Side.SERVER, max_payload=33).receive_data(b"\x21\0\0\0")
    assert caught.value.check == "X2"


@each_framing
def test_limit_is_inclusive_and_at_most_what_the_header_can_express(name: str) -> None:
    reader = framing(name, Side.SERVER, max_payload=32)
    frame = framing(name, Side.CLIENT, max_payload=32).encode(bytes(32))
    assert reader.receive_data(frame) == [Frame(bytes(32))]
    with pytest.raises(FramingError, match="at most 32"):
        reader.receive_data(framing(name, Side.CLIENT).encode(bytes(36)))
    widest = {"abridged": "7fffffff", "intermediate": "fcffff7f"}[name]
    greedy = framing(name, Side.SERVER, max_payload=2**40)
    assert greedy.max_payload == {"abridged": 4 * 0xFFFFFF, "intermediate": 2**31 - 4}[name]
    assert greedy.receive_data(bytes.fromhex(widest)) == []


@each_framing
@pytest.mark.parametrize("side", Side)
def test_stream_that_ends_inside_a_frame(name: str, side: Side) -> None:
    stream = wire(CASES[7], name)
    for place in range(1, len(stream)):
        reader = framing(name, side)
        reader.receive_data(stream[:place])
        assert reader.buffered == place
        with pytest.raises(FramingError, match=f"ends inside a frame: got {place} bytes"):
            reader.eof()
        assert reader.buffered == 0
        with pytest.raises(FramingError, match="ends inside a frame"):
            reader.receive_data(stream[place:])


@each_framing
def test_stream_that_ends_inside_a_quick_ack(name: str) -> None:
    reader = framing(name, Side.CLIENT)
    reader.receive_data(bytes.fromhex(VECTORS["quick_ack_wire"][name])[:3])
    with pytest.raises(FramingError, match="ends inside a frame"):
        reader.eof()


@each_framing
def test_stream_that_ends_between_frames(name: str) -> None:
    reader = framing(name, Side.SERVER)
    reader.eof()
    reader.receive_data(wire(CASES[0], name))
    reader.eof()


# -- any bytes at all ---------------------------------------------------------------------------------

LIMIT = 64
PIECES = st.one_of(
    st.binary(max_size=8),
    st.integers(1, 16).map(lambda words: framing("abridged", Side.CLIENT).encode(bytes(4 * words))),
    st.integers(1, 16).map(lambda words: framing("intermediate", Side.CLIENT).encode(bytes(4 * words))),
    st.sampled_from([b"\x01\x6c\xfe\xff\xff", b"\x04\0\0\0\x6c\xfe\xff\xff", b"\xd4\xc3\xb2\xa1", TOKEN]),
)
STREAMS = st.lists(PIECES, max_size=10).map(b"".join)


@each_framing
@pytest.mark.parametrize("side", Side)
@given(stream=STREAMS, cuts=CUTS)
def test_any_stream_gives_the_same_however_cut_and_is_never_hoarded(
    name: str, side: Side, stream: bytes, cuts: list[int]
) -> None:
    whole = outcome(framing(name, side, LIMIT), [stream], LIMIT)
    assert outcome(framing(name, side, LIMIT), cut(stream, cuts), LIMIT) == whole
    assert outcome(framing(name, side, LIMIT), single_bytes(stream), LIMIT) == whole


def chunks_of(stream: bytes, size: int) -> list[bytes]:
    return [stream[i : i + size] for i in range(0, len(stream), size)]


@each_framing
def test_cost_is_linear_in_small_pieces_of_a_great_frame(name: str) -> None:
    data = bytes(4 * 1024 * 1024)
    pieces = chunks_of(framing(name, Side.CLIENT).encode(data), 64)
    began = perf_counter()
    events, _ = outcome(framing(name, Side.SERVER), pieces, MAX_PAYLOAD)
    assert perf_counter() - began < 5, "copying what is buffered for each piece would be 128 GiB"
    assert events == [Frame(data)]


@each_framing
def test_cost_is_linear_in_small_frames_of_a_great_piece(name: str) -> None:
    frame = framing(name, Side.CLIENT).encode(b"12345678")
    began = perf_counter()
    events = framing(name, Side.SERVER).receive_data(frame * 100_000)
    assert perf_counter() - began < 5, "copying what is left for each frame would be 45 GiB"
    assert events == [Frame(b"12345678")] * 100_000
