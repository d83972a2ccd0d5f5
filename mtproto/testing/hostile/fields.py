"""Fields of a script: None is computed, a value is sent as it is, a function makes one of what was computed."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any, TypeVar

import tl
from mtproto.crypto.auth_key import AuthKey
from mtproto.errors import LocalProtocolError
from mtproto.side import Side

__all__ = [
    "bent",
    "check_callable",
    "check_names",
    "check_values",
    "checked_seed",
    "checked_value",
    "given",
    "names_of",
    "settled",
    "takes_two",
]

T = TypeVar("T", bound=tl.TLObject)

_BITS = {"salt": 64, "session_id": 64, "msg_id": 64, "seq_no": 32, "length": 32, "count": 32, "code": 32}
_BYTES = {
    *("msg_key", "auth_key_id", "payload", "frame", "trailing", "data", "token", "packed_data"),
    *("answer_hash", "data_hash", "data_padding", "temp_key"),
}
_CLASSES = {"auth_key": AuthKey, "direction": Side, "quick_ack": bool, "padding": bytes}
_MAX_PADDING = 2**24


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


def checked_value(what: str, name: str, value: Any) -> Any:
    """The value of a field of a message or its envelope; LocalProtocolError where it is of a wrong type."""
    if name in _BITS:
        half = 2 ** (_BITS[name] - 1)
        if type(value) is not int or not -half <= value < half:
            raise _wrong(what, name, value, f"an int of {_BITS[name]} bits")
    elif name == "padding" and type(value) is int:
        if not 0 <= value <= _MAX_PADDING:
            raise _wrong(what, name, value, f"bytes, or how many of them, at most {_MAX_PADDING}")
    elif name in _BYTES or name in _CLASSES:
        cls = _CLASSES.get(name, bytes)
        if not isinstance(value, cls):
            raise _wrong(what, name, value, f"{cls.__name__}{' or an int' if name == 'padding' else ''}")
    return value


def _wrong(what: str, name: str, value: Any, expected: str) -> LocalProtocolError:
    got = type(value).__name__ if name == "auth_key" else f"{value!r:.60}"  # a key is not to be seen
    return LocalProtocolError(f"{what}: {name}: got {got}, expected {expected}")


def check_values(what: str, fields: Mapping[str, Any]) -> None:
    """Raise LocalProtocolError for a value of a wrong type; what functions make shows when they are called."""
    for name, value in fields.items():
        if value is not None and not callable(value):
            checked_value(what, name, value)


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
