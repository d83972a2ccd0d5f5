"""Straight-line codecs: the `_encode` and `_read` of one class, as Python text.

Fields of fixed size that follow each other become one `struct` call, and so does a short string with its
length and padding; vectors and boxed types go through the helpers of `tl.fast`.  Anything rarer than what
Telegram's schemas are full of (repetitions, vectors of vectors, generic values) gets no straight-line code:
the class inherits methods that give up, and the reference codec does the work.

Both methods walk the fields in wire order, the writer first; they stand next to each other here, step for
step, and a property test holds them to the reference codec.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from tl.ast import Combinator, Multiplicity, TypeExpr, TypeRef
from tl.fast import NUMBER_CODES
from tl.names import class_name
from tl.schema import Schema
from tl.steps import FIXED, Field, Rare, fields_of, flag_words, steps_of

__all__ = ["straight_read", "straight_write"]

_RAW_SIZES = {"int128": 16, "int256": 32}
_WIDTH = 98
_MOST_SUMMANDS = 3
"""Up to so many parts are added, more are joined: what is faster."""
_MOST_OPTIONAL = 4
"""Up to so many conditional parts are joined each by itself, more are added up as they come."""
_MANY_TRUE_FLAGS = 4
"""From so many on it pays to ask first whether any of them is set."""


def _identifier(type_name: str) -> str:
    return type_name.replace(".", "__")


def straight_write(schema: Schema, combinator: Combinator) -> list[str]:
    """The lines of `_encode`; none where there is no straight-line code for this combinator."""
    try:
        body = list(_Writer(schema, combinator).lines())
    except Rare:
        return []
    return ["", "def _encode(self) -> bytes:", *(f"    {line}" for line in body)]


def straight_read(schema: Schema, combinator: Combinator) -> list[str]:
    """The lines of `_read`; none where there is no straight-line code for this combinator."""
    try:
        body = list(_Reader(schema, combinator).lines())
    except Rare:
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
        self.fields = fields_of(combinator)
        self.words = flag_words(self.fields)
        self.steps = list(steps_of(self.fields))
        optional = sum(step.is_optional for step in self.steps)
        most = sum(bool(step.run) + bool(step.rest) for step in self.steps)
        self.keeps_apart = optional <= _MOST_OPTIONAL and most > _MOST_SUMMANDS
        self.statements: list[str] = []
        self.closing: list[str] = []
        self.parts: list[str] = []
        self.tail = ""
        self.units: dict[tuple[str, int], list[Field]] = {}
        """Flag → the fields that are looked at for it: true flags, and the first of each row of others."""

    def lines(self) -> Iterator[str]:
        for word, mask in self.words.values():
            local = f"f{word.index}"
            self.statements += [
                f"{local} = self.{word.name}",
                f"if {local} & 0x{mask:X}:",
                "    raise _Unfit",
            ]
        run = [("I", f"0x{self.combinator.constructor_id:08X}")]
        for step in self.steps:
            run += [(FIXED[f.type_name][0], self.fixed(f, f"self.{f.name}")) for f in step.run]
            for field in step.flags:
                self.true_flag(field)
            if step.rest:
                self.pack(run)
                run = []
                if step.is_optional:
                    self.optional(step.rest)
                else:
                    self.append(self.value(step.rest[0], f"self.{step.rest[0].name}"))
        self.pack(run)
        yield from self.statements
        yield from self.shared_bits()
        yield from self.closing
        yield from _total("return", self.parts)

    def pack(self, run: list[tuple[str, str]]) -> None:
        """A run of numbers: as a part of what is returned, unless a conditional field came before it."""
        if not run:
            return
        expression = self.packed(run)
        is_late = any(value[0] == "f" for _, value in run)
        if is_late:
            self.tail = ""
        if len(expression) > _WIDTH - 12:
            local = f"p{len(self.parts)}"
            name, _, _ = expression.partition("(")
            values = [f"    {value}," for _, value in run]
            (self.closing if is_late else self.statements).extend([f"{local} = {name}(", *values, ")"])
            expression = local
        self.append(expression)

    def packed(self, run: list[tuple[str, str]]) -> str:
        """The expression that is the encoding of a run."""
        (code, value), *others = run
        if not others and value.startswith("0x"):
            return repr(self.combinator.constructor_id.to_bytes(4, "little"))
        if not others and code.endswith("s"):
            return value
        return f"_pack_{''.join(code for code, _ in run)}({', '.join(value for _, value in run)})"

    def append(self, expression: str) -> None:
        if self.tail:
            self.statements.append(f"{self.tail} += {expression}")
        else:
            self.parts.append(expression)

    def true_flag(self, field: Field) -> None:
        """Ask for what is usual first: most flags are not set."""
        local = f"v{field.index}"
        self.statements += [
            f"{local} = self.{field.name}",
            f"if {local} is not False:",
            f"    if {local} is not True:",
            "        raise _Unfit",
            f"    {self.set_bit(field)}",
        ]

    def set_bit(self, field: Field) -> str:
        """The statement that sets the bit of a field, which from now on stands for that bit."""
        flag = field.flag
        if flag is None:
            raise Rare
        self.units.setdefault((flag.field, flag.bit), []).append(field)
        return f"f{self.words[flag.field][0].index} |= 0x{1 << flag.bit:X}"

    def optional(self, fields: list[Field]) -> None:
        """Fields in a row under one bit: there together or not at all; no value's encoding takes a None."""
        locals_ = [f"v{f.index}" for f in fields]
        before = [f"{local} = self.{f.name}" for local, f in zip(locals_, fields, strict=True)]
        outer, self.statements = self.statements, []
        summands = self.summands(fields)
        inner, self.statements = self.statements, outer
        given = [f"{local} is not None" for local in locals_]
        begins = not self.tail
        part = self.tail or f"t{fields[0].index}"
        if begins:
            self.parts.append(part)
            self.tail = "" if self.keeps_apart else part
        total = _total(f"{part} {'' if begins else '+'}=", summands)
        self.statements += [
            *before,
            f"if {' and '.join(given)}:",
            f"    {self.set_bit(fields[0])}",
            *(f"    {line}" for line in inner),
            *(f"    {line}" for line in total),
            *([f"elif {' or '.join(given)}:", "    raise _Unfit"] if len(given) > 1 else []),
            *(["else:", f'    {part} = b""'] if begins else []),
        ]

    def summands(self, fields: list[Field]) -> list[str]:
        """The encodings of fields whose values are in locals already."""
        found = []
        for is_fixed, group in groupby(fields, key=lambda f: f.is_fixed):
            if is_fixed:
                found.append(
                    self.packed([(FIXED[f.type_name][0], self.fixed(f, f"v{f.index}")) for f in group])
                )
            else:
                found += [self.value(f, f"v{f.index}") for f in group]
        return found

    def shared_bits(self) -> Iterator[str]:
        """Fields under one bit that do not stand in a row are there together or not at all, too."""
        for first, *others in self.units.values():
            for field in others:
                yield f"if ({self.absent(first)}) is not ({self.absent(field)}):"
                yield "    raise _Unfit"

    @staticmethod
    def absent(field: Field) -> str:
        return f"v{field.index} is {'False' if field.is_true_flag else 'None'}"

    def fetched(self, field: Field, source: str) -> str:
        """A local that has what the expression `source` gives."""
        local = f"v{field.index}"
        if source != local:
            self.statements.append(f"{local} = {source}")
        return local

    def refuse(self, condition: str) -> None:
        self.statements += [f"if {condition}:", "    raise _Unfit"]

    def fixed(self, field: Field, source: str) -> str:
        """The expression that `struct` packs for a field of fixed size, after the statements it needs."""
        if field.tl_name in self.words and field.flag is None:
            return f"f{field.index}"
        if field.type_name in _RAW_SIZES:
            local = self.fetched(field, source)
            self.refuse(f"type({local}) is not bytes or len({local}) != {_RAW_SIZES[field.type_name]}")
            return local
        if field.type_name == "Bool":
            local = self.fetched(field, source)
            self.refuse(f"{local} is not True and {local} is not False")
            return f"_TRUE if {local} else _FALSE"
        return source

    def value(self, field: Field, source: str) -> str:
        """The expression that is the encoding of any other value, after the statements it needs."""
        name = field.type_name
        if name == "string":
            encoded = f"s{field.index}"
            self.statements.append(f"{encoded} = _text_bytes({source})")
            return self.string(encoded, f"n{field.index}")
        if name == "bytes":
            local = self.fetched(field, source)
            self.refuse(f"type({local}) is not bytes")
            return self.string(local, f"n{field.index}")
        if name == "Vector":
            return self.vector(field.type.arguments[0], source)
        return self.boxed(field.type, self.fetched(field, source), field.generics)

    def string(self, local: str, n: str) -> str:
        self.statements.append(f"{n} = len({local})")
        return f"_short_bytes[{n}]({local}) if {n} < 254 else _long_bytes({local})"

    def boxed(self, kind: TypeRef, local: str, generics: set[str]) -> str:
        if kind.name in generics:
            return f"_write_object({local}, _rt.TLFunction)"
        if kind.name == "Object":
            return f"_write_object({local}, _rt.TLObject)"
        if kind.is_bare or kind.name not in self.schema.types:
            raise Rare
        return f"_write_{_identifier(kind.name)}[type({local})]({local})"

    def vector(self, item: TypeExpr, source: str) -> str:
        if isinstance(item, Multiplicity) or item.bare or item.generic:
            raise Rare
        if item.name in NUMBER_CODES:
            return f'_write_numbers({source}, "{NUMBER_CODES[item.name]}")'
        if item.name == "bytes":
            return f"_write_bytes_vector({source})"
        if item.name == "string":
            return f"_write_string_vector({source})"
        if item.is_bare or item.name not in self.schema.types:
            raise Rare
        return f"_write_boxes({source}, _write_{_identifier(item.name)})"


