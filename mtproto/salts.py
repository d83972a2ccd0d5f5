"""The server_salts of one auth_key: as the server hands them out, one after the other, each for a while, and as
a client knows them.

A salt is good for an hour: half an hour as the current one, half an hour more so that what is under way
arrives.  The first one comes from the key exchange.

Specification: core.telegram.org/mtproto/description#server-salt,
core.telegram.org/mtproto/service_messages#request-for-several-future-salts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import floor
from struct import Struct

__all__ = [
    "MAX_FUTURE_SALTS",
    "SALT_LIFETIME",
    "KnownSalts",
    "Salt",
    "SaltTimetable",
    "pack_future_salts",
]

SALT_LIFETIME = 1800
"""Seconds for which a salt is the current one, and for which it is still accepted afterwards."""
MAX_FUTURE_SALTS = 64
"""The most salts that a server tells at a time, and that a client remembers."""


@dataclass(frozen=True, slots=True)
class Salt:
    """A salt (signed 64-bit) and the unix times, in whole seconds as they are told to clients, between which
    messages may carry it."""

    valid_since: int
    valid_until: int
    value: int


_HEAD = Struct("<Iqii")
_SALT = Struct("<iiq")


_LAST_SECOND = 2**31 - 1  # that an int of TL tells, and a msg_id


def pack_future_salts(req_msg_id: int, now: int, salts: Iterable[Salt]) -> bytes:
    """The future_salts that answers get_future_salts, 20 bytes and 16 for each salt.

    A salt that is good beyond January 2038 is so until the last second that can be told, and one that begins then
    is left out: no message could carry it.

    By hand: a container may ask a thousand times, and bare vectors take the codec some hundred times as long.
    """
    rows = [
        _SALT.pack(salt.valid_since, min(salt.valid_until, _LAST_SECOND), salt.value)
        for salt in salts
        if salt.valid_since <= _LAST_SECOND
    ]
    return _HEAD.pack(0xAE500895, req_msg_id, min(now, _LAST_SECOND), len(rows)) + b"".join(rows)


class SaltTimetable:
    """The salts of one auth_key from `now` on; later ones are made from `rng` when they are asked for."""

    def __init__(self, first: int, now: float, rng: Callable[[int], bytes]) -> None:
        self._rng = rng
        self._salts = [self._salt(floor(now), first)]

    def _salt(self, since: int, value: int | None = None) -> Salt:
        if value is None:  # zero is what clients send before they know any
            value = int.from_bytes(self._rng(8), "little", signed=True) or 1
        return Salt(since, since + 2 * SALT_LIFETIME, value)

    def _extend(self, until: float) -> None:
        last = self._salts[-1].valid_since
        if until - last > 100 * SALT_LIFETIME:  # a long sleep: nobody has seen the salts in between
            self._salts = [self._salt(floor(until))]
        while self._salts[-1].valid_since + SALT_LIFETIME <= until:
            self._salts.append(self._salt(self._salts[-1].valid_since + SALT_LIFETIME))

    def current(self, now: float) -> int:
        """The salt that a client should use at `now`."""
        self._extend(now)
        self._salts = [s for s in self._salts if s.valid_until > now]
        # A clock that was turned back may show a time before all of them.
        return next((s.value for s in reversed(self._salts) if s.valid_since <= now), self._salts[0].value)

    def accepts(self, salt: int, now: float) -> bool:
        """Whether a message may carry `salt` at `now`."""
        if salt == self.current(now):
            return True
        return any(s.value == salt and s.valid_since <= now < s.valid_until for s in self._salts)

    def future(self, now: float, count: int) -> list[Salt]:
        """The current salt and those after it, `count` in all: below 1 counts as 1, above 64 as 64."""
        count = max(1, min(count, MAX_FUTURE_SALTS))
        self._extend(now)
        self._extend(now + (count - 1) * SALT_LIFETIME)
        return [s for s in self._salts if s.valid_until - SALT_LIFETIME > now][:count]

    def rotate(self, now: float, salt: int | None = None, *, keep_previous: bool = True) -> int:
        """Begin a new salt at once, `salt` or a random one; with `keep_previous` the old one stays good."""
        old, since = self.current(now), floor(now)
        kept = [Salt(since, since + SALT_LIFETIME, old)] if keep_previous else []
        self._salts = [*kept, self._salt(since, salt)]
        return self._salts[-1].value


_SWITCH_DELAY = 60  # seconds: our idea of the server's time may be ahead of it
_FIRST_QUESTION = 60.0
_BETWEEN_QUESTIONS = 600.0
_FUTURE_WANTED = 2


class KnownSalts:
    """What a client knows of a key's salts: the one in use, and a timetable of those that follow.

    `first` is the salt in use, `timetable` what the server has told before.  Times are the server's.
    """

    QUESTION_SIZE = 16
    """How many salts to ask for: eight hours of them."""

    def __init__(self, first: int, timetable: Iterable[Salt] = (), *, now: float) -> None:
        self._current = first
        self._timetable: tuple[Salt, ...] = ()
        self.learn(timetable)
        self._next_question = now + _FIRST_QUESTION

    @property
    def timetable(self) -> tuple[Salt, ...]:
        """The salts that the server has told, in order of their time."""
        return self._timetable

    def current(self, now: float) -> int:
        """The salt to use at `now`: the next one in the timetable is taken a minute after its time has come.

        The one before is good for half an hour more, so that nothing is refused if the clocks differ.
        """
        if self._timetable:
            begun = [s for s in self._timetable if s.valid_since + _SWITCH_DELAY <= now < s.valid_until]
            if begun:
                self._current = begun[-1].value
        return self._current

    def correct(self, salt: int, now: float) -> None:
        """The server has said that `salt` is the one at `now`.

        Of the timetable only what is to come is kept, and nothing where `salt` is not in it.
        """
        self._current = salt
        is_known = any(s.value == salt for s in self._timetable)
        self._timetable = tuple(s for s in self._timetable if is_known and s.valid_since > now)

    def learn(self, salts: Iterable[Salt]) -> None:
        """The answer to get_future_salts; of too many the first are kept."""
        self._timetable = tuple(sorted(salts, key=lambda salt: salt.valid_since))[:MAX_FUTURE_SALTS]

    def next_question(self, now: float) -> float:
        """When to ask for more: not before there is a need, and not often; later while enough are known."""
        future = [salt for salt in self._timetable if salt.valid_since > now]
        if len(future) >= _FUTURE_WANTED:
            return max(self._next_question, float(future[-_FUTURE_WANTED].valid_since))
        return self._next_question

    def was_asked(self, now: float) -> None:
        """The server is being asked for more."""
        self._next_question = now + _BETWEEN_QUESTIONS
