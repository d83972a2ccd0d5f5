"""How long a client may take before it has said something whole: connections cost, and silent ones are free.

No page of the specification says so; practice does (X10).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from mtproto.clock import is_seconds
from mtproto.errors import FramingError, LocalProtocolError

__all__ = ["Deadlines", "Watch"]


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds that a client has, None without end.

    `opening`: from the connection to the bytes that tell its framing (up to 64).  `first_frame`: from the
    connection to its first whole frame.  `partial_frame`: from the first byte of any later frame to its last.
    `reading`: how long it may read nothing of what it is sent; `silence`: how long it may say nothing.  These two
    are for whoever has the socket to see to.
    """

    opening: float | None = 10.0
    first_frame: float | None = 20.0
    partial_frame: float | None = 120.0
    reading: float | None = 60.0
    silence: float | None = 600.0

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            seconds = getattr(self, name)
            if seconds is not None and not is_seconds(seconds):
                raise LocalProtocolError(f"{name}: got {seconds!r:.60}, expected seconds from 0 on, or None")


class Watch:
    """What a client has said so far, and until when it has to say more; times are those of one clock."""

    def __init__(self, deadlines: Deadlines, now: float) -> None:
        self._deadlines = deadlines
        self._began = now
        self._frame_began: float | None = None
        self._has_framing = False
        self._has_frame = False
        self._paused: float | None = None

    def note(self, now: float, *, has_framing: bool, frames: int, buffered: int) -> None:
        """Bytes have come: they completed so many frames, and so many of them wait for the rest of one."""
        self._has_framing = has_framing
        self._has_frame = self._has_frame or frames > 0
        if not buffered:
            self._frame_began = None
        elif frames or self._frame_began is None:
            self._frame_began = now

    def pause(self, now: float) -> None:
        """Nothing is read until `resume`: that time is not the client's."""
        self._paused = now

    def resume(self, now: float) -> None:
        """Reading goes on."""
        if self._paused is not None:
            self._began += now - self._paused
            if self._frame_began is not None:
                self._frame_began += now - self._paused
            self._paused = None

    def deadline(self) -> float | None:
        """Until when the next step has to be taken, None if nothing is due."""
        if self._paused is not None:
            return None
        if not self._has_framing:
            return self._after(self._began, self._deadlines.opening)
        if not self._has_frame:
            return self._after(self._began, self._deadlines.first_frame)
        return self._after(self._frame_began, self._deadlines.partial_frame)

    def overdue(self, now: float) -> FramingError | None:
        """What to refuse the client with, if it has not kept its deadline."""
        deadline = self.deadline()
        if deadline is None or now < deadline:
            return None
        if not self._has_framing:
            what, allowed = "which framing it is", self._deadlines.opening
        elif not self._has_frame:
            what, allowed = "a first frame", self._deadlines.first_frame
        else:
            what, allowed = "the rest of a frame", self._deadlines.partial_frame
        return FramingError(
            f"the client has not sent {what} in time", check="X10", expected=f"within {allowed} s"
        )

    @staticmethod
    def _after(start: float | None, seconds: float | None) -> float | None:
        return None if start is None or seconds is None else start + seconds
