"""The client's inner data, encrypted with the server's RSA key: two schemes, and a server that takes both.

RSA_PAD, which every current client uses and ours always does:

    data_with_padding  = data + random bytes                                      192
    data_with_hash     = reversed(data_with_padding) + SHA256(temp_key + data_with_padding)   224
    aes_encrypted      = AES-256-IGE(data_with_hash, temp_key, zero iv)           224
    key_aes_encrypted  = (temp_key XOR SHA256(aes_encrypted)) + aes_encrypted     256
    encrypted_data     = key_aes_encrypted ** e % n                               256

and the older one, still sent by clients that servers have to live with:

    data_with_hash     = SHA1(data) + data + random bytes                         255
    encrypted_data     = data_with_hash ** e % n                                  256

The older form does not say where its data ends; whoever knows the TL object in it has to `measure` it.

Specification: core.telegram.org/mtproto/auth_key (step 4).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from hashlib import sha1, sha256

from mtproto.crypto.aes import ige_decrypt, ige_encrypt
from mtproto.crypto.randomness import Rng, draw
from mtproto.crypto.rsa_key import RSA_SIZE, PrivateKey, PublicKey
from mtproto.errors import LocalProtocolError

__all__ = [
    "MAX_RSA_PAD_DATA",
    "MAX_SHA1_PADDED_DATA",
    "DecryptedInnerData",
    "PrivateKey",
    "PublicKey",
    "RsaScheme",
    "Sha1Padded",
    "decrypt_inner_data",
    "rsa_pad_decode",
    "rsa_pad_decrypt",
    "rsa_pad_encode",
    "rsa_pad_encrypt",
    "sha1_padded_decrypt",
    "sha1_padded_encrypt",
]

MAX_RSA_PAD_DATA = 144
"""The most bytes of data in RSA_PAD, so that at least 48 bytes are random."""
MAX_SHA1_PADDED_DATA = 235
"""The most bytes of data in the older scheme: 255 less the hash."""

_PADDED = 192
_TEMP_KEY = 32
_MAX_TEMP_KEYS = 128  # for n > 2**2047 at least every second one will do: it is the rng, not bad luck


class RsaScheme(Enum):
    """How a client encrypted its inner data."""

    RSA_PAD = "RSA_PAD"
    SHA1_PADDED = "SHA1-padded"


def rsa_pad_encrypt(data: bytes, key: PublicKey, rng: Rng) -> bytes:
    """`data`, at most 144 bytes, as the 256 bytes of encrypted_data.

    Draws 192 - len(data) bytes of padding from `rng`, then 32 of temp_key, again for every temp_key that
    gives a number >= n.  Raise ValueError for longer data, LocalProtocolError for an rng that never gives a
    good one.
    """
    if len(data) > MAX_RSA_PAD_DATA:
        raise ValueError(f"{len(data)} bytes of data for RSA_PAD, expected at most {MAX_RSA_PAD_DATA}")
    data_with_padding = data + draw(rng, _PADDED - len(data))
    for _ in range(_MAX_TEMP_KEYS):
        number = int.from_bytes(rsa_pad_encode(data_with_padding, draw(rng, _TEMP_KEY)), "big")
        if number < key.n:
            return key.power(number).to_bytes(RSA_SIZE, "big")
    raise LocalProtocolError(f"{_MAX_TEMP_KEYS} temp_keys in a row do not fit the RSA key: the rng is broken")


def rsa_pad_decrypt(encrypted: bytes, key: PrivateKey) -> bytes | None:
    """The 192 bytes of data_with_padding, or None where `encrypted` is not RSA_PAD for this key."""
    block, in_range = _decrypt(encrypted, key)
    data_with_padding, fits = _rsa_pad_open(block)
    return data_with_padding if in_range & fits else None


def rsa_pad_encode(data_with_padding: bytes, temp_key: bytes) -> bytes:
    """key_aes_encrypted, 256 bytes, from 192 and 32; as a number it may be too large for the RSA key."""
    if len(data_with_padding) != _PADDED or len(temp_key) != _TEMP_KEY:
        raise ValueError(
            f"data_with_padding of {len(data_with_padding)} and temp_key of {len(temp_key)} bytes, "
            f"expected {_PADDED} and {_TEMP_KEY}"
        )
    data_with_hash = data_with_padding[::-1] + sha256(temp_key + data_with_padding).digest()
    aes_encrypted = ige_encrypt(data_with_hash, temp_key, bytes(32))
    return _xor(temp_key, sha256(aes_encrypted).digest()) + aes_encrypted


def rsa_pad_decode(key_aes_encrypted: bytes) -> bytes | None:
    """The 192 bytes of data_with_padding from 256, or None where the SHA256 does not fit."""
    if len(key_aes_encrypted) != RSA_SIZE:
        raise ValueError(f"key_aes_encrypted of {len(key_aes_encrypted)} bytes, expected {RSA_SIZE}")
    data_with_padding, fits = _rsa_pad_open(key_aes_encrypted)
    return data_with_padding if fits else None


def _rsa_pad_open(key_aes_encrypted: bytes) -> tuple[bytes, bool]:
    """What would be data_with_padding, and whether the hash fits it."""
    masked_key, aes_encrypted = key_aes_encrypted[:_TEMP_KEY], key_aes_encrypted[_TEMP_KEY:]
    temp_key = _xor(masked_key, sha256(aes_encrypted).digest())
    data_with_hash = ige_decrypt(aes_encrypted, temp_key, bytes(32))
    data_with_padding, digest = data_with_hash[:_PADDED][::-1], data_with_hash[_PADDED:]
    return data_with_padding, hmac.compare_digest(sha256(temp_key + data_with_padding).digest(), digest)


def sha1_padded_encrypt(data: bytes, key: PublicKey, rng: Rng) -> bytes:
    """`data`, at most 235 bytes, as the 256 bytes of encrypted_data in the older scheme.

    Draws 235 - len(data) bytes of padding from `rng`.  Raise ValueError for longer data.
    """
    if len(data) > MAX_SHA1_PADDED_DATA:
        raise ValueError(f"{len(data)} bytes of data for SHA1, expected at most {MAX_SHA1_PADDED_DATA}")
    data_with_hash = sha1(data).digest() + data + draw(rng, MAX_SHA1_PADDED_DATA - len(data))
    return key.power(int.from_bytes(data_with_hash, "big")).to_bytes(RSA_SIZE, "big")


def sha1_padded_decrypt(encrypted: bytes, key: PrivateKey) -> Sha1Padded | None:
    """What may be data in the older scheme: only `Sha1Padded.fits` tells.

    None where `encrypted` can't be: not 256 bytes, a number >= n, or a plaintext of more than 255 bytes.
    """
    block, in_range = _decrypt(encrypted, key)
    return Sha1Padded(block[1:21], block[21:]) if in_range & (block[0] == 0) else None


@dataclass(frozen=True, slots=True)
class Sha1Padded:
    """A decrypted block of the older scheme: 20 bytes of SHA1, and 235 that begin with the data hashed."""

    digest: bytes
    padded_data: bytes

    def fits(self, length: int | None) -> bool:
        """Whether the hash is that of the first `length` bytes; never for None.  It always computes one."""
        possible = length is not None and 0 <= length <= len(self.padded_data)
        hashed = self.padded_data[:length] if possible else self.padded_data
        return hmac.compare_digest(sha1(hashed).digest(), self.digest) & possible


@dataclass(frozen=True, slots=True)
class DecryptedInnerData:
    """The TL object, exactly, that a client encrypted, and how it did."""

    data: bytes
    scheme: RsaScheme


def decrypt_inner_data(
    encrypted: bytes, key: PrivateKey, measure: Callable[[bytes], int | None]
) -> DecryptedInnerData | None:
    """The client's inner data in whichever scheme it is, or None: why, nobody can tell (S1, S9).

    `measure(data)` gives the length of the TL object at the start of `data`, None if there is no such object;
    it gets random bytes most of the time and must not raise.  Both schemes are always decrypted, measured and
    hashed to the end before there is a verdict, whatever is wrong with `encrypted`.
    """
    block, in_range = _decrypt(encrypted, key)
    data, fits = _rsa_pad_open(block)
    length = measure(data)
    older = Sha1Padded(block[1:21], block[21:])
    older_length = measure(older.padded_data)
    older_fits = older.fits(older_length)
    if in_range & fits & (length is not None and 0 <= length <= MAX_RSA_PAD_DATA):
        return DecryptedInnerData(data[:length], RsaScheme.RSA_PAD)
    if in_range & (block[0] == 0) & older_fits:
        return DecryptedInnerData(older.padded_data[:older_length], RsaScheme.SHA1_PADDED)
    return None


def _decrypt(encrypted: bytes, key: PrivateKey) -> tuple[bytes, bool]:
    """256 bytes in any case, and whether `encrypted` was a number that the key can have made."""
    number = int.from_bytes(encrypted[:RSA_SIZE], "big")
    in_range = len(encrypted) == RSA_SIZE and number < key.n
    return key.power(number % key.n).to_bytes(RSA_SIZE, "big"), in_range


def _xor(a: bytes, b: bytes) -> bytes:
    return (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).to_bytes(len(a), "big")