def _total(begin: str, parts: list[str]) -> Iterator[str]:
    """The statement that begins so and goes on with all parts as one."""
    if len(parts) == 1:
        yield f"{begin} {parts[0]}"
        return
    few = len(parts) <= _MOST_SUMMANDS
    parts = [f"({part})" if " if " in part else part for part in parts]
    line = f"{begin} {' + '.join(parts)}" if few else f'{begin} b"".join(({", ".join(parts)}))'
    if len(line) <= _WIDTH:
        yield line
    elif few:
        yield from (f"{begin} (", f"    {parts[0]}", *(f"    + {part}" for part in parts[1:]), ")")
    else:
        yield from (f'{begin} b"".join(', "    (", *(f"        {part}," for part in parts), "    )", ")")


class _Reader:
    """Builds the statements of `_read`; `behind` is how much has been read that `pos` does not know of."""

    def __init__(self, schema: Schema, combinator: Combinator) -> None:
        self.schema = schema
        self.combinator = combinator
        self.fields = fields_of(combinator)
        self.words = flag_words(self.fields)
        self.behind = 0
        holders = [f for f in self.fields if f.holds_objects and not f.is_true_flag]
        self.nests = bool(holders)
        self.goes_down_once = len(holders) == 1 and holders[0].flag is None
        self.depth = "depth - 1" if self.goes_down_once else "depth"

    def at(self, more: int = 0) -> str:
        """The position of what comes `more` bytes later."""
        return f"pos + {self.behind + more}" if self.behind + more else "pos"

    def settled(self) -> Iterator[str]:
        if self.behind:
            yield f"pos += {self.behind}"
        self.behind = 0

    def lines(self) -> Iterator[str]:
        name = class_name(self.combinator.name)
        if not self.fields:
            yield f"return {name}._ONLY, pos"
            return
        if self.nests:
            yield from ("if not depth:", "    raise _Unfit")
            if not self.goes_down_once:
                yield "depth = depth - 1"
        yield f"obj = _new({name})"
        for step in steps_of(self.fields):
            if step.is_optional:
                yield from self.values(step.run)
                yield from self.true_flags(step.flags)
                yield from self.optional(step.rest)
            else:
                yield from self.values(step.run + step.rest)
                yield from self.true_flags(step.flags)
        yield f"return obj, {self.at()}"

    def values(self, fields: list[Field]) -> Iterator[str]:
        """Read fields that are there."""
        run: list[Field] = []
        for field in fields:
            if field.is_fixed:
                run.append(field)
                continue
            yield from self.run(run, field)
            yield from self.value(field, "kind" if run else "")
            run = []
        yield from self.run(run, None)

    def run(self, fields: list[Field], following: Field | None) -> Iterator[str]:
        """Read a run of fixed size with one call; the id of the boxed value that is next along with it."""
        if not fields:
            return
        codes = "".join(FIXED[f.type_name][0] for f in fields)
        targets = [self.target(f) for f in fields]
        if following and self.is_boxed(following):
            codes += "4s"
            targets.append("kind")
        line = f"{', '.join(targets)} = _unpack_{codes}(data, {self.at()})"
        if len(targets) == 1:
            yield f"({targets[0]},) = _unpack_{codes}(data, {self.at()})"
        elif len(line) <= _WIDTH:
            yield line
        else:
            yield from (
                "(",
                *(f"    {target}," for target in targets),
                f") = _unpack_{codes}(data, {self.at()})",
            )
        self.behind += sum(FIXED[f.type_name][1] for f in fields)
        for field in fields:
            if field.tl_name in self.words:
                free = 0xFFFFFFFF & ~self.words[field.tl_name][1]
                yield f"obj.{field.name} = f{field.index} & 0x{free:X}"
            elif field.type_name == "Bool":
                yield f"obj.{field.name} = _BOOLS[v{field.index}]"

    def target(self, field: Field) -> str:
        if field.tl_name in self.words:
            return f"f{field.index}"
        return f"v{field.index}" if field.type_name == "Bool" else f"obj.{field.name}"

    @staticmethod
    def is_boxed(field: Field) -> bool:
        return field.type_name not in ("string", "bytes", "Vector")

    def true_flags(self, fields: list[Field]) -> Iterator[str]:
        for word, group in groupby(fields, key=lambda f: f.flag.field if f.flag else ""):
            flags = [(f"obj.{f.name}", 1 << f.flag.bit) for f in group if f.flag]
            local = f"f{self.words[word][0].index}"
            lines = [f"{target} = {local} & 0x{bit:X} != 0" for target, bit in flags]
            if len(flags) < _MANY_TRUE_FLAGS:
                yield from lines
                continue
            mask = 0
            for _, bit in flags:
                mask |= bit
            yield f"if {local} & 0x{mask:X}:"
            yield from (f"    {line}" for line in lines)
            yield "else:"
            for start in range(0, len(flags), 3):
                yield f"    {' = '.join(target for target, _ in flags[start : start + 3])} = False"

    def optional(self, fields: list[Field]) -> Iterator[str]:
        """Read fields in a row under one bit."""
        flag = fields[0].flag
        if flag is None:
            raise Rare
        yield from self.settled()
        yield f"if f{self.words[flag.field][0].index} & 0x{1 << flag.bit:X}:"
        for line in (*self.values(fields), *self.settled()):
            yield f"    {line}"
        yield "else:"
        for field in fields:
            yield f"    obj.{field.name} = None"

    def value(self, field: Field, kind: str) -> Iterator[str]:
        """Read a value of no fixed size; `kind` is the local that has its constructor id, if one has."""
        target = f"obj.{field.name}"
        if field.type_name in ("string", "bytes"):
            yield from self.settled()
            yield from self.string(target, is_text=field.type_name == "string")
            return
        if field.type_name == "Vector":
            call = self.vector(field.type.arguments[0])
        else:
            readers = self.readers(field.type, field.generics)
            kind = kind or f"data[{self.at()} : {self.at(4)}]"
            call = f"{readers}[{kind}](data, {self.at(4)}, {self.depth})"
        self.behind = 0
        yield f"{target}, pos = {call}"

    @staticmethod
    def string(target: str, is_text: bool) -> Iterator[str]:
        raw = "value" if is_text else target
        yield "n = data[pos]"
        yield "if n < 254:"
        yield f"    {raw}, tail = _read_short[n](data, pos)"
        yield "    if tail != _TAIL[n]:"
        yield "        raise _Unfit"
        yield "    pos += _SIZE[n]"
        yield "else:"
        yield f"    {raw}, pos = _read_long(data, pos)"
        if is_text:
            yield f"{target} = value.decode()"

    def readers(self, kind: TypeRef, generics: set[str]) -> str:
        if kind.name in generics:
            return "_read_functions"
        if kind.name == "Object":
            return "_read_objects"
        if kind.is_bare or kind.name not in self.schema.types:
            raise Rare
        return f"_read_{_identifier(kind.name)}"

    def vector(self, item: TypeExpr) -> str:
        if isinstance(item, Multiplicity) or item.bare or item.generic:
            raise Rare
        if item.name in NUMBER_CODES:
            return f'_read_numbers(data, {self.at()}, "{NUMBER_CODES[item.name]}", depth)'
        if item.name == "bytes":
            return f"_read_bytes_vector(data, {self.at()}, depth)"
        if item.name == "string":
            return f"_read_string_vector(data, {self.at()}, depth)"
        return f"_read_boxes(data, {self.at()}, {self.readers(item, set())}, {self.depth})"
