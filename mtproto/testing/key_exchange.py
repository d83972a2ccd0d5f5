"""How the loopback server behaves in key exchanges, where a test wants more than the plain one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mtproto.errors import LocalProtocolError

__all__ = ["KeyExchange", "Retries"]


@dataclass(frozen=True, slots=True)
class KeyExchange:
    """What clients meet in a key exchange; by default nothing out of the ordinary.

    With a `dc`, clients that name another data centre get transport error -444.  `retries` is how many
    times in each exchange dh_gen_retry comes before dh_gen_ok (our own client follows 5 of them); where it `fails`,
    dh_gen_fail comes after them instead.  LocalProtocolError for numbers that are none.
    """

    dc: int | None = None
    retries: int = 0
    fails: bool = False

    def __post_init__(self) -> None:
        if type(self.retries) is not int or self.retries < 0:
            raise LocalProtocolError(f"got {self.retries!r} retries, expected an int >= 0")
        if self.dc is not None and (type(self.dc) is not int or not -(2**31) <= self.dc < 2**31):
            raise LocalProtocolError(f"got {self.dc!r} for a dc, expected an int of 32 bits or None")


class Retries:
    """What the exchanges of one connection are told of the keys that they come to; `is_used` is the truth."""

    def __init__(self, exchange: KeyExchange, is_used: Callable[[bytes], bool]) -> None:
        self._exchange = exchange
        self._is_used = is_used
        self._left = exchange.retries

    def is_refused(self, key_id: bytes) -> bool:
        """Whether dh_gen_fail comes; this is asked first."""
        if self._left or not self._exchange.fails:
            return False
        self._left = self._exchange.retries
        return True

    def is_taken(self, key_id: bytes) -> bool:
        """Whether dh_gen_retry comes; the last answer of an exchange is no, and with the next it begins again."""
        if self._left:
            self._left -= 1
            return True
        self._left = self._exchange.retries
        return self._is_used(key_id)
