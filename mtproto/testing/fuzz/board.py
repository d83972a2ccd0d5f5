"""What a worker tells all the time, in a file that both processes have in memory: it outlives the worker.

Counters, and the input that is running: whatever ends the worker, that input is known.
"""

from __future__ import annotations

import mmap
from pathlib import Path

__all__ = ["SLOTS", "Board"]

SLOTS = 1024
"""So many different findings a worker counts."""
_HEAD = 2
_DATA = 8 * (_HEAD + SLOTS)


class Board:
    """`executions` begun, how often each finding was `hit`, and the `current` input, up to `capacity` bytes."""

    def __init__(self, path: Path, capacity: int, *, create: bool = False) -> None:
        self._capacity = capacity
        size = _DATA + capacity
        if create:
            path.write_bytes(bytes(size))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), size)
        self._view = memoryview(self._map)
        self._words = self._view[:_DATA].cast("Q")

    def begin(self, data: bytes) -> None:
        """An execution begins."""
        data = data[: self._capacity]
        self._words[0] += 1
        self._words[1] = len(data)
        self._view[_DATA : _DATA + len(data)] = data

    def hit(self, slot: int) -> None:
        """The finding of this slot was there once more."""
        self._words[_HEAD + slot] += 1

    @property
    def executions(self) -> int:
        return self._words[0]

    def hits(self, slot: int) -> int:
        """How often `hit` was called for a slot."""
        return self._words[_HEAD + slot]

    @property
    def current(self) -> bytes:
        """The input whose execution began last."""
        return bytes(self._view[_DATA : _DATA + self._words[1]])

    def close(self) -> None:
        """Let go of the memory; the file stays."""
        self._words.release()
        self._view.release()
        self._map.close()
