"""What the targets compare: values bit by bit, verdicts of two decoders, and the failure they raise."""

from __future__ import annotations

from collections.abc import Callable
from struct import pack
from typing import Any

from tl import DecodeError, errors

__all__ = ["Broken", "check_error", "is_same", "same_error", "verdict"]

_CLASSES = frozenset(
    found
    for found in (getattr(errors, name) for name in errors.__all__)
    if issubclass(found, DecodeError) and found is not DecodeError
)


class Broken(AssertionError):
    """The invariant of a target does not hold; the message says for what."""


def is_same(one: Any, other: Any) -> bool:
    """Whether two decoded values are the same, types and the bits of NaNs included; ``==`` is more lenient."""
    kind = type(one)
    if kind is not type(other):
        return False
    if isinstance(one, float):
        return pack("<d", one) == pack("<d", other)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(is_same, one, other))
    if hasattr(kind, "TL_NAME"):
        return all(is_same(getattr(one, name), getattr(other, name)) for name in kind.__slots__)
    return bool(one == other)


def verdict(ask: Callable[[], object]) -> object:
    """What `ask` returns, or the DecodeError that it raises; anything else it raises goes through."""
    try:
        return ask()
    except DecodeError as error:
        return error


def same_error(one: DecodeError, other: DecodeError) -> bool:
    """Whether two errors say the same of the same place."""
    return type(one) is type(other) and one.args == other.args and vars(one) == vars(other)


def check_error(error: DecodeError, size: int) -> None:
    """Raise Broken where an error about `size` bytes is of no public class, or points outside of them."""
    if type(error) not in _CLASSES:
        raise Broken(f"a {type(error).__name__}, expected one of those that the documentation lists: {error}")
    if not 0 <= error.offset <= size:
        raise Broken(f"offset {error.offset} in {size} bytes: {error}")
    if error.got is None or error.expected is None:
        raise Broken(f"an error without got or expected: {error}")
