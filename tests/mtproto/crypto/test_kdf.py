"""msg_key, AES key and iv of messages, and the temporary key: all published vectors, and their properties."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtproto.crypto.aes import ige_decrypt, ige_encrypt
from mtproto.crypto.kdf import MessageKdf, derive, msg_key, msg_key_large, quick_ack_token, tmp_aes
from tests.vectors import load

MESSAGES: dict[str, Any] = load("encrypted_messages")
SAMPLE: dict[str, Any] = load("auth_key_sample")

auth_keys = st.binary(min_size=256, max_size=256)
msg_keys = st.binary(min_size=16, max_size=16)
directions = st.sampled_from([0, 8])


def by_name(case: dict[str, Any]) -> str:
    return str(case["name"])


def auth_key_of(case: dict[str, Any]) -> bytes:
    return bytes.fromhex(case.get("auth_key", MESSAGES["auth_key"]))


@pytest.mark.parametrize(
    "case", load("kdf_v2")["cases"], ids=lambda case: f"{case['source'][:20]}-{case['x']}"
)
def test_derive(case: dict[str, Any]) -> None:
    auth_key, key = bytes.fromhex(case["auth_key"]), bytes.fromhex(case["msg_key"])
    expected = bytes.fromhex(case["aes_key"]), bytes.fromhex(case["aes_iv"])
    assert derive(auth_key, key, case["x"]) == expected
    assert MessageKdf(auth_key, case["x"]).derive(key) == expected


@pytest.mark.parametrize("case", MESSAGES["good"], ids=by_name)
def test_keys_of_published_messages(case: dict[str, Any]) -> None:
    auth_key, plaintext, x = auth_key_of(case), bytes.fromhex(case["plaintext"]), case["x"]
    key = msg_key(auth_key, plaintext, x)
    assert key.hex() == case["msg_key"]
    aes_key, aes_iv = derive(auth_key, key, x)
    assert (aes_key.hex(), aes_iv.hex()) == (case["aes_key"], case["aes_iv"])
    message = bytes.fromhex(case["message"])
    assert message[8:] == key + ige_encrypt(plaintext, aes_key, aes_iv)
    assert ige_decrypt(message[24:], aes_key, aes_iv) == plaintext


@pytest.mark.parametrize("case", [c for c in MESSAGES["good"] if "msg_key_large" in c], ids=by_name)
def test_msg_key_large(case: dict[str, Any]) -> None:
    auth_key, plaintext, x = auth_key_of(case), bytes.fromhex(case["plaintext"]), case["x"]
    assert msg_key_large(auth_key, plaintext, x).hex() == case["msg_key_large"]
    assert MessageKdf(auth_key, x).msg_key_large(plaintext).hex() == case["msg_key_large"]


@pytest.mark.parametrize(
    "case", [c for c in MESSAGES["good"] if "quick_ack_token_wire_intermediate" in c], ids=by_name
)
def test_quick_ack_token(case: dict[str, Any]) -> None:
    token = quick_ack_token(bytes.fromhex(case["msg_key_large"]))
    assert token.hex() == case["quick_ack_token_wire_intermediate"]
    assert token[::-1].hex() == case["quick_ack_token_wire_abridged"]


def test_quick_ack_token_has_its_highest_bit_set() -> None:
    assert quick_ack_token(bytes(32)) == bytes.fromhex("00000080")
    assert quick_ack_token(b"\xff" * 32) == b"\xff" * 4


@given(auth_keys, st.binary(max_size=200), msg_keys, directions)
def test_message_kdf_is_the_same(auth_key: bytes, plaintext: bytes, key: bytes, x: int) -> None:
    kdf = MessageKdf(auth_key, x)
    for _ in range(2):  # a second message finds the object as the first did
        assert kdf.msg_key_large(plaintext) == msg_key_large(auth_key, plaintext, x)
        assert kdf.derive(key) == derive(auth_key, key, x)


@given(auth_keys, st.integers(1, 8), directions)
def test_round_trip_and_no_reflection(auth_key: bytes, size: int, x: int) -> None:
    plaintext = bytes(range(16)) * size
    key = msg_key(auth_key, plaintext, x)
    opened = ige_decrypt(ige_encrypt(plaintext, *derive(auth_key, key, x)), *derive(auth_key, key, x))
    assert opened == plaintext
    if auth_key != auth_key[:1] * 256:
        assert msg_key(auth_key, plaintext, 8 - x) != key


@pytest.mark.parametrize("size", [0, 255, 257])
def test_refuses_other_sizes_of_auth_key(size: int) -> None:
    expected = f"auth_key of {size} bytes, expected 256"
    with pytest.raises(ValueError, match=expected):
        derive(bytes(size), bytes(16), 0)
    with pytest.raises(ValueError, match=expected):
        msg_key_large(bytes(size), b"", 0)
    with pytest.raises(ValueError, match=expected):
        MessageKdf(bytes(size), 8)


@pytest.mark.parametrize("size", [0, 16, 33])
def test_quick_ack_token_refuses_what_is_no_msg_key_large(size: int) -> None:
    with pytest.raises(ValueError, match=f"msg_key_large of {size} bytes, expected 32"):
        quick_ack_token(bytes(size))


@pytest.mark.parametrize("case", load("tmp_aes_from_nonces")["cases"], ids=by_name)
def test_tmp_aes(case: dict[str, Any]) -> None:
    key, iv = tmp_aes(bytes.fromhex(case["new_nonce"]), bytes.fromhex(case["server_nonce"]))
    assert (key.hex(), iv.hex()) == (case["tmp_aes_key"], case["tmp_aes_iv"])
    if "encrypted_answer" in case:
        answer = ige_decrypt(bytes.fromhex(case["encrypted_answer"]), key, iv)
        assert answer.hex().startswith(case["answer_with_hash"])
        assert len(answer) - len(case["answer_with_hash"]) // 2 in (0, case["answer_padding_length"])


def test_tmp_aes_of_the_worked_example() -> None:
    key, iv = tmp_aes(bytes.fromhex(SAMPLE["new_nonce"]), bytes.fromhex(SAMPLE["server_nonce"]))
    assert (key.hex(), iv.hex()) == (SAMPLE["tmp_aes_key"], SAMPLE["tmp_aes_iv"])
    answer = bytes.fromhex(SAMPLE["answer_sha1"] + SAMPLE["answer"] + SAMPLE["answer_padding"])
    assert ige_decrypt(bytes.fromhex(SAMPLE["encrypted_answer"]), key, iv) == answer
    inner = bytes.fromhex(SAMPLE["client_data_with_hash"])
    assert ige_encrypt(inner, key, iv).hex() == SAMPLE["client_encrypted_data"]


@pytest.mark.parametrize(("new_nonce", "server_nonce"), [(31, 16), (33, 16), (32, 15), (32, 17), (16, 32)])
def test_tmp_aes_refuses_other_sizes(new_nonce: int, server_nonce: int) -> None:
    with pytest.raises(ValueError, match=f"of {new_nonce} and server_nonce of {server_nonce} bytes"):
        tmp_aes(bytes(new_nonce), bytes(server_nonce))
