"""What single framings do at their edges: headers, quick acks, transport errors, what is not sent, cost."""

from __future__ import annotations

import zlib
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtproto.errors import FramingError, LocalProtocolError
from mtproto.side import Side
from mtproto.transport import FRAMINGS, MAX_PAYLOAD, Frame, Full, QuickAck, TransportCode, framing
from tests.mtproto.transport.lines import Oracle
from tests.mtproto.transport.streams import VECTORS, outcome, payload

each_framing = pytest.mark.parametrize("name", FRAMINGS)
each_headed = pytest.mark.parametrize("name", [n for n in FRAMINGS if n != "full"])
TOKEN = bytes.fromhex(VECTORS["quick_ack_wire"]["example_token"])


def test_table_of_framings() -> None:
    assert tuple(FRAMINGS) == ("abridged", "intermediate", "padded", "full")
    for name, kind in FRAMINGS.items():
        assert kind.name == name
        assert type(framing(name, Side.CLIENT)) is kind
    with pytest.raises(LocalProtocolError, match=r"'udp'.*abridged, intermediate, padded, full"):
        framing("udp", Side.CLIENT)


# -- quick acks and transport errors, from the server -------------------------------------------------


@each_headed
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


@each_headed
def test_a_stream_that_ends_inside_a_quick_ack(name: str) -> None:
    reader = framing(name, Side.CLIENT)
    reader.receive_data(Oracle(name, Side.SERVER).quick_ack(TOKEN)[:3])
    with pytest.raises(FramingError, match="ends inside a frame"):
        reader.eof()


@each_framing
@pytest.mark.parametrize("data", ["00000000", "01000000", "94010000", "ffffff7f"])
def test_four_bytes_that_are_no_negative_number_are_refused_by_the_client_only(name: str, data: str) -> None:
    stream = Oracle(name, Side.CLIENT).frame(bytes.fromhex(data), padding=b"")
    assert framing(name, Side.SERVER).receive_data(stream) == [Frame(bytes.fromhex(data))]
    if name == "padded" and data == "00000000":
        assert (
            framing(name, Side.CLIENT).receive_data(stream) == []
        )  # says nothing, and may be sent as padding
        return
    with pytest.raises(FramingError, match="negative") as caught:
        framing(name, Side.CLIENT).receive_data(stream)
    assert caught.value.check == "C1"
    assert caught.value.got == int.from_bytes(bytes.fromhex(data), "little")


@each_framing
@pytest.mark.parametrize("code", [0, 404, -(2**31) - 1, 2**31])
def test_what_is_no_transport_error_is_not_sent(name: str, code: int) -> None:
    with pytest.raises(LocalProtocolError, match=str(code)):
        framing(name, Side.SERVER).encode_code(code)


@each_framing
@pytest.mark.parametrize("code", [-1, -404, -(2**31)])
def test_any_transport_error_survives_and_is_never_padded(name: str, code: int) -> None:
    wire = framing(name, Side.SERVER).encode_code(code)
    assert wire == Oracle(name, Side.SERVER).code(code)
    assert framing(name, Side.CLIENT).receive_data(wire) == [TransportCode(code)]


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
    with pytest.raises(LocalProtocolError, match="only a client" if name != "full" else "no quick acks"):
        server.encode(bytes(16), quick_ack=True)
    with pytest.raises(LocalProtocolError, match="only a server"):
        client.encode_quick_ack(TOKEN)
    with pytest.raises(LocalProtocolError, match="only a server"):
        client.encode_code(-404)


@each_framing
@pytest.mark.parametrize("limit", [-1, 0, 3])
def test_a_limit_that_lets_nothing_through_is_refused(name: str, limit: int) -> None:
    with pytest.raises(LocalProtocolError, match="max_payload"):
        framing(name, Side.CLIENT, max_payload=limit)


# -- headers ------------------------------------------------------------------------------------------


def test_long_form_of_a_short_length_is_accepted() -> None:
    (bad,) = (b for b in VECTORS["bad_streams"] if b["expect"] == "accept_or_non_canonical")
    reader = framing("abridged", Side.SERVER)
    assert reader.receive_data(bytes.fromhex(bad["after_prefix"])) == [Frame(bytes(4))]
    assert reader.receive_data(b"\xff\x01\0\0abcd") == [Frame(b"abcd", quick_ack=True)]


