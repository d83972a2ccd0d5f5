"""Arguments of the tools for tests, checked before they are used: an error says what was got and what expected."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, isfinite

import tl
from mtproto.errors import LocalProtocolError

__all__ = ["check_callable", "check_kind", "check_list", "check_message", "check_number", "check_whole"]


def check_kind(name: str, value: object, kind: type, *, or_none: bool = False, secret: bool = False) -> None:
    """Raise unless the value is of this class, or None where that will do, too; a secret one is not told."""
    if not (isinstance(value, kind) or (or_none and value is None)):
        got = _a(type(value)) if secret else f"{value!r:.60}"
        raise LocalProtocolError(f"got {got} for {name}, expected {_a(kind)}{' or None' if or_none else ''}")


def _a(kind: type) -> str:
    return f"{'an' if kind.__name__[0] in 'AEIOUaeiou' else 'a'} {kind.__name__}"


def check_callable(name: str, value: object, *, or_none: bool = True) -> None:
    """Raise unless the value is a function, or None where that will do, too."""
    if not (callable(value) or (or_none and value is None)):
        raise _wrong(name, value, f"a function{' or None' if or_none else ''}")


def check_list(name: str, value: object, of: str) -> None:
    """Raise unless the value is a list, or can be iterated over like one; what is in it is for others to see."""
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise _wrong(name, value, f"a list of {of}")


def check_message(value: object) -> None:
    """Raise unless the value is what a message has: an object, or boxed bytes."""
    if not isinstance(value, tl.TLObject | bytes):
        raise LocalProtocolError(f"got {value!r:.60}, expected an object of a schema, or bytes")


def check_number(
    name: str, value: object, unit: str = "", *, least: float = -inf, above: float = -inf, below: float = inf
) -> None:
    """Raise unless the value is a finite number, and within these bounds."""
    what = f"a number{f' of {unit}' if unit else ''}"
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        raise _wrong(name, value, what)
    if not (least <= value < below and value > above):
        bounds = (
            (f"{least:.15g} or more", least),
            (f"above {above:.15g}", above),
            (f"below {below:.15g}", below),
        )
        said = " and ".join(text for text, bound in bounds if isfinite(bound))
        raise _wrong(name, value, f"{what}, {said}")


def _is_finite(value: float) -> bool:
    try:
        return isfinite(value)
    except OverflowError:  # an int that no float can be
        return False


def check_whole(name: str, value: object, *, least: int, most: int | None = None) -> None:
    """Raise unless the value is an int within these bounds."""
    if type(value) is not int or value < least or (most is not None and value > most):
        bounds = f">= {least}" if most is None else f"from {least} to {most}"
        raise _wrong(name, value, f"an int {bounds}")


def _wrong(name: str, value: object, expected: str) -> LocalProtocolError:
    return LocalProtocolError(f"got {value!r:.60} for {name}, expected {expected}")
