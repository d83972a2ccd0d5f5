"""Decoded values as text, with TL's own names: ``auth.sentCodeTypeSms(length=5)``."""

from __future__ import annotations

from collections.abc import Iterator

from tl.fields import Field, Flags, Table

__all__ = ["notation"]


def notation(value: object, width: int | None = None) -> str:
    """A decoded value with TL's own names: ``auth.sentCodeTypeSms(length=5)``.

    In one line, or with a `width`, where it is longer than that, as a tree with a line for each field.  Fields
    that are absent and flags that are not set are left out, as in ``repr``.
    """
    if width is not None:
        return "\n".join(_tree(value, width))
    if isinstance(value, bool):
        return str(value).lower()
    start, parts, end = _parts(value)
    return f"{start}{', '.join(name + notation(item) for name, item in parts)}{end}"


def _tree(value: object, width: int, around: int = 0) -> Iterator[str]:
    """The lines of a value; `around` is what else stands in the first or last line."""
    line = notation(value)
    start, parts, end = _parts(value)
    if len(line) + around <= width or not parts:
        yield line
        return
    yield start
    for name, item in parts:
        lines = list(_tree(item, width - 2, len(name) + 1))
        lines[0] = name + lines[0]
        lines[-1] += ","
        yield from (f"  {line}" for line in lines)
    yield end


def _parts(value: object) -> tuple[str, list[tuple[str, object]], str]:
    """What a value's text begins with, the values inside it behind ``name=``, and what the text ends with."""
    if isinstance(value, list | tuple):
        return "[", [("", item) for item in value], "]"
    table: Table | None = getattr(type(value), "FIELDS", None)
    if table is None:
        return repr(value), [], ""
    there = [
        (f"{field.tl_name or field.name}=", item)
        for field in table
        if _is_there(field, item := getattr(value, field.name, None))
    ]
    return f"{getattr(value, 'TL_NAME', '?')}(", there, ")"


def _is_there(field: Field, value: object) -> bool:
    if isinstance(field.type, Flags):
        return value != 0
    return field.flag is None or value is not (False if field.is_true_flag else None)
