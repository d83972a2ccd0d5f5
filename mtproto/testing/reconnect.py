"""How the client of a Pair comes back after its connection has ended."""

from __future__ import annotations

from dataclasses import dataclass

from mtproto.errors import LocalProtocolError

__all__ = ["Reconnect"]


@dataclass(frozen=True, slots=True)
class Reconnect:
    """The first attempt is made `first` seconds after the end, each other one after twice as long, `most` at most.

    After `attempts` of them in a row in which the server said nothing sensible the client gives up, and whoever
    waits is told why.  To each delay up to a quarter is added at random.
    """

    first: float = 0.5
    most: float = 30.0
    attempts: int = 12

    def __post_init__(self) -> None:
        if not (0 <= self.first <= self.most and type(self.attempts) is int and self.attempts >= 0):
            raise LocalProtocolError(f"got {self}, expected 0 <= first <= most, and attempts >= 0")

    def delay(self, attempt: int, random: float) -> float:
        """Seconds until the attempt with this number, from 1; `random` is from 0 to 1."""
        return min(self.most, self.first * 2.0 ** min(attempt - 1, 60)) * (1 + random / 4)
