"""RSA keys of servers: public ones with fingerprints, private ones with the raw operation, PEM for both.

Only 2048-bit keys exist in MTProto.  PEM is read and written by `cryptography`; the padding schemes are in
`rsa`.

Specification: core.telegram.org/mtproto/auth_key (step 2: fingerprints).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha1
from typing import TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from mtproto.crypto.big_primes import is_big_prime
from mtproto.crypto.bignum import invert, powmod, powmod_secret

__all__ = ["RSA_SIZE", "PrivateKey", "PublicKey"]

RSA_SIZE = 256
"""Bytes of n, and of everything encrypted with it."""

_T = TypeVar("_T")
_PEM_LABEL = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----")


@dataclass(frozen=True, slots=True, repr=False)
class PublicKey:
    """A server's public key; `n` has 2048 bits and is odd, as is `e`, 3 <= e < n: else ValueError."""

    n: int
    e: int

    def __post_init__(self) -> None:
        if self.n.bit_length() != 8 * RSA_SIZE:
            raise ValueError(f"RSA key of {self.n.bit_length()} bits, expected {8 * RSA_SIZE}")
        if self.n % 2 == 0:
            raise ValueError("RSA modulus is even, expected the product of two odd primes")
        if not 3 <= self.e < self.n or self.e % 2 == 0:
            raise ValueError("RSA exponent is even or out of range, expected an odd 3 <= e < n")

    def __repr__(self) -> str:
        return f"PublicKey(fingerprint={self.fingerprint % 2**64:016x})"

    @property
    def fingerprint(self) -> int:
        """The low 64 bits of SHA1(n, e as TL strings), a signed number as in resPQ."""
        digest = sha1(_tl_string(self.n) + _tl_string(self.e)).digest()
        return int.from_bytes(digest[-8:], "little", signed=True)

    def power(self, number: int) -> int:
        """The raw operation, number ** e % n; raise ValueError where not 0 <= number < n."""
        if not 0 <= number < self.n:
            raise ValueError("a number out of range for the RSA key, expected 0 <= it < n")
        return powmod(number, self.e, self.n)

    def to_pem(self) -> str:
        """PEM in the form of PKCS#1, "RSA PUBLIC KEY", as Telegram publishes its keys."""
        key = rsa.RSAPublicNumbers(self.e, self.n).public_key()
        pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1)
        return pem.decode("ascii")

    @classmethod
    def from_pem(cls, pem: str | bytes) -> PublicKey:
        """Read "RSA PUBLIC KEY" (PKCS#1) or "PUBLIC KEY" (SPKI); raise ValueError for all but such a key."""
        key = _read_pem(serialization.load_pem_public_key, pem, "public")
        if not isinstance(key, rsa.RSAPublicKey):
            raise ValueError(f"PEM of a {type(key).__name__}, expected an RSA public key")
        numbers = key.public_numbers()
        return cls(numbers.n, numbers.e)


@dataclass(frozen=True, slots=True, repr=False)
class PrivateKey:
    """A server's private key; raise ValueError where the five numbers are not those of one 2048-bit key.

    The repr shows the public fingerprint only.
    """

    n: int
    e: int
    d: int
    p: int
    q: int

    def __post_init__(self) -> None:
        PublicKey(self.n, self.e)  # for its checks
        # In pieces, which let other threads run: a server makes its key beside an event loop.
        if self.p * self.q != self.n or not all(p > 100 and is_big_prime(p) for p in (self.p, self.q)):
            raise ValueError("RSA private key whose p and q are not the two primes of n")
        if any(self.d * self.e % (prime - 1) != 1 for prime in (self.p, self.q)):
            raise ValueError("RSA private key whose d does not belong to its e")

    def __repr__(self) -> str:
        return f"PrivateKey(fingerprint={self.public.fingerprint % 2**64:016x})"

    @property
    def public(self) -> PublicKey:
        """The public half."""
        return PublicKey(self.n, self.e)

    def power(self, number: int) -> int:
        """The raw operation, number ** d % n, by way of p and q; raise ValueError where not 0 <= number < n.

        An error of the machine in one of the halves would give the key away with the result, hence the check;
        ArithmeticError, should it ever fail.
        """
        if not 0 <= number < self.n:
            raise ValueError("a number out of range for the RSA key, expected 0 <= it < n")
        by_p = powmod_secret(number % self.p, self.d % (self.p - 1), self.p)
        by_q = powmod_secret(number % self.q, self.d % (self.q - 1), self.q)
        result = by_q + (by_p - by_q) * invert(self.q, self.p) % self.p * self.q
        if powmod(result, self.e, self.n) != number:
            raise ArithmeticError("the RSA private operation gave a wrong result: a broken key or machine")
        return result

    def to_pem(self) -> str:
        """PEM in the form of PKCS#1, "RSA PRIVATE KEY", not encrypted: for keys of test servers."""
        pem = self._numbers().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        return pem.decode("ascii")

    def _numbers(self) -> rsa.RSAPrivateKey:
        dmp1, dmq1 = self.d % (self.p - 1), self.d % (self.q - 1)
        public = rsa.RSAPublicNumbers(self.e, self.n)
        iqmp = invert(self.q, self.p)
        return rsa.RSAPrivateNumbers(self.p, self.q, self.d, dmp1, dmq1, iqmp, public).private_key()

    @classmethod
    def from_pem(cls, pem: str | bytes) -> PrivateKey:
        """Read a key that is not encrypted (PKCS#1 or PKCS#8); raise ValueError for all but an RSA key."""
        key = _read_pem(lambda data: serialization.load_pem_private_key(data, password=None), pem, "private")
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ValueError(f"PEM of a {type(key).__name__}, expected an RSA private key")
        return cls._of(key)

    @classmethod
    def generate(cls) -> PrivateKey:
        """A new 2048-bit key with e = 65537.

        The one thing here that is random and can't be replayed: `cryptography` takes its randomness from the
        operating system.  Tests read a key from a file.
        """
        return cls._of(rsa.generate_private_key(public_exponent=65537, key_size=8 * RSA_SIZE))

    @classmethod
    def _of(cls, key: rsa.RSAPrivateKey) -> PrivateKey:
        numbers = key.private_numbers()
        return cls(numbers.public_numbers.n, numbers.public_numbers.e, numbers.d, numbers.p, numbers.q)


def _read_pem(load: Callable[[bytes], _T], pem: str | bytes, kind: str) -> _T:
    """What `load` makes of a PEM; ValueError where that fails, which says what the PEM is instead."""
    data = pem.encode("utf-8", "replace") if isinstance(pem, str) else pem
    try:
        return load(data)
    except TypeError:
        raise ValueError(f"PEM of a {kind} key that is encrypted, expected one in the clear") from None
    except (ValueError, UnsupportedAlgorithm) as error:
        labels = [label.decode() for label in _PEM_LABEL.findall(data)]
        if labels and not any(label.endswith(f"{kind.upper()} KEY") for label in labels):
            raise ValueError(f"PEM labelled {labels[0]}, expected a {kind} key") from None
        reason = str(error).partition(". ")[0]  # what follows is advice with addresses
        raise ValueError(f"not the PEM of a {kind} key: {reason}") from None


def _tl_string(number: int) -> bytes:
    """A number as a big-endian TL string: length in 1 or 4 bytes, content, zeros to a multiple of 4."""
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    head = bytes([len(data)]) if len(data) < 254 else b"\xfe" + len(data).to_bytes(3, "little")
    return head + data + bytes(-(len(head) + len(data)) % 4)
