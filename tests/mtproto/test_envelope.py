"""Envelopes: the published messages, an independent AES-IGE, and everything that must not open."""

from __future__ import annotations

import hmac
from hashlib import sha1, sha256
from struct import Struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtproto import envelope as envelope_module
from mtproto.crypto.auth_key import AuthKey
from mtproto.envelope import (
    MAX_PADDING,
    MIN_PADDING,
    PLAIN_AUTH_KEY_ID,
    Cipher,
    Envelope,
    PlainMessage,
    auth_key_id_of,
    decode_plain,
    encode_plain,
)
from mtproto.errors import LocalProtocolError, RemoteProtocolError
from mtproto.events import MessageDropped
from mtproto.message_id import ReceivedWindow, Verdict
from mtproto.session.client import ClientSession
from mtproto.side import Side
from tests.mtproto.helpers import oracle_ige, replay, seeded
from tests.vectors import load

VECTORS = load("encrypted_messages")
SAMPLE = load("auth_key_sample")
KEY = AuthKey(bytes.fromhex(VECTORS["auth_key"]))
NOW = float(VECTORS["reference_server_time"])

HEADER = Struct("<qqqii")
SIDES = {"client_to_server": Side.CLIENT, "server_to_client": Side.SERVER}
WHOLE = [case for case in VECTORS["good"] if "body" in case]
RAW, CAPTURED = (case for case in VECTORS["good"] if "body" not in case)

CHECKS = {
    "auth_key_id_mismatch": "C1",
    "treated_as_unencrypted_and_rejected": "C1",
    "msg_key_mismatch": "C3",
    "bad_length": "C2",
    "padding_out_of_range": "C7",
    "length_exceeds_plaintext": "C5",
    "length_negative": "C5",
    "length_not_multiple_of_4": "C6",
}
"""By what the envelope refuses a case; the others open, and are the session's to refuse."""

int64 = st.integers(-(2**63), 2**63 - 1)
int32 = st.integers(-(2**31), 2**31 - 1)
sides = st.sampled_from(Side)
bodies = st.integers(0, 1024).flatmap(lambda n: st.binary(min_size=4 * n, max_size=4 * n))


@st.composite
def envelopes(draw: st.DrawFn) -> Envelope:
    """Any envelope that may be sent."""
    return Envelope(
        draw(int64), draw(int64), draw(int64), draw(st.integers(-(2**31), 2**31 - 1)), draw(bodies)
    )


