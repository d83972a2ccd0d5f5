"""The first bytes of a connection: which framing they announce, and what else they may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtproto.errors import FramingError, LocalProtocolError
from mtproto.side import Side
from mtproto.transport import (
    FRAMINGS,
    MAX_PAYLOAD,
    Event,
    Frame,
    Obfuscated,
    ProxySecret,
    SeenInits,
    ServerFraming,
    client_framing,
    detect,
    framing,
)
from tests.mtproto.helpers import ManualClock, seeded
from tests.mtproto.transport.lines import OBFUSCATED, SECRET, SETUPS, Oracle, Setup, init_keys
from tests.mtproto.transport.streams import CUTS, VECTORS, cut, outcome, payload, single_bytes

LENGTHS = [case["payload_length"] for case in VECTORS["cases"][2:8]]
NEEDED = {"abridged": 1, "intermediate": 4, "padded": 4, "full": 8}
each_setup = pytest.mark.parametrize("setup", SETUPS, ids=str)
each_framing = pytest.mark.parametrize("name", FRAMINGS)

HTTP = ("GET", "POST", "HEAD", "PUT", "OPTIONS", "DELETE", "PATCH", "CONNECT", "TRACE")
STRANGERS = [
    *(pytest.param(f"{v} /apiw1 HTTP/1.1\r\n".encode(), 4, f"HTTP request ({v})", id=v) for v in HTTP),
    pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 4, "HTTP/2", id="http2"),
    pytest.param(bytes.fromhex("1603010200010001fc0303"), 4, "TLS hello", id="tls"),
    pytest.param(bytes.fromhex("16030100b1010000ad0303"), 9, "TLS hello", id="short-tls"),
    pytest.param(bytes.fromhex("160303020b010002070303"), 9, "TLS hello", id="tls-1.2"),
    pytest.param(bytes(range(0x41, 0x81)), 64, "neither", id="no-tag"),
    pytest.param(b"\xee\xee\xee\xef" + bytes(range(60)), 64, "neither", id="nearly-intermediate"),
    pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n" * 4, 64, "neither", id="ssh"),
]


def secret_of(setup: Setup) -> ProxySecret | None:
    return None if setup.secret is None else ProxySecret.read(setup.secret)


def opening_of(setup: Setup) -> bytes:
    """What the client sends first, as far as it belongs to no frame."""
    return setup.client().prefix


def stream_of(setup: Setup) -> tuple[bytes, list[Event]]:
    """A client's stream from its first byte, made by hand but for the init, and its events."""
    opening, oracle = opening_of(setup), Oracle(setup.name, Side.CLIENT)
    frames, events = b"", list[Event]()
    for length in LENGTHS:
        frames += oracle.frame(payload(length))
        events.append(oracle.read_as(payload(length)))
    if setup.layer != "plain":
        stream = init_keys(opening, setup.key)[Side.CLIENT]
        stream.update(bytes(64))
        frames = stream.update(frames)
    return opening + frames, events


@each_framing
def test_the_prefixes_are_the_published_ones(name: str) -> None:
    key = "padded_intermediate" if name == "padded" else name
    assert FRAMINGS[name].prefix.hex() == VECTORS["client_prefix"][key]


@each_setup
def test_detection_takes_no_more_bytes_than_it_needs(setup: Setup) -> None:
    stream, _ = stream_of(setup)
    needed = NEEDED[setup.name] if setup.layer == "plain" else 64
    server = ServerFraming(secret=secret_of(setup))
    for size in range(needed):
        assert server.framing is None
        assert server.buffered == size
        assert server.receive_data(stream[size : size + 1]) == []
    found = server.framing
    inner = found.inner if isinstance(found, Obfuscated) else found
    assert type(inner) is FRAMINGS[setup.name]
    assert server.name == setup.client().name


@each_framing
def test_detect_tells_the_bare_framings(name: str) -> None:
    stream, _ = stream_of(Setup(name))
    for size in range(NEEDED[name]):
        assert detect(stream[:size]) is None
    for size in (NEEDED[name], len(stream)):
        assert detect(bytearray(stream[:size])) is FRAMINGS[name]
    assert detect(opening_of(Setup("padded", "obfuscated"))) is Obfuscated


