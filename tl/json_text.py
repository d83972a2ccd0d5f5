"""TL values, and the trees of their bytes, as JSON text; what the JSON looks like is told in `tl.json_values`."""

from __future__ import annotations

import json
from typing import Any

from tl.errors import JSONValueError
from tl.inspection import Span
from tl.json_values import from_json_value, to_json_value
from tl.registry import Registry

__all__ = ["from_json", "span_json", "to_json"]


def to_json(value: object, *, indent: int | None = None) -> str:
    """The JSON text of a TL value; raise EncodeError, with the path, for what is none."""
    return json.dumps(to_json_value(value), ensure_ascii=False, indent=indent)


def from_json(schema: Registry, text: str, as_type: object = None) -> Any:
    """The TL value that a JSON text describes, of the type `as_type` as for `tl.decode`.

    Raise JSONValueError where the text is no JSON, with line and column, or not of that type, with the JSON
    path; a key that is there twice and numbers that JSON has not (``NaN``) are errors, too.
    """
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise JSONValueError(f"no JSON: {error.msg}, line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise JSONValueError("nested deeper than the interpreter allows") from None
    except ValueError as error:  # a number of thousands of digits
        if isinstance(error, JSONValueError):
            raise
        raise JSONValueError(f"no JSON that can be read: {error}") from None
    return from_json_value(schema, value, as_type)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise JSONValueError(f"the key {twice!r} is there twice in one object")
    return found


def _constant(name: str) -> object:
    raise JSONValueError(f'got {name}, which JSON has not: expected a number or {{"double": …}}')


def span_json(span: Span) -> dict[str, object]:
    """The tree as a JSON value: `start`, `end`, `path`, `type`; the `value` of what has no parts but those
    of a string; a `note` and `children` where there are some."""
    found: dict[str, object] = {
        "start": span.start,
        "end": span.end,
        "path": span.path,
        "type": span.tl_type,
    }
    if not span.children or span.tl_type in ("string", "bytes"):
        found["value"] = to_json_value(span.value)
    if span.note:
        found["note"] = span.note
    if span.children:
        found["children"] = [span_json(child) for child in span.children]
    return found
