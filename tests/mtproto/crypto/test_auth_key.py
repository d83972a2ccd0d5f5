"""AuthKey: published ids and hashes, sizes, and that it keeps its secret."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest

from mtproto.crypto.auth_key import AuthKey, dh_params_fail_hash, initial_salt
from tests.vectors import load

CASES: list[dict[str, Any]] = load("auth_key_id")["cases"]
SAMPLE: dict[str, Any] = load("auth_key_sample")


@pytest.mark.parametrize("case", [*CASES, SAMPLE], ids=["counting", "example", "whole example"])
def test_vectors(case: dict[str, Any]) -> None:
    key, new_nonce = AuthKey(bytes.fromhex(case["auth_key"])), bytes.fromhex(case["new_nonce"])
    assert key.data.hex() == case["auth_key"]
    assert key.key_id.hex() == case["auth_key_id_wire"]
    assert key.aux_hash.hex() == case["auth_key_aux_hash_wire"]
    for number in (1, 2, 3):
        assert key.new_nonce_hash(new_nonce, number).hex() == case[f"new_nonce_hash{number}"]


def test_initial_salt() -> None:
    salt = initial_salt(bytes.fromhex(SAMPLE["new_nonce"]), bytes.fromhex(SAMPLE["server_nonce"]))
    assert salt.to_bytes(8, "little", signed=True).hex() == SAMPLE["initial_server_salt_wire"]
    assert salt == -97066050441302190


def test_hash_of_server_dh_params_fail() -> None:
    expected = SAMPLE["server_DH_params_fail_new_nonce_hash"]
    assert dh_params_fail_hash(bytes.fromhex(SAMPLE["new_nonce"])).hex() == expected


@pytest.mark.parametrize("size", [0, 255, 257, 512])
def test_refuses_other_sizes(size: int) -> None:
    with pytest.raises(ValueError, match=f"auth_key of {size} bytes, expected 256"):
        AuthKey(bytes(size))


def test_zeros_on_the_left_are_part_of_the_key() -> None:
    assert AuthKey(bytes(1) + b"\x01" * 255).key_id != AuthKey(b"\x01" * 256).key_id


@pytest.mark.parametrize("number", [-1, 0, 4, 256])
def test_there_are_three_new_nonce_hashes(number: int) -> None:
    with pytest.raises(ValueError, match=f"new_nonce_hash{number} does not exist"):
        AuthKey(bytes(256)).new_nonce_hash(bytes(32), number)


def test_refuses_other_sizes_of_nonces() -> None:
    with pytest.raises(ValueError, match="new_nonce of 16 bytes, expected 32"):
        AuthKey(bytes(256)).new_nonce_hash(bytes(16), 1)
    with pytest.raises(ValueError, match="new_nonce of 31 bytes, expected 32"):
        dh_params_fail_hash(bytes(31))
    with pytest.raises(ValueError, match="new_nonce of 8 bytes, expected 32"):
        initial_salt(bytes(8), bytes(16))
    with pytest.raises(ValueError, match="server_nonce of 32 bytes, expected 16"):
        initial_salt(bytes(32), bytes(32))


def test_shows_its_id_only() -> None:
    key = AuthKey(bytes.fromhex(SAMPLE["auth_key"]))
    assert repr(key) == str(key) == "AuthKey(key_id=8ae7a271969a9b1f)"


def test_is_a_value() -> None:
    key = AuthKey(bytes(range(256)))
    assert key == AuthKey(bytes(range(256)))
    assert hash(key) == hash(AuthKey(bytes(range(256))))
    assert key != AuthKey(bytes(256))
    with pytest.raises(dataclasses.FrozenInstanceError):
        key.data = bytes(256)  # type: ignore[misc]
    for same in (copy.copy(key), copy.deepcopy(key), pickle.loads(pickle.dumps(key))):  # noqa: S301
        assert same == key
        assert same.key_id == key.key_id


def test_does_not_change_with_the_buffer_it_came_from() -> None:
    buffer = bytearray(256)
    key = AuthKey(buffer)  # type: ignore[arg-type]
    buffer[0] = 1
    assert key == AuthKey(bytes(256))