@st.composite
def paddings(draw: st.DrawFn, body: bytes) -> bytes:
    """Any legal padding behind `body`."""
    least = next(n for n in range(MIN_PADDING, MIN_PADDING + 16) if (HEADER.size + len(body) + n) % 16 == 0)
    size = least + 16 * draw(st.integers(0, (MAX_PADDING - least) // 16))
    return draw(st.randoms(use_true_random=False)).randbytes(size)


def names(case: dict[str, Any]) -> str:
    return str(case["name"])


def refusal(cipher: Cipher, payload: bytes) -> RemoteProtocolError:
    """The error with which `payload` is refused; all of them look the same to the peer."""
    with pytest.raises(RemoteProtocolError) as caught:
        cipher.open(payload)
    assert type(caught.value) is RemoteProtocolError
    assert caught.value.reply == -404
    return caught.value


# An implementation of its own: SHA-256 of hashlib, AES of cryptography (`oracle_ige`)


def oracle_kdf(auth_key: bytes, msg_key: bytes, x: int) -> tuple[bytes, bytes]:
    a = sha256(msg_key + auth_key[x : x + 36]).digest()
    b = sha256(auth_key[40 + x : 76 + x] + msg_key).digest()
    return a[:8] + b[8:24] + a[24:], b[:8] + a[8:24] + b[24:]


def oracle_seal(auth_key: AuthKey, plaintext: bytes, side: Side) -> bytes:
    x = 0 if side is Side.CLIENT else 8
    msg_key = sha256(auth_key.data[88 + x : 120 + x] + plaintext).digest()[8:24]
    key, iv = oracle_kdf(auth_key.data, msg_key, x)
    return sha1(auth_key.data).digest()[-8:] + msg_key + oracle_ige(plaintext, key, iv, encrypt=True)


def oracle_open(auth_key: AuthKey, payload: bytes, side: Side) -> bytes:
    """The plaintext of what `side` sent, its msg_key compared."""
    x = 0 if side is Side.CLIENT else 8
    key, iv = oracle_kdf(auth_key.data, payload[8:24], x)
    plaintext = oracle_ige(payload[24:], key, iv, encrypt=False)
    assert sha256(auth_key.data[88 + x : 120 + x] + plaintext).digest()[8:24] == payload[8:24]
    return plaintext


# Published messages


@pytest.mark.parametrize("case", WHOLE, ids=names)
def test_published_message_is_sealed_and_opened(case: dict[str, Any]) -> None:
    """One of them claims 1020 bytes of padding in its name and has 1028, which is too much."""
    side = SIDES[case["direction"]]
    envelope = Envelope(
        case["salt"], case["session_id"], case["msg_id"], case["seq_no"], bytes.fromhex(case["body"])
    )
    padding, message = bytes.fromhex(case["padding"]), bytes.fromhex(case["message"])
    assert Cipher(KEY, side).seal(envelope, replay(), padding=padding) == message
    if len(padding) <= MAX_PADDING:
        assert Cipher(KEY, side.peer).open(message) == envelope
    else:
        assert refusal(Cipher(KEY, side.peer), message).check == "C7"
    assert refusal(Cipher(KEY, side), message).check == "C3"  # reflected to who sent it


def test_most_published_messages_open() -> None:
    assert [len(case["padding"]) // 2 for case in WHOLE] == [20, 1028, 12, 1020, 24, 16]


@pytest.mark.parametrize("case", [RAW, CAPTURED], ids=names)
def test_published_plaintext_is_encrypted(case: dict[str, Any]) -> None:
    plaintext, key = bytes.fromhex(case["plaintext"]), AuthKey(bytes.fromhex(case["auth_key"]))
    salt, session_id, msg_id, seq_no, length = HEADER.unpack_from(plaintext)
    envelope = Envelope(salt, session_id, msg_id, seq_no, plaintext[HEADER.size :])
    sealed = Cipher(key, SIDES[case["direction"]]).seal(envelope, replay(), length=length, padding=b"")
    assert sealed == bytes.fromhex(case["message"])


def test_captured_message_opens() -> None:
    plaintext = bytes.fromhex(CAPTURED["plaintext"])
    cipher = Cipher(AuthKey(bytes.fromhex(CAPTURED["auth_key"])), Side.CLIENT)
    envelope = cipher.open(bytes.fromhex(CAPTURED["message"]))
    salt, session_id, msg_id, seq_no, length = HEADER.unpack_from(plaintext)
    assert envelope == Envelope(salt, session_id, msg_id, seq_no, plaintext[32 : 32 + length])
    assert envelope.body.startswith(bytes.fromhex("dcf8f17302000000"))


def test_raw_data_fails_at_its_length_only() -> None:
    cipher = Cipher(AuthKey(bytes.fromhex(RAW["auth_key"])), Side.SERVER)
    assert refusal(cipher, bytes.fromhex(RAW["message"])).check == "C5"


@pytest.mark.parametrize("case", [c for c in VECTORS["bad"] if c["expect"] in CHECKS], ids=names)
def test_bad_message_is_refused(case: dict[str, Any]) -> None:
    error = refusal(Cipher(KEY, Side.CLIENT), bytes.fromhex(case["message"]))
    assert error.check == CHECKS[case["expect"]]
    assert f"[{error.check}]" in str(error)


def session_case(expect: str) -> tuple[ClientSession, bytes, Envelope]:
    """A session as the case expects it, and the message, which opens."""
    case = next(c for c in VECTORS["bad"] if c["expect"] == expect)
    session = ClientSession(
        KEY,
        case["expected_session_id"],
        server_salt=0,
        time_offset=0.0,
        clock=lambda: NOW,
        rng=seeded(1),
    )
    message = bytes.fromhex(case["message"])
    return session, message, session.cipher.open(message)


def test_every_bad_message_is_accounted_for() -> None:
    """What is not in the table is tested one by one below."""
    others = {"session_id_mismatch", "msg_id_parity", "msg_id_too_new", "msg_id_too_old"}
    assert {c["expect"] for c in VECTORS["bad"]} == CHECKS.keys() | others


def test_message_of_another_session_opens_and_is_refused_by_the_session() -> None:
    session, message, envelope = session_case("session_id_mismatch")
    assert envelope.session_id != session.session_id
    with pytest.raises(RemoteProtocolError) as caught:
        list(session.receive(message))
    assert caught.value.check == "C8"


def test_even_msg_id_opens_and_is_refused_by_the_session() -> None:
    session, message, envelope = session_case("msg_id_parity")
    assert envelope.session_id == session.session_id
    assert ReceivedWindow(Side.CLIENT).check(envelope.msg_id, NOW) is Verdict.PARITY
    with pytest.raises(RemoteProtocolError) as caught:
        list(session.receive(message))
    assert caught.value.check == "C9"


@pytest.mark.parametrize(
    ("expect", "verdict"),
    [("msg_id_too_new", Verdict.TOO_NEW_TIME), ("msg_id_too_old", Verdict.TOO_OLD_TIME)],
)
def test_untimely_message_opens_and_is_dropped_by_the_session(expect: str, verdict: Verdict) -> None:
    session, message, envelope = session_case(expect)
    assert ReceivedWindow(Side.CLIENT).check(envelope.msg_id, NOW) is verdict
    (event,) = session.receive(message)
    assert isinstance(event, MessageDropped)
    assert (event.msg_id, event.check) == (envelope.msg_id, "C11")


# What is looked at first


@pytest.mark.parametrize(
    "odd", [{"length": -4}, {"length": 3}, {"length": 2**31 - 1}, {"length": 16}], ids=str
)
def test_no_field_is_looked_at_before_msg_key_is_right(odd: dict[str, Any]) -> None:
    """The plaintext is what was sealed, and its fields are wrong; that is not to be told from a wrong msg_key."""
    sealed = Cipher(KEY, Side.CLIENT).seal(
        Envelope(1, 2, 3, 4, bytes(8)), seeded(5), msg_key_=bytes(range(16)), **odd
    )
    error = refusal(Cipher(KEY, Side.SERVER), sealed)
    assert (error.check, error.expected) == ("C3", None)


def test_msg_key_is_compared_in_constant_time_and_by_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long it takes can't be tested; that `hmac.compare_digest` alone decides can."""
    compared: list[tuple[int, int]] = []
    verdict = True

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return verdict

    assert vars(envelope_module)["compare_digest"] is hmac.compare_digest
    monkeypatch.setattr(envelope_module, "compare_digest", compare)
    good, wrong = (
        Cipher(KEY, Side.CLIENT).seal(Envelope(1, 2, 3, 4, bytes(8)), seeded(5), msg_key_=msg_key)
        for msg_key in (None, bytes(range(16)))
    )
    cipher = Cipher(KEY, Side.SERVER)
    assert cipher.open(good) == cipher.open(wrong) == Envelope(1, 2, 3, 4, bytes(8))
    verdict = False
    assert refusal(cipher, good).check == refusal(cipher, wrong).check == "C3"
    assert compared == [(16, 16)] * 4


# Properties


@given(st.data(), envelopes(), sides, st.binary(min_size=256, max_size=256))
@settings(max_examples=60)
def test_what_is_sealed_opens(data: st.DataObject, envelope: Envelope, side: Side, key: bytes) -> None:
    padding = data.draw(st.none() | paddings(envelope.body))
    sealed = Cipher(AuthKey(key), side).seal(envelope, seeded(7), padding=padding)
    assert len(sealed) % 16 == 24 % 16
    assert Cipher(AuthKey(key), side.peer).open(sealed) == envelope


@given(st.data(), envelopes(), sides, st.binary(min_size=256, max_size=256))
@settings(max_examples=25)
def test_sealing_agrees_with_an_independent_one(
    data: st.DataObject, envelope: Envelope, side: Side, key: bytes
) -> None:
    padding = data.draw(paddings(envelope.body))
    head = HEADER.pack(
        envelope.salt, envelope.session_id, envelope.msg_id, envelope.seq_no, len(envelope.body)
    )
    expected = oracle_seal(AuthKey(key), head + envelope.body + padding, side)
    assert Cipher(AuthKey(key), side).seal(envelope, replay(), padding=padding) == expected
    assert Cipher(AuthKey(key), side.peer).open(expected) == envelope


@given(envelopes(), sides)
@settings(max_examples=25)
def test_computed_padding_is_legal_and_random(envelope: Envelope, side: Side) -> None:
    sizes: list[int] = []

    def rng(count: int) -> bytes:
        sizes.append(count)
        return bytes([0xA5]) * count

    plaintext = oracle_open(KEY, Cipher(KEY, side).seal(envelope, rng), side)
    padding = plaintext[HEADER.size + len(envelope.body) :]
    assert sizes == [len(padding)]
    assert padding == bytes([0xA5]) * len(padding)
    assert MIN_PADDING <= len(padding) <= MAX_PADDING


@pytest.mark.parametrize("side", Side)
def test_no_flipped_bit_goes_unnoticed(side: Side) -> None:
    envelope = Envelope(1, 2, 3, 4, b"12345678")
    sealed, cipher = Cipher(KEY, side).seal(envelope, seeded(3)), Cipher(KEY, side.peer)
    assert cipher.open(sealed) == envelope
    for bit in range(8 * len(sealed)):
        flipped = (int.from_bytes(sealed, "little") ^ 1 << bit).to_bytes(len(sealed), "little")
        assert refusal(cipher, flipped).check == ("C1" if bit < 64 else "C3")


@given(st.data(), envelopes(), sides)
@settings(max_examples=40)
def test_no_flipped_bit_of_any_message_goes_unnoticed(
    data: st.DataObject, envelope: Envelope, side: Side
) -> None:
    sealed = bytearray(Cipher(KEY, side).seal(envelope, seeded(3)))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    assert refusal(Cipher(KEY, side.peer), bytes(sealed)).check == ("C1" if bit < 64 else "C3")


@pytest.mark.parametrize("side", Side)
def test_nothing_shorter_or_longer_opens(side: Side) -> None:
    cipher = Cipher(KEY, side.peer)
    sealed = Cipher(KEY, side).seal(Envelope(1, 2, 3, 4, bytes(60)), seeded(4))
    for size in range(len(sealed)):
        expected = "C1" if size < 8 else "C2" if size < 72 or size % 16 != 8 else "C3"
        assert refusal(cipher, sealed[:size]).check == expected
    for more in range(1, 65):
        assert refusal(cipher, sealed + bytes(more)).check == ("C2" if more % 16 else "C3")


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda data: KEY.key_id + data), sides)
@settings(max_examples=200)
def test_any_bytes_are_refused(payload: bytes, side: Side) -> None:
    refusal(Cipher(KEY, side), payload)


@given(st.binary(min_size=28, max_size=28), st.integers(-8, 1300) | int32, st.integers(0, 80), sides)
@settings(max_examples=200)
def test_any_plaintext_opens_or_is_refused(numbers: bytes, length: int, blocks: int, side: Side) -> None:
    """With a right msg_key, so that every check behind it is reached."""
    plaintext = numbers + length.to_bytes(4, "little", signed=True) + seeded(length)(16 * blocks)
    payload, cipher = oracle_seal(KEY, plaintext, side), Cipher(KEY, side.peer)
    padding = 16 * blocks - length
    if length >= 0 and length % 4 == 0 and MIN_PADDING <= padding <= MAX_PADDING:
        salt, session_id, msg_id, seq_no = Struct("<qqqi").unpack(numbers)
        expected = Envelope(salt, session_id, msg_id, seq_no, plaintext[32 : 32 + length])
        assert cipher.open(payload) == expected
    else:
        assert refusal(cipher, payload).check in {"C2", "C5", "C6", "C7"}


@pytest.mark.parametrize(
    ("length", "rest", "check"),
    [
        (0, 0, "C2"),  # fewer than three blocks: no room for padding
        (0, 16, None),
        (4, 16, None),  # 12 bytes of padding
        (8, 16, "C7"),  # 8
        (16, 16, "C7"),  # 0
        (20, 16, "C5"),  # more than is there
        (0, 1024, None),
        (4, 1024, None),
        (12, 1040, "C7"),  # 1028
        (16, 1040, None),  # 1024
        (0, 1040, "C7"),
        (1028, 1040, None),
        (1032, 1040, "C7"),
        (-4, 16, "C5"),
        (-1, 16, "C5"),
        (-(2**31), 16, "C5"),
        (2**31 - 4, 16, "C5"),
        (1, 16, "C6"),
        (2, 16, "C6"),
        (3, 16, "C6"),
        (19, 48, "C6"),
    ],
)
@pytest.mark.parametrize("side", Side)
def test_length_and_padding_at_their_limits(side: Side, length: int, rest: int, check: str | None) -> None:
    """`rest` bytes behind the header, `length` of which are the body, or so it is claimed."""
    payload = oracle_seal(KEY, HEADER.pack(1, 2, 3, 4, length) + bytes(rest), side)
    if check is None:
        assert Cipher(KEY, side.peer).open(payload) == Envelope(1, 2, 3, 4, bytes(length))
    else:
        assert refusal(Cipher(KEY, side.peer), payload).check == check


# What is given explicitly


def test_explicit_length_is_sent_as_given() -> None:
    sealed = Cipher(KEY, Side.CLIENT).seal(Envelope(1, 2, 3, 4, bytes(8)), seeded(5), length=-7)
    assert HEADER.unpack_from(oracle_open(KEY, sealed, Side.CLIENT)) == (1, 2, 3, 4, -7)


@pytest.mark.parametrize("size", [0, 8 + 1024, 24])
def test_explicit_padding_is_sent_as_given(size: int) -> None:
    padding = seeded(6)(size)
    sealed = Cipher(KEY, Side.SERVER).seal(Envelope(1, 2, 3, 4, bytes(-size % 16)), replay(), padding=padding)
    assert oracle_open(KEY, sealed, Side.SERVER)[HEADER.size + -size % 16 :] == padding


def test_explicit_msg_key_is_sent_as_given() -> None:
    wrong, padding = bytes(range(16)), bytes(24)
    sealed = Cipher(KEY, Side.CLIENT).seal(
        Envelope(1, 2, 3, 4, bytes(8)), replay(), padding=padding, msg_key_=wrong
    )
    assert sealed[8:24] == wrong
    key, iv = oracle_kdf(KEY.data, wrong, 0)
    assert oracle_ige(sealed[24:], key, iv, encrypt=False) == HEADER.pack(1, 2, 3, 4, 8) + bytes(32)
    assert refusal(Cipher(KEY, Side.SERVER), sealed).check == "C3"


def test_padding_that_can_not_be_encrypted_is_a_local_error() -> None:
    with pytest.raises(LocalProtocolError, match=r"57 bytes .* multiple of 16"):
        Cipher(KEY, Side.CLIENT).seal(Envelope(1, 2, 3, 4, bytes(12)), replay(), padding=bytes(13))


@pytest.mark.parametrize(
    "envelope",
    [
        Envelope(2**63, 0, 0, 0, b""),
        Envelope(0, -(2**63) - 1, 0, 0, b""),
        Envelope(0, 0, 2**63, 0, b""),
        Envelope(0, 0, 0, 2**31, b""),
    ],
)
def test_numbers_that_do_not_fit_are_local_errors(envelope: Envelope) -> None:
    with pytest.raises(LocalProtocolError, match="does not fit"):
        Cipher(KEY, Side.CLIENT).seal(envelope, seeded(1))
    if envelope.msg_id:
        with pytest.raises(LocalProtocolError, match="does not fit"):
            encode_plain(PlainMessage(envelope.msg_id, b""))


# Plain messages

PLAIN = [
    name for name in SAMPLE if "_message" in name and isinstance(SAMPLE[name], str) and "note" not in name
]


def test_sample_has_its_plain_messages() -> None:
    assert len(PLAIN) == 11


@pytest.mark.parametrize("name", [name for name in PLAIN if not name.endswith("as_published")])
def test_plain_message_of_the_sample(name: str) -> None:
    payload = bytes.fromhex(SAMPLE[name])
    message = decode_plain(payload)
    assert message.msg_id == int.from_bytes(payload[8:16], "little")
    assert message.body == payload[20:]
    assert encode_plain(message) == payload


@pytest.mark.parametrize("name", [name for name in PLAIN if name.endswith("as_published")])
def test_plain_message_whose_end_is_missing_is_refused(name: str) -> None:
    """The page leaves out bytes that message_data_length counts."""
    with pytest.raises(RemoteProtocolError) as caught:
        decode_plain(bytes.fromhex(SAMPLE[name]))
    assert (caught.value.check, caught.value.reply) == ("H13", -404)


@given(int64, st.binary(max_size=300))
def test_plain_message_comes_back(msg_id: int, body: bytes) -> None:
    payload = encode_plain(PlainMessage(msg_id, body))
    assert payload[:8] == auth_key_id_of(payload) == PLAIN_AUTH_KEY_ID == bytes(8)
    assert payload[8:] == msg_id.to_bytes(8, "little", signed=True) + len(body).to_bytes(4, "little") + body
    assert decode_plain(payload) == PlainMessage(msg_id, body)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        bytes(19),
        bytes(16) + (1).to_bytes(4, "little"),
        bytes(16) + (3).to_bytes(4, "little") + b"1234",
        bytes(16) + (5).to_bytes(4, "little") + b"1234",
        bytes(16) + (-1).to_bytes(4, "little", signed=True) + b"1234",
        b"\1" + bytes(15) + (4).to_bytes(4, "little") + b"1234",
        bytes(7) + b"\x80" + bytes(8) + (4).to_bytes(4, "little") + b"1234",
    ],
)
def test_wrong_plain_message_is_refused(payload: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode_plain(payload)
    assert (caught.value.check, caught.value.reply) == ("H13", -404)


@given(st.sampled_from([8, 7, 9]), int64, int32 | st.integers(0, 20), st.binary(max_size=20))
def test_any_bytes_are_a_plain_message_or_refused(zeros: int, msg_id: int, length: int, body: bytes) -> None:
    payload = bytes(zeros) + Struct("<qi").pack(msg_id, length) + body
    claimed = int.from_bytes(payload[16:20], "little", signed=True)
    if payload[:8] == bytes(8) and len(payload) >= 20 and claimed == len(payload) - 20:
        assert encode_plain(decode_plain(payload)) == payload
    else:
        with pytest.raises(RemoteProtocolError) as caught:
            decode_plain(payload)
        assert (caught.value.check, caught.value.reply) == ("H13", -404)


@given(st.binary(max_size=16))
def test_auth_key_id_is_the_first_eight_bytes(payload: bytes) -> None:
    if len(payload) >= 8:
        assert auth_key_id_of(payload) == payload[:8]
    else:
        with pytest.raises(RemoteProtocolError) as caught:
            auth_key_id_of(payload)
        assert (caught.value.check, caught.value.reply) == ("C1", -404)
