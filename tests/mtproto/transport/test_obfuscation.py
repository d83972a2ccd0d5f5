"""Inits and the streams after them against the published ones; what no init may start with; secrets."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtproto.errors import FramingError, LocalProtocolError
from mtproto.side import Side
from mtproto.transport import (
    FRAMINGS,
    Frame,
    Obfuscated,
    ProxySecret,
    ServerFraming,
    client_framing,
    detect,
    framing,
    obfuscated_client,
    read_init,
    write_init,
)
from mtproto.transport.obfuscation import TAGS, is_forbidden
from tests.mtproto.helpers import replay, seeded
from tests.mtproto.transport.lines import OBFUSCATED, Oracle
from tests.mtproto.transport.lines import TAGS as PUBLISHED_TAGS
from tests.mtproto.transport.streams import payload

CASES: list[dict[str, Any]] = OBFUSCATED["cases"]
FORBIDDEN = [bytes.fromhex(entry["hex"]) for entry in OBFUSCATED["forbidden_prefixes"]]
SECRET = "00112233445566778899aabbccddeeff"
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])


def secret_of(case: dict[str, Any]) -> ProxySecret | None:
    return None if case["secret"] is None else ProxySecret.read(case["secret"])


# -- published inits ----------------------------------------------------------------------------------


@each_case
def test_the_client_writes_the_published_init_and_streams(case: dict[str, Any]) -> None:
    init = write_init(
        bytes.fromhex(case["tag"]),
        secret=secret_of(case),
        dc=case["dc"],
        random=bytes.fromhex(case["random64"]),
    )
    assert init.wire.hex() == case["init_wire"]
    for part in case["client_to_server_stream"]:
        assert init.to_server(bytes.fromhex(part["plain"])).hex() == part["wire"]
    for part in case["server_to_client_stream"]:
        assert init.to_client(bytes.fromhex(part["wire"])).hex() == part["plain"]


@each_case
def test_the_server_reads_the_published_init_and_streams(case: dict[str, Any]) -> None:
    init = read_init(bytes.fromhex(case["init_wire"]), secret=secret_of(case))
    plain = bytes.fromhex(case["init_plain"])
    assert init.tag.hex() == case["tag"]
    assert init.dc == int.from_bytes(plain[60:62], "little", signed=True)
    assert case["dc"] in (None, init.dc)
    for part in case["client_to_server_stream"]:
        assert init.to_server(bytes.fromhex(part["wire"])).hex() == part["plain"]
    for part in case["server_to_client_stream"]:
        assert init.to_client(bytes.fromhex(part["plain"])).hex() == part["wire"]


@each_case
def test_another_secret_reads_another_tag(case: dict[str, Any]) -> None:
    init = read_init(bytes.fromhex(case["init_wire"]), secret=ProxySecret(b"\x07" * 16))
    assert init.tag not in TAGS


def test_the_tags() -> None:
    assert {kind.name: tag for tag, kind in TAGS.items()} == PUBLISHED_TAGS


# -- what no init may start with (X7) -----------------------------------------------------------------


@pytest.mark.parametrize("start", FORBIDDEN, ids=bytes.hex)
def test_an_init_never_starts_like_another_protocol(start: bytes) -> None:
    bad, good = start.ljust(64, b"\x07"), seeded(1)(64)
    assert is_forbidden(bad)
    for chances in (1, 5, 99):
        rng = replay(*[bad] * chances, good)
        assert write_init(b"\xee" * 4, rng=rng).wire[:56] == good[:56]
        assert rng.left == 0


def test_an_init_never_has_the_number_of_a_first_full_frame() -> None:
    assert is_forbidden(b"\x07" * 4 + bytes(4) + b"\x07" * 56)
    assert not is_forbidden(b"\x07" * 3 + bytes(4) + b"\x07" * 57)


def test_an_rng_that_gives_nothing_else_is_an_error_not_a_hang() -> None:
    with pytest.raises(LocalProtocolError, match="100 times"):
        write_init(b"\xee" * 4, rng=lambda count: b"\xef" * count)


STARTS = [
    b"",
    *FORBIDDEN,
    *(b"PUT ", b"DELE", b"PATC", b"CONN", b"TRAC", b"PRI "),
    *(
        bytes.fromhex(hello)
        for hello in ("16030100b1010000ad03", "160303020b0100020703", "160301aaaa02aaaaaa")
    ),
    b"\x07" * 4 + bytes(4),
]


@pytest.mark.parametrize("start", STARTS, ids=bytes.hex)
def test_what_is_forbidden_is_just_what_a_server_takes_for_something_else(start: bytes) -> None:
    random = start.ljust(64, b"\x55")
    wire = write_init(b"\xee" * 4, random=random).wire
    try:
        is_init = detect(wire) is Obfuscated
    except FramingError:
        is_init = False
    assert is_forbidden(random) is not is_init


@given(
    start=st.sampled_from(STARTS),
    rest=st.binary(min_size=64, max_size=64),
    name=st.sampled_from(sorted(PUBLISHED_TAGS)),
)
def test_an_init_that_may_be_sent_is_detected_as_one(start: bytes, rest: bytes, name: str) -> None:
    random = (start + rest)[:64]
    if not is_forbidden(random):
        init = write_init(PUBLISHED_TAGS[name], random=random)
        assert detect(init.wire) is Obfuscated
        assert read_init(init.wire).tag == PUBLISHED_TAGS[name]


# -- the key stream moves on by the bytes read (X8) ---------------------------------------------------


@given(cuts=st.lists(st.integers(0, 60), min_size=1, max_size=20))
def test_the_streams_do_not_depend_on_how_they_are_cut(cuts: list[int]) -> None:
    client = client_framing("abridged", obfuscated=True, rng=seeded(4))
    assert isinstance(client, Obfuscated)
    init = read_init(client.prefix)
    stream = init.to_client(b"".join(Oracle("abridged", Side.SERVER).frame(payload(24)) for _ in range(8)))
    events = []
    for size in cuts:
        events += client.receive_data(stream[:size])
        stream = stream[size:]
    events += client.receive_data(stream)
    assert events == [Frame(payload(24))] * 8


def test_quick_acks_and_transport_errors_move_the_stream_on_too() -> None:
    client = client_framing("intermediate", obfuscated=True, rng=seeded(5))
    server = Obfuscated(framing("intermediate", Side.SERVER), read_init(client.prefix))
    for _ in range(3):
        data = (
            server.encode_quick_ack(b"\x01\x02\x03\x84")
            + server.encode(payload(24))
            + server.encode_code(-404)
        )
        assert len(client.receive_data(data)) == 3


# -- what goes together -------------------------------------------------------------------------------


@pytest.mark.parametrize("dc", [None, 2, -2, 10002, -10002, 32767, -32768])
def test_the_dc_is_told_to_a_proxy_and_to_nobody_else(dc: int | None) -> None:
    def dc_of(secret: str | None) -> int:
        client = client_framing("padded", obfuscated=True, mtproxy_secret=secret, dc=dc, rng=seeded(6))
        return read_init(client.prefix, secret=None if secret is None else ProxySecret.read(secret)).dc

    noise = int.from_bytes(seeded(6)(64)[60:62], "little", signed=True)
    assert dc_of(None) == noise
    assert dc_of(SECRET) == (noise if dc is None else dc)


@pytest.mark.parametrize("dc", [32768, -32769, 10**9])
def test_a_dc_that_does_not_fit_is_refused(dc: int) -> None:
    with pytest.raises(LocalProtocolError, match=f"dc {dc} does not fit"):
        client_framing("padded", mtproxy_secret=SECRET, dc=dc)


@pytest.mark.parametrize(
    ("tag", "random"), [(b"", bytes(64)), (b"\xef", bytes(64)), (b"\xee" * 4, bytes(63))]
)
def test_inits_of_other_sizes_are_refused(tag: bytes, random: bytes) -> None:
    with pytest.raises(LocalProtocolError, match="expected 64 and 4"):
        write_init(tag, random=random)


@pytest.mark.parametrize("size", [0, 7, 55, 56, 60, 63, 65, 100])
def test_no_init_of_another_size_is_read(size: int) -> None:
    with pytest.raises(LocalProtocolError, match=f"an init of {size} bytes, expected 64"):
        read_init(bytes(size))


def test_names_and_defaults() -> None:
    assert client_framing().name == "intermediate"
    assert client_framing(obfuscated=True).name == "obfuscated intermediate"
    assert client_framing(mtproxy_secret=SECRET).name == "obfuscated intermediate"
    assert client_framing(mtproxy_secret="dd" + SECRET).name == "obfuscated padded"
    assert client_framing(mtproxy_secret=bytes.fromhex("dd" + SECRET)).name == "obfuscated padded"
    for name, kind in FRAMINGS.items():
        assert type(client_framing(name)) is kind
    with pytest.raises(LocalProtocolError, match="no framing is called 'udp'"):
        client_framing("udp")


def test_what_does_not_go_together_is_refused() -> None:
    for secret in (None, SECRET, "dd" + SECRET):
        with pytest.raises(LocalProtocolError, match="full framing can't be obfuscated"):
            client_framing("full", obfuscated=True, mtproxy_secret=secret)
    for name in ("abridged", "intermediate"):
        with pytest.raises(LocalProtocolError, match=f"padded framing only, not with {name}"):
            client_framing(name, mtproxy_secret="dd" + SECRET)
    with pytest.raises(LocalProtocolError, match="can't be obfuscated"):
        obfuscated_client(framing("full", Side.CLIENT))


# -- secrets ------------------------------------------------------------------------------------------


def test_secrets_are_read() -> None:
    data = bytes.fromhex(SECRET)
    for text, padded_only in ((SECRET, False), (SECRET.upper(), False), ("DD" + SECRET, True)):
        for value in (text, bytes.fromhex(text)):
            assert ProxySecret.read(value) == ProxySecret(data, padded_only)
    assert ProxySecret.read("dd" * 16) == ProxySecret(b"\xdd" * 16)
    secret = ProxySecret(data)
    assert ProxySecret.read(secret) is secret


@pytest.mark.parametrize("secret", ["", "00", "zz" * 16, SECRET + "00", SECRET[:-1], 5, None])
def test_what_is_no_secret_is_refused(secret: Any) -> None:
    with pytest.raises(LocalProtocolError, match="16 bytes"):
        ProxySecret.read(secret)


@pytest.mark.parametrize("data", [b"", b"x", bytes(15), bytes(17), SECRET, bytearray(16), None])
def test_a_secret_that_is_made_has_16_bytes(data: Any) -> None:
    with pytest.raises(LocalProtocolError, match="expected 16 bytes"):
        ProxySecret(data)


def test_a_repr_does_not_show_the_secret() -> None:
    assert repr(ProxySecret(b"sixteen bytes or", padded_only=True)) == "ProxySecret(padded_only=True)"


def test_a_secret_for_fake_tls_is_said_to_be_one() -> None:
    with pytest.raises(LocalProtocolError, match="FakeTLS"):
        ProxySecret.read("ee" + SECRET + b"example.org".hex())


def test_no_error_repeats_a_secret() -> None:
    for bad in (SECRET + "00", "ee" + SECRET + "00"):
        with pytest.raises(LocalProtocolError) as caught:
            ProxySecret.read(bad)
        assert SECRET not in str(caught.value)


def test_every_pair_of_framing_and_bad_tag_is_refused() -> None:
    for name, start in product(PUBLISHED_TAGS, (b"\x01", b"\x02")):
        wire = bytearray(client_framing(name, obfuscated=True, rng=seeded(7)).prefix)
        wire[56] ^= start[0]
        with pytest.raises(FramingError, match="X7"):
            ServerFraming().receive_data(bytes(wire))
