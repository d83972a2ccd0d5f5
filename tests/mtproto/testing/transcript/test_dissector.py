"""The dissector: published bytes, whole conversations over each transport, damage, and any bytes at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from hypothesis import given, settings
from hypothesis import strategies as st

import tl
from mtproto import api, service
from mtproto.crypto.auth_key import AuthKey
from mtproto.envelope import Cipher as Sealer
from mtproto.envelope import Envelope, PlainMessage, encode_plain
from mtproto.events import AnswerReceived, RequestReceived
from mtproto.message import Message, pack_container, pack_gzip, pack_rpc_result
from mtproto.side import Side
from mtproto.testing.transcript import (
    Cut,
    Dissector,
    Ended,
    Entry,
    KeyLog,
    Opening,
    Plain,
    Record,
    Said,
    Sealed,
    Transcript,
    Unread,
)
from mtproto.testing.transcript.again import dissect_again
from mtproto.testing.transcript.ladder import rows
from mtproto.testing.transcript.page import html_page
from mtproto.testing.transcript.reading import Schemas
from mtproto.transport import framing
from tests.mtproto.helpers import TEST_KEY, seeded
from tests.mtproto.testing.transcript.example import CODE, CONFIG_WANTED, TRANSCRIPT, Talk, verify
from tests.vectors import load
from tl import strategies

TRANSPORTS = load("transports")
ENCRYPTED = load("encrypted_messages")
EXCHANGE = load("auth_key_sample")
NAMES = {
    "abridged": "abridged",
    "intermediate": "intermediate",
    "padded": "padded_intermediate",
    "full": "full",
}
KEY = AuthKey(bytes.fromhex(ENCRYPTED["auth_key"]))
SECRET = "00112233445566778899aabbccddeeff"


def feed(dissector: Dissector, *parts: tuple[Side, bytes]) -> list[Record]:
    return [record for side, data in parts for record in dissector.feed(0.0, side, data)]


def findings(records: Sequence[Record]) -> list[str]:
    return [finding for record in records for finding in record.findings]


def of(kind: type[Any], records: Sequence[Record]) -> list[Any]:
    return [record for record in records if isinstance(record, kind)]


def opened(name: str, side: Side) -> Dissector:
    """A dissector behind the opening of a connection that speaks `name`."""
    dissector = Dissector(KeyLog.of(KEY))
    if name == "full":  # it has no opening: the first frame is one
        feed(dissector, (Side.CLIENT, framing("full", Side.CLIENT).encode(bytes(24))))
    else:
        feed(dissector, (Side.CLIENT, bytes.fromhex(TRANSPORTS["client_prefix"][NAMES[name]])))
    return dissector


# Published bytes


@pytest.mark.parametrize("case", TRANSPORTS["cases"], ids=lambda case: str(case["payload_length"]))
@pytest.mark.parametrize("name", ["abridged", "intermediate"])
def test_published_frames(name: str, case: dict[str, Any]) -> None:
    payload = bytes(i & 0xFF for i in range(case["payload_length"]))
    for is_asked, head in ((False, f"{name}_head"), (True, f"{name}_quick_ack_head")):
        frame = bytes.fromhex(case[head]) + payload
        prefix = bytes.fromhex(TRANSPORTS["client_prefix"][name])
        opening, cut, *_ = feed(Dissector(), (Side.CLIENT, prefix + frame))
        assert opening == Opening(0.0, Side.CLIENT, name, prefix)
        assert isinstance(cut, Cut)
        assert (cut.offset, cut.data, cut.quick_ack) == (0, frame, is_asked)
        assert frame[cut.start :] == payload


@pytest.mark.parametrize("case", TRANSPORTS["cases"], ids=lambda case: str(case["payload_length"]))
def test_published_full_frames(case: dict[str, Any]) -> None:
    payload = bytes(i & 0xFF for i in range(case["payload_length"]))
    frames = [
        bytes.fromhex(case[f"full_seq{n}_head"]) + payload + bytes.fromhex(case[f"full_seq{n}_crc"])
        for n in (0, 1)
    ]
    records = feed(Dissector(), (Side.CLIENT, b"".join(frames)))
    assert records[0] == Opening(0.0, Side.CLIENT, "full", b"")
    cuts = of(Cut, records)
    assert [cut.data for cut in cuts] == frames
    assert [cut.offset for cut in cuts] == [0, len(frames[0])]
    assert all(cut.data[cut.start : cut.end + 4] == payload + cut.data[-4:] for cut in cuts)


@pytest.mark.parametrize("name", ["abridged", "intermediate"])
def test_published_transport_errors_and_quick_acks(name: str) -> None:
    dissector = opened(name, Side.SERVER)
    for case in TRANSPORTS["transport_errors"]:
        (cut,) = feed(dissector, (Side.SERVER, bytes.fromhex(case[name])))
        assert isinstance(cut, Cut)
        assert cut.code == -case["code"]
    acks = TRANSPORTS["quick_ack_wire"]
    (cut,) = feed(dissector, (Side.SERVER, bytes.fromhex(acks[name])))
    assert isinstance(cut, Cut)
    assert cut.token == bytes.fromhex(acks["example_token"])
    assert cut.acknowledges is None


CHECKS = {
    "zero_length": "X2",
    "too_small": "X",
    "too_large": "X1",
    "crc_mismatch": "X6",
    "seq_mismatch": "X6",
    "not_multiple_of_4": "X2",
}


@pytest.mark.parametrize(
    "case",
    [case for case in TRANSPORTS["bad_streams"] if case["expect"] in CHECKS],
    ids=lambda case: f"{case['transport']}-{case['after_prefix']}",
)
def test_published_damage(case: dict[str, Any]) -> None:
    name = next(ours for ours, theirs in NAMES.items() if theirs == case["transport"])
    damage = bytes.fromhex(case["after_prefix"])
    dissector = Dissector()
    if name == "full":  # whatever it begins with: that it is full is told already
        dissector.opened(Opening(0.0, Side.CLIENT, "full", b""))
    records = feed(dissector, (Side.CLIENT, bytes.fromhex(TRANSPORTS["client_prefix"][NAMES[name]]) + damage))
    records += dissector.end(0.0, Side.CLIENT)
    assert not of(Cut, records)
    assert b"".join(record.data for record in of(Unread, records)) == damage
    (finding,) = findings(records)
    is_cut_short = len(damage) < 12 and name == "full"  # so that it is the end that is wrong
    assert f"[{'X10' if is_cut_short else CHECKS[case['expect']]}" in finding


@pytest.mark.parametrize("case", load("obfuscated2")["cases"], ids=lambda case: case["name"])
def test_published_obfuscation_is_undone(case: dict[str, Any]) -> None:
    name = {"eeeeeeee": "intermediate", "dddddddd": "padded", "efefefef": "abridged"}[case["tag"]]
    init = bytes.fromhex(case["init_wire"])
    out = Cipher(AES(bytes.fromhex(case["encrypt_key"])), CTR(bytes.fromhex(case["encrypt_iv"]))).encryptor()
    out.update(bytes(64))
    back = Cipher(AES(bytes.fromhex(case["decrypt_key"])), CTR(bytes.fromhex(case["decrypt_iv"]))).encryptor()
    there = framing(name, Side.CLIENT, rng=seeded(1)).encode(bytes(24))
    answer = framing(name, Side.SERVER, rng=seeded(1)).encode_code(-404)
    dissector = Dissector(mtproxy_secret=case["secret"])
    opening, cut, *_ = feed(dissector, (Side.CLIENT, init + out.update(there)))
    assert isinstance(opening, Opening)
    assert (opening.transport, opening.data) == (f"obfuscated {name}", init)
    assert opening.dc == (case["dc"] if case["secret"] else None)
    assert isinstance(cut, Cut)
    assert cut.data == there
    (refusal,) = feed(dissector, (Side.SERVER, back.update(answer)))
    assert isinstance(refusal, Cut)
    assert (refusal.code, refusal.data) == (-404, answer)


def sealed(case: dict[str, Any]) -> list[Record]:
    side = Side.CLIENT if case["direction"] == "client_to_server" else Side.SERVER
    key = AuthKey(bytes.fromhex(case.get("auth_key", ENCRYPTED["auth_key"])))
    dissector = Dissector(KeyLog.of(key))
    feed(dissector, (Side.CLIENT, b"\xee\xee\xee\xee"))
    message = bytes.fromhex(case["message"])
    return dissector.feed(0.0, side, len(message).to_bytes(4, "little") + message)


@pytest.mark.parametrize("case", ENCRYPTED["good"], ids=lambda case: case["name"])
def test_published_envelopes(case: dict[str, Any]) -> None:
    _, envelope, *said = sealed(case)
    assert isinstance(envelope, Sealed)
    assert envelope.msg_key == bytes.fromhex(case["msg_key"])
    if "salt" in case:
        assert (envelope.salt, envelope.session_id) == (case["salt"], case["session_id"])
        assert (envelope.msg_id, envelope.seq_no) == (case["msg_id"], case["seq_no"])
        assert envelope.padding == bytes.fromhex(case["padding"])
        assert isinstance(said[0], Said)
        assert said[0].body == bytes.fromhex(case["body"])[: len(said[0].body)]
        # One of them claims 1020 bytes of padding in its name and has 1028, which is too much.
        assert [finding[-4:] for finding in envelope.findings] == ["[C7]"] * (
            len(envelope.padding or b"") > 1024
        )


REFUSED = {
    "msg_key_mismatch": "[C3]",
    "bad_length": "[X2]",  # by the framing already: 4 bytes are its measure
    "padding_out_of_range": "[C7]",
    "length_exceeds_plaintext": "[C5]",
    "length_negative": "[C5]",
    "length_not_multiple_of_4": "[C6]",
    "msg_id_parity": "[C9]",
    "treated_as_unencrypted_and_rejected": "[H13]",
}


@pytest.mark.parametrize("case", ENCRYPTED["bad"], ids=lambda case: case["name"])
def test_published_bad_envelopes(case: dict[str, Any]) -> None:
    # The one that is the client's own, reflected, is read as the server's, as a client would have to.
    records = sealed({**case, "direction": "server_to_client"})
    if case["expect"] in REFUSED:
        assert any(REFUSED[case["expect"]] in finding for finding in findings(records))
    elif case["expect"] == "auth_key_id_mismatch":
        (envelope,) = of(Sealed, records)
        assert not envelope.is_known
    else:  # whose session and which time it is, is for those who take part to say
        assert of(Said, records)


def test_the_published_key_exchange_is_opened_by_its_new_nonce() -> None:
    nonces = {bytes.fromhex(EXCHANGE["server_nonce"]): bytes.fromhex(EXCHANGE["new_nonce"])}
    dissector = Dissector(KeyLog(new_nonces=nonces))
    records = feed(dissector, (Side.CLIENT, b"\xee\xee\xee\xee"))
    for side, name in (
        (Side.CLIENT, "req_pq_multi_message"),
        (Side.SERVER, "resPQ_message_exact"),
        (Side.CLIENT, "req_DH_params_message"),
        (Side.SERVER, "server_DH_params_ok_message_exact"),
        (Side.CLIENT, "set_client_DH_params_message"),
        (Side.SERVER, "dh_gen_ok_message_exact"),
    ):
        message = bytes.fromhex(EXCHANGE[name])
        records += feed(dissector, (side, len(message).to_bytes(4, "little") + message))
    assert not findings(records)
    assert len(of(Plain, records)) == 6
    inner = {said.name: said.body.hex() for said in of(Said, records) if said.kind == "inner"}
    assert inner == {
        "server_DH_inner_data": EXCHANGE["answer"],
        "client_DH_inner_data": EXCHANGE["client_DH_inner_data"],
    }


# Whole conversations


def spoken(talk: Talk) -> tuple[list[tuple[Side, bytes]], list[object]]:
    """All that went over the line, and what the connections told."""
    parts: list[tuple[Side, bytes]] = []

    class Listener:
        def received(self, data: bytes) -> None:
            if data:
                parts.append((Side.SERVER, data))

        def sent(self, data: bytes) -> None:
            parts.append((Side.CLIENT, data))

        def ended(self) -> None: ...

        def lost(self, side: Side, payload: bytes, how: str) -> None: ...

        def closed(self) -> None: ...

        def succeeded_by(self, connection: object) -> None: ...

    talk.client.observer = Listener()
    talk.run()
    talk.ask(verify("+12025550123"))
    talk.ask(CONFIG_WANTED, verify("some string here"), gzip=True)
    talk.wait(2)
    return parts, talk.events


WAYS: list[dict[str, Any]] = [
    *({"transport": name} for name in NAMES),
    *({"transport": name, "obfuscated": True} for name in NAMES if name != "full"),
    {"mtproxy_secret": f"dd{SECRET}"},
    {"temp_key_lifetime": 86_400},
]


def talk_over(way: dict[str, Any]) -> Talk:
    talk = Talk(**way)
    if "mtproxy_secret" in way:
        from mtproto.connection import ServerConnection

        talk.server = ServerConnection([TEST_KEY], talk.state, mtproxy_secret=way["mtproxy_secret"])
    return talk


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_it_sees_what_the_connections_say_happened(way: dict[str, Any]) -> None:
    talk = talk_over(way)
    parts, events = spoken(talk)
    secret = way.get("mtproxy_secret")
    dissector = Dissector(KeyLog(talk.state.keys), rsa_keys=[TEST_KEY], mtproxy_secret=secret)
    records = feed(dissector, *parts)
    assert not findings(records)
    assert not of(Unread, records)
    said = of(Said, records)
    asked = [event.body for event in events if isinstance(event, RequestReceived)]
    assert len(asked) >= 3
    requests = [s.body for s in said if s.side is Side.CLIENT and s.schema == "api" and s.kind != "result"]
    assert requests == asked
    answers = [event.body for event in events if isinstance(event, AnswerReceived)]
    results = [s.body for s in said if s.kind == "result"]
    assert [body for body in results if body in answers] == answers
    (opening,) = of(Opening, records)
    assert opening.transport == talk.client.transport
    sizes = sum(len(cut.data) for cut in of(Cut, records)) + len(opening.data)
    assert sizes == sum(len(data) for _, data in parts)
    assert {s.name for s in said if s.kind == "inner"} >= {"p_q_inner_data_dc", "client_DH_inner_data"}


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_what_is_recorded_without_keys_can_be_read_with_them_later(way: dict[str, Any]) -> None:
    talk = talk_over(way)
    parts, _ = spoken(talk)
    known: dict[str, Any] = {
        "secrets": KeyLog(talk.state.keys),
        "rsa_keys": [TEST_KEY],
        "mtproxy_secret": way.get("mtproxy_secret"),
    }
    blind = Dissector()
    records = feed(blind, *parts)
    records += blind.rest(0.0)
    assert not any(said.schema == "api" for said in of(Said, records))
    again = dissect_again(records, **known)
    straight = feed(Dissector(**known), *parts)
    assert [r for r in again if r.side is Side.CLIENT] == [r for r in straight if r.side is Side.CLIENT]
    assert in_any_order(again) == in_any_order(straight)


def in_any_order(records: Sequence[Record]) -> list[str]:
    """What was said, as text; where nothing could be read, the sides' order was not told either."""
    return sorted(str((said.side, said.name, said.body)) for said in of(Said, records))