@each_setup
def test_split_at_every_byte(setup: Setup) -> None:
    stream, expected = stream_of(setup)
    for place in range(100):
        server = ServerFraming(secret=secret_of(setup))
        assert outcome(server, cut(stream, [place]), MAX_PAYLOAD) == (expected, None)
        server.eof()
    server = ServerFraming(secret=secret_of(setup))
    assert outcome(server, single_bytes(stream), MAX_PAYLOAD) == (expected, None)


def test_the_shortest_first_message_of_the_full_framing_is_not_waited_for_any_longer() -> None:
    server = ServerFraming()
    query = Oracle("full", Side.CLIENT).frame(payload(40))  # req_pq_multi: less than the 64 bytes of an init
    assert len(query) < 64
    assert server.receive_data(query) == [Frame(payload(40))]


# -- strangers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stream", "needed", "likely"), STRANGERS)
def test_strangers_are_refused_and_named(stream: bytes, needed: int, likely: str) -> None:
    server = ServerFraming()
    for byte in single_bytes(stream[: needed - 1]):
        assert server.receive_data(byte) == []
    with pytest.raises(FramingError) as caught:
        server.receive_data(stream[needed - 1 : needed])
    error = caught.value
    assert error.check == ("X7" if needed == 64 else "X11")
    assert likely in str(error)
    assert error.got == stream[:4].hex()
    assert "ef (abridged) or eeeeeeee (intermediate) or dddddddd (padded)" in str(error.expected)
    for data in (b"", b"\xef", stream):
        with pytest.raises(FramingError, match=error.check):
            server.receive_data(data)
    with pytest.raises(FramingError, match=error.check):
        server.eof()
    assert server.framing is None
    assert server.buffered == 0
    assert outcome(ServerFraming(), [stream], 64) == ([], str(error))


def test_a_start_like_tls_may_be_an_obfuscated_connection_all_the_same() -> None:
    # Two bytes of a record would be found in one of 65,536 inits.
    for start in ("16030303aa01bbccdd", "160301aaaa02aaaaaa", "1603010101010002000303"):
        random = bytes.fromhex(start).ljust(56, b"\x55") + bytes(8)
        stream = init_keys(random, None)[Side.CLIENT]
        init = random[:56] + stream.update(random[:56] + b"\xee" * 4 + bytes(4))[56:]
        server = ServerFraming()
        assert server.receive_data(init) == []
        assert server.name == "obfuscated intermediate"


@pytest.mark.parametrize("entry", OBFUSCATED["forbidden_prefixes"], ids=lambda entry: entry["hex"])
def test_what_no_init_may_start_with_is_taken_for_something_else(entry: dict[str, str]) -> None:
    start = bytes.fromhex(entry["hex"])
    if start[:1] in (b"\xef", b"\xee", b"\xdd"):
        assert detect(start.ljust(64, b"a")) in FRAMINGS.values()
    else:
        with pytest.raises(FramingError, match="looks like"):
            detect(start)


# -- a proxy's secret, and replays --------------------------------------------------------------------


@each_setup
@pytest.mark.parametrize("secret", [None, SECRET.hex(), "dd" + SECRET.hex(), "ff" * 16])
def test_a_secret_is_demanded_and_checked(setup: Setup, secret: str | None) -> None:
    knows = (
        secret is None if setup.secret is None else secret is not None and secret[-32:] == setup.secret[-32:]
    )
    server = ServerFraming(secret=None if secret is None else ProxySecret.read(secret))
    stream, expected = stream_of(setup)
    if knows and not (secret is not None and secret.startswith("dd") and setup.name != "padded"):
        assert server.receive_data(stream) == expected
        return
    with pytest.raises(FramingError, match="secret" if secret else "neither") as caught:
        server.receive_data(stream)
    assert caught.value.check == "X7"
    if secret is not None:  # to speak another framing would not help
        assert caught.value.expected == "an obfuscated connection that knows the secret"
    assert SECRET.hex() not in str(caught.value)


