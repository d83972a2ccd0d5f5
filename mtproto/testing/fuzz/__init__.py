"""Fuzz campaigns: libFuzzer, by way of atheris, attacks a function of bytes, in worker processes.

`supervisor` keeps the workers up and gathers what they find, `worker` is what runs in one of them; `trials`
runs single inputs in a process without atheris, for `minimise`, for what is known from before, for replays.
"""

from __future__ import annotations

__all__ = ["FuzzError"]


class FuzzError(Exception):
    """Why there is no campaign, or why it had to end."""
