"""A virtual clock, and what is to happen when: time passes only from one event to the next, so nothing waits.

Some entries are deeds on their way (bytes in a cable, a handler at work), others timers that only matter if nothing
comes before: salts are asked for every ten minutes as long as there is a connection.  Where no deed is left, all is
quiet.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

__all__ = ["START", "Entry", "Timeline"]

START = 1_700_000_000.0
"""The unix time at which virtual clocks begin, if nobody says otherwise: a Tuesday in November 2023."""


class Entry:
    """Something that is to happen at `when`, in unix time, unless it is cancelled before."""

    __slots__ = ("_timeline", "do", "is_part", "is_timer", "when")

    def __init__(
        self, timeline: Timeline, when: float, do: Callable[[], None], is_timer: bool, is_part: bool
    ) -> None:
        self.when = when
        self.do: Callable[[], None] | None = do
        self.is_timer = is_timer
        self.is_part = is_part
        self._timeline = timeline

    def cancel(self) -> None:
        """It won't happen; nothing where it has."""
        if self.do is not None:
            self.do = None
            self._timeline.was_taken(self)


class Timeline:
    """The clock, called for the unix time in seconds as clocks are, and the entries in order of their times.

    What is entered for the same time happens in the order in which it was entered.
    """

    def __init__(self, now: float = START) -> None:
        self.now = now
        self.deeds = 0
        """How many entries are no timers: without any, nothing is on its way."""
        self.steps = 0
        """How many entries have happened, of those in parts the last ones."""
        self._heap: list[tuple[float, int, Entry]] = []
        self._count = 0

    def __call__(self) -> float:
        return self.now

    def at(
        self, when: float, do: Callable[[], None], *, is_timer: bool = False, is_part: bool = False
    ) -> Entry:
        """Let `do` happen at `when`, or now if that has passed; `is_part` where the rest of it comes after that."""
        entry = Entry(self, max(when, self.now), do, is_timer, is_part)
        self._count += 1
        self.deeds += not is_timer
        heappush(self._heap, (entry.when, self._count, entry))
        return entry

    def after(self, seconds: float, do: Callable[[], None]) -> Entry:
        """Let `do` happen in so many seconds."""
        return self.at(self.now + seconds, do)

    def was_taken(self, entry: Entry) -> None:
        """An entry has happened, or was cancelled."""
        self.deeds -= not entry.is_timer

    def next(self) -> float | None:
        """When something happens next; None where nothing ever does."""
        while self._heap and self._heap[0][2].do is None:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def step(self) -> bool:
        """Go on to what happens next, and let it happen; False where nothing does."""
        when = self.next()
        if when is None:
            return False
        entry = heappop(self._heap)[2]
        do, entry.do = entry.do, None
        self.was_taken(entry)
        self.steps += not entry.is_part
        self.now = when
        if do is not None:
            do()
        return True

    def skip(self, when: float) -> None:
        """Nothing happens until `when`: it is `when` now."""
        self.now = max(self.now, when)
