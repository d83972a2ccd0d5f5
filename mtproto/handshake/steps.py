"""The form that both halves of the key exchange have: a table of numbered steps.

A step is a function of the data that the step before has left, frozen, and of the peer's message; it yields
what is heavy to compute and returns the data for the next step, and what to send.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tl
from mtproto.handshake.work import Steps

__all__ = ["Step", "StepFunction"]

StepFunction = Callable[[Any, Any, Any], Steps[tuple[Any, Any]]]
"""(state, message, context) -> (next state, the object to send or None)."""


@dataclass(frozen=True, slots=True)
class Step:
    """One row of a table.

    `state` is the class of the data it begins with, None for whatever there is; `expects` are the messages it
    takes, of which those in `may_trail` may have bytes behind them; `checks` are the ids of what it checks;
    `sends` and `leads_to` are what may come of it.
    """

    number: int
    state: type | None
    expects: tuple[type[tl.TLObject], ...]
    function: StepFunction
    checks: tuple[str, ...]
    sends: tuple[type[tl.TLObject], ...]
    leads_to: tuple[type, ...]
    may_trail: tuple[type[tl.TLObject], ...] = ()
