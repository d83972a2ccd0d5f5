"""The first bytes of a connection: which framing they announce, and what else they may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtproto.errors import FramingError, LocalProtocolError
from mtproto.side import Side
from mtproto.transport import FRAMINGS, MAX_PAYLOAD, Event, Frame, ServerFraming, detect, framing
from tests.mtproto.transport.streams import CUTS, NAMES, VECTORS, cut, outcome, payload, single_bytes, wire

CASES = VECTORS["cases"][:8]
each_framing = pytest.mark.parametrize("name", NAMES)

STRANGERS = [
    *(
        pytest.param(f"{verb} /apiw1 HTTP/1.1\r\n".encode(), f"HTTP request ({verb})", id=verb)
        for verb in ("GET", "POST", "HEAD", "PUT", "OPTIONS", "DELETE", "PATCH", "CONNECT", "TRACE")
    ),
    pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/2", id="http2"),
    pytest.param(bytes.fromhex("1603010200010001fc0303"), "TLS hello", id="tls"),
    pytest.param(bytes.fromhex("16030100b1010000ad0303"), "TLS hello", id="short-tls"),
    pytest.param(b"\xdd" * 4 + bytes.fromhex("08000000"), "padded intermediate", id="padded"),
    pytest.param(bytes.fromhex(CASES[0]["full_seq0"]), "full framing or an obfuscated", id="full"),
    pytest.param(bytes(range(0x41, 0x81)), "full framing or an obfuscated", id="obfuscated"),
    pytest.param(b"\xee\xee\xee\xef", "full framing or an obfuscated", id="nearly-intermediate"),
    pytest.param(b"\0\0\0\0", "full framing or an obfuscated", id="zeros"),
]


def stream_of(name: str) -> bytes:
    return bytes.fromhex(VECTORS["client_prefix"][name]) + b"".join(wire(case, name) for case in CASES)


FRAMES: list[Event] = [Frame(payload(case["payload_length"])) for case in CASES]


@each_framing
def test_detect_needs_the_whole_prefix_and_no_more(name: str) -> None:
    prefix = bytes.fromhex(VECTORS["client_prefix"][name])
    for size in range(len(prefix)):
        assert detect(prefix[:size]) is None
    assert detect(prefix) is FRAMINGS[name]
    assert detect(bytearray(stream_of(name))) is FRAMINGS[name]


@each_framing
def test_split_at_every_byte(name: str) -> None:
    stream = stream_of(name)
    for place in range(len(stream)):
        server = ServerFraming()
        assert outcome(server, cut(stream, [place]), MAX_PAYLOAD) == (FRAMES, None)
        assert type(server.framing) is FRAMINGS[name]
        server.eof()


@each_framing
def test_byte_by_byte(name: str) -> None:
    server = ServerFraming()
    assert outcome(server, single_bytes(stream_of(name)), MAX_PAYLOAD) == (FRAMES, None)


@pytest.mark.parametrize(("stream", "likely"), STRANGERS)
def test_strangers_are_refused_and_named(stream: bytes, likely: str) -> None:
    server = ServerFraming()
    with pytest.raises(FramingError) as caught:
        server.receive_data(stream)
    error = caught.value
    assert error.check == "X11"
    assert likely in str(error)
    assert error.got == stream[:4].hex()
    assert error.expected == "ef (abridged) or eeeeeeee (intermediate)"
    for data in (b"", b"\xef", stream):
        with pytest.raises(FramingError, match="X11"):
            server.receive_data(data)
    with pytest.raises(FramingError, match="X11"):
        server.eof()
    assert server.framing is None
    assert server.buffered == 0


@pytest.mark.parametrize(("stream", "likely"), STRANGERS)
def test_strangers_are_waited_for_until_the_fourth_byte(stream: bytes, likely: str) -> None:
    server = ServerFraming()
    for size, byte in enumerate(single_bytes(stream[:3]), 1):
        assert server.receive_data(byte) == []
        assert server.buffered == size
    with pytest.raises(FramingError) as caught:
        server.receive_data(stream[3:4])
    assert likely in str(caught.value)


@given(start=st.sampled_from([b"", b"\xef", b"\xee" * 4, b"\xee" * 3, b"GET "]), rest=st.binary(), cuts=CUTS)
def test_any_stream_gives_the_same_however_cut(start: bytes, rest: bytes, cuts: list[int]) -> None:
    stream = start + rest
    whole = outcome(ServerFraming(64), [stream], 64)
    assert outcome(ServerFraming(64), cut(stream, cuts), 64) == whole
    assert outcome(ServerFraming(64), single_bytes(stream), 64) == whole


def test_stream_that_ends_before_it_begins() -> None:
    ServerFraming().eof()


def test_stream_that_ends_after_the_prefix() -> None:
    server = ServerFraming()
    server.receive_data(b"\xef")
    server.eof()


def test_stream_that_ends_inside_the_prefix() -> None:
    server = ServerFraming()
    server.receive_data(b"\xee\xee")
    for _ in range(2):
        with pytest.raises(FramingError, match=r"stream ends.*got eeee.*X11"):
            server.eof()
    with pytest.raises(FramingError, match="stream ends"):
        server.receive_data(b"\xee\xee")


@each_framing
def test_stream_that_ends_inside_a_frame(name: str) -> None:
    server = ServerFraming()
    server.receive_data(stream_of(name)[:-1])
    with pytest.raises(FramingError, match=f"{name}: the stream ends inside a frame"):
        server.eof()
    assert server.failure is not None


@each_framing
def test_limit_holds_after_detection(name: str) -> None:
    server = ServerFraming(max_payload=32)
    frames = [framing(name, Side.CLIENT).encode(bytes(size)) for size in (32, 36)]
    prefix = bytes.fromhex(VECTORS["client_prefix"][name])
    assert server.receive_data(prefix + b"".join(frames)) == [Frame(bytes(32))]
    assert server.failure is not None
    assert server.failure.check == "X1"


def test_a_limit_that_lets_nothing_through_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="max_payload"):
        ServerFraming(max_payload=3)


def test_nothing_is_sent_before_detection() -> None:
    server = ServerFraming()
    server.receive_data(b"\xee")
    with pytest.raises(LocalProtocolError, match="first bytes"):
        server.encode(bytes(16))
    with pytest.raises(LocalProtocolError, match="first bytes"):
        server.encode_quick_ack(b"\xa1\xb2\xc3\xd4")
    with pytest.raises(LocalProtocolError, match="first bytes"):
        server.encode_code(-404)


@each_framing
def test_answers_are_in_the_framing_of_the_client(name: str) -> None:
    server = ServerFraming()
    server.receive_data(bytes.fromhex(VECTORS["client_prefix"][name]))
    for case in CASES:
        assert server.encode(payload(case["payload_length"])) == wire(case, name)
    quick_ack = VECTORS["quick_ack_wire"]
    assert server.encode_quick_ack(bytes.fromhex(quick_ack["example_token"])).hex() == quick_ack[name]
    for error in VECTORS["transport_errors"]:
        assert server.encode_code(-error["code"]).hex() == error[name]
    with pytest.raises(LocalProtocolError, match="only a client"):
        server.encode(bytes(16), quick_ack=True)
