"""Straight-line codecs: the `_encode` and `_read` of one class, as Python text.

Fields of fixed size that follow each other become one `struct` call; strings are read and written in place;
vectors and boxed types go through the helpers of `tl.fast`.  Anything rarer than what Telegram's schemas are
full of (repetitions, vectors of vectors, generic values) gets no straight-line code: the class inherits
methods that give up, and the reference codec does the work.

Both methods walk the fields in wire order, the writer first; they stand next to each other here, step for
step, and a property test holds them to the reference codec.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from tl.ast import Combinator, Multiplicity, Parameter, TypeExpr, TypeRef
from tl.fast import NUMBER_CODES
from tl.names import class_name, field_names
from tl.schema import Schema

__all__ = ["straight_read", "straight_write"]

_FIXED = {
    "#": ("I", 4),
    "int": ("i", 4),
    "long": ("q", 8),
    "double": ("d", 8),
    "int128": ("16s", 16),
    "int256": ("32s", 32),
}
_WIDTH = 98
_RAW_SIZES = {"int128": 16, "int256": 32}


class _Rare(Exception):
    """There is no straight-line code for this."""


class _Field:
    """A parameter, its Python name, and what straight-line code asks of it."""

    def __init__(self, index: int, name: str, parameter: Parameter, generics: set[str]) -> None:
        self.index = index
        self.name = name
        if isinstance(parameter.type, Multiplicity):
            raise _Rare
        self.parameter = parameter
        self.type = parameter.type
        self.flag = parameter.flag
        self.generics = generics

    @property
    def type_name(self) -> str:
        return self.type.name if not self.type.bare else f"%{self.type.name}"

    @property
    def is_true_flag(self) -> bool:
        return self.flag is not None and self.type == TypeRef("true")

    @property
    def fixed(self) -> bool:
        return self.flag is None and self.type_name in _FIXED


def _fields(combinator: Combinator) -> list[_Field]:
    generics = {p.name for p in combinator.implicit}
    names = field_names(combinator)
    return [
        _Field(i, n, p, generics) for i, (n, p) in enumerate(zip(names, combinator.parameters, strict=True))
    ]


def _flag_words(fields: list[_Field]) -> dict[str, tuple[_Field, int]]:
    """The ``#`` fields that others depend on: TL name → the field and the mask of the bits in use."""
    words: dict[str, tuple[_Field, int]] = {}
    by_name = {f.parameter.name: f for f in fields}
    for field in fields:
        if field.flag:
            word = by_name[field.flag.field]
            mask = words[field.flag.field][1] if field.flag.field in words else 0
            words[field.flag.field] = (word, mask | 1 << field.flag.bit)
    return words


def _identifier(type_name: str) -> str:
    return type_name.replace(".", "__")


def straight_write(schema: Schema, combinator: Combinator) -> list[str]:
    """The lines of `_encode`; none where there is no straight-line code for this combinator."""
    try:
        body = list(_Writer(schema, combinator).lines())
    except _Rare:
        return []
    return ["", "def _encode(self) -> bytes:", *(f"    {line}" for line in body)]


def straight_read(schema: Schema, combinator: Combinator) -> list[str]:
    """The lines of `_read`; none where there is no straight-line code for this combinator."""
    try:
        body = list(_Reader(schema, combinator).lines())
    except _Rare:
        return []
    head = "def _read(data: bytes, pos: int, depth: _Any) -> tuple[_Any, int]:"
    return ["", "@staticmethod", head, *(f"    {line}" for line in body)]


