"""Field tables: what the codec needs to know of a combinator, one `Field` after the other.

A table is made from the combinator's own TL text on first use (`Class.FIELDS`).  It is public: the reference
codec runs on it, tools walk it, and a compiled codec can.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from tl.ast import Combinator, Multiplicity, Parameter, TypeExpr, TypeRef
from tl.errors import MissingField, SchemaError, UnknownFlags
from tl.names import field_names
from tl.objects import AnyObject, Bare, Boxed
from tl.primitives import PRIMITIVES, Vector
from tl.raw import Raw
from tl.wire import Reader, WireType, Writer, type_name

if TYPE_CHECKING:
    from tl.registry import Registry

__all__ = ["Field", "Flags", "Repetition", "Table", "make_table", "wire_type"]


class Flags(WireType):
    """A ``#`` field that other fields' presence depends on: a word of 32 bits.

    Its Python value holds only the bits that no field of this layer uses; the others follow from the fields.
    """

    __slots__ = ("is_count", "known")

    def __init__(self, known: int, *, is_count: bool = False) -> None:
        super().__init__("#", 4)
        self.known = known
        self.is_count = is_count
        """Whether it also says how often something is repeated; then no bit of it is unknown."""

    def read(self, reader: Reader) -> int:
        """The whole word; with `strict_flags`, raise UnknownFlags where a bit of it is nobody's."""
        offset = reader.pos
        word = int.from_bytes(reader.take(4, "#"), "little")
        unknown = word & ~self.known
        if unknown and reader.strict_flags and not self.is_count:
            reader.deviates(
                UnknownFlags,
                f"got flag bits 0x{unknown:08x}, which no field uses",
                offset=offset,
                got=unknown,
                expected=f"only bits of 0x{self.known:08x}",
            )
        return word


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its Python name, its TL name, its type, and the flag it depends on, if any.

    `flag` is the index of the `Flags` field in the table and the bit, counted from 0.
    """

    name: str
    tl_name: str
    type: WireType
    flag: tuple[int, int] | None = None

    @property
    def is_true_flag(self) -> bool:
        """Whether this is ``flags.N?true``: a bool without bytes of its own."""
        return self.flag is not None and self.type.name == "true"


class Table(tuple[Field, ...]):
    """The fields of one combinator in wire order, and how to read and write them all."""

    @cached_property
    def size(self) -> int:
        """The least number of bytes that the fields take."""
        return sum(field.type.size for field in self if field.flag is None)

    @cached_property
    def nests(self) -> bool:
        """Whether a value can hold other objects; such objects count for the depth limit."""
        return any(_holds_objects(field.type) for field in self)

    def read(self, reader: Reader) -> dict[str, object]:
        """The values by Python name."""
        values: dict[str, object] = {}
        words: dict[int, int] = {}
        path = reader.path
        path.append("")
        for index, field in enumerate(self):
            path[-1] = field.tl_name or field.name
            kind, flag = field.type, field.flag
            if flag and not words[flag[0]] >> flag[1] & 1:
                values[field.name] = False if field.is_true_flag else None
            elif isinstance(kind, Flags):
                words[index] = kind.read(reader)
                values[field.name] = words[index] & ~kind.known
            elif isinstance(kind, Repetition):
                values[field.name] = kind.read_times(reader, kind.times(values))
            else:
                values[field.name] = kind.read(reader)
        path.pop()
        return values

    def write(self, values: Mapping[str, object], writer: Writer) -> bytes:
        """The encoding of `values`."""
        words = {i: 0 for i, field in enumerate(self) if isinstance(field.type, Flags)}
        for field in self:
            if field.flag and self._is_present(field, values, writer):
                words[field.flag[0]] |= 1 << field.flag[1]
        self._check_shared(values, words, writer)
        parts = []
        for index, field in enumerate(self):
            if field.is_true_flag or (field.flag and not words[field.flag[0]] >> field.flag[1] & 1):
                continue
            writer.path.append(field.tl_name or field.name)
            value = self._value(field, values, writer)
            if isinstance(value, Raw):
                parts.append(value.encoded)
            elif isinstance(field.type, Flags):
                parts.append(self._write_flags(field.type, value, words[index], writer))
            elif isinstance(field.type, Repetition):
                parts.append(field.type.write_times(value, field.type.times(values), writer))
            else:
                parts.append(field.type.write(value, writer))
            writer.path.pop()
        return b"".join(parts)

    def _is_present(self, field: Field, values: Mapping[str, object], writer: Writer) -> bool:
        value = values.get(field.name)
        if not field.is_true_flag:
            return value is not None
        if not isinstance(value, bool):
            writer.path.append(field.tl_name)
            raise writer.fail(f"got {type_name(value)}, expected a bool")
        return value

    def _check_shared(self, values: Mapping[str, object], words: Mapping[int, int], writer: Writer) -> None:
        """Fields under one flag bit are there together or not at all."""
        for field in self:
            if not field.flag or not words[field.flag[0]] >> field.flag[1] & 1:
                continue
            if values.get(field.name) is (False if field.is_true_flag else None):
                others = [f.tl_name for f in self if f.flag == field.flag and f is not field]
                writer.path.append(field.tl_name)
                raise writer.fail(
                    f"not given, but {', '.join(others)} is, and they share "
                    f"{self[field.flag[0]].tl_name}.{field.flag[1]}: give all of them or none"
                )

    def _value(self, field: Field, values: Mapping[str, object], writer: Writer) -> object:
        value = values.get(field.name)
        if value is None:
            raise MissingField(f"missing, expected {field.type.name}", path=str(writer))
        return value

    def _write_flags(self, kind: Flags, value: object, word: int, writer: Writer) -> bytes:
        extra = int.from_bytes(PRIMITIVES["#"].write(value, writer), "little")
        if extra & kind.known:
            bits = ", ".join(str(bit) for bit in range(32) if extra & kind.known & 1 << bit)
            raise writer.fail(
                f"bit {bits} follows from a field: give that, and only bits that no field uses here"
            )
        return (word | extra).to_bytes(4, "little")


def _holds_objects(kind: WireType) -> bool:
    if isinstance(kind, Vector):
        return _holds_objects(kind.item)
    if isinstance(kind, Repetition):
        return any(_holds_objects(field.type) for field in kind.items)
    return isinstance(kind, Boxed | Bare | AnyObject)


class Repetition(WireType):
    """``4*[ int ]``: the items, so many times; a list, of tuples where there is more than one item."""

    __slots__ = ("count", "items")

    def __init__(self, count: int | str, items: Table, name: str) -> None:
        super().__init__(name, items.size * count if isinstance(count, int) and count else 0)
        self.count = count
        self.items = items

    def times(self, values: Mapping[str, object]) -> int:
        """How often, given the values of the fields before."""
        if isinstance(self.count, int):
            return self.count
        count = values.get(self.count)
        return count if isinstance(count, int) else -1

    def read(self, reader: Reader) -> list[object]:
        return self.read_times(reader, self.times({}))

    def write(self, value: object, writer: Writer) -> bytes:
        return self.write_times(value, self.times({}), writer)

    def read_times(self, reader: Reader, times: int) -> list[object]:
        """The items, `times` times; raise DecodeError where the bytes can't hold that many."""
        reader.expect_elements(times, self.items.size, reader.pos)
        values = []
        reader.path.append(0)
        for index in range(times):
            reader.path[-1] = index
            row = tuple(self.items.read(reader).values())
            values.append(row[0] if len(row) == 1 else row)
        reader.path.pop()
        return values

    def write_times(self, value: object, times: int, writer: Writer) -> bytes:
        """The encoding of the list `value`, which has to be `times` long."""
        if not isinstance(value, list | tuple):
            raise writer.fail(f"got {type_name(value)}, expected a list for {self.name}")
        if len(value) != times:
            raise writer.fail(f"got {len(value)} elements, expected {times}")
        parts = []
        names = [field.name for field in self.items]
        for index, element in enumerate(value):
            writer.path.append(index)
            if isinstance(element, Raw):
                parts.append(element.encoded)
                writer.path.pop()
                continue
            row = (element,) if len(names) == 1 else element
            if not isinstance(row, tuple) or len(row) != len(names):
                raise writer.fail(f"got {type_name(element)}, expected a tuple of {len(names)}")
            parts.append(self.items.write(dict(zip(names, row, strict=True)), writer))
            writer.path.pop()
        return b"".join(parts)


