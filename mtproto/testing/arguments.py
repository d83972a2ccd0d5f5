"""Arguments of the tools for tests, checked before they are used: an error says what was got and what expected."""

from __future__ import annotations

from math import inf, isfinite

from mtproto.errors import LocalProtocolError

__all__ = ["check_callable", "check_kind", "check_number", "check_whole"]


def check_kind(name: str, value: object, kind: type, *, or_none: bool = False) -> None:
    """Raise unless the value is of this class, or None where that will do, too."""
    if not (isinstance(value, kind) or (or_none and value is None)):
        article = "an" if kind.__name__[0] in "AEIOUaeiou" else "a"
        raise _wrong(name, value, f"{article} {kind.__name__}{' or None' if or_none else ''}")


def check_callable(name: str, value: object) -> None:
    """Raise unless the value is a function, or None."""
    if value is not None and not callable(value):
        raise _wrong(name, value, "a function or None")


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


def check_whole(name: str, value: object, *, least: int) -> None:
    """Raise unless the value is an int, and no less than that."""
    if type(value) is not int or value < least:
        raise _wrong(name, value, f"an int >= {least}")


def _wrong(name: str, value: object, expected: str) -> LocalProtocolError:
    return LocalProtocolError(f"got {value!r:.60} for {name}, expected {expected}")