class _Writer:
    """Builds the statements of `_encode` and, from left to right, the parts that it returns.

    A run of numbers is packed at once.  A run with a flags word can be packed only when all flags are known,
    so it is packed in the `return`; what lies between such runs grows in a local (`t0`) as far as it is
    conditional.
    """

    def __init__(self, schema: Schema, combinator: Combinator) -> None:
        self.schema = schema
        self.combinator = combinator
        self.fields = _fields(combinator)
        self.words = _flag_words(self.fields)
        self.statements: list[str] = []
        self.closing: list[str] = []
        self.parts: list[str] = []
        self.tail = ""

    def lines(self) -> Iterator[str]:
        for word, mask in self.words.values():
            local = f"f{word.index}"
            self.statements += [
                f"{local} = self.{word.name}",
                f"if {local} & 0x{mask:X}:",
                "    raise _Unfit",
            ]
        run = [("I", f"0x{self.combinator.constructor_id:08X}")]
        for field in self.fields:
            if field.fixed and field.type_name not in _RAW_SIZES:
                is_word = field.parameter.name in self.words
                run.append(
                    (_FIXED[field.type_name][0], f"f{field.index}" if is_word else f"self.{field.name}")
                )
                continue
            if not field.is_true_flag:
                self.pack(run)
                run = []
            if field.flag:
                self.conditional(field)
            else:
                self.always(field)
        self.pack(run)
        yield from self.statements
        yield from self.shared_bits()
        yield from self.closing
        yield from self.returned()

    def returned(self) -> Iterator[str]:
        """The sum of the parts where they are few, for that is faster then; else one join."""
        few = len(self.parts) <= 4
        line = f"return {' + '.join(self.parts)}" if few else f'return b"".join(({", ".join(self.parts)}))'
        if len(line) <= _WIDTH:
            yield line
            return
        yield "return (" if few else 'return b"".join('
        yield from ([] if few else ["    ("])
        for number, part in enumerate(self.parts):
            yield f"    {'+ ' if number else ''}{part}" if few else f"        {part},"
        yield from ([] if few else ["    )"])
        yield ")"

    def pack(self, run: list[tuple[str, str]]) -> None:
        """A run of numbers: as a part of what is returned, unless a conditional field came before it."""
        if not run:
            return
        codes = "".join(code for code, _ in run)
        expression = f"_pack_{codes}({', '.join(value for _, value in run)})"
        if len(run) == 1 and run[0][1].startswith("0x"):
            expression = repr(self.combinator.constructor_id.to_bytes(4, "little"))
        is_late = any(value[0] == "f" for _, value in run)
        if is_late:
            self.tail = ""
        if len(expression) > _WIDTH - 12:
            local = f"p{len(self.parts)}"
            values = [f"    {value}," for _, value in run]
            (self.closing if is_late else self.statements).extend([f"{local} = _pack_{codes}(", *values, ")"])
            expression = local
        self.append(expression)

    def append(self, expression: str) -> None:
        if self.tail:
            self.statements.append(f"{self.tail} += {expression}")
        else:
            self.parts.append(f"({expression})" if " if " in expression else expression)

    def always(self, field: _Field) -> None:
        local = f"v{field.index}"
        *preparation, expression = self.value_lines(field, local, f"self.{field.name}")
        self.statements += preparation
        self.append(expression)

    def conditional(self, field: _Field) -> None:
        flag = field.flag
        if flag is None:
            raise _Rare
        local = f"v{field.index}"
        set_bit = f"f{self.words[flag.field][0].index} |= 0x{1 << flag.bit:X}"
        self.statements.append(f"{local} = self.{field.name}")
        if field.is_true_flag:
            self.statements += [
                f"if {local} is not False:",
                f"    if {local} is not True:",
                "        raise _Unfit",
                f"    {set_bit}",
            ]
            return
        if not self.tail:
            self.tail = f"t{field.index}"
            self.statements.insert(len(self.statements) - 1, f'{self.tail} = b""')
            self.parts.append(self.tail)
        *preparation, expression = self.value_lines(field, local, local)
        self.statements += [
            f"if {local} is not None:",
            f"    {set_bit}",
            *(f"    {line}" for line in preparation),
            f"    {self.tail} += {expression}",
        ]

    def shared_bits(self) -> Iterator[str]:
        """Fields under one bit are there together or not at all."""
        groups: dict[tuple[str, int], list[_Field]] = {}
        for field in self.fields:
            if field.flag:
                groups.setdefault((field.flag.field, field.flag.bit), []).append(field)
        for group in groups.values():
            for field in group[1:]:
                yield f"if ({self.absent(group[0])}) is not ({self.absent(field)}):"
                yield "    raise _Unfit"

    @staticmethod
    def absent(field: _Field) -> str:
        return f"v{field.index} is {'False' if field.is_true_flag else 'None'}"

    def value_lines(self, field: _Field, local: str, source: str) -> list[str]:
        """Statements, then the expression that is the encoding of the value that `source` gives."""
        name = field.type_name
        n, encoded = f"n{field.index}", f"s{field.index}"
        fetch = [] if source == local else [f"{local} = {source}"]
        unless_bytes = [f"if type({local}) is not bytes:", "    raise _Unfit"]
        if name == "string":
            return [f"{encoded} = {source}.encode()", f"{n} = len({encoded})", self.string(encoded, n)]
        if name == "bytes":
            return [*fetch, *unless_bytes, f"{n} = len({local})", self.string(local, n)]
        if name in _RAW_SIZES:
            size = f"if type({local}) is not bytes or len({local}) != {_RAW_SIZES[name]}:"
            return [*fetch, size, "    raise _Unfit", local]
        if name in _FIXED:
            return [f"_pack_{_FIXED[name][0]}({source})"]
        if name == "Bool":
            check = f"if {local} is not True and {local} is not False:"
            return [*fetch, check, "    raise _Unfit", f"_TRUE if {local} else _FALSE"]
        if name == "Vector":
            return [self.expression(field.type, source, field.generics)]
        return [*fetch, self.expression(field.type, local, field.generics)]

    @staticmethod
    def string(local: str, n: str) -> str:
        return f"_HEAD[{n}] + {local} + _TAIL[{n}] if {n} < 254 else _long_bytes({local})"

    def expression(self, kind: TypeExpr, local: str, generics: set[str]) -> str:
        if isinstance(kind, Multiplicity):
            raise _Rare
        if kind.name == "vector" or (kind.name == "Vector" and kind.bare):
            raise _Rare
        if kind.name == "Vector":
            return self.vector(kind.arguments[0], local)
        if kind.name in generics:
            return f"_write_object({local}, _rt.TLFunction)"
        if kind.name == "Object":
            return f"_write_object({local}, _rt.TLObject)"
        if kind.is_bare or kind.name not in self.schema.types:
            raise _Rare
        return f"_write_{_identifier(kind.name)}[type({local})]({local})"

    def vector(self, item: TypeExpr, local: str) -> str:
        if isinstance(item, Multiplicity) or item.bare or item.generic:
            raise _Rare
        if item.name in NUMBER_CODES:
            return f'_write_numbers({local}, "{NUMBER_CODES[item.name]}")'
        if item.name == "bytes":
            return f"_write_bytes_vector({local})"
        if item.name == "string":
            return f"_write_string_vector({local})"
        if item.is_bare or item.name not in self.schema.types:
            raise _Rare
        return f"_write_boxes({local}, _write_{_identifier(item.name)})"