def test_an_answer_is_read_by_what_was_asked() -> None:
    request = bytes(api.users.GetUsers(id=[api.InputUserSelf()]))
    users = bytes.fromhex("15c4b51c00000000")
    records = conversation((Side.CLIENT, request, 4), (Side.SERVER, pack_rpc_result(4, users), 1))
    head, result = of(Said, records)[1:]
    assert (head.name, head.answers, head.request, head.body) == (
        "rpc_result",
        4,
        "users.getUsers",
        pack_rpc_result(4, b""),
    )
    assert (result.kind, result.name, result.value) == ("result", "Vector<User>", [])
    assert not findings(records)


def conversation(*messages: tuple[Side, bytes, int]) -> list[Record]:
    """Messages under a key that is known, over intermediate."""
    dissector = Dissector(KeyLog.of(KEY))
    records = feed(dissector, (Side.CLIENT, b"\xee\xee\xee\xee"))
    for side, body, msg_id in messages:
        payload = Sealer(KEY, side).seal(Envelope(1, 2, msg_id, 1, body), seeded(3))
        records += feed(dissector, (side, framing("intermediate", side).encode(payload)))
    return records


# What is wrong


def test_a_container_is_taken_apart_as_far_as_it_goes() -> None:
    ping = bytes(service.Ping(ping_id=7))
    whole = pack_container([Message(4, 0, ping), Message(8, 1, CONFIG_WANTED)])
    records = conversation((Side.CLIENT, whole, 12))
    assert [(s.name, s.kind, s.msg_id, s.inside) for s in of(Said, records)] == [
        ("msg_container", "message", 12, None),
        ("ping", "contained", 4, 1),
        ("help.getConfig", "contained", 8, 1),
    ]
    assert not findings(records)
    records = conversation((Side.CLIENT, whole[:-4], 12))
    assert [s.name for s in of(Said, records)] == ["msg_container", "ping"]
    assert ["C17" in finding for finding in findings(records)] == [True]


