"""The encrypted inner data of the second half of the key exchange, in both directions.

    AES-IGE(SHA1(data) 20 | data | padding 0..15) with the temporary key of the two nonces

Specification: core.telegram.org/mtproto/auth_key, steps 5 and 6.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from hashlib import sha1
from typing import TypeVar

import tl
from mtproto import service
from mtproto.crypto.aes import ige_decrypt, ige_encrypt
from mtproto.crypto.kdf import tmp_aes
from mtproto.crypto.randomness import draw
from mtproto.errors import HandshakeFailed

__all__ = ["open_inner", "seal_inner"]

_T = TypeVar("_T", bound=tl.TLObject)


def seal_inner(
    inner: tl.TLObject,
    new_nonce: bytes,
    server_nonce: bytes,
    rng: Callable[[int], bytes],
    *,
    digest: bytes | None = None,
    padding: bytes | None = None,
) -> bytes:
    """The encrypted form of `inner`; `digest` and `padding` are computed unless they are given."""
    data = bytes(inner)
    head = sha1(data).digest() if digest is None else digest
    tail = draw(rng, -(len(head) + len(data)) % 16) if padding is None else padding
    return ige_encrypt(head + data + tail, *tmp_aes(new_nonce, server_nonce))


def open_inner(
    encrypted: bytes, new_nonce: bytes, server_nonce: bytes, as_type: type[_T], *, check: str
) -> _T:
    """The inner object; raise HandshakeFailed(`check`) for a wrong size, digest, padding or content."""
    if len(encrypted) % 16 or len(encrypted) < 32:
        raise HandshakeFailed(
            "encrypted inner data of a wrong size", check=check, got=len(encrypted), expected="16 * n >= 32"
        )
    plaintext = ige_decrypt(encrypted, *tmp_aes(new_nonce, server_nonce))
    digest, data = plaintext[:20], plaintext[20:]
    try:
        inner, size = tl.decode_prefix(service.SCHEMA, data, as_type)
    except tl.DecodeError as error:
        raise HandshakeFailed(f"inner data that is no {as_type.TL_NAME}: {error}", check=check) from None
    if not hmac.compare_digest(sha1(data[:size]).digest(), digest):
        raise HandshakeFailed("the inner data does not match its SHA1", check=check)
    if len(data) - size > 15:
        raise HandshakeFailed(
            "too much padding behind the inner data", check=check, got=len(data) - size, expected="0..15"
        )
    result: _T = inner
    return result
