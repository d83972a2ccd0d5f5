"""Message keys of MTProto 1.0: the published vectors."""

from __future__ import annotations

from typing import Any

import pytest

from mtproto.crypto.kdf_v1 import derive_v1, msg_key_v1
from tests.vectors import load

VECTORS: dict[str, Any] = load("kdf_v1")


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: f"{case['source'][:4]}-{case['x']}")
def test_derive(case: dict[str, Any]) -> None:
    auth_key, msg_key = bytes.fromhex(case["auth_key"]), bytes.fromhex(case["msg_key"])
    aes_key, aes_iv = derive_v1(auth_key, msg_key, case["x"])
    assert (aes_key.hex(), aes_iv.hex()) == (case["aes_key"], case["aes_iv"])


@pytest.mark.parametrize("case", VECTORS["msg_key_cases"], ids=lambda case: case["msg_key"])
def test_msg_key(case: dict[str, Any]) -> None:
    assert msg_key_v1(bytes.fromhex(case["plaintext"])).hex() == case["msg_key"]


@pytest.mark.parametrize(("auth_key", "msg_key"), [(255, 16), (257, 16), (256, 15), (256, 17), (0, 0)])
def test_sizes(auth_key: int, msg_key: int) -> None:
    with pytest.raises(ValueError, match=f"auth_key of {auth_key} and msg_key of {msg_key} bytes"):
        derive_v1(bytes(auth_key), bytes(msg_key), 0)