@pytest.mark.parametrize(
    ("body", "check"),
    [
        (pack_container([Message(16, 0, CONFIG_WANTED)]), "C17"),
        (bytes.fromhex("dcf8f173ffffffff"), "C17"),
        (bytes.fromhex("dcf8f173"), "C17"),
        (pack_gzip(pack_gzip(CONFIG_WANTED)), "C18"),
        (pack_gzip(bytes(20_000_000)), "C18"),
        (bytes(service.GzipPacked(packed_data=b"none")), "C18"),
        (CODE[:-4], "UnexpectedEnd"),
        (b"", "a body of 0 bytes"),
    ],
    ids=["not older", "count", "no count", "gzip in gzip", "bomb", "no gzip", "cut off", "empty"],
)
def test_what_is_wrong_in_a_body_is_a_finding(body: bytes, check: str) -> None:
    assert any(check in finding for finding in findings(conversation((Side.CLIENT, body, 12))))


def test_a_schema_of_ones_own_says_what_bodies_mean(tmp_path: Path) -> None:
    (tmp_path / "own.tl").write_text("own.thing#01020304 n:int = own.Thing;")
    own = tl.load(tmp_path / "own.tl", strict_ids=False)
    body = bytes.fromhex("0403020105000000")
    dissector = Dissector(KeyLog.of(KEY), schemas=[own])
    feed(dissector, (Side.CLIENT, b"\xee\xee\xee\xee"))
    payload = Sealer(KEY, Side.CLIENT).seal(Envelope(1, 2, 4, 1, body), seeded(3))
    (said,) = of(Said, feed(dissector, (Side.CLIENT, framing("intermediate", Side.CLIENT).encode(payload))))
    assert (said.name, said.value) == ("own.thing", {"_": "own.thing", "n": 5})
    (unknown,) = of(Said, conversation((Side.CLIENT, body, 4)))
    assert (unknown.name, unknown.value, unknown.body) == ("", None, body)


