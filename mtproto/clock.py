"""Unix time that does not jump when the machine's clock is set.

msg_ids are times: after a jump backwards a server would refuse them, after one forwards it would refuse all
that come later, and connections would take a long silence for a dead peer.
"""

from __future__ import annotations

import math
import time

__all__ = ["is_seconds", "steady_time"]


def _counter() -> float:
    """Seconds since some time in the past; on Linux the time asleep counts, which `time.monotonic` leaves out."""
    return time.clock_gettime(_BOOTTIME) if _BOOTTIME is not None else time.monotonic()


_BOOTTIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)
_STARTED_AT = time.time() - _counter()


def steady_time() -> float:
    """Unix time in seconds as it was when this module was imported, and has gone on since without a jump."""
    return _STARTED_AT + _counter()


def is_seconds(value: object) -> bool:
    """Whether it is a time that may pass: a finite number from 0 on."""
    return type(value) in (int, float) and 0 <= value < math.inf  # type: ignore[operator]
