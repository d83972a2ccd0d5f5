"""Message keys of MTProto 1.0, which nothing uses any more but the binding of temporary keys.

    msg_key  = SHA1(plaintext without padding)[4:20]
    a        = SHA1(msg_key + auth_key[x:32+x])
    b        = SHA1(auth_key[32+x:48+x] + msg_key + auth_key[48+x:64+x])
    c        = SHA1(auth_key[64+x:96+x] + msg_key)
    d        = SHA1(msg_key + auth_key[96+x:128+x])
    aes_key  = a[0:8] + b[8:20] + c[4:16]
    aes_iv   = a[8:20] + b[0:8] + c[16:20] + d[0:8]

This msg_key says nothing of the padding, and a hash of the plaintext alone: one more reason to accept no
message in this form.

Specification: core.telegram.org/mtproto/description_v1.
"""

from __future__ import annotations

from hashlib import sha1

__all__ = ["derive_v1", "msg_key_v1"]


def msg_key_v1(plaintext: bytes) -> bytes:
    """The 16 bytes of msg_key; `plaintext` is without its padding."""
    return sha1(plaintext).digest()[4:20]


def derive_v1(auth_key: bytes, msg_key: bytes, x: int) -> tuple[bytes, bytes]:
    """The AES key and iv, 32 bytes each; `x` is 0 from client to server and 8 back.

    Raise ValueError where `auth_key` has not 256 bytes or `msg_key` not 16.
    """
    if len(auth_key) != 256 or len(msg_key) != 16:
        raise ValueError(
            f"auth_key of {len(auth_key)} and msg_key of {len(msg_key)} bytes, expected 256 and 16"
        )
    a = sha1(msg_key + auth_key[x : 32 + x]).digest()
    b = sha1(auth_key[32 + x : 48 + x] + msg_key + auth_key[48 + x : 64 + x]).digest()
    c = sha1(auth_key[64 + x : 96 + x] + msg_key).digest()
    d = sha1(msg_key + auth_key[96 + x : 128 + x]).digest()
    return a[:8] + b[8:20] + c[4:16], a[8:20] + b[:8] + c[16:20] + d[:8]
