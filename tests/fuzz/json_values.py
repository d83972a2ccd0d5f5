"""Every decoded value comes back from its JSON the same, and any text gives a value that encodes or JSONValueError.

The input is a question (`tests.fuzz.questions`).  With bit 7 the data is a JSON text instead of an encoding.
With bit 6 raw bytes may stand for any value: an encoding is read leniently, so that it has some.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.fuzz.questions import Question, Rules, read_question
from tests.fuzz.verdicts import Broken, is_same
from tl import DecodeError, JSONValueError, LimitExceeded, from_json, read, to_json
from tl.objects import Boxed
from tl.primitives import Vector
from tl.reference import reference_encode_as
from tl.wire import WireType

__all__ = ["target"]

ToJSON = Callable[..., str]
FromJSON = Callable[..., Any]


def target(raw: bytes, writer: ToJSON = to_json, reader: FromJSON = from_json) -> None:
    """Raise where `writer` and `reader` are not each other's inverse, or anything but JSONValueError comes."""
    question = read_question(raw)
    if question.rules.is_marked:
        _check_text(question, writer, reader)
    else:
        _check_encoding(question, writer, reader)


def _check_encoding(question: Question, writer: ToJSON, reader: FromJSON) -> None:
    rules, data = question
    schema = rules.package.SCHEMA
    if not _says_its_type(schema.wire_type(rules.as_type)):
        return
    if rules.as_view:
        value = read(data, schema, rules.as_type, mode="lenient", others=()).value
        _check_value(question, value, writer, reader)
        return
    decode: Any = rules.package.decode
    try:
        value = decode(data, rules.as_type, rules.canonical, rules.strict_flags, rules.limits)
    except DecodeError:
        return
    _check_value(question, value, writer, reader)


def _says_its_type(kind: WireType) -> bool:
    """Whether a value's JSON follows from the value alone: not that of a repetition outside of any object,
    whose items have names that only the type knows."""
    while isinstance(kind, Vector):
        kind = kind.item
    return isinstance(kind, Boxed) or "[" not in kind.name


def _check_value(question: Question, value: object, writer: ToJSON, reader: FromJSON) -> None:
    """The value → JSON → the value, in one line or in many, as JSON is written elsewhere."""
    rules = question.rules
    indent = (
        2 if len(question.data) % 8 == 1 else None
    )  # lines are as many as there are brackets: that is slow
    text = writer(value, indent=indent)
    again = reader(rules.package.SCHEMA, text, rules.as_type, **_options(rules))
    if not is_same(again, value):
        raise Broken(f"{question}\n is {value!r}\n and by way of {text}\n it is {again!r}")
    if text != json.dumps(json.loads(text), ensure_ascii=False, indent=indent):
        raise Broken(f"{question}\n is, as JSON, {text}")


def _check_text(question: Question, writer: ToJSON, reader: FromJSON) -> None:
    rules, data = question
    schema = rules.package.SCHEMA
    text = data.decode("utf-8", "surrogateescape")  # lone surrogates are what a str can hold and UTF-8 can't
    try:
        value = reader(schema, text, rules.as_type, **_options(rules))
    except JSONValueError as error:
        if not error.path.startswith("$") or str(error) != f"{error.path}: {error.message}":
            raise Broken(f"{question}\n {text!r} gives {error!r}, at {error.path!r}") from None
        return
    encoded = reference_encode_as(schema, value, rules.as_type)
    if rules.is_boxed and bytes(value) != encoded:
        raise Broken(
            f"{question}\n {text!r} encodes to {bytes(value).hex(' ', -4)}, or {encoded.hex(' ', -4)}"
        )
    if not rules.as_view:
        _check_decoding(question, value, encoded)
    if _says_its_type(schema.wire_type(rules.as_type)):
        _check_value(question, value, writer, reader)


def _check_decoding(question: Question, value: object, encoded: bytes) -> None:
    """What was encoded is the value again, or deeper than what is decoded by default."""
    decode: Any = question.rules.package.decode
    try:
        again = decode(encoded, question.rules.as_type)
    except LimitExceeded:
        return
    if not is_same(again, value):
        raise Broken(f"{question}\n is {value!r},\n whose encoding is {again!r}")


def _options(rules: Rules) -> dict[str, bool]:
    return {"raw": True} if rules.as_view else {}
