"""The classes of one schema, found by name, by id and by type: what decoding starts from.

Every generated package has one registry (``api.SCHEMA``), so several schemas and layers live side by side in
one process, and every object knows its own (``obj.SCHEMA``).  Generated classes add themselves as they are
defined.
"""

from __future__ import annotations

from types import UnionType
from typing import Any, get_args

from tl.ast import Combinator
from tl.errors import SchemaError
from tl.fast import (
    NUMBER_CODES,
    FastReader,
    FastWriter,
    read_boxes,
    read_bytes_vector,
    read_numbers,
    read_string_vector,
)
from tl.fields import Table, make_table, wire_type
from tl.objects import AnyObject, Boxed, OneOf
from tl.parser import parse, parse_type
from tl.primitives import Vector
from tl.wire import BOOL_FALSE, BOOL_TRUE, VECTOR_ID, WireType

__all__ = ["Registry"]


class Registry:
    """The classes of one schema.  `name` says which in errors; `layer` is its layer number, or None."""

    def __init__(self, name: str, layer: int | None = None) -> None:
        self.name = name
        self.layer = layer
        self.by_name: dict[str, Any] = {}
        self._by_id: dict[int, Any] = {}
        self._constructors: dict[str, list[Any]] = {}
        everything: dict[bytes, FastReader] = {}
        # What a caller may ask for (`as_type`) → readers by constructor id.
        self.fast_readers: dict[object, dict[bytes, FastReader]] = {
            None: everything,
            "Object": everything,
            "!X": {},
            "Bool": {BOOL_TRUE: _read_true, BOOL_FALSE: _read_false},
        }
        self._writers: dict[str, dict[type, FastWriter]] = {"Bool": {bool: _write_bool}}
        self._tables: dict[type, Table] = {}

    def __repr__(self) -> str:
        layer = "" if self.layer is None else f", layer {self.layer}"
        return f"<Registry {self.name}{layer}, {len(self.by_name)} combinators>"

    def add(self, cls: Any) -> None:
        """Make a generated class known; raise SchemaError where its name or id is taken."""
        key = cls.CONSTRUCTOR_ID.to_bytes(4, "little")
        is_function = hasattr(cls, "RESULT")
        everything = self.fast_readers["Object"]
        if cls.TL_NAME in self.by_name:
            raise SchemaError(f"{self.name} already has a combinator {cls.TL_NAME}")
        self.by_name[cls.TL_NAME] = cls
        if is_function:
            self.fast_readers["!X"][key] = cls._read
            everything[key] = cls._read
        else:
            self._constructors.setdefault(cls.TYPE, []).append(cls)
            if cls.TYPE != "Bool":  # built in: whatever a schema declares, its values are True and False
                self.readers(cls.TYPE)[key] = cls._read
                self.writers(cls.TYPE)[cls] = cls._encode
            everything.setdefault(key, cls._read)
        if is_function or cls.CONSTRUCTOR_ID not in self._by_id:
            self._by_id[cls.CONSTRUCTOR_ID] = cls

    # What generated code asks for

    def readers(self, type_name: object) -> dict[bytes, FastReader]:
        """The fast readers of a boxed type by constructor id, filled as classes are added."""
        return self.fast_readers.setdefault(type_name, {})

    def writers(self, type_name: str) -> dict[type, FastWriter]:
        """The fast writers of a boxed type by class, filled as classes are added."""
        return self._writers.setdefault(type_name, {})

    # What field tables ask for

    def find(self, constructor_id: int) -> Any | None:
        """The class with this id, or None."""
        return self._by_id.get(constructor_id)

    def classes(self, type_name: str) -> tuple[Any, ...]:
        """The classes of a boxed type's constructors; () where there is no such type."""
        return tuple(self._constructors.get(type_name, ()))

    def is_object(self, value: object, *, function: bool) -> bool:
        """Whether `value` is a TL object (or function) of any schema."""
        cls: Any = type(value)
        schema = getattr(cls, "SCHEMA", None)
        return (
            isinstance(schema, Registry)
            and hasattr(cls, "TL_NAME")
            and (hasattr(cls, "RESULT") or not function)
        )

    def bare_name(self, name: str) -> str:
        """The constructor that the bare type `name` means: itself, or the only one of that type."""
        classes = self.classes(name)
        if len(classes) == 1:
            return str(classes[0].TL_NAME)
        if name not in self.by_name:
            raise SchemaError(f"{self.name} has no constructor {name!r}")
        return name

    def table(self, cls: Any) -> Table:
        """The field table of a class, made on first use."""
        if cls not in self._tables:
            self._tables[cls] = make_table(self.combinator(cls), self)
        return self._tables[cls]

    def combinator(self, cls: Any) -> Combinator:
        """The combinator that a class was made from, parsed from its TL text."""
        return parse(cls.TL).combinators[0]

    def wire_type(self, as_type: object) -> WireType:
        """The wire type that a caller means: a class, a union, a TL type's text, or None for any object."""
        if as_type is None:
            return AnyObject("Object", self)
        if isinstance(as_type, str):
            return wire_type(parse_type(as_type), self)
        classes = get_args(as_type) if isinstance(as_type, UnionType) else (as_type,)
        if all(isinstance(getattr(c, "SCHEMA", None), Registry) and hasattr(c, "TL_NAME") for c in classes):
            return OneOf(classes, self)
        raise TypeError(
            f"as_type: got {as_type!r}, expected a class or union of {self.name}, or a TL type's text"
        )

    def requested_readers(self, as_type: object) -> dict[bytes, FastReader]:
        """The fast readers for what a caller asked for; empty where only the reference codec will do."""
        found = self.fast_readers.get(as_type)
        if found is None:
            found = self._readers_of(self.wire_type(as_type))
            if len(self.fast_readers) < _MOST_READERS:  # a text can be spelled in many ways
                self.fast_readers[as_type] = found
        return found

    def _readers_of(self, kind: WireType) -> dict[bytes, FastReader]:
        if isinstance(kind, OneOf):
            return {c.CONSTRUCTOR_ID.to_bytes(4, "little"): c._read for c in kind.classes()}
        if not isinstance(kind, Vector) or not kind.boxed:
            return {}
        # The readers of vectors begin at the id, which is behind us here.
        item = kind.item.name
        if isinstance(kind.item, Boxed):
            readers = self.requested_readers(item)
            return {VECTOR_ID: lambda data, pos, depth: read_boxes(data, pos - 4, readers, depth)}
        if item in NUMBER_CODES:
            code = NUMBER_CODES[item]
            return {VECTOR_ID: lambda data, pos, depth: read_numbers(data, pos - 4, code)}
        if item in _STRING_VECTORS:
            read = _STRING_VECTORS[item]
            return {VECTOR_ID: lambda data, pos, depth: read(data, pos - 4)}
        return {}


_MOST_READERS = 10_000
_MOST_READERS = 10_000
_STRING_VECTORS: dict[str, Any] = {"bytes": read_bytes_vector, "string": read_string_vector}


def _write_bool(value: bool) -> bytes:
    return BOOL_TRUE if value else BOOL_FALSE


def _read_true(data: bytes, position: int, depth: int) -> tuple[Any, int]:
    return True, position


def _read_false(data: bytes, position: int, depth: int) -> tuple[Any, int]:
    return False, position
