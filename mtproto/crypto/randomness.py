"""Randomness as an argument: `rng(count)` gives `count` random bytes, as os.urandom does.

Nothing in this package has a source of its own, but for `PrivateKey.generate`; so a test replays the
published random bytes of a worked example, and a fuzzer its seed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Rng", "draw"]

Rng: TypeAlias = Callable[[int], bytes]


def draw(rng: Rng, count: int) -> bytes:
    """Exactly `count` bytes of `rng`; raise ValueError where it gives another number of them."""
    data = rng(count)
    if len(data) != count:
        raise ValueError(f"rng gave {len(data)} bytes, expected {count}")
    return data