@pytest.mark.parametrize("start", [b"GET / HTTP/1.1\r\n\r\n", bytes(range(1, 80)), b"\x16\x03\x01\x02\x00"])
def test_strangers_are_named_and_kept(start: bytes) -> None:
    dissector = Dissector()
    records = feed(dissector, (Side.SERVER, b"hello"), (Side.CLIENT, start), (Side.SERVER, b", you"))
    records += dissector.end(0.0, Side.CLIENT) + dissector.end(0.0, Side.SERVER)
    (opening,) = of(Opening, records)
    assert opening.transport == ""
    assert opening.findings
    for side, data in ((Side.CLIENT, start), (Side.SERVER, b"hello, you")):
        assert b"".join(r.data for r in of(Unread, records) if r.side is side) == data
    assert [record.side for record in of(Ended, records)] == [Side.CLIENT, Side.SERVER]


def test_the_end_inside_a_frame_is_a_finding() -> None:
    dissector = opened("intermediate", Side.CLIENT)
    records = feed(dissector, (Side.CLIENT, bytes.fromhex("10000000aabb"))) + dissector.end(1.0, Side.CLIENT)
    unread, ended = records
    assert unread == Unread(1.0, Side.CLIENT, 0, bytes.fromhex("10000000aabb"))
    assert "X10" in ended.findings[0]


