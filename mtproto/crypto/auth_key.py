"""The authorization key: 256 secret bytes that client and server share, and what is computed from them.

Specification: core.telegram.org/mtproto/description#terminology (auth_key_id),
core.telegram.org/mtproto/auth_key (step 9: auth_key_aux_hash, new_nonce_hash and the first server_salt).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha1

__all__ = ["AUTH_KEY_SIZE", "AuthKey", "dh_params_fail_hash", "initial_salt"]

AUTH_KEY_SIZE = 256


@dataclass(frozen=True, slots=True, repr=False)
class AuthKey:
    """An authorization key of exactly 256 bytes, else ValueError; zeros on the left are part of it.

    `key_id` is auth_key_id, 8 bytes as they stand on the wire; `aux_hash` is auth_key_aux_hash, 8 bytes too.
    The repr names the key by its id and never shows it.
    """

    data: bytes
    key_id: bytes = field(init=False, compare=False)
    aux_hash: bytes = field(init=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.data) != AUTH_KEY_SIZE:
            raise ValueError(f"auth_key of {len(self.data)} bytes, expected {AUTH_KEY_SIZE}")
        digest = sha1(self.data).digest()
        object.__setattr__(self, "data", bytes(self.data))  # a bytearray could be changed under the hashes
        object.__setattr__(self, "key_id", digest[-8:])
        object.__setattr__(self, "aux_hash", digest[:8])

    def __repr__(self) -> str:
        return f"AuthKey(key_id={self.key_id.hex()})"

    def new_nonce_hash(self, new_nonce: bytes, number: int) -> bytes:
        """The 16 bytes by which the server proves that it has this key; `new_nonce` has 32 bytes.

        `number` is that of the answer: 1 dh_gen_ok, 2 dh_gen_retry, 3 dh_gen_fail; ValueError for others.
        """
        _check_size("new_nonce", new_nonce, 32)
        if number not in (1, 2, 3):
            raise ValueError(f"new_nonce_hash{number} does not exist, expected 1, 2 or 3")
        return sha1(new_nonce + bytes([number]) + self.aux_hash).digest()[4:]


def dh_params_fail_hash(new_nonce: bytes) -> bytes:
    """The 16 bytes of new_nonce_hash in server_DH_params_fail, where there is no key yet."""
    _check_size("new_nonce", new_nonce, 32)
    return sha1(new_nonce).digest()[4:]


def initial_salt(new_nonce: bytes, server_nonce: bytes) -> int:
    """The first server_salt of a new key, a signed 64-bit number: the nonces' first 8 bytes, XORed."""
    _check_size("new_nonce", new_nonce, 32)
    _check_size("server_nonce", server_nonce, 16)
    mixed = int.from_bytes(new_nonce[:8], "little") ^ int.from_bytes(server_nonce[:8], "little")
    return int.from_bytes(mixed.to_bytes(8, "little"), "little", signed=True)


def _check_size(what: str, nonce: bytes, size: int) -> None:
    if len(nonce) != size:
        raise ValueError(f"{what} of {len(nonce)} bytes, expected {size}")
