"""A smaller input for which the same thing happens: chunks left out, then bytes made simpler; no chance in it.

Source of the idea: Zeller and Hildebrandt, Simplifying and isolating failure-inducing input (2002).
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["minimise"]

_SIMPLE = b"\x00 0a"
"""What a byte is to become, if it may: the first of these that will do."""


def minimise(data: bytes, same: Callable[[bytes], bool], more: Callable[[], bool]) -> bytes:
    """The smallest input found while there is `more` time; `same` says whether it still does what `data` does."""
    search = _Search(data, same, more)
    before = None
    while before != search.best and more():
        before = search.best
        search.leave_out()
        search.simplify()
    return search.best


class _Search:
    """The best so far.  What was tried once is not tried again."""

    def __init__(self, data: bytes, same: Callable[[bytes], bool], more: Callable[[], bool]) -> None:
        self.best = data
        self._same = same
        self._more = more
        self._failed: set[bytes] = set()

    def leave_out(self) -> None:
        """Leave out chunks, of half the length at first, of a byte in the end."""
        size = max(1, len(self.best) // 2)
        while True:
            at = 0
            while at < len(self.best) and self._more():
                if not self._try(self.best[:at] + self.best[at + size :]):
                    at += size
            if size == 1 or not self._more():
                return
            size //= 2

    def simplify(self) -> None:
        """Make each byte one of the simple ones."""
        for at in range(len(self.best)):
            for byte in _SIMPLE:
                if not self._more() or self.best[at] == byte:
                    break
                if self._try(self.best[:at] + bytes((byte,)) + self.best[at + 1 :]):
                    break

    def _try(self, data: bytes) -> bool:
        if data in self._failed:
            return False
        if self._same(data):
            self.best = data
            return True
        self._failed.add(data)
        return False
