"""The inputs that are kept hold, target by target; and each target fails where the code it is about is broken."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz import decode_any, decode_encode, json_values, lenient, schema_parser
from tests.fuzz.questions import SMALL, TYPES, Rules, header, read_question
from tests.fuzz.targets import TARGETS, load_target
from tl import DecodeError, Reading, Schema, TrailingBytes, decode_prefix, from_json, load, read, to_json

CORPUS = Path(__file__).with_name("corpus")
FILES = [pytest.param(path, id=f"{path.parent.name}/{path.name}") for path in sorted(CORPUS.glob("*/*"))]
every_target = pytest.mark.parametrize("name", TARGETS)


@pytest.mark.parametrize("path", FILES)
def test_it_holds(path: Path) -> None:
    load_target(path.parent.name).run(path.read_bytes())


@every_target
def test_a_target_has_an_invariant_and_a_corpus(name: str) -> None:
    target = load_target(name)
    assert re.fullmatch(r"[A-Z].{40,}\.", target.invariant)
    assert target.corpus is not None
    sizes = [path.stat().st_size for path in target.corpus.iterdir()]
    assert len(sizes) >= 12
    assert max(sizes) < 4096


def test_the_corpora_are_those_of_the_targets_and_small() -> None:
    assert sorted(path.name for path in CORPUS.iterdir()) == sorted(TARGETS)
    assert sum(path.stat().st_size for path in CORPUS.glob("*/*")) < 300 << 10


def test_what_a_header_asks() -> None:
    rules, data = read_question(header("rare", "vector<%Salt>", canonical=False, limits=SMALL) + b"data")
    assert data == b"data"
    assert rules[:7] == ("rare", "vector<%Salt>", False, False, SMALL, False, False)
    rules, data = read_question(header("api", as_view=True, strict_flags=True, is_marked=True))
    assert data == b""
    assert rules[:7] == ("api", None, True, True, None, True, True)
    for name, types in TYPES.items():
        for as_type in types[:256]:
            assert read_question(header(name, as_type)).rules.as_type is as_type
    assert read_question(b"").rules.schema == "api"


# Each target fails: with what stands here in place of the code it is about, some input finds it


def fails(target: Callable[..., None], *arguments: Any) -> bool:
    """Whether the target fails for an input of its corpus, with these in place of its own codecs."""
    name = target.__module__.rpartition(".")[2]
    for path in sorted((CORPUS / name).iterdir()):
        try:
            target(path.read_bytes(), *arguments)
        except Exception:
            return True
    return False


def accepts_what_follows(rules: Rules, data: bytes) -> object:
    try:
        return decode_any.both(rules, data)
    except TrailingBytes as error:
        return decode_any.both(rules, data[: error.offset])


def takes_what_is_not_canonical(rules: Rules, data: bytes) -> object:
    return decode_any.both(rules._replace(canonical=False), data)


def takes_unknown_flags(rules: Rules, data: bytes) -> object:
    return decode_any.both(rules._replace(strict_flags=False), data)


def has_no_limits(rules: Rules, data: bytes) -> object:
    return decode_any.both(rules._replace(limits=None), data)


def points_elsewhere(rules: Rules, data: bytes) -> object:
    try:
        return decode_any.both(rules, data)
    except DecodeError as error:
        error.offset += 1
        raise


def takes_numbers_for_bools(rules: Rules, data: bytes) -> object:
    value = decode_any.both(rules, data)
    return int(value) if isinstance(value, bool) else value


def raises_something_else(rules: Rules, data: bytes) -> object:
    try:
        return decode_any.both(rules, data)
    except DecodeError as error:
        raise IndexError from error


@pytest.mark.parametrize(
    "codec",
    [
        accepts_what_follows,
        takes_what_is_not_canonical,
        takes_unknown_flags,
        has_no_limits,
        points_elsewhere,
        takes_numbers_for_bools,
        raises_something_else,
    ],
)
def test_decode_any_fails(codec: decode_any.Codec) -> None:
    assert fails(decode_any.target, codec)


def test_decode_any_fails_where_both_codecs_are_wrong() -> None:
    def takes_any_end(rules: Rules, data: bytes) -> object:
        value, _ = decode_prefix(rules.package.SCHEMA, data, rules.as_type, limits=rules.limits)
        return value

    assert fails(decode_any.target, takes_any_end, takes_any_end)


def forgets_unknown_flags(rules: Rules, value: Any) -> bytes:
    if "flags" in getattr(value, "__slots__", ()):
        value.flags = 0
    return decode_encode.quick(rules, value)


def forgets_the_bits_of_a_nan(rules: Rules, value: Any) -> bytes:
    if isinstance(value, list):
        value[:] = [float("nan") if item != item else item for item in value]
    return decode_encode.quick(rules, value)


def writes_a_byte_too_many(rules: Rules, value: Any) -> bytes:
    return decode_encode.reference(rules, value) + b"\0"


@pytest.mark.parametrize(
    "encoder", [forgets_unknown_flags, forgets_the_bits_of_a_nan, writes_a_byte_too_many]
)
def test_decode_encode_fails(encoder: decode_encode.Encoder) -> None:
    assert fails(decode_encode.target, (encoder,))


def test_lenient_fails() -> None:
    def broken(change: Callable[[Reading], Reading]) -> Callable[..., Reading]:
        return lambda *arguments, **options: change(read(*arguments, **options))

    assert not fails(lenient.target, broken(lambda reading: reading))
    for change in (
        lambda reading: replace(reading, trailing=b""),
        lambda reading: replace(reading, findings=reading.findings[1:]),
        lambda reading: replace(reading, findings=reading.findings[::-1]),
        lambda reading: replace(reading, span=replace(reading.span, children=reading.span.children[:-1])),
        lambda reading: replace(reading, span=replace(reading.span, note="")),
        lambda reading: replace(reading, value=None),
    ):
        assert fails(lenient.target, broken(change))

    def always_strict(*arguments: Any, mode: str, **options: Any) -> Reading:
        return read(*arguments, mode="strict", **options)

    def always_lenient(*arguments: Any, mode: str, **options: Any) -> Reading:
        return read(*arguments, mode="lenient", **options)

    assert fails(lenient.target, always_strict)
    assert fails(lenient.target, always_lenient)


def test_json_values_fails() -> None:
    def writes_ascii(value: object, *, indent: int | None = None) -> str:
        return json.dumps(json.loads(to_json(value)), indent=indent)

    def forgets_the_bits_of_a_nan(value: object, *, indent: int | None = None) -> str:
        return re.sub('"double": "[^"]*[0-9]"', '"double": "nan"', to_json(value, indent=indent))

    def forgets_an_element(schema: Any, text: str, as_type: object, **options: bool) -> Any:
        value = from_json(schema, text, as_type, **options)
        return value[:1] if isinstance(value, list) else value

    def takes_no_raw_bytes(schema: Any, text: str, as_type: object, *, raw: bool = False) -> Any:
        return from_json(schema, text, as_type)

    def raises_something_else(schema: Any, text: str, as_type: object, **options: bool) -> Any:
        try:
            return from_json(schema, text, as_type, **options)
        except ValueError as error:
            raise KeyError from error

    assert fails(json_values.target, writes_ascii)
    assert fails(json_values.target, forgets_the_bits_of_a_nan)
    assert fails(json_values.target, to_json, forgets_an_element)
    assert fails(json_values.target, to_json, takes_no_raw_bytes)
    assert fails(json_values.target, to_json, raises_something_else)


def test_schema_parser_fails() -> None:
    def forgets_the_last(text: str, **options: Any) -> Schema:
        return Schema(Schema.parse(text, **options).declarations[:-1])

    def is_never_strict(text: str, *, strict_ids: bool = False, layer: int | None = None) -> Schema:
        return Schema.parse(text, layer=layer)

    def takes_one_line(text: str, **options: Any) -> Schema:
        return Schema.parse(text.replace("\n", " "), **options)

    def raises_something_else(schema: Schema) -> Any:
        if len(schema.combinators) > 3:
            raise RecursionError
        return load(schema, "fuzzed")

    def loads_something_else(schema: Schema) -> Any:
        return load(Schema(schema.declarations[:1]), "fuzzed")

    assert fails(schema_parser.target, forgets_the_last)
    assert fails(schema_parser.target, is_never_strict)
    assert fails(schema_parser.target, takes_one_line)
    assert fails(schema_parser.target, Schema.parse, raises_something_else)
    assert fails(schema_parser.target, Schema.parse, loads_something_else)
