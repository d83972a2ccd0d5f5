"""The server_salts of one auth_key, as the server hands them out: one after the other, each for a while.

A salt is good for an hour: half an hour as the current one, half an hour more so that what is under way
arrives.  The first one comes from the key exchange.

Specification: core.telegram.org/mtproto/description#server-salt,
core.telegram.org/mtproto/service_messages#request-for-several-future-salts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["SALT_LIFETIME", "Salt", "SaltTimetable"]

SALT_LIFETIME = 1800
"""Seconds for which a salt is the current one, and for which it is still accepted afterwards."""


@dataclass(frozen=True, slots=True)
class Salt:
    """A salt (signed 64-bit) and the unix times between which messages may carry it."""

    valid_since: float
    valid_until: float
    value: int


class SaltTimetable:
    """The salts of one auth_key from `now` on; later ones are made from `rng` when they are asked for."""

    def __init__(self, first: int, now: float, rng: Callable[[int], bytes]) -> None:
        self._rng = rng
        self._salts = [self._salt(now, first)]

    def _salt(self, since: float, value: int | None = None) -> Salt:
        while not value:  # zero is what clients send before they know any
            value = int.from_bytes(self._rng(8), "little", signed=True)
        return Salt(since, since + 2 * SALT_LIFETIME, value)

    def _extend(self, until: float) -> None:
        last = self._salts[-1].valid_since
        if until - last > 100 * SALT_LIFETIME:  # a long sleep: nobody has seen the salts in between
            self._salts = [self._salt(until)]
        while self._salts[-1].valid_since + SALT_LIFETIME <= until:
            self._salts.append(self._salt(self._salts[-1].valid_since + SALT_LIFETIME))

    def current(self, now: float) -> int:
        """The salt that a client should use at `now`."""
        self._extend(now)
        self._salts = [s for s in self._salts if s.valid_until > now]
        return next(s.value for s in reversed(self._salts) if s.valid_since <= now)

    def accepts(self, salt: int, now: float) -> bool:
        """Whether a message may carry `salt` at `now`."""
        self._extend(now)
        return any(s.value == salt and s.valid_since <= now < s.valid_until for s in self._salts)

    def future(self, now: float, count: int) -> list[Salt]:
        """The current salt and those after it, `count` (1 to 64) in all."""
        self._extend(now + max(1, min(count, 64)) * SALT_LIFETIME)
        return [s for s in self._salts if s.valid_until - SALT_LIFETIME > now][: max(1, min(count, 64))]

    def rotate(self, now: float, salt: int | None = None, *, keep_previous: bool = True) -> int:
        """Begin a new salt at once, `salt` or a random one; with `keep_previous` the old one stays good."""
        old = self.current(now)
        kept = [Salt(now, now + SALT_LIFETIME, old)] if keep_previous else []
        self._salts = [*kept, self._salt(now, salt)]
        return self._salts[-1].value
