"""How long to wait before each attempt to connect again, and after how many to give up.

The delays are drawn at random between nothing and a bound that doubles ("full jitter"): clients whose server
has gone all at once do not come back all at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mtproto.clock import is_seconds
from mtproto.crypto.randomness import draw
from mtproto.errors import LocalProtocolError

__all__ = ["Backoff"]

_DOUBLINGS = 64


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds before attempt 0, 1, 2 …: between 0 and `first`, 2 `first`, 4 `first` …, at most `longest`.

    After transport error -429, by which a server says that there were too many connections, it is at least
    `flood`.  After `attempts` in a row without an answer of the server to anything the client gives up (None:
    never).  Raise LocalProtocolError for numbers that can't be.
    """

    first: float = 0.5
    longest: float = 30.0
    flood: float = 5.0
    attempts: int | None = 10

    def __post_init__(self) -> None:
        for name in ("first", "longest", "flood"):
            seconds = getattr(self, name)
            if not is_seconds(seconds):
                raise LocalProtocolError(f"{name}: got {seconds!r:.60}, expected seconds from 0 on")
        if self.attempts is not None and (type(self.attempts) is not int or self.attempts < 1):
            raise LocalProtocolError(
                f"attempts: got {self.attempts!r:.60}, expected a number from 1 on, or None"
            )

    def delay(self, attempt: int, rng: Callable[[int], bytes], *, flood: bool = False) -> float:
        """Seconds to wait before `attempt`, the first of which is 0; `flood`: the server has said -429."""
        bound = min(self.longest, self.first * 2.0 ** min(attempt, _DOUBLINGS))
        delay = bound * int.from_bytes(draw(rng, 7), "little") / 2**56
        return max(delay, self.flood) if flood else delay
