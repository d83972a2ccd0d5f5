"""AES-256 in CTR mode, by `cryptography`: the key stream of obfuscated transports.

A key stream is used once, from its first byte to the last, in pieces of any size: each call takes the next
bytes of the stream and gives as many back.  Encrypting and decrypting are the same.

Specification: core.telegram.org/mtproto/mtproto-transports#transport-obfuscation
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

__all__ = ["KeyStream", "key_stream"]

KeyStream: TypeAlias = Callable[[bytes | bytearray | memoryview], bytes]
"""Takes the next bytes of a stream, any number of them, and gives them encrypted or decrypted."""


def key_stream(key: bytes, iv: bytes) -> KeyStream:
    """The key stream of 32 bytes of `key` from the counter block `iv`, 16 bytes; ValueError for other lengths."""
    if len(key) != 32:
        raise ValueError(f"AES-256 key of {len(key)} bytes, expected 32")
    if len(iv) != 16:
        raise ValueError(f"AES-CTR iv of {len(iv)} bytes, expected 16")
    return Cipher(AES(key), CTR(iv)).encryptor().update
