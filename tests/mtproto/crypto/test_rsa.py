"""RSA_PAD and the older scheme: published vectors, round trips, and one verdict for all that is wrong."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from hashlib import sha1, sha256
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtproto.crypto.aes import ige_decrypt, ige_encrypt
from mtproto.crypto.rsa import (
    DecryptedInnerData,
    PublicKey,
    RsaScheme,
    Sha1Padded,
    decrypt_inner_data,
    rsa_pad_decode,
    rsa_pad_decrypt,
    rsa_pad_encode,
    rsa_pad_encrypt,
    sha1_padded_decrypt,
    sha1_padded_encrypt,
)
from mtproto.errors import LocalProtocolError
from tests.mtproto.crypto.keys import TEST_KEY, replay
from tests.vectors import load

VECTORS: dict[str, Any] = load("rsa")
CASES: list[dict[str, Any]] = VECTORS["rsa_pad"]
KEYS = {case["fingerprint_signed"]: case for case in VECTORS["keys"]}
PUBLIC = TEST_KEY.public
MUST_RETRY = [case for case in CASES if case["encrypted_data"] is None]
COMPLETE = [case for case in CASES if case["encrypted_data"] is not None]

seeds = st.integers(0, 2**32)
TAG = b"inner"


def rng_of(seed: int) -> Callable[[int], bytes]:
    return random.Random(seed).randbytes


def by_name(case: dict[str, Any]) -> str:
    return str(case["name"])[:40]


def key_of(case: dict[str, Any]) -> PublicKey:
    numbers = case if "n" in case else KEYS[case["key_fingerprint_signed"]]
    return PublicKey(int(numbers["n"], 16), int(numbers["e"], 16))


def parts_of(case: dict[str, Any]) -> tuple[bytes, bytes, bytes]:
    return (
        bytes.fromhex(case["data"]),
        bytes.fromhex(case["random_padding"]),
        bytes.fromhex(case["temp_key"]),
    )


def inner(content: bytes) -> bytes:
    """An object that says how long it is, as TL objects do: a tag, a length, the content."""
    return TAG + bytes([len(content)]) + content


def measure(data: bytes) -> int | None:
    if not data.startswith(TAG) or len(data) <= len(TAG) or len(data) < len(TAG) + 1 + data[len(TAG)]:
        return None
    return len(TAG) + 1 + data[len(TAG)]


def test_there_are_cases_of_both_kinds() -> None:
    assert (len(COMPLETE), len(MUST_RETRY)) == (2, 2)


@pytest.mark.parametrize("case", CASES, ids=by_name)
def test_published_blocks(case: dict[str, Any]) -> None:
    data, padding, temp_key = parts_of(case)
    block = rsa_pad_encode(data + padding, temp_key)
    assert block.hex() == case["key_aes_encrypted"]
    if "aes_encrypted" in case:
        assert block[32:].hex() == case["aes_encrypted"]
        assert ige_decrypt(block[32:], temp_key, bytes(32)).hex() == case["data_with_hash"]
    assert rsa_pad_decode(block) == data + padding
    assert (int.from_bytes(block, "big") >= key_of(case).n) == (case in MUST_RETRY)


@pytest.mark.parametrize("case", COMPLETE, ids=by_name)
def test_published_rsa_pad(case: dict[str, Any]) -> None:
    data, padding, temp_key = parts_of(case)
    encrypted = rsa_pad_encrypt(data, key_of(case), replay(padding, temp_key))
    assert encrypted.hex() == case["encrypted_data"]


@pytest.mark.parametrize("case", MUST_RETRY, ids=by_name)
def test_a_number_too_large_takes_a_new_temp_key(case: dict[str, Any]) -> None:
    data, padding, temp_key = parts_of(case)
    (good,) = (c for c in COMPLETE if c["data"] == case["data"])
    rng = replay(padding, temp_key, temp_key, bytes.fromhex(good["temp_key"]))
    assert rsa_pad_encrypt(data, key_of(case), rng).hex() == good["encrypted_data"]


def test_an_rng_that_never_gives_a_good_temp_key() -> None:
    data, padding, temp_key = parts_of(MUST_RETRY[-1])
    draws = [padding, *[temp_key] * 1000]
    with pytest.raises(LocalProtocolError, match="the rng is broken"):
        rsa_pad_encrypt(data, key_of(MUST_RETRY[-1]), replay(*draws))


@pytest.mark.parametrize("size", [0, 1, 143, 144])
def test_rsa_pad_round_trip_at_the_limits(size: int) -> None:
    data = bytes(range(size))
    encrypted = rsa_pad_encrypt(data, PUBLIC, rng_of(size))
    padded = rsa_pad_decrypt(encrypted, TEST_KEY)
    assert len(encrypted) == 256
    assert padded == data + rng_of(size)(192 - size)


@given(st.binary(max_size=144), seeds)
def test_rsa_pad_round_trip(data: bytes, seed: int) -> None:
    padded = rsa_pad_decrypt(rsa_pad_encrypt(data, PUBLIC, rng_of(seed)), TEST_KEY)
    assert padded is not None
    assert padded.startswith(data)


@given(st.integers(0, 255), st.integers(1, 255))
def test_rsa_pad_notices_every_change_of_the_block(position: int, change: int) -> None:
    block = bytearray(rsa_pad_encode(bytes(range(192)), bytes(32)))
    block[position] ^= change
    assert rsa_pad_decode(bytes(block)) is None


def test_sha1_padded_is_what_it_says() -> None:
    encrypted = sha1_padded_encrypt(b"data", PUBLIC, replay(b"\xaa" * 231))
    plaintext = pow(int.from_bytes(encrypted, "big"), TEST_KEY.d, TEST_KEY.n).to_bytes(256, "big")
    assert plaintext == bytes(1) + sha1(b"data").digest() + b"data" + b"\xaa" * 231


@given(st.binary(max_size=235), seeds)
def test_sha1_padded_round_trip(data: bytes, seed: int) -> None:
    padded = sha1_padded_decrypt(sha1_padded_encrypt(data, PUBLIC, rng_of(seed)), TEST_KEY)
    assert padded is not None
    assert padded.digest == sha1(data).digest()
    assert padded.padded_data == data + rng_of(seed)(235 - len(data))
    assert padded.fits(len(data))
    assert [length for length in range(-2, 240) if padded.fits(length)] == [len(data)]
    assert not padded.fits(None)


def test_sha1_padded_of_everything_is_not_fit_by_nothing() -> None:
    whole = Sha1Padded(sha1(bytes(235)).digest(), bytes(235))
    assert whole.fits(235)
    assert not whole.fits(None)
    assert not whole.fits(236)


@pytest.mark.parametrize(
    ("encrypt", "limit"), [(rsa_pad_encrypt, 144), (sha1_padded_encrypt, 235)], ids=["RSA_PAD", "SHA1"]
)
def test_refuses_data_too_long(encrypt: Callable[..., bytes], limit: int) -> None:
    with pytest.raises(ValueError, match=f"{limit + 1} bytes of data .* at most {limit}"):
        encrypt(bytes(limit + 1), PUBLIC, rng_of(0))


@pytest.mark.parametrize(("encrypt", "count"), [(rsa_pad_encrypt, 184), (sha1_padded_encrypt, 227)])
def test_refuses_an_rng_that_gives_too_little(encrypt: Callable[..., bytes], count: int) -> None:
    with pytest.raises(ValueError, match=f"rng gave 3 bytes, expected {count}"):
        encrypt(bytes(8), PUBLIC, lambda count: bytes(3))


@pytest.mark.parametrize(("padded", "temp_key"), [(191, 32), (193, 32), (192, 31), (192, 33)])
def test_rsa_pad_encode_refuses_other_sizes(padded: int, temp_key: int) -> None:
    with pytest.raises(ValueError, match=f"of {padded} and temp_key of {temp_key} bytes"):
        rsa_pad_encode(bytes(padded), bytes(temp_key))


@pytest.mark.parametrize("size", [0, 255, 257])
def test_rsa_pad_decode_refuses_other_sizes(size: int) -> None:
    with pytest.raises(ValueError, match=f"of {size} bytes, expected 256"):
        rsa_pad_decode(bytes(size))


@given(st.binary(max_size=138), seeds)
def test_server_opens_rsa_pad(content: bytes, seed: int) -> None:
    encrypted = rsa_pad_encrypt(inner(content), PUBLIC, rng_of(seed))
    expected = DecryptedInnerData(inner(content), RsaScheme.RSA_PAD)
    assert decrypt_inner_data(encrypted, TEST_KEY, measure) == expected


@given(st.binary(max_size=229), seeds)
def test_server_opens_the_older_scheme(content: bytes, seed: int) -> None:
    encrypted = sha1_padded_encrypt(inner(content), PUBLIC, rng_of(seed))
    expected = DecryptedInnerData(inner(content), RsaScheme.SHA1_PADDED)
    assert decrypt_inner_data(encrypted, TEST_KEY, measure) == expected


def raw(block: bytes) -> bytes:
    return PUBLIC.power(int.from_bytes(block, "big")).to_bytes(256, "big")


def rsa_pad_of(data_with_padding: bytes) -> bytes:
    """RSA_PAD of 192 bytes that rsa_pad_encrypt would not have made."""
    blocks = (rsa_pad_encode(data_with_padding, bytes([i]) * 32) for i in range(256))
    return raw(next(block for block in blocks if int.from_bytes(block, "big") < TEST_KEY.n))


def rsa_pad_without_hash(data_with_padding: bytes) -> bytes:
    """RSA_PAD with zeros where the SHA256 belongs, all the rest as it should be."""
    temp_key = bytes(32)
    aes_encrypted = ige_encrypt(data_with_padding[::-1] + bytes(32), temp_key, bytes(32))
    block = sha256(aes_encrypted).digest() + aes_encrypted  # a temp_key of zeros, XORed
    assert int.from_bytes(block, "big") < TEST_KEY.n
    return raw(block)


def sha1_of(data: bytes, *, first: int = 0, digest: bytes | None = None) -> bytes:
    digest = sha1(data).digest() if digest is None else digest
    return raw(bytes([first]) + digest + data + bytes(235 - len(data)))


GOOD_PAD = rsa_pad_encrypt(inner(b"content"), PUBLIC, rng_of(1))
GOOD_SHA1 = sha1_padded_encrypt(inner(b"content"), PUBLIC, rng_of(1))

WRONG = {
    "empty": b"",
    "zero": bytes(256),
    "one": bytes(255) + b"\x01",
    "n - 1": (TEST_KEY.n - 1).to_bytes(256, "big"),
    "n": TEST_KEY.n.to_bytes(256, "big"),
    "all ones": b"\xff" * 256,
    "random": rng_of(5)(256),
    "a byte short": GOOD_PAD[:-1],
    "a byte long": GOOD_PAD + bytes(1),
    "a zero before": bytes(1) + GOOD_PAD,
    "very long": GOOD_PAD * 1000,
    "older, a byte long": GOOD_SHA1 + bytes(1),
    "a bit flipped": GOOD_PAD[:-1] + bytes([GOOD_PAD[-1] ^ 1]),
    "older, a bit flipped": GOOD_SHA1[:-1] + bytes([GOOD_SHA1[-1] ^ 1]),
    "RSA_PAD with a wrong SHA256": rsa_pad_without_hash(inner(b"content").ljust(192)),
    "RSA_PAD of no object": rsa_pad_of(bytes(192)),
    "RSA_PAD of an object beyond 144 bytes": rsa_pad_of(inner(bytes(140)).ljust(192)),
    "SHA1 of no object": sha1_of(bytes(235)),
    "SHA1 of more than the object": sha1_of(inner(b"content") + b"x"),
    "SHA1 wrong": sha1_of(inner(b"content"), digest=bytes(20)),
    "first byte not zero": sha1_of(inner(b"content"), first=1),
}


def test_the_makers_of_wrong_blocks_make_right_ones() -> None:
    for encrypted in (
        GOOD_PAD,
        GOOD_SHA1,
        sha1_of(inner(b"content")),
        rsa_pad_of(inner(b"content").ljust(192)),
    ):
        opened = decrypt_inner_data(encrypted, TEST_KEY, measure)
        assert opened is not None
        assert opened.data == inner(b"content")


@pytest.mark.parametrize("encrypted", WRONG.values(), ids=WRONG)
def test_one_verdict_after_all_the_work(encrypted: bytes) -> None:
    measured: list[int] = []

    def counting(data: bytes) -> int | None:
        measured.append(len(data))
        return measure(data)

    assert decrypt_inner_data(encrypted, TEST_KEY, counting) is None
    assert measured == [192, 235]


HEAVY = {"power", "powmod_secret", "ige_decrypt", "openssl_sha1", "openssl_sha256", "compare_digest"}


def calls_of(encrypted: bytes) -> list[str]:
    """The heavy functions called to find out that `encrypted` is nothing; what `measure` does is its own."""
    calls: list[str] = []
    is_measuring = False

    def note(frame: FrameType, event: str, function: Any) -> None:
        name = function.__name__ if event == "c_call" else frame.f_code.co_name
        if not is_measuring and event in ("call", "c_call") and name in HEAVY:
            calls.append(name)

    def apart(data: bytes) -> int | None:
        nonlocal is_measuring
        is_measuring = True
        try:
            return measure(data)
        finally:
            is_measuring = False

    sys.setprofile(note)
    try:
        opened = decrypt_inner_data(encrypted, TEST_KEY, apart)
    finally:
        sys.setprofile(None)
    assert opened is None
    return calls


def test_the_work_is_the_same_whatever_is_wrong() -> None:
    """Each exponentiation, each decryption and each hash: a sequence that tells nothing."""
    expected = calls_of(WRONG["random"])
    assert set(expected) == HEAVY
    for name, encrypted in WRONG.items():
        assert calls_of(encrypted) == expected, name


@pytest.mark.parametrize("encrypted", [GOOD_PAD, GOOD_SHA1])
def test_a_number_plus_n_is_not_the_number(encrypted: bytes) -> None:
    number = int.from_bytes(encrypted, "big") + TEST_KEY.n
    for width in (256, 257):
        if number.bit_length() <= 8 * width:
            data = number.to_bytes(width, "big")
            assert decrypt_inner_data(data, TEST_KEY, measure) is None
            assert rsa_pad_decrypt(data, TEST_KEY) is None
            assert sha1_padded_decrypt(data, TEST_KEY) is None


@given(st.binary(max_size=300))
def test_random_bytes_are_nothing(encrypted: bytes) -> None:
    assert decrypt_inner_data(encrypted, TEST_KEY, measure) is None
    assert rsa_pad_decrypt(encrypted, TEST_KEY) is None


@pytest.mark.parametrize("length", [-1, 0, 145, 193, 10**6, None])
def test_a_measure_that_is_wrong_makes_no_object(length: int | None) -> None:
    for encrypted in (GOOD_PAD, GOOD_SHA1):
        opened = decrypt_inner_data(encrypted, TEST_KEY, lambda data: length)
        assert opened is None or (opened.data, length) == (b"", 0)


@pytest.mark.parametrize("encrypted", [GOOD_PAD[:-1], GOOD_PAD + bytes(1), b"\xff" * 256, GOOD_SHA1])
def test_rsa_pad_decrypt_refuses(encrypted: bytes) -> None:
    assert rsa_pad_decrypt(encrypted, TEST_KEY) is None


@pytest.mark.parametrize(
    "encrypted", [GOOD_SHA1[:-1], GOOD_SHA1 + bytes(1), b"\xff" * 256, sha1_of(b"", first=1)]
)
def test_sha1_padded_decrypt_refuses(encrypted: bytes) -> None:
    assert sha1_padded_decrypt(encrypted, TEST_KEY) is None
