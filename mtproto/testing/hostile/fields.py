"""Fields of a script: None is computed, a value is sent as it is, a function makes one of what was computed."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any, TypeVar

import tl
from mtproto.errors import LocalProtocolError

__all__ = [
    "bent",
    "check_callable",
    "check_names",
    "checked_seed",
    "given",
    "names_of",
    "settled",
    "takes_two",
]

T = TypeVar("T", bound=tl.TLObject)


def names_of(cls: type[tl.TLObject]) -> tuple[str, ...]:
    """The names of a combinator's fields."""
    return tuple(field.name for field in cls.FIELDS)


def check_names(what: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Raise LocalProtocolError for a field that does not exist."""
    known = tuple(dict.fromkeys(known))
    for name in names:
        if name not in known:
            raise LocalProtocolError(
                f"{what} has no field {name!r}; it has: {', '.join(known) or 'none'} (None: computed)"
            )


def check_callable(what: str, value: Any) -> None:
    """Raise LocalProtocolError for what is neither None nor a function."""
    if value is not None and not callable(value):
        raise LocalProtocolError(f"{what}: got {value!r:.60}, expected a function")


def checked_seed(seed: Any) -> int:
    """The seed; LocalProtocolError for what is no whole number."""
    if type(seed) is not int:
        raise LocalProtocolError(f"got {seed!r:.60} for a seed, expected an int")
    return seed


def given(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of what is not computed."""
    return tuple(name for name, value in fields.items() if value is not None)


def settled(value: Any, computed: Any, stage: object) -> Any:
    """What to send: `computed`, the value that was given, or what a function makes of them.

    The function gets what was computed, or, if it takes two arguments, that and the stage.
    """
    if value is None:
        return computed
    if not callable(value):
        return value
    return value(computed, stage) if takes_two(value) else value(computed)


def takes_two(function: Any) -> bool:
    """Whether a function has two parameters without a default, or more."""
    places = [
        p
        for p in inspect.signature(function).parameters.values()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty
    ]
    return len(places) >= 2


def bent(value: T, fields: Mapping[str, Any], stage: object) -> T:
    """A copy of a TL object, with those of `fields` in it that are not None."""
    other = copy(value)
    for name in names_of(type(value)):
        setattr(other, name, settled(fields.get(name), getattr(value, name), stage))
    return other
