"""The inits that a server has seen, so that none is taken twice (X7).

Who replays a recorded connection finds out whether a server speaks the protocol, unless it refuses.  One
object serves all connections of a server.  What it remembers is bounded in number and in time; an init that
was forgotten would be taken again, and gains whoever sends it no more than a silent connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mtproto.errors import LocalProtocolError

__all__ = ["SeenInits"]

_KEYS: Final = slice(8, 56)


class SeenInits:
    """The key bytes of at most `max_inits` inits of the last `lifetime` seconds of `clock`."""

    def __init__(
        self, clock: Callable[[], float], *, max_inits: int = 100_000, lifetime: float = 86_400.0
    ) -> None:
        if max_inits < 1:
            raise LocalProtocolError(f"max_inits is {max_inits}, expected at least 1")
        self._clock = clock
        self._max = max_inits
        self._lifetime = lifetime
        self._seen: dict[bytes, float] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, init: bytes) -> bool:
        """Remember the 64 bytes of an init; False if it had been seen."""
        # The other bytes don't count: whoever replays may change them.
        keys = bytes(init[_KEYS])
        now = self._clock()
        self._forget(now - self._lifetime)
        if keys in self._seen:
            return False
        if len(self._seen) >= self._max:
            del self._seen[next(iter(self._seen))]
        self._seen[keys] = now
        return True

    def _forget(self, before: float) -> None:
        while self._seen:
            keys, seen_at = next(iter(self._seen.items()))
            if seen_at > before:
                return
            del self._seen[keys]