def test_a_replayed_init_is_refused_by_the_whole_server() -> None:
    clock = ManualClock()
    seen = SeenInits(clock, lifetime=100.0)
    stream, expected = stream_of(Setup("intermediate", "obfuscated"))
    assert ServerFraming(seen=seen).receive_data(stream) == expected
    altered = b"\x01\x02\x03\x04\x05\x06\x07\x08" + stream[8:]  # which is no part of the keys
    for again in (stream, altered, stream[:64]):
        with pytest.raises(FramingError, match="seen before") as caught:
            ServerFraming(seen=seen).receive_data(again)
        assert caught.value.check == "X7"
    assert len(seen) == 1
    clock.advance(99)
    with pytest.raises(FramingError):
        ServerFraming(seen=seen).receive_data(stream)
    clock.advance(2)
    assert ServerFraming(seen=seen).receive_data(stream) == expected


def test_what_is_no_init_is_not_remembered() -> None:
    seen = SeenInits(ManualClock())
    for number in range(10):
        with pytest.raises(FramingError):
            ServerFraming(seen=seen).receive_data(bytes([number + 1]) * 64)
    assert len(seen) == 0


@pytest.mark.parametrize("count", [1, 3, 10])
def test_seen_inits_are_bounded_and_the_oldest_goes_first(count: int) -> None:
    seen = SeenInits(ManualClock(), max_inits=count)
    inits = [bytes([number]) * 64 for number in range(20)]
    for init in inits:
        assert seen.add(init)
        assert not seen.add(init)
        assert len(seen) <= count
    assert seen.add(inits[-count - 1])
    assert not seen.add(inits[-1]) or count == 1
    with pytest.raises(LocalProtocolError, match="max_inits"):
        SeenInits(ManualClock(), max_inits=0)


# -- what a server was told to take -------------------------------------------------------------------


@each_setup
@pytest.mark.parametrize("transport", [None, *FRAMINGS])
@pytest.mark.parametrize("obfuscated", [False, True])
def test_only_what_is_wanted_is_taken(setup: Setup, transport: str | None, obfuscated: bool) -> None:
    if setup.secret is not None or (obfuscated and transport == "full"):
        return
    seen = SeenInits(ManualClock())
    server = ServerFraming(transport=transport, obfuscated=obfuscated, seen=seen)
    stream, expected = stream_of(setup)
    if transport in (None, setup.name) and (setup.layer != "plain" or not obfuscated):
        assert server.receive_data(stream) == expected
        return
    with pytest.raises(FramingError, match="does not take") as caught:
        server.receive_data(stream)
    assert caught.value.check == "X11"
    assert caught.value.got == setup.client().name
    wanted = "connections" if transport is None else transport
    assert caught.value.expected == ("obfuscated " if obfuscated else "") + wanted
    assert server.framing is None
    assert len(seen) == 0


def test_what_nobody_could_speak_can_not_be_wanted() -> None:
    with pytest.raises(LocalProtocolError, match="no framing is called 'udp'"):
        ServerFraming(transport="udp")
    with pytest.raises(LocalProtocolError, match="can't be obfuscated"):
        ServerFraming(transport="full", obfuscated=True)
    with pytest.raises(LocalProtocolError, match="padded framing only"):
        ServerFraming(transport="abridged", secret=ProxySecret.read("dd" + SECRET.hex()))


# -- any bytes, ends, limits --------------------------------------------------------------------------


STARTS = [
    b"",
    b"\xef",
    b"\xee" * 4,
    b"\xdd" * 4,
    b"\xee" * 3,
    b"GET ",
    b"\x16\x03\x01",
    b"\x10\0\0\0\0\0\0\0",
]
STARTS += [opening_of(setup) for setup in SETUPS if setup.secret is None]


