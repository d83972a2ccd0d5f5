"""The RSA key of these tests, and a source of randomness that replays what was published."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mtproto.crypto.rsa import PrivateKey

__all__ = ["TEST_KEY", "TEST_KEY_PEM", "replay"]

TEST_KEY_PEM = (Path(__file__).parent / "test_key.pem").read_text("ascii")
TEST_KEY = PrivateKey.from_pem(TEST_KEY_PEM)


def replay(*draws: bytes) -> Callable[[int], bytes]:
    """An rng that gives exactly these draws, in this order and of these sizes."""
    left = iter(draws)

    def rng(count: int) -> bytes:
        data = next(left)
        assert len(data) == count
        return data

    return rng