class _Reader:
    def __init__(self, schema: Schema, combinator: Combinator) -> None:
        self.schema = schema
        self.combinator = combinator
        self.fields = _fields(combinator)
        self.words = _flag_words(self.fields)
        self.nests = False

    def lines(self) -> Iterator[str]:
        body: list[str] = []
        # Runs of fixed-size fields become one unpacking; every other field is by itself.
        for key, group in groupby(self.fields, key=lambda f: -1 if f.fixed else f.index):
            fields = list(group)
            body += self.run(fields) if key == -1 else self.field(fields[0])
        if self.nests:
            yield from ("if not depth:", "    raise _Unfit", "depth = depth - 1")
        yield f"obj = _new({class_name(self.combinator.name)})"
        yield from body
        yield "return obj, pos"

    def run(self, fields: list[_Field]) -> Iterator[str]:
        codes = "".join(_FIXED[f.type_name][0] for f in fields)
        size = sum(_FIXED[f.type_name][1] for f in fields)
        targets = [f"f{f.index}" if f.parameter.name in self.words else f"obj.{f.name}" for f in fields]
        line = f"{', '.join(targets)}{',' if len(targets) == 1 else ''} = _unpack_{codes}(data, pos)"
        if len(line) <= _WIDTH:
            yield line
        else:
            yield from ("(", *(f"    {target}," for target in targets), f") = _unpack_{codes}(data, pos)")
        yield f"pos += {size}"
        for field in fields:
            if field.parameter.name in self.words:
                free = 0xFFFFFFFF & ~self.words[field.parameter.name][1]
                yield f"obj.{field.name} = f{field.index} & 0x{free:X}"

    def field(self, field: _Field) -> Iterator[str]:
        if not field.flag:
            yield from self.value(field)
            return
        bit = f"f{self.words[field.flag.field][0].index} & 0x{1 << field.flag.bit:X}"
        if field.is_true_flag:
            yield f"obj.{field.name} = {bit} != 0"
            return
        yield f"if {bit}:"
        for line in self.value(field):
            yield f"    {line}"
        yield "else:"
        yield f"    obj.{field.name} = None"

    def value(self, field: _Field) -> Iterator[str]:
        """The statements that read a value at `pos` into its field."""
        name = field.type_name
        target = f"obj.{field.name}"
        if name in ("string", "bytes"):
            yield from self.string(target, ".decode()" if name == "string" else "")
        elif name in _FIXED:
            yield f"({target},) = _unpack_{_FIXED[name][0]}(data, pos)"
            yield f"pos += {_FIXED[name][1]}"
        elif name == "Bool":
            yield f"{target} = _BOOLS[data[pos : pos + 4]]"
            yield "pos += 4"
        else:
            yield from self.composite(field.type, target, field.generics)

    @staticmethod
    def string(target: str, decode: str) -> Iterator[str]:
        yield "n = data[pos]"
        yield "if n < 254:"
        yield "    end = pos + n + 1"
        yield f"    {target} = data[pos + 1 : end]{decode}"
        yield "    pos = end + 3 & -4"
        yield "    if data[end:pos] != _TAIL[n]:"
        yield "        raise _Unfit"
        yield "else:"
        yield "    value, pos = _read_long(data, pos)"
        yield f"    {target} = value{decode}"

    def composite(self, kind: TypeExpr, target: str, generics: set[str]) -> Iterator[str]:
        if isinstance(kind, Multiplicity):
            raise _Rare
        if kind.name == "vector" or (kind.name == "Vector" and kind.bare):
            raise _Rare
        if kind.name == "Vector":
            yield f"{target}, pos = {self.vector(kind.arguments[0])}"
            return
        self.nests = True
        yield f"{target}, pos = {self.boxed(kind, generics)}[data[pos : pos + 4]](data, pos + 4, depth)"

    def boxed(self, kind: TypeRef, generics: set[str]) -> str:
        if kind.name in generics:
            return "_read_functions"
        if kind.name == "Object":
            return "_read_objects"
        if kind.is_bare or kind.name not in self.schema.types:
            raise _Rare
        return f"_read_{_identifier(kind.name)}"

    def vector(self, item: TypeExpr) -> str:
        if isinstance(item, Multiplicity) or item.bare or item.generic:
            raise _Rare
        if item.name in NUMBER_CODES:
            return f'_read_numbers(data, pos, "{NUMBER_CODES[item.name]}", depth)'
        if item.name == "bytes":
            return "_read_bytes_vector(data, pos, depth)"
        if item.name == "string":
            return "_read_string_vector(data, pos, depth)"
        self.nests = True
        return f"_read_boxes(data, pos, {self.boxed(item, set())}, depth)"
