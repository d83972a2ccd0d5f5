"""Heavy arithmetic as a value: what to compute, for whoever drives the key exchange to compute where it likes.

A step of the exchange is a generator: it yields `Work` and is sent its `Outcome`, in between nothing happens.
Whoever may block runs the work at once (`run`); a program with an event loop gives it to a thread, so that
its other connections go on.  The arguments are values that don't change and the function does nothing but
compute, so where and when it runs makes no difference to the result; randomness is drawn by the step itself.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeAlias, TypeVar

__all__ = ["Outcome", "Steps", "Work", "do", "run"]

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of some work: a value, which the repr does not show, or the error that it raised."""

    value: Any = field(default=None, repr=False)
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """`function(*arguments)`, which takes milliseconds; it may run in any thread.

    The arguments may be secret, and are not in the repr.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = field(repr=False)

    def run(self) -> Outcome:
        """Compute it; never raises what the function does."""
        try:
            return Outcome(self.function(*self.arguments))
        except Exception as error:
            return Outcome(error=error)


Steps: TypeAlias = Generator[Work, Outcome, T]
"""A computation that yields what is heavy in it, and returns a T."""


def do(function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> Steps[T]:
    """``yield from do(f, x)`` is f(x), computed by the driver: its value, or its error raised here."""
    if keywords:
        raise TypeError(f"work takes no keywords, got {', '.join(keywords)}")
    outcome = yield Work(function, arguments)
    if outcome.error is not None:
        raise outcome.error
    value: T = outcome.value
    return value


def run(steps: Steps[T]) -> T:
    """Drive `steps` to their end, all work here and now."""
    try:
        work = next(steps)
        while True:
            work = steps.send(work.run())
    except StopIteration as end:
        result: T = end.value
        return result
