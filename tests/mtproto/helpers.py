"""What the tests of `mtproto` share: a key, randomness that repeats, and a clock that moves when it is told.

The package takes its clock and its randomness as arguments; these are what it gets here.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from mtproto.crypto.rsa import PrivateKey

__all__ = ["TEST_KEY", "ManualClock", "Replay", "oracle_ige", "replay", "seeded"]

TEST_KEY = PrivateKey.from_pem((Path(__file__).parent / "crypto" / "test_key.pem").read_bytes())
"""The RSA key of our own servers: 2048 bits, of no use elsewhere."""


def seeded(seed: int) -> Callable[[int], bytes]:
    """An rng that gives the same bytes for the same seed."""
    return random.Random(seed).randbytes


class Replay:
    """An rng that hands out the given chunks, one a call; any other size than the next one's is an error."""

    def __init__(self, *chunks: bytes) -> None:
        self._chunks = list(chunks)

    def __call__(self, count: int) -> bytes:
        assert self._chunks, f"asked for {count} random bytes, and all are used up"
        chunk = self._chunks.pop(0)
        assert len(chunk) == count, f"asked for {count} random bytes, the next chunk has {len(chunk)}"
        return chunk

    @property
    def left(self) -> int:
        """How many chunks were not asked for yet."""
        return len(self._chunks)


def replay(*chunks: bytes) -> Replay:
    """An rng that hands out `chunks`, one a call, and fails if it is asked for another size."""
    return Replay(*chunks)


class ManualClock:
    """A clock in unix time that stands still until `advance`."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass; a negative number turns the clock back."""
        self.now += seconds


def oracle_ige(data: bytes, key: bytes, iv: bytes, *, encrypt: bool) -> bytes:
    """AES-256-IGE made of `cryptography`'s AES: independent of the library that the package uses."""
    cipher = Cipher(AES(key), ECB())  # noqa: S305 - one block at a time is what IGE is made of
    block = cipher.encryptor() if encrypt else cipher.decryptor()
    out, other = (iv[:16], iv[16:]) if encrypt else (iv[16:], iv[:16])
    result = b""
    for at in range(0, len(data), 16):
        part = data[at : at + 16]
        mixed = bytes(x ^ y for x, y in zip(part, out, strict=True))
        out = bytes(x ^ y for x, y in zip(block.update(mixed), other, strict=True))
        other = part
        result += out
    return result