def test_nothing_is_kept_of_what_can_not_be_read() -> None:
    """A peer that sends what nobody can read costs no memory beyond one block."""
    dissector = opened("intermediate", Side.CLIENT)
    feed(dissector, (Side.CLIENT, bytes(4)))
    told = sum(
        len(r.data) for r in feed(dissector, *[(Side.CLIENT, bytes(1000))] * 100) if isinstance(r, Unread)
    )
    assert 100_000 + 4 - told < 4096
    stranger = Dissector()
    told = sum(
        len(r.data) for r in feed(stranger, *[(Side.SERVER, bytes(1 << 18))] * 6) if isinstance(r, Unread)
    )
    assert (6 << 18) - told < 4096


class AllNonces:
    """Who knows a new_nonce for whatever there is."""

    def auth_key(self, key_id: bytes) -> AuthKey | None:
        return None

    def new_nonce(self, server_nonce: bytes) -> bytes | None:
        return bytes(32)


@pytest.mark.parametrize("name", ["req_DH_params", "server_DH_params_ok", "set_client_DH_params"])
def test_a_cut_off_message_of_the_key_exchange_is_a_finding(name: str) -> None:
    """Found by the property below: what is cut off was taken for a field's bytes."""
    said = [e.record for e in Transcript.load(TRANSCRIPT).entries if isinstance(e.record, Said)]
    (whole,) = [record.body for record in said if record.name == name]
    for end in range(0, len(whole), 4):
        message = encode_plain(PlainMessage(4, whole[:end]))
        dissector = Dissector(AllNonces(), rsa_keys=[TEST_KEY])
        feed(dissector, (Side.CLIENT, b"\xee\xee\xee\xee"))
        records = dissector.feed(0.0, Side.CLIENT, len(message).to_bytes(4, "little") + message)
        assert findings(records)