@pytest.mark.parametrize("request_bit", [False, True])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("abridged", 0),
        ("abridged", 9),
        ("intermediate", 0),
        ("intermediate", 9),
        ("padded", 0),
        ("padded", 12),
    ],
)
def test_the_quick_ack_bit_hides_no_bad_length(name: str, words: int, request_bit: bool) -> None:
    bit = 0x80 if request_bit else 0
    head = bytes([words | bit]) if name == "abridged" else bytes([4 * words, 0, 0, bit])
    with pytest.raises(FramingError, match=f"got {4 * words}"):
        framing(name, Side.SERVER, max_payload=32).receive_data(head)


def test_a_length_at_an_odd_limit_is_not_called_too_long() -> None:
    with pytest.raises(FramingError, match="multiple of 4") as caught:
        framing("intermediate", Side.SERVER, max_payload=33).receive_data(b"\x21\0\0\0")
    assert caught.value.check == "X2"


WIDEST = {
    "abridged": ("7fffffff", 4 * 0xFFFFFF),
    "intermediate": ("fcffff7f", 2**31 - 4),
    "padded": ("ffffff7f", 2**31 - 16),
    "full": ("fcffff7f00000000", 2**31 - 16),
}


@each_framing
def test_the_limit_is_at_most_what_the_header_can_express(name: str) -> None:
    head, longest = WIDEST[name]
    greedy = framing(name, Side.SERVER, max_payload=2**40)
    assert greedy.max_payload == longest
    assert greedy.receive_data(bytes.fromhex(head)) == []


# -- cost ---------------------------------------------------------------------------------------------


def chunks_of(stream: bytes, size: int) -> list[bytes]:
    return [stream[i : i + size] for i in range(0, len(stream), size)]


@each_framing
def test_cost_is_linear_in_small_pieces_of_a_great_frame(name: str) -> None:
    data = bytes(4 * 1024 * 1024)
    pieces = chunks_of(Oracle(name, Side.CLIENT).frame(data, padding=b""), 64)
    began = perf_counter()
    events, _ = outcome(framing(name, Side.SERVER), pieces, MAX_PAYLOAD)
    assert perf_counter() - began < 5, "copying what is buffered for each piece would be 128 GiB"
    assert events == [Frame(data)]


@each_framing
def test_cost_is_linear_in_small_frames_of_a_great_piece(name: str) -> None:
    oracle = Oracle(name, Side.CLIENT)
    stream = b"".join(oracle.frame(b"12345678", padding=b"") for _ in range(50_000))
    began = perf_counter()
    events = framing(name, Side.SERVER).receive_data(stream)
    assert perf_counter() - began < 5, "copying what is left for each frame would be 15 GiB"
    assert events == [Frame(b"12345678")] * 50_000


# -- full ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1, 2, 7])
def test_full_counts_frames_in_each_direction(number: int) -> None:
    case: dict[str, Any] = VECTORS["cases"][3]
    client, server = framing("full", Side.CLIENT), framing("full", Side.SERVER)
    client_oracle, server_oracle = Oracle("full", Side.CLIENT), Oracle("full", Side.SERVER)
    for _ in range(number):
        assert server.receive_data(client.encode(payload(8))) == [Frame(payload(8))]
        client_oracle.frame(payload(8))
    assert client.encode(payload(24)) == client_oracle.frame(payload(24))
    assert server.encode(payload(24)) == server_oracle.frame(payload(24))
    if number < 2:
        assert case[f"full_seq{number}_head"] == (36).to_bytes(4, "little").hex() + f"0{number}000000"


def test_full_numbers_go_round() -> None:
    last = 2**32 - 1
    client, server = Full(Side.CLIENT, sent=last), Full(Side.SERVER, received=last)
    for _ in range(3):
        assert server.receive_data(client.encode(payload(8))) == [Frame(payload(8))]


