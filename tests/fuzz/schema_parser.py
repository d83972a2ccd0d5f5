"""Whatever the text, it is a schema whose normal spelling is an equal one and whose classes work, or SchemaError.

An error points into the text; a schema's classes are made by `tl.load` or refused with a SchemaError; both
codecs then take values of each class both ways.  The input is the text, in UTF-8.
"""

from __future__ import annotations

import contextlib
import random
import warnings
from collections.abc import Callable
from typing import Any
from zlib import crc32

from tests.fuzz.drawing import NoValue, draw
from tests.fuzz.verdicts import Broken, is_same
from tl import LimitExceeded, SchemaError, decode, load
from tl.loader import LoadedSchema
from tl.names import class_name, module_name
from tl.package import package_files
from tl.reference import reference_decode, reference_encode
from tl.schema import Schema

__all__ = ["target"]

Parser = Callable[..., Schema]
Loader = Callable[[Schema], LoadedSchema]

_MOST_CLASSES = 6
"""Of more than these classes only some are made: time is better spent on other texts."""
_EVERY = 4
"""One of so many has its package written, too: that is slow, and nearly the same code."""


def _load(schema: Schema) -> LoadedSchema:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load(schema, "fuzzed")


def target(raw: bytes, parse: Parser = Schema.parse, loader: Loader = _load) -> None:
    """Raise where `parse` or `loader` raise anything but SchemaError, or give what does not hold together."""
    text = raw.decode("utf-8", "surrogateescape")  # lone surrogates are what a str can hold and UTF-8 can't
    schema = _parsed(text, parse)
    if schema is None:
        return
    _check_spelling(schema, parse)
    _check_ids(text, schema, parse)
    if schema.layer is not None:
        for layer in (0, 7, *schema.layers[:2]):
            _parsed(text, parse, layer=layer)
    try:
        package = loader(schema)
    except SchemaError as error:
        _check_error(error, text)
        return
    number = crc32(raw)
    if not number % _EVERY:
        for file, source in package_files(schema, "fuzzed").items():
            compile(source, file, "exec")
    _check_classes(schema, package, random.Random(number))


def _parsed(text: str, parse: Parser, **options: Any) -> Schema | None:
    try:
        return parse(text, **options)
    except SchemaError as error:
        _check_error(error, text)
        return None


def _check_error(error: SchemaError, text: str) -> None:
    """Every error in it points at a place of the text, and shows the line."""
    if error.errors[0] is not error or not str(error):
        raise Broken(f"{text!r}\n gives {error!r} with the errors {error.errors}")
    lines = text.removeprefix("\ufeff").split("\n")
    for one in error.errors:
        if not one.line:
            continue
        line = lines[one.line - 1] if one.line <= len(lines) else ""
        if one.line > len(lines) or one.text not in ("", line.rstrip("\r")):
            raise Broken(f"{text!r}\n gives an error at {one.line}:{one.column}, {one.text!r}")
        if not 1 <= one.column <= len(line) + 1:
            raise Broken(f"{text!r}\n gives an error at {one.line}:{one.column}, behind the line")


def _check_spelling(schema: Schema, parse: Parser) -> None:
    """Its normal spelling is a schema equal to it, with the same ids, spelled the same."""
    normal = str(schema)
    again = parse(normal)
    if again != schema or str(again) != normal:
        raise Broken(f"{normal}\n is spelled\n{again}")
    ids = [c.constructor_id for c in schema.combinators]
    if [c.constructor_id for c in again.combinators] != ids:
        raise Broken(f"{normal}\n has other ids than {ids}")


def _check_ids(text: str, schema: Schema, parse: Parser) -> None:
    """Strict ids are refused exactly where there is a mismatch."""
    is_strict = _parsed(text, parse, strict_ids=True) is not None
    if is_strict == bool(schema.id_mismatches):
        raise Broken(
            f"{text!r}\n has the mismatches {schema.id_mismatches}, strictly it is read: {is_strict}"
        )


def _check_classes(schema: Schema, package: LoadedSchema, rng: random.Random) -> None:
    """All combinators are there with their ids, and those that are looked at have a class, in its place."""
    ids = {c.name: c.constructor_id for c in schema.combinators}
    if {name: declared[0] for name, declared in package.SCHEMA.declared.items()} != ids:
        raise Broken(f"{schema}\n is loaded as {package.SCHEMA.declared}")
    for c in rng.sample(schema.combinators, min(_MOST_CLASSES, len(ids))):
        module = getattr(package, module_name(c.namespace)) if c.namespace else package
        cls = package.SCHEMA.by_name[c.name]
        if getattr(module, class_name(c.name)) is not cls or c.constructor_id != cls.CONSTRUCTOR_ID:
            raise Broken(f"{schema}\n has something else in the place of {c.name}")
        _check_values(cls, rng)


def _check_values(cls: Any, rng: random.Random) -> None:
    """Values of the class, with all that is optional and with some of it, are the same to both codecs."""
    for likely in (1.0, 0.5):
        with contextlib.suppress(NoValue):
            _check_value(cls, draw(rng, cls, likely))


def _check_value(cls: Any, value: Any) -> None:
    encoded = reference_encode(value)
    if bytes(value) != encoded:
        raise Broken(f"{cls.TL}\n {value!r} is {encoded.hex(' ', -4)} or {bytes(value).hex(' ', -4)}")
    for codec in (decode, reference_decode):
        try:
            again = codec(cls.SCHEMA, encoded, cls)
        except LimitExceeded:
            continue
        if not is_same(again, value):
            raise Broken(f"{cls.TL}\n {value!r} is {encoded.hex(' ', -4)}, and that is {again!r}")
