"""Fuzzed bytes → what is asked of the codec: a type of a schema, the rules to decode by, and an encoding.

    byte 0     bits 0–1  the schema: 0 api, 1 service, 2 and 3 rare
               bit 2     canonical=False          bit 3  strict_flags=True
               bits 4–5  the limits: 0 and 1 the default ones, 2 `SMALL`, 3 `TINY`
               bit 6     the data is a memoryview of a bytearray
               bit 7     for the target to use
    byte 1     the type, by its place in `TYPES` of the schema, counted round
    byte 2 …   the data

The schemas are loaded once, when this module is imported.  `str(question)` says what a file of a corpus asks.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from tl import Limits, load
from tl.errors import IdMismatchWarning
from tl.loader import LoadedSchema
from tl.objects import Boxed

__all__ = ["PACKAGES", "SMALL", "TINY", "TYPES", "Question", "Rules", "header", "read_question"]

# Data that could hold more objects than this, and not more string bytes, is counted by straight-line code.
SMALL = Limits(depth=6, objects=8, elements=12, empty_elements=4, string_bytes=300)
TINY = Limits(depth=2, objects=2, elements=3, empty_elements=1, string_bytes=40)

_LIMITS = (None, None, SMALL, TINY)
_NAMES = ("api", "service", "rare", "rare")
_ROOT = Path(__file__).parents[2]
_FILES = {
    "api": _ROOT / "schema" / "api.tl",
    "service": _ROOT / "schema" / "mtproto.tl",
    "rare": Path(__file__).with_name("rare.tl"),
}
_EVERYWHERE = (
    *("Object", "int", "long", "double", "string", "bytes", "int128", "int256", "Bool", "true", "#"),
    *("Vector<int>", "Vector<long>", "Vector<double>", "Vector<int128>", "Vector<int256>", "Vector<#>"),
    *("Vector<string>", "Vector<bytes>", "Vector<Bool>", "Vector<true>", "Vector<Object>"),
    *("vector<int>", "vector<string>", "vector<true>", "vector<Object>", "%Vector<long>"),
    *("Vector<Vector<int>>", "vector<Vector<string>>", "Vector<vector<vector<true>>>"),
    *("2*[ int ]", "3*[ a:int b:string ]", "2*[ flags:# a:flags.0?int b:flags.1?true ]", "0*[ int ]"),
    *("Vector<2*[ int ]>", "Vector<0*[ int ]>", "vector<2*[ flags:# a:flags.0?Vector<bytes> ]>"),
)


def _load(name: str) -> LoadedSchema:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IdMismatchWarning)
        return load(_FILES[name], name)


def _types(package: LoadedSchema) -> Iterator[object]:
    """What can be asked for as `as_type`, first what every schema has."""
    schema = package.SCHEMA
    yield None
    yield from _EVERYWHERE
    boxed = sorted(schema.type_names())
    yield from boxed
    yield from (f"Vector<{name}>" for name in boxed)
    yield from (f"vector<%{name}>" for name in boxed if len(schema.constructor_names(name)) == 1)
    yield from (schema.by_name[name] for name in sorted(schema.by_name))
    for name in boxed:
        union: Any = None
        for cls in schema.classes(name)[:3]:
            union = cls if union is None else union | cls
        yield union


PACKAGES = {name: _load(name) for name in _FILES}
"""The loaded schemas by name."""
TYPES = {name: tuple(dict.fromkeys(_types(package))) for name, package in PACKAGES.items()}
"""Schema → every `as_type` that can be asked for; the order is fixed as long as the schema is."""


class Rules(NamedTuple):
    """The schema, the type, and how strictly it is to be decoded."""

    schema: str
    as_type: Any
    canonical: bool
    strict_flags: bool
    limits: Limits | None
    as_view: bool
    is_marked: bool
    """Bit 7, which each target has its own use for."""
    package: LoadedSchema
    is_boxed: bool
    """Whether a value is an object behind its id, so that ``bytes(value)`` is its encoding."""


class Question(NamedTuple):
    """An encoding, or what claims to be one, and the rules to decode it by."""

    rules: Rules
    data: bytes

    def __str__(self) -> str:
        rules = self.rules
        said = [f"as_type={_shown(rules.as_type)}"] if rules.as_type is not None else []
        said += ["canonical=False"] if not rules.canonical else []
        said += ["strict_flags=True"] if rules.strict_flags else []
        said += [f"limits={rules.limits}"] if rules.limits else []
        said += ["as a memoryview"] if rules.as_view else []
        said += ["marked"] if rules.is_marked else []
        return f"{rules.schema}{', ' * bool(said)}{', '.join(said)}: {self.data.hex(' ', -4)}"


def _shown(as_type: object) -> str:
    return repr(as_type) if isinstance(as_type, str) else str(getattr(as_type, "TL_NAME", as_type))


def header(
    schema: str,
    as_type: object = None,
    *,
    canonical: bool = True,
    strict_flags: bool = False,
    limits: Limits | None = None,
    as_view: bool = False,
    is_marked: bool = False,
) -> bytes:
    """The two bytes in front of the data that ask for this; ValueError for a type that can't be asked for."""
    options = _NAMES.index(schema) | (not canonical) << 2 | strict_flags << 3
    options |= (0 if limits is None else _LIMITS.index(limits)) << 4 | as_view << 6 | is_marked << 7
    number = TYPES[schema].index(as_type)
    if number > 255:
        raise ValueError(f"{_shown(as_type)} is number {number} of {schema}, a byte goes to 255")
    return bytes([options, number])


def read_question(raw: bytes) -> Question:
    """What the fuzzed bytes ask; missing ones count as zeros."""
    return Question(_rules(raw[:2].ljust(2, b"\0")), raw[2:])


@lru_cache(maxsize=1 << 16)
def _rules(head: bytes) -> Rules:
    options, number = head
    name = _NAMES[options & 3]
    package, types = PACKAGES[name], TYPES[name]
    as_type = types[number % len(types)]
    return Rules(
        name,
        as_type,
        canonical=not options & 4,
        strict_flags=bool(options & 8),
        limits=_LIMITS[options >> 4 & 3],
        as_view=bool(options & 64),
        is_marked=bool(options & 128),
        package=package,
        is_boxed=isinstance(package.SCHEMA.wire_type(as_type), Boxed),
    )