@pytest.mark.parametrize("cut", [0, 1, 8, 12, 19, 20, 28, 39])
def test_full_numbers_go_round_within_the_data_of_a_call(cut: int) -> None:
    last = 2**32 - 1
    client, server = Full(Side.CLIENT), Full(Side.SERVER, received=last)
    stream = client.encode(payload(8), seq=last) + client.encode(payload(8), seq=0)
    assert server.receive_data(stream[:cut]) + server.receive_data(stream[cut:]) == [Frame(payload(8))] * 2
    again = client.encode(payload(8), seq=1) + client.encode(payload(8), seq=1)
    assert server.receive_data(again) == [Frame(payload(8))]
    assert str(server.failure) == "full: wrong sequence number: got 1, expected 2 [X6]"


def test_full_expects_0_after_the_last_number() -> None:
    last = 2**32 - 1
    client, server = Full(Side.CLIENT), Full(Side.SERVER, received=last)
    server.receive_data(client.encode(payload(8), seq=last) * 2)
    assert str(server.failure) == f"full: wrong sequence number: got {last}, expected 0 [X6]"


def test_full_says_which_frame_has_a_wrong_checksum() -> None:
    client, server = Full(Side.CLIENT), Full(Side.SERVER)
    stream = bytearray(client.encode(payload(8)) + client.encode(payload(8)))
    stream[-1] ^= 0xFF
    right = zlib.crc32(bytes(stream[20:-4]))
    server.receive_data(stream)
    assert server.failure is not None
    assert "wrong CRC-32 of frame 1:" in str(server.failure)
    assert (server.failure.got, server.failure.expected) == (f"{right ^ 0xFF000000:08x}", f"{right:08x}")


def test_full_frames_with_another_number_are_easy_to_write_and_refused() -> None:
    case = VECTORS["cases"][3]
    client, server = Full(Side.CLIENT), Full(Side.SERVER)
    odd = client.encode(payload(24), seq=0x7FFFFFFF)
    assert odd[-4:].hex() == case["full_seq_7fffffff_crc"]
    assert client.encode(payload(24)).hex() == VECTORS["cases"][3]["full_seq0"]  # it was not counted
    with pytest.raises(FramingError, match="wrong sequence number: got 2147483647, expected 0") as caught:
        server.receive_data(odd)
    assert caught.value.check == "X6"
    for number in (-1, 2**32):
        with pytest.raises(LocalProtocolError, match="32 bits"):
            client.encode(payload(24), seq=number)
    for length in (0, 6):
        with pytest.raises(LocalProtocolError, match=f"a payload of {length} bytes can't be sent"):
            client.encode(bytes(length), seq=0)


@pytest.mark.parametrize("place", range(20))
def test_full_refuses_a_flip_of_any_byte(place: int) -> None:
    wire = bytearray.fromhex(VECTORS["cases"][1]["full_seq0"])
    wire[place] ^= 0x10
    events, error = outcome(framing("full", Side.SERVER, 64), [bytes(wire), bytes(300)], 64)
    assert events == []
    assert error is not None


@pytest.mark.parametrize("code", [-429, -404, -100, -999])
def test_full_understands_three_words_of_a_transport_error(code: int) -> None:
    word = code.to_bytes(4, "little", signed=True)
    reader = framing("full", Side.CLIENT)
    frame = Oracle("full", Side.SERVER)
    stream = word * 3 + frame.frame(payload(24)) + word * 3
    expected = [TransportCode(code), Frame(payload(24)), TransportCode(code)]
    assert outcome(reader, [stream], MAX_PAYLOAD) == (expected, None)
    assert outcome(framing("full", Side.CLIENT), chunks_of(stream, 1), MAX_PAYLOAD) == (expected, None)
    assert framing("full", Side.CLIENT).receive_data(word * 3 * 10_000) == [TransportCode(code)] * 10_000
    for other in (word + bytes(8), word * 2 + bytes(4), word + bytes(4) + word):
        with pytest.raises(FramingError, match="X1"):
            framing("full", Side.CLIENT).receive_data(other)
    with pytest.raises(FramingError, match="X1"):
        framing("full", Side.SERVER).receive_data(word * 3)
