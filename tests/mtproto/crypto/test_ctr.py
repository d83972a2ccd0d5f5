"""AES-256-CTR against published streams and blocks, and the sizes it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from hypothesis import given
from hypothesis import strategies as st

from mtproto.crypto.ctr import key_stream
from tests.vectors import load

CASES: list[dict[str, Any]] = load("obfuscated2")["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_published_streams(case: dict[str, Any]) -> None:
    out = key_stream(bytes.fromhex(case["encrypt_key"]), bytes.fromhex(case["encrypt_iv"]))
    assert out(bytes.fromhex(case["init_plain"]))[56:] == bytes.fromhex(case["init_wire"])[56:]
    for part in case["client_to_server_stream"]:
        assert out(bytes.fromhex(part["plain"])).hex() == part["wire"]
    back = key_stream(bytes.fromhex(case["decrypt_key"]), bytes.fromhex(case["decrypt_iv"]))
    for part in case["server_to_client_stream"]:
        assert back(bytes.fromhex(part["wire"])).hex() == part["plain"]


@given(key=st.binary(min_size=32, max_size=32), cuts=st.lists(st.integers(0, 40), max_size=8))
def test_the_stream_moves_on_by_just_the_bytes_it_is_given(key: bytes, cuts: list[int]) -> None:
    counter = 2**128 - 2  # goes round
    block = Cipher(AES(key), ECB()).encryptor()  # noqa: S305 - the blocks of the counter, one by one
    expected = b"".join(block.update(((counter + i) % 2**128).to_bytes(16, "big")) for i in range(25))
    stream = key_stream(key, counter.to_bytes(16, "big"))
    assert b"".join(stream(bytes(size)) for size in cuts) == expected[: sum(cuts)]


@pytest.mark.parametrize(("key", "iv"), [(16, 16), (31, 16), (33, 16), (32, 15), (32, 32), (0, 0)])
def test_other_sizes_are_refused(key: int, iv: int) -> None:
    with pytest.raises(ValueError, match="bytes, expected"):
        key_stream(bytes(key), bytes(iv))