def wire_type(kind: TypeExpr, schema: Registry, generics: frozenset[str] = frozenset()) -> WireType:
    """The wire type of a type expression, in `schema`; raise SchemaError where it has none."""
    if isinstance(kind, Multiplicity):
        if not isinstance(kind.count, int):
            raise SchemaError(f"a repetition by a field has to be a field itself: {kind}")
        return Repetition(kind.count, _table(kind.items, schema, generics), str(kind))
    name = kind.name
    takes = int(name in ("Vector", "vector"))
    if len(kind.arguments) != takes:
        raise SchemaError(f"{name} takes {takes} argument(s), got {len(kind.arguments)}: {kind}")
    if name in PRIMITIVES and not kind.bare:
        return PRIMITIVES[name]
    if takes:
        boxed = name == "Vector" and not kind.bare
        return Vector(wire_type(kind.arguments[0], schema, generics), boxed=boxed)
    if name == "Object" or name in generics:
        return AnyObject(f"!{name}" if name in generics else name, schema)
    if kind.is_bare:
        return Bare(str(kind), schema.bare_name(name), schema)
    if not schema.constructor_names(name):
        raise SchemaError(f"{schema.name} has no type {str(kind)!r}")
    return Boxed(name, schema)


def _table(
    parameters: tuple[Parameter, ...],
    schema: Registry,
    generics: frozenset[str],
    names: tuple[str, ...] | None = None,
) -> Table:
    if names is None:
        names = tuple(p.name or f"field{i}" for i, p in enumerate(parameters))
    counts = [i for i, p in enumerate(parameters) if p.type == TypeRef("#") and p.flag is None]
    numbers = {parameters[i].name: i for i in counts}
    known: dict[int, int] = {}
    for parameter in parameters:
        if parameter.flag:
            index = numbers[parameter.flag.field]
            known[index] = known.get(index, 0) | 1 << parameter.flag.bit
    counted = {_count_of(i, p.type, numbers, counts) for i, p in enumerate(parameters)}
    fields: list[Field] = []
    for index, (name, parameter) in enumerate(zip(names, parameters, strict=True)):
        flag = (numbers[parameter.flag.field], parameter.flag.bit) if parameter.flag else None
        kind: WireType
        if index in known:
            kind = Flags(known[index], is_count=index in counted)
        elif isinstance(parameter.type, Multiplicity) and not isinstance(parameter.type.count, int):
            count = _count_of(index, parameter.type, numbers, counts)
            items = _table(parameter.type.items, schema, generics)
            kind = Repetition(names[count], items, str(parameter.type))
        else:
            kind = wire_type(parameter.type, schema, generics)
        fields.append(Field(name, parameter.name, kind, flag))
    return Table(fields)


def _count_of(index: int, kind: TypeExpr, numbers: Mapping[str, int], counts: Sequence[int]) -> int:
    """The index of the ``#`` that says how often the field at `index` is repeated; -1 where none does."""
    if not isinstance(kind, Multiplicity) or isinstance(kind.count, int):
        return -1
    return numbers[kind.count] if kind.count else max(i for i in counts if i < index)


def make_table(combinator: Combinator, schema: Registry) -> Table:
    """The field table of a combinator of `schema`."""
    generics = frozenset(p.name for p in combinator.implicit)
    return _table(combinator.parameters, schema, generics, field_names(combinator))
