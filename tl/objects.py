"""The wire types that know of classes: boxed types, bare constructors, any object.

They find the classes in the registry of their schema, and read and write an object by its class's field
table (`tl.fields`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tl.errors import DecodeError, UnknownConstructor
from tl.fast import new
from tl.wire import VECTOR_ID, Reader, WireType, Writer, type_name

if TYPE_CHECKING:
    from tl.fields import Table
    from tl.registry import Registry

__all__ = ["MAX_ENCODE_DEPTH", "AnyObject", "Bare", "Boxed", "OneOf"]

MAX_ENCODE_DEPTH = 128
"""How deep objects may be nested when they are encoded: more than a decoder takes, less than Python can."""


def _read_fields(cls: Any, table: Table, reader: Reader) -> object:
    value = new(cls)
    if not table:
        return value
    if table.nests:
        reader.enter_object()
    values = table.read(reader)
    reader.depth += table.nests
    for name, item in values.items():
        setattr(value, name, item)
    return value


def _write_fields(value: Any, writer: Writer) -> bytes:
    writer.depth -= 1
    if writer.depth < 0:
        raise writer.fail(f"objects are nested deeper than {MAX_ENCODE_DEPTH}: does one contain itself?")
    table: Table = type(value).FIELDS
    encoded = table.write({f.name: getattr(value, f.name, None) for f in table}, writer)
    writer.depth += 1
    return encoded


def _boxed(value: Any, writer: Writer) -> bytes:
    head: int = value.CONSTRUCTOR_ID
    return head.to_bytes(4, "little") + _write_fields(value, writer)


class Bare(WireType):
    """A constructor by name (``future_salt``) or by its type (``%Message``): the fields without the id."""

    __slots__ = ("_constructor", "_schema")

    def __init__(self, name: str, constructor: str, schema: Registry) -> None:
        self.name = name
        self._constructor = constructor
        self._schema = schema

    @property
    def size(self) -> int:  # type: ignore[override]
        """That of the fields; asked for late, because a bare type may hold a vector of itself."""
        table: Table = self.cls.FIELDS
        return table.size

    @property
    def cls(self) -> Any:
        """The class of the constructor."""
        return self._schema.by_name[self._constructor]

    def read(self, reader: Reader) -> object:
        return _read_fields(self.cls, self.cls.FIELDS, reader)

    def write(self, value: object, writer: Writer) -> bytes:
        if not isinstance(value, self.cls):
            raise writer.fail(f"got {type_name(value)}, expected {self._constructor}")
        return _write_fields(value, writer)


class Boxed(WireType):
    """A boxed type: one of its constructors, each behind its id."""

    __slots__ = ("_met", "_schema")

    def __init__(self, name: str, schema: Registry) -> None:
        super().__init__(name, 4)
        self._schema = schema
        self._met: dict[bytes, tuple[Any, Table]] = {}  # by id: what was read before needs no search

    def classes(self) -> tuple[Any, ...]:
        """The classes of the type's constructors."""
        return self._schema.classes(self.name)

    def takes(self, value: object) -> bool:
        """Whether `value` is one of the type's objects."""
        return self._schema.is_of(value, self.name)

    def expected(self) -> str:
        """What errors say was expected."""
        return f"{self.name} ({' | '.join(self._schema.constructor_names(self.name))})"

    def find(self, constructor_id: int) -> Any | None:
        """The class of this type that has the id, or None."""
        return self._schema.find(constructor_id, self.name)

    def read(self, reader: Reader) -> object:
        got = reader.constructor_id(self.name)
        cls, table = self._met.get(got) or self._meet(got, reader)
        return _read_fields(cls, table, reader)

    def _meet(self, got: bytes, reader: Reader) -> tuple[Any, Table]:
        """The class that has the id just read, and its table; raise UnexpectedConstructor."""
        cls = self.find(int.from_bytes(got, "little"))
        if cls is None:
            raise self.refused(got, reader)
        self._met[got] = cls, cls.FIELDS
        return self._met[got]

    def refused(self, got: bytes, reader: Reader) -> DecodeError:
        """The error for the id just read, which none of the type's constructors has."""
        known = self._schema.find(int.from_bytes(got, "little"))
        if got == VECTOR_ID:
            note = " (a vector, which needs its type: as_type)"
        elif known is not None:
            note = f" ({known.TL_NAME})"
        else:
            note = f", unknown to {self._schema.name}"
            return reader.unexpected_constructor(got, self.expected(), note, UnknownConstructor)
        return reader.unexpected_constructor(got, self.expected(), note)

    def write(self, value: object, writer: Writer) -> bytes:
        if not self.takes(value):
            raise writer.fail(f"got {type_name(value)}, expected {self.expected()}")
        return _boxed(value, writer)


class OneOf(Boxed):
    """Any of the given classes, each behind its id: what a caller asks for by class or by union."""

    __slots__ = ("_classes",)

    def __init__(self, classes: tuple[Any, ...], schema: Registry) -> None:
        super().__init__(" | ".join(c.TL_NAME for c in classes), schema)
        self._classes = classes

    def classes(self) -> tuple[Any, ...]:
        return self._classes

    def find(self, constructor_id: int) -> Any | None:
        return next((c for c in self._classes if constructor_id == c.CONSTRUCTOR_ID), None)

    def takes(self, value: object) -> bool:
        return isinstance(value, self._classes)

    def expected(self) -> str:
        return self.name


class AnyObject(Boxed):
    """``Object`` (any constructor or function) and ``!X`` (any function)."""

    __slots__ = ()

    def find(self, constructor_id: int) -> Any | None:
        return self._schema.find(constructor_id, "!X" if self.name.startswith("!") else "Object")

    def expected(self) -> str:
        kind = "function" if self.name.startswith("!") else "constructor or function"
        return f"a {kind} of {self._schema.name}"

    def write(self, value: object, writer: Writer) -> bytes:
        # An object of another schema will do here: a body may be of any layer.
        if not self._schema.is_object(value, function=self.name.startswith("!")):
            raise writer.fail(f"got {type_name(value)}, expected {self.expected()}")
        return _boxed(value, writer)
