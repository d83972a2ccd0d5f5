"""TL values, and the trees of their bytes, as JSON text; what the JSON looks like is told in `tl.json_values`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tl.errors import JSONValueError
from tl.findings import Finding
from tl.json_values import from_json_value, to_json_value
from tl.rows import is_one
from tl.spans import Span

__all__ = ["from_json", "parse_json", "span_json", "to_json"]

_MOST_DIGITS = 309
"""Of a whole number: those of the largest double."""


def to_json(value: object, *, indent: int | None = None) -> str:
    """The JSON text of a TL value; raise EncodeError, with the path, for what is none."""
    return json.dumps(to_json_value(value), ensure_ascii=False, indent=indent)


def from_json(schema: object, text: str, as_type: object = None, *, raw: bool = False) -> Any:
    """The TL value that a JSON text describes, of the type `as_type` as for `tl.decode`.

    With `raw`, ``{"_raw": "ff"}`` is taken for any value, as `tl.Raw`.  Raise JSONValueError where the text is
    no JSON, with line and column, or not of that type, with the JSON path; a key that is there twice and
    numbers that JSON has not (``NaN``) are errors, too.
    """
    return from_json_value(schema, parse_json(text), as_type, raw=raw)


def parse_json(text: str | bytes) -> object:
    """The JSON value that a text is, strictly.

    Raise JSONValueError, with line and column, where it is none; a name that is there twice in one object,
    ``NaN`` and its like, and numbers of thousands of digits are errors, too.
    """
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_int=_whole_number)
    except RecursionError:
        raise JSONValueError("nested too deeply") from None
    except json.JSONDecodeError as error:
        raise JSONValueError(f"{error.msg} (line {error.lineno} column {error.colno})") from None
    except UnicodeDecodeError as error:
        raise JSONValueError(str(error)) from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise JSONValueError(f"the name {twice!r} is there twice in one object")
    return found


def _constant(constant: str) -> object:
    raise JSONValueError(f'{constant} is no JSON; a double may be {{"double": "nan" | "inf" | "-inf"}}')


def _whole_number(text: str) -> int:
    """Ahead of Python, which takes long for long ones, or refuses them with advice to programmers."""
    digits = len(text.lstrip("-"))
    if digits > _MOST_DIGITS:
        raise JSONValueError(f"a whole number of {digits} digits, expected at most {_MOST_DIGITS}")
    return int(text)


def span_json(span: Span, findings: Sequence[Finding] | None = None) -> dict[str, object]:
    """The tree as a JSON value: `start`, `end`, `path`, `type`; the `value` of what has no parts but those
    of a string; a `note` and `children` where there are some.

    With `findings`, of a lenient reading, they are a list at the top: `name`, `offset`, `path`, `message`,
    `expected`, `got`, and where there are some the `candidates`.
    """
    found = _span_json(span)
    if findings is not None:
        found["findings"] = [_finding_json(finding) for finding in findings]
    return found


def _span_json(span: Span) -> dict[str, object]:
    found: dict[str, object] = {
        "start": span.start,
        "end": span.end,
        "path": span.path,
        "type": span.tl_type,
    }
    if is_one(span):
        found["value"] = to_json_value(span.value)
    if span.note:
        found["note"] = span.note
    if span.children:
        found["children"] = [_span_json(child) for child in span.children]
    return found


def _finding_json(finding: Finding) -> dict[str, object]:
    told: dict[str, object] = {
        "name": finding.name,
        "offset": finding.offset,
        "path": finding.path,
        "message": finding.message,
        "expected": _plain(finding.expected),
        "got": _plain(finding.got),
    }
    if finding.candidates:
        told["candidates"] = list(finding.candidates)
    return told


def _plain(value: object) -> object:
    """What was got or expected: a number, a text, bytes."""
    return None if value is None else to_json_value(value)