# Any bytes


BODIES = (
    strategies.wire(service).map(lambda pair: pair[0])
    | strategies.mutations(service).map(lambda mutation: mutation.data)
    | strategies.mutations(api).map(lambda mutation: mutation.data)
    | st.binary(max_size=40)
)


@settings(max_examples=100)
@given(BODIES, BODIES, st.sampled_from(Side), st.sampled_from(["alone", "container", "result", "gzip"]))
def test_any_body_is_read_drawn_and_kept(body: bytes, other: bytes, side: Side, around: str) -> None:
    inside = {
        "alone": body,
        "container": bytes.fromhex("dcf8f17302000000") + b"".join(map(numbered, (1, 2), (body, other))),
        "result": pack_rpc_result(4, body),
        "gzip": pack_gzip(body),
    }[around]
    records = conversation((side, inside, 12)) + plainly(side, body)
    transcript = Transcript(tuple(Entry(0, record) for record in records))
    assert Transcript.parse(transcript.lines()) == transcript
    assert len(rows(transcript)) == 3
    assert html_page(transcript, Schemas()).count('<details class="said') == len(of(Said, records))
    if around == "alone" and body[:4] not in (b"\xdc\xf8\xf1\x73", b"\x01\x6d\x5c\xf3"):
        assert of(Said, records)[0].body == body


