"""AES-256 in IGE mode, by cryptg behind checks: the one module that imports cryptg.

Plaintext or ciphertext of 16 * n bytes in, as many bytes out; the 32 bytes of iv are the block before the
first ciphertext, then the block before the first plaintext.  cryptg pads what is not a multiple of 16 without
a word when it encrypts, and panics when it decrypts, with an exception that `except Exception` does not
catch; so each call checks first, as cheaply as it can since every message passes here.

Specification: core.telegram.org/mtproto/description (AES-256 in IGE mode).
"""

from __future__ import annotations

from cryptg import decrypt_ige, encrypt_ige

__all__ = ["ige_decrypt", "ige_encrypt"]


def ige_encrypt(data: bytes, key: bytes, iv: bytes) -> bytes:
    """Encrypt 16 * n bytes, n >= 0, with 32 bytes each of key and iv.

    Raise ValueError for other lengths, TypeError for what is not `bytes`.
    """
    if len(data) & 15 or len(key) != 32 or len(iv) != 32:
        raise _wrong_size(data, key, iv)
    try:
        return encrypt_ige(data, key, iv)
    except BaseException as error:
        raise _harmless(error) from None


def ige_decrypt(data: bytes, key: bytes, iv: bytes) -> bytes:
    """Decrypt 16 * n bytes, n >= 0, with 32 bytes each of key and iv.

    Raise ValueError for other lengths, TypeError for what is not `bytes`.
    """
    if len(data) & 15 or len(key) != 32 or len(iv) != 32:
        raise _wrong_size(data, key, iv)
    try:
        return decrypt_ige(data, key, iv)
    except BaseException as error:
        raise _harmless(error) from None


def _wrong_size(data: bytes, key: bytes, iv: bytes) -> ValueError:
    if len(data) % 16:
        return ValueError(f"AES-IGE data of {len(data)} bytes, expected a multiple of 16")
    if len(key) != 32:
        return ValueError(f"AES-256 key of {len(key)} bytes, expected 32")
    return ValueError(f"AES-IGE iv of {len(iv)} bytes, expected 32")


def _harmless(error: BaseException) -> BaseException:
    """What to raise for what came out of cryptg: the same, unless it is one of its panics."""
    if isinstance(error, Exception | KeyboardInterrupt | SystemExit):
        return error
    return ValueError(f"cryptg refused the data: {type(error).__name__}: {error}")