@given(start=st.sampled_from(STARTS), rest=st.binary(max_size=100), cuts=CUTS)
def test_any_stream_gives_the_same_however_cut(start: bytes, rest: bytes, cuts: list[int]) -> None:
    stream = start + rest
    whole = outcome(ServerFraming(64), [stream], 64)
    assert outcome(ServerFraming(64), cut(stream, cuts), 64) == whole
    assert outcome(ServerFraming(64), single_bytes(stream), 64) == whole


def test_stream_that_ends_before_it_begins() -> None:
    ServerFraming().eof()


@each_setup
def test_stream_that_ends_after_the_prefix(setup: Setup) -> None:
    server = ServerFraming(secret=secret_of(setup))
    server.receive_data(opening_of(setup))
    server.eof()


@each_setup
def test_stream_that_ends_before_it_tells(setup: Setup) -> None:
    stream, _ = stream_of(setup)
    needed = NEEDED[setup.name] if setup.layer == "plain" else 64
    for size in range(1, needed):
        server = ServerFraming(secret=secret_of(setup))
        server.receive_data(stream[:size])
        for _ in range(2):
            with pytest.raises(FramingError, match=rf"stream ends.*got {stream[:size].hex()}.*X11"):
                server.eof()
        with pytest.raises(FramingError, match="stream ends"):
            server.receive_data(b"\xef")


@each_setup
def test_stream_that_ends_inside_a_frame(setup: Setup) -> None:
    server = ServerFraming(secret=secret_of(setup))
    server.receive_data(stream_of(setup)[0][:-1])
    with pytest.raises(FramingError, match=f"{setup.name}: the stream ends inside a frame"):
        server.eof()
    assert server.failure is not None


@each_framing
def test_limit_holds_after_detection(name: str) -> None:
    server = ServerFraming(max_payload=32)
    oracle = Oracle(name, Side.CLIENT)
    frames = [oracle.frame(bytes(size), padding=b"") for size in (32, 48)]
    assert server.receive_data(FRAMINGS[name].prefix + b"".join(frames)) == [Frame(bytes(32))]
    assert server.failure is not None
    assert server.failure.check == "X1"


def test_a_limit_that_lets_nothing_through_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="max_payload"):
        ServerFraming(max_payload=3)


def test_nothing_is_sent_before_detection() -> None:
    server = ServerFraming()
    server.receive_data(b"\xee")
    assert (server.name, server.pads, server.has_quick_acks) == ("unknown", False, False)
    with pytest.raises(LocalProtocolError, match="first bytes"):
        server.encode(bytes(16))
    with pytest.raises(LocalProtocolError, match="first bytes"):
        server.encode_quick_ack(b"\xa1\xb2\xc3\xd4")
    with pytest.raises(LocalProtocolError, match="first bytes"):
        server.encode_code(-404)


@each_framing
def test_answers_are_in_the_framing_of_the_client(name: str) -> None:
    server, oracle = ServerFraming(rng=lambda count: bytes(count)), Oracle(name, Side.SERVER)
    server.receive_data(stream_of(Setup(name))[0])
    for length in LENGTHS:
        assert server.encode(payload(length)) == oracle.frame(payload(length), padding=b"")
    for error in VECTORS["transport_errors"]:
        assert server.encode_code(-error["code"]) == oracle.code(-error["code"])
    if FRAMINGS[name].has_quick_acks:
        token = bytes.fromhex(VECTORS["quick_ack_wire"]["example_token"])
        assert server.encode_quick_ack(token) == oracle.quick_ack(token)
    with pytest.raises(LocalProtocolError, match=r"only a client|no quick acks"):
        server.encode(bytes(16), quick_ack=True)


def test_the_names_of_a_client_and_of_the_server_agree() -> None:
    for setup in SETUPS:
        client = client_framing(
            setup.name, obfuscated=setup.layer != "plain", mtproxy_secret=setup.secret, rng=seeded(1)
        )
        server = ServerFraming(secret=secret_of(setup))
        server.receive_data(client.prefix + client.encode(payload(24)))
        assert server.name == client.name
    assert framing("full", Side.SERVER).name == "full"
