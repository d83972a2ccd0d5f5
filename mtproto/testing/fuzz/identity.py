"""What makes two findings the same one: the kind of failure, and where in the code under test it happened.

Places are modules, functions and lines, no paths: they are the same on all machines that have the same code.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from types import TracebackType

__all__ = ["DIED", "OUT_OF_MEMORY", "TIMEOUT", "Identity", "identify", "identify_death"]


@dataclass(frozen=True, slots=True)
class Identity:
    """`kind` is the exception's type, or what else ended the run; `places` begin with the innermost one."""

    kind: str
    places: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """A name for files."""
        kind = re.sub(r"[^A-Za-z0-9.]+", "-", self.kind)[-60:]
        return f"{kind}-{hashlib.sha256(str(self).encode(errors='backslashreplace')).hexdigest()[:8]}"

    def __str__(self) -> str:
        return f"{self.kind} at {', in '.join(self.places)}" if self.places else self.kind


TIMEOUT = Identity("timeout")
OUT_OF_MEMORY = Identity("out of memory")
DIED = Identity("died")
"""A process that is gone in the midst of an execution: by a signal, or by leaving."""

_STACK = re.compile(r'^Current thread .*\n((?:  File ".*\n)+)', re.MULTILINE)
_FRAME = re.compile(r'^  File "(.*)", line (\d+) in (.*)$', re.MULTILINE)
"""As faulthandler writes them, the innermost first."""


def identify(error: BaseException, packages: Collection[str], module: str) -> Identity:
    """The identity of what a call has raised, which the caller's own frame has caught.

    Its places are the innermost one in the `packages`, and the innermost one in the target's own module, which
    tells what it was about to check.  Where recursion has gone too deep, it is the place that comes most often.
    """
    if isinstance(error, MemoryError):
        return OUT_OF_MEMORY
    frames = _frames(error.__traceback__)
    inside = [place for name, place in frames if name.partition(".")[0] in packages]
    own = [place for name, place in frames if name == module]
    if isinstance(error, RecursionError):
        own, inside = [], [place for place, _ in Counter(inside).most_common(1)]
    places = [*(inside or [place for _, place in frames])[-1:], *own[-1:]]
    return Identity(_kind(type(error)), tuple(dict.fromkeys(places)))


def identify_death(said: str, packages: Collection[str], module: str) -> Identity:
    """The identity of a process that is gone; a signal has places, in what `faulthandler` has `said`."""
    stacks = _STACK.findall(said)
    frames = [
        (name, f"{name}.{function}:{line}")
        for path, line, function in _FRAME.findall(stacks[-1] if stacks else "")
        if (name := _module(path, packages)) and not name.startswith("mtproto.testing.fuzz.")
    ]
    inside = [place for _, place in frames]
    own = [place for name, place in frames if name == module]
    return Identity(DIED.kind, tuple(dict.fromkeys((*inside[:1], *own[:1]))))


def _module(path: str, packages: Collection[str]) -> str:
    """The module of one of the packages that is in this file; empty if there is none."""
    parts = path.removesuffix(".py").removesuffix("/__init__").split("/")
    tops = [at for at, part in enumerate(parts) if part in packages]
    return ".".join(parts[tops[-1] :]) if tops else ""


def _frames(traceback: TracebackType | None) -> list[tuple[str, str]]:
    """Modules and places, the innermost last, without the frame that has caught it."""
    frames = []
    step = traceback.tb_next if traceback else None
    while step is not None:
        module = step.tb_frame.f_globals.get("__name__", "?")
        frames.append((module, f"{module}.{step.tb_frame.f_code.co_qualname}:{step.tb_lineno}"))
        step = step.tb_next
    return frames


def _kind(cls: type[BaseException]) -> str:
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
