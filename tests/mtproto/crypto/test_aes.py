"""AES-IGE: published vectors, an independent IGE over AES-ECB, and what cryptg must never see."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from mtproto.crypto import aes
from mtproto.crypto.aes import ige_decrypt, ige_encrypt
from tests.vectors import load

VECTORS: dict[str, Any] = load("aes_ige")
CASES: list[dict[str, str]] = VECTORS["cases"]
AES_256 = [case for case in CASES if len(case["key"]) == 64]
AES_128 = [case for case in CASES if len(case["key"]) == 32]
BOTH = pytest.mark.parametrize("cipher", [ige_encrypt, ige_decrypt])

key_or_iv = st.binary(min_size=32, max_size=32)
blocks = st.integers(0, 12).flatmap(lambda n: st.binary(min_size=16 * n, max_size=16 * n))


def oracle(plaintext: bytes, key: bytes, iv: bytes) -> bytes:
    """IGE encryption block by block: c[i] = E(p[i] ^ c[i-1]) ^ p[i-1], iv = c[-1] + p[-1]."""
    encrypt = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305  # the mode is built on it
    before_c, before_p, out = iv[:16], iv[16:], b""
    for i in range(0, len(plaintext), 16):
        block = plaintext[i : i + 16]
        mixed = bytes(a ^ b for a, b in zip(block, before_c, strict=True))
        before_c = bytes(a ^ b for a, b in zip(encrypt.update(mixed), before_p, strict=True))
        before_p, out = block, out + before_c
    return out


def by_name(case: dict[str, str]) -> str:
    return case["name"]


@pytest.mark.parametrize("case", AES_256, ids=by_name)
def test_vectors(case: dict[str, str]) -> None:
    plaintext, ciphertext, key, iv = (
        bytes.fromhex(case[name]) for name in ("plaintext", "ciphertext", "key", "iv")
    )
    assert ige_encrypt(plaintext, key, iv) == ciphertext
    assert ige_decrypt(ciphertext, key, iv) == plaintext


@pytest.mark.parametrize("case", AES_128, ids=by_name)
def test_aes_128_is_not_mtproto_and_refused(case: dict[str, str]) -> None:
    plaintext, ciphertext, key, iv = (
        bytes.fromhex(case[name]) for name in ("plaintext", "ciphertext", "key", "iv")
    )
    assert oracle(plaintext, key, iv) == ciphertext  # at least they vouch for the oracle
    for cipher in (ige_encrypt, ige_decrypt):
        with pytest.raises(ValueError, match="key of 16 bytes, expected 32"):
            cipher(plaintext, key, iv)


@pytest.mark.parametrize("case", VECTORS["lcg_cases"]["cases"], ids=lambda case: str(case["length"]))
def test_generated_vectors(case: dict[str, int]) -> None:
    seed, stream = case["length"], bytearray()
    for _ in range(case["length"] + 64):
        seed = (seed * 123457567 + 987651241) % 2**32
        stream.append(seed >> 23 & 255)
    plaintext, key, iv = bytes(stream[:-64]), bytes(stream[-64:-32]), bytes(stream[-32:])
    ciphertext = ige_encrypt(plaintext, key, iv)
    assert zlib.crc32(ciphertext) == case["crc32_of_ciphertext"]
    assert ige_decrypt(ciphertext, key, iv) == plaintext


@given(blocks, key_or_iv, key_or_iv)
def test_equal_to_ige_over_ecb(plaintext: bytes, key: bytes, iv: bytes) -> None:
    ciphertext = oracle(plaintext, key, iv)
    assert ige_encrypt(plaintext, key, iv) == ciphertext
    assert ige_decrypt(ciphertext, key, iv) == plaintext


@BOTH
@pytest.mark.parametrize("size", [1, 15, 17, 31, 33])
def test_refuses_what_is_not_whole_blocks(cipher: Callable[..., bytes], size: int) -> None:
    with pytest.raises(ValueError, match=f"data of {size} bytes, expected a multiple of 16"):
        cipher(bytes(size), bytes(32), bytes(32))


@BOTH
@pytest.mark.parametrize("size", [0, 16, 24, 31, 33])
def test_refuses_other_sizes_of_key_and_iv(cipher: Callable[..., bytes], size: int) -> None:
    with pytest.raises(ValueError, match=f"key of {size} bytes, expected 32"):
        cipher(bytes(16), bytes(size), bytes(32))
    with pytest.raises(ValueError, match=f"iv of {size} bytes, expected 32"):
        cipher(bytes(16), bytes(32), bytes(size))


@BOTH
@pytest.mark.parametrize("data", [bytearray(16), memoryview(bytes(16)), "0" * 16, None])
def test_refuses_what_is_not_bytes(cipher: Callable[..., bytes], data: object) -> None:
    with pytest.raises(TypeError):
        cipher(data, bytes(32), bytes(32))


def test_a_panic_of_cryptg_becomes_a_value_error() -> None:
    class Liar(bytes):
        """15 bytes that claim to be 16, so that the check lets them through."""

        def __len__(self) -> int:
            return 16

    with pytest.raises(ValueError, match="cryptg refused the data"):
        ige_decrypt(Liar(15), bytes(32), bytes(32))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), TypeError("x"), MemoryError()])
def test_what_is_no_panic_passes(error: BaseException) -> None:
    assert aes._harmless(error) is error


def test_a_base_exception_of_any_other_kind_is_harmless() -> None:
    class Panic(BaseException):
        pass

    assert isinstance(aes._harmless(Panic("size % 16")), ValueError)
