"""Which of many sessions have something to send, and when the next of the others will: none is asked in vain.

A connection may carry ten thousand sessions.  Only those are looked at with which something has happened
(`touch`), and those whose time has come.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heapify, heappop, heappush
from typing import Protocol

from mtproto.events import SessionId

__all__ = ["Schedule", "Timed"]

_SPARE = 64


class Timed(Protocol):
    """A session, as far as its timer is concerned."""

    def next_timer(self) -> float | None:
        """When, in unix time, there is something to do even if nothing happens."""


class Schedule:
    """The touched ones of `sessions`, and the timers of all; who is not in `sessions` any more does not count."""

    def __init__(self, sessions: Mapping[SessionId, Timed]) -> None:
        self._sessions = sessions
        self._touched: dict[SessionId, None] = {}
        self._due: dict[SessionId, float] = {}
        self._heap: list[tuple[float, int, SessionId]] = []
        self._count = 0

    def touch(self, session_id: SessionId) -> None:
        """Something has happened in this session: it may have something to send, or another timer."""
        self._touched[session_id] = None

    def take(self, now: float) -> list[SessionId]:
        """The sessions to be flushed: those touched, and those whose time has come by `now`."""
        while self._heap and self._heap[0][0] <= now:
            due, _, session_id = heappop(self._heap)
            if self._due.get(session_id) == due:
                del self._due[session_id]
                self._touched[session_id] = None
        taken = [session_id for session_id in self._touched if session_id in self._sessions]
        self._touched.clear()
        return taken

    def set(self, session_id: SessionId) -> None:
        """The session has been flushed, or has only to be asked for its timer."""
        session = self._sessions.get(session_id)
        due = None if session is None else session.next_timer()
        if due is None:
            self._due.pop(session_id, None)
        elif due != self._due.get(session_id):
            self._due[session_id] = due
            self._count += 1
            heappush(self._heap, (due, self._count, session_id))
        if len(self._heap) > 2 * len(self._due) + _SPARE:
            self._heap = [entry for entry in self._heap if self._due.get(entry[2]) == entry[0]]
            heapify(self._heap)

    def next_timer(self) -> float | None:
        """When the next session has something to do; those touched are asked anew."""
        for session_id in self._touched:
            self.set(session_id)
        while self._heap:
            due, _, session_id = self._heap[0]
            if self._due.get(session_id) == due and session_id in self._sessions:
                return due
            heappop(self._heap)
        return None
