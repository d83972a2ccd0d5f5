"""RSA keys: all published fingerprints, PEM in every form, the raw operations, and secrets that stay secret."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from mtproto.crypto.rsa import PrivateKey, PublicKey
from mtproto.crypto.telegram_keys import PRODUCTION_KEYS, TEST_KEYS
from tests.mtproto.crypto.keys import TEST_KEY, TEST_KEY_PEM
from tests.vectors import load

VECTORS: dict[str, Any] = load("rsa")
KEYS: list[dict[str, Any]] = VECTORS["keys"]
ALL_KEYS = pytest.mark.parametrize("case", KEYS, ids=lambda case: case["fingerprint_unsigned_hex"])

NUMBERS = serialization.load_pem_private_key(TEST_KEY_PEM.encode(), None)
assert isinstance(NUMBERS, rsa.RSAPrivateKey)
THEIRS: rsa.RSAPrivateKey = NUMBERS


def public_key_of(case: dict[str, Any]) -> PublicKey:
    return PublicKey(int(case["n"], 16), int(case["e"], 16))


@ALL_KEYS
def test_fingerprint(case: dict[str, Any]) -> None:
    key = public_key_of(case)
    assert key.fingerprint == case["fingerprint_signed"]
    assert key.fingerprint.to_bytes(8, "little", signed=True).hex() == case["fingerprint_wire"]
    assert repr(key) == f"PublicKey(fingerprint={case['fingerprint_unsigned_hex']})"


@ALL_KEYS
def test_pem_of_telegram(case: dict[str, Any]) -> None:
    key = public_key_of(case)
    assert PublicKey.from_pem(case["pem"]) == PublicKey.from_pem(case["pem"].encode()) == key
    assert key.to_pem().split() == case["pem"].split()


def test_the_shipped_keys_are_the_published_ones() -> None:
    by_role = {
        "production (current)": PRODUCTION_KEYS[:1],
        "older production": PRODUCTION_KEYS[1:],
        "test servers (current)": TEST_KEYS,
    }
    for role, keys in by_role.items():
        assert keys == tuple(public_key_of(case) for case in KEYS if case["role"] == role)


def test_raw_operation_of_published_key() -> None:
    case = VECTORS["raw_rsa"]
    (key,) = (public_key_of(k) for k in KEYS if k["fingerprint_signed"] == case["fingerprint_signed"])
    ciphertext = key.power(int(case["plaintext"], 16)).to_bytes(256, "big")
    assert ciphertext.hex() == case["ciphertext"]
    digest = hashlib.sha256(ciphertext).digest()
    assert base64.b64encode(digest).decode() == case["sha256_of_ciphertext_base64"]


@given(st.integers(0, TEST_KEY.n - 1) | st.sampled_from([0, 1, TEST_KEY.p, TEST_KEY.q, TEST_KEY.n - 1]))
def test_private_operation(number: int) -> None:
    assert TEST_KEY.public.power(number) == pow(number, TEST_KEY.e, TEST_KEY.n)
    assert TEST_KEY.power(TEST_KEY.public.power(number)) == number


def test_private_operation_against_plain_exponentiation() -> None:
    for number in (2, TEST_KEY.n // 3, TEST_KEY.p * 12345):
        assert TEST_KEY.power(number) == pow(number, TEST_KEY.d, TEST_KEY.n)


@pytest.mark.parametrize("number", [-1, TEST_KEY.n, TEST_KEY.n + 1])
@pytest.mark.parametrize("key", [TEST_KEY, TEST_KEY.public], ids=repr)
def test_raw_operations_refuse_numbers_out_of_range(key: PrivateKey | PublicKey, number: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        key.power(number)


def test_a_miscalculation_gives_no_result() -> None:
    broken = PrivateKey(TEST_KEY.n, TEST_KEY.e, TEST_KEY.d, TEST_KEY.p, TEST_KEY.q)
    object.__setattr__(broken, "d", TEST_KEY.d ^ 2)  # as if a bit had tipped over since it was made
    with pytest.raises(ArithmeticError, match="wrong result"):
        broken.power(2)


def test_private_pem_in_both_forms() -> None:
    assert PrivateKey.from_pem(TEST_KEY.to_pem()) == TEST_KEY
    assert TEST_KEY_PEM.endswith(TEST_KEY.to_pem())
    pkcs8 = THEIRS.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    assert PrivateKey.from_pem(pkcs8) == TEST_KEY


def test_public_pem_in_both_forms() -> None:
    for form in (serialization.PublicFormat.PKCS1, serialization.PublicFormat.SubjectPublicKeyInfo):
        pem = THEIRS.public_key().public_bytes(serialization.Encoding.PEM, form)
        assert PublicKey.from_pem(pem) == TEST_KEY.public


def test_generate() -> None:
    key = PrivateKey.generate()
    assert key.n.bit_length() == 2048
    assert key != PrivateKey.generate()
    assert key.power(key.public.power(1234567890)) == 1234567890


@pytest.mark.parametrize(
    "pem",
    [
        "",
        "no key at all",
        b"\xff\xfe",
        "-----BEGIN RSA PUBLIC KEY-----\nAAAA\n-----END RSA PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\n!!!!\n-----END PUBLIC KEY-----\n",
        str(KEYS[0]["pem"])[:200],
    ],
)
def test_refuses_what_is_no_pem(pem: str | bytes) -> None:
    with pytest.raises(ValueError, match="not the PEM of a public key"):
        PublicKey.from_pem(pem)
    private = pem.replace("PUBLIC", "PRIVATE") if isinstance(pem, str) else pem
    with pytest.raises(ValueError, match="not the PEM of a private key"):
        PrivateKey.from_pem(private)


def test_refuses_the_other_half() -> None:
    with pytest.raises(ValueError, match=r"^PEM labelled RSA PRIVATE KEY, expected a public key$"):
        PublicKey.from_pem(TEST_KEY_PEM)
    with pytest.raises(ValueError, match=r"^PEM labelled RSA PUBLIC KEY, expected a private key$"):
        PrivateKey.from_pem(TEST_KEY.public.to_pem())


def a_certificate() -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    start = datetime(2024, 1, 1)
    builder = x509.CertificateBuilder(name, name, THEIRS.public_key(), 1, start, start + timedelta(1))
    return builder.sign(THEIRS, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def test_says_what_other_pems_are() -> None:
    pkcs8 = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    encrypted = THEIRS.private_bytes(*pkcs8, serialization.BestAvailableEncryption(b"password"))
    plain = THEIRS.private_bytes(*pkcs8, serialization.NoEncryption())
    for pem, label in (
        (a_certificate(), "CERTIFICATE"),
        (plain, "PRIVATE KEY"),
        (encrypted, "ENCRYPTED PRIVATE KEY"),
    ):
        with pytest.raises(ValueError, match=rf"^PEM labelled {label}, expected a public key$"):
            PublicKey.from_pem(pem)
    with pytest.raises(ValueError, match=r"^PEM labelled CERTIFICATE, expected a private key$"):
        PrivateKey.from_pem(a_certificate())
    with pytest.raises(ValueError, match="not the PEM of a public key"):  # a label that is none
        PublicKey.from_pem(f"-----BEGIN {'A' * 1000}-----\nAAAA\n")
    with pytest.raises(ValueError, match="not the PEM of a public key"):  # text that is no UTF-8
        PublicKey.from_pem("\ud800")


def test_refuses_keys_of_other_kinds() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    with pytest.raises(ValueError, match="expected an RSA private key"):
        PrivateKey.from_pem(private)
    with pytest.raises(ValueError, match="expected an RSA public key"):
        PublicKey.from_pem(public)


def test_refuses_an_encrypted_key() -> None:
    pem = THEIRS.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"password"),
    )
    with pytest.raises(ValueError, match="encrypted, expected one in the clear"):
        PrivateKey.from_pem(pem)


@pytest.mark.parametrize("bits", [1024, 2047, 2049, 4096])
def test_refuses_keys_of_other_sizes(bits: int) -> None:
    n = (1 << bits - 1) + 1
    with pytest.raises(ValueError, match=f"RSA key of {bits} bits, expected 2048"):
        PublicKey(n, 65537)
    pem = (
        rsa.RSAPublicNumbers(65537, n)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1)
    )
    with pytest.raises(ValueError, match=f"RSA key of {bits} bits, expected 2048"):
        PublicKey.from_pem(pem)


@pytest.mark.parametrize(("n", "e"), [(1 << 2047, 3), ((1 << 2047) + 1, 65536), ((1 << 2047) + 1, 1)])
def test_refuses_impossible_public_keys(n: int, e: int) -> None:
    with pytest.raises(ValueError, match="even"):
        PublicKey(n, e)


def test_refuses_an_exponent_beyond_the_modulus() -> None:
    with pytest.raises(ValueError, match="out of range"):
        PublicKey(TEST_KEY.n, TEST_KEY.n + 2)


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("p", "not the two primes"),
        ("q", "not the two primes"),
        ("d", "does not belong"),
        ("n", "not the two"),
    ],
)
def test_refuses_private_keys_that_do_not_fit(field: str, message: str) -> None:
    numbers = {name: getattr(TEST_KEY, name) for name in ("n", "e", "d", "p", "q")}
    numbers[field] += 2
    with pytest.raises(ValueError, match=message) as caught:
        PrivateKey(**numbers)
    assert str(TEST_KEY.p)[:20] not in str(caught.value)


def test_refuses_a_factorization_that_is_not_one_of_primes() -> None:
    with pytest.raises(ValueError, match="not the two primes"):
        PrivateKey(TEST_KEY.n, TEST_KEY.e, TEST_KEY.d, TEST_KEY.n, 1)


def test_shows_its_fingerprint_only() -> None:
    assert repr(TEST_KEY) == f"PrivateKey(fingerprint={TEST_KEY.public.fingerprint % 2**64:016x})"
    assert str(TEST_KEY) == repr(TEST_KEY)


def test_the_key_in_this_folder_says_what_it_is() -> None:
    assert "worthless" in (Path(__file__).parent / "test_key.pem").read_text("ascii").split("-----BEGIN")[0]
