"""From auth_key and message to msg_key, from those two to the AES key and iv of one message (MTProto 2.0).

    msg_key_large = SHA256(auth_key[88+x:120+x] + plaintext with padding)
    msg_key       = msg_key_large[8:24]
    a             = SHA256(msg_key + auth_key[x:36+x])
    b             = SHA256(auth_key[40+x:76+x] + msg_key)
    aes_key       = a[0:8] + b[8:24] + a[24:32]
    aes_iv        = b[0:8] + a[8:24] + b[24:32]

`x` is 0 from client to server and 8 back: `Side.x` of the side that sends.  Here too is the temporary key of
the key exchange, which comes from its nonces.

Specification: core.telegram.org/mtproto/description#defining-aes-key-and-initialization-vector,
core.telegram.org/mtproto/auth_key (step 6), core.telegram.org/mtproto/mtproto-transports#quick-ack.
"""

from __future__ import annotations

from hashlib import sha1, sha256
from struct import Struct

__all__ = ["MessageKdf", "derive", "msg_key", "msg_key_large", "quick_ack_token", "tmp_aes"]

# A Struct cuts a string into its parts in half the time that slices take, and every message is cut six times.
_AUTH_KEY_PARTS = Struct("36s 4x 36s").unpack_from
_DIGEST_PARTS = Struct("8s 16s 8s").unpack
_new_sha256 = sha256().copy  # sha256 itself looks the algorithm up each time, which takes longer


def msg_key_large(auth_key: bytes, plaintext: bytes, x: int) -> bytes:
    """The 32 bytes from which msg_key and quick ack token are cut; `plaintext` includes its padding.

    Raise ValueError where `auth_key` has not 256 bytes.
    """
    if len(auth_key) != 256:
        raise ValueError(f"auth_key of {len(auth_key)} bytes, expected 256")
    digest = sha256(auth_key[88 + x : 120 + x])
    digest.update(plaintext)  # apart from the key, or a message of 1 MiB would be copied first
    return digest.digest()


def msg_key(auth_key: bytes, plaintext: bytes, x: int) -> bytes:
    """The 16 bytes of msg_key: the middle of msg_key_large."""
    return msg_key_large(auth_key, plaintext, x)[8:24]


def quick_ack_token(large: bytes) -> bytes:
    """The token that acknowledges the client's message with this msg_key_large (x = 0).

    Four bytes as the intermediate transport has them, in which the number's highest bit, that of the last
    byte, is set; the abridged transport sends them in reverse.  Raise ValueError where `large` has not 32
    bytes.
    """
    if len(large) != 32:
        raise ValueError(f"msg_key_large of {len(large)} bytes, expected 32")
    return large[:3] + bytes([large[3] | 0x80])


def derive(auth_key: bytes, msg_key: bytes, x: int) -> tuple[bytes, bytes]:
    """The AES key and iv, 32 bytes each, of the message with this 16-byte msg_key.

    Raise ValueError where `auth_key` has not 256 bytes.
    """
    if len(auth_key) != 256:
        raise ValueError(f"auth_key of {len(auth_key)} bytes, expected 256")
    for_a, for_b = _AUTH_KEY_PARTS(auth_key, x)
    a1, a2, a3 = _DIGEST_PARTS(sha256(msg_key + for_a).digest())
    b1, b2, b3 = _DIGEST_PARTS(sha256(for_b + msg_key).digest())
    return a1 + b2 + a3, b1 + a2 + b3


class MessageKdf:
    """`msg_key_large` and `derive` for all messages under one auth_key in one direction.

    The same values, computed faster, which shows in small messages: SHA256 over the parts of auth_key that
    come first is begun once, and copied for each message.  Raise ValueError where `auth_key` has not 256 bytes.
    """

    __slots__ = ("_after_msg_key", "_before_msg_key", "_before_plaintext")

    def __init__(self, auth_key: bytes, x: int) -> None:
        if len(auth_key) != 256:
            raise ValueError(f"auth_key of {len(auth_key)} bytes, expected 256")
        self._after_msg_key, before = _AUTH_KEY_PARTS(auth_key, x)
        self._before_msg_key = sha256(before).copy
        self._before_plaintext = sha256(auth_key[88 + x : 120 + x]).copy

    def msg_key_large(self, plaintext: bytes) -> bytes:
        """The 32 bytes from which msg_key, [8:24], and quick ack token are cut."""
        digest = self._before_plaintext()
        digest.update(plaintext)
        return digest.digest()

    def derive(self, msg_key: bytes) -> tuple[bytes, bytes]:
        """The AES key and iv, 32 bytes each, of the message with this msg_key."""
        digest = _new_sha256()
        digest.update(msg_key)
        digest.update(self._after_msg_key)
        a1, a2, a3 = _DIGEST_PARTS(digest.digest())
        digest = self._before_msg_key()
        digest.update(msg_key)
        b1, b2, b3 = _DIGEST_PARTS(digest.digest())
        return a1 + b2 + a3, b1 + a2 + b3


def tmp_aes(new_nonce: bytes, server_nonce: bytes) -> tuple[bytes, bytes]:
    """tmp_aes_key and tmp_aes_iv of the key exchange, 32 bytes each.

    `new_nonce` has 32 bytes and `server_nonce` 16, else ValueError.
    """
    if len(new_nonce) != 32 or len(server_nonce) != 16:
        raise ValueError(
            f"new_nonce of {len(new_nonce)} and server_nonce of {len(server_nonce)} bytes, expected 32 and 16"
        )
    new_server = sha1(new_nonce + server_nonce).digest()
    server_new = sha1(server_nonce + new_nonce).digest()
    new_new = sha1(new_nonce + new_nonce).digest()
    return new_server + server_new[:12], server_new[12:] + new_new + new_nonce[:4]