def numbered(msg_id: int, body: bytes) -> bytes:
    """A message as a container has it."""
    return msg_id.to_bytes(8, "little") + bytes(4) + len(body).to_bytes(4, "little") + body


def plainly(side: Side, body: bytes) -> list[Record]:
    """The same body in a message that is not encrypted."""
    dissector = Dissector(rsa_keys=[TEST_KEY])
    feed(dissector, (Side.CLIENT, b"\xee\xee\xee\xee"))
    body += bytes(-len(body) % 4)
    message = encode_plain(PlainMessage(4, body))
    return dissector.feed(0.0, side, framing("intermediate", side).encode(message))


TALKS = {str(way): spoken(talk_over(way))[0] for way in WAYS}
"""The bytes of a whole conversation over each transport."""


@st.composite
def streams(draw: st.DrawFn) -> list[tuple[Side, bytes]]:
    """What may come: noise, noise behind an opening, or a conversation with some of it changed."""
    sides, noise = st.sampled_from(Side), st.binary(max_size=200)
    parts: list[tuple[Side, bytes]] = []
    if draw(st.booleans()):
        parts = list(TALKS[draw(st.sampled_from(sorted(TALKS)))])
        for _ in range(draw(st.integers(0, 2))):
            index = draw(st.integers(0, len(parts) - 1))
            side, data = parts[index]
            at = draw(st.integers(0, max(len(data) - 1, 0)))
            change = draw(st.sampled_from(["flip", "cut", "noise"]))
            changed = {
                "flip": data[:at]
                + bytes(b ^ 1 << draw(st.integers(0, 7)) for b in data[at : at + 1])
                + data[at + 1 :],
                "cut": data[:at],
                "noise": data[:at] + draw(noise) + data[at:],
            }
            parts[index] = side, changed[change]
    else:
        opening = st.sampled_from([b"", b"\xef", b"\xee" * 4, b"\xdd" * 4, bytes.fromhex("1400000000000000")])
        parts.append((Side.CLIENT, draw(opening)))
        parts += draw(st.lists(st.tuples(sides, noise), max_size=6))
    return parts


@settings(deadline=None, max_examples=100)
@given(streams(), st.lists(st.integers(1, 90), max_size=12), st.booleans())
def test_any_bytes_however_they_are_cut_give_the_same_records(
    parts: list[tuple[Side, bytes]], sizes: list[int], is_ended: bool
) -> None:
    whole, cut = dissected(parts, [], is_ended), dissected(parts, sizes, is_ended)
    assert cut == whole
    if is_ended:  # nothing gets lost
        for side in Side:
            seen = sum(len(r.data) for r in whole if isinstance(r, Opening | Cut | Unread) and r.side is side)
            assert seen == sum(len(data) for s, data in parts if s is side)


def dissected(parts: list[tuple[Side, bytes]], sizes: list[int], is_ended: bool) -> list[Record]:
    secrets = KeyLog.of(KEY)
    dissector = Dissector(secrets, rsa_keys=[TEST_KEY], mtproxy_secret=None)
    records: list[Record] = []
    for side, data in parts:
        position = 0
        for size in [*sizes, len(data)]:
            records += dissector.feed(0.0, side, data[position : position + size])
            position += size
    for side in Side if is_ended else ():
        records += dissector.end(0.0, side)
    return records
