"""The tree that the parser makes of a schema: combinators, their parameters, type expressions.

Every node prints as the TL text it stands for (`str(node)`), in the one normal spelling.  From that text the
constructor id follows: it is the CRC-32 of the declaration after a few replacements that Telegram's own
generator made (`Combinator.computed_id`).

Sources: core.telegram.org/mtproto/TL, core.telegram.org/mtproto/TL-formal,
core.telegram.org/mtproto/serialize.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from zlib import crc32

__all__ = ["Combinator", "Doc", "FlagRef", "Multiplicity", "Parameter", "TypeExpr", "TypeRef"]


# Where in the text a node begins, for errors: no part of what it means, and -1 where there is no text.
_START: int = field(default=-1, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TypeRef:
    """A type by name, with its arguments: ``int``, ``auth.SentCode``, ``Vector<bytes>``, ``%Message``.

    `bare` is set for ``%T``; a lower-case name is bare by itself (`is_bare`).  `generic` is set for ``!X``.
    """

    name: str
    arguments: tuple[TypeExpr, ...] = ()
    bare: bool = False
    generic: bool = False
    start: int = _START

    @property
    def is_bare(self) -> bool:
        """Whether values are written without a constructor id."""
        return self.bare or self.name == "#" or self.name.rpartition(".")[2][:1].islower()

    def __str__(self) -> str:
        mark = "%" * self.bare + "!" * self.generic
        if not self.arguments:
            return mark + self.name
        return f"{mark}{self.name}<{','.join(map(str, self.arguments))}>"


@dataclass(frozen=True, slots=True)
class Multiplicity:
    """A repetition: ``4*[ int ]``, ``# [ t ]``, ``n*[ a:int b:long ]``.

    `count` is a number, the name of a ``#`` field, or None where it is the ``#`` field just before.
    """

    count: int | str | None
    items: tuple[Parameter, ...]
    start: int = _START

    def __str__(self) -> str:
        times = "" if self.count is None else f"{self.count}*"
        return f"{times}[ {' '.join(map(str, self.items))} ]"


TypeExpr = TypeRef | Multiplicity


@dataclass(frozen=True, slots=True)
class FlagRef:
    """The condition of a field: bit `bit` (0 to 31) of the ``#`` field called `field`."""

    field: str
    bit: int

    def __str__(self) -> str:
        return f"{self.field}.{self.bit}?"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A field: its name ("" for an anonymous one), its type, and under which flag it is there."""

    name: str
    type: TypeExpr
    flag: FlagRef | None = None
    start: int = _START

    def __str__(self) -> str:
        # Without a name a condition would read like a type: TL's own name for no name keeps them apart.
        name = f"{self.name or '_'}:" if self.name or self.flag else ""
        return f"{name}{self.flag or ''}{self.type}"


@dataclass(frozen=True, slots=True)
class Doc:
    """What doc comments say of a combinator: a description, its parameters, the errors it answers with."""

    description: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    errors: tuple[tuple[int, str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.description or self.parameters or self.errors)


# A field `name:flags.N?true` has no bytes and no part in the id.
_TRUE_FLAG = re.compile(r" \w+:\w+\.\d+\?true(?= |$)")
# `bytes` counts as `string` where it is a field's whole type, not inside Vector<bytes>.
_BYTES = re.compile(r"([:?])bytes(?= |$)")
_SPELLING = str.maketrans(
    {"<": " ", ",": " ", ">": None, "{": None, "}": None, "(": None, ")": None, "%": None}
)


@dataclass(frozen=True, slots=True)
class Combinator:
    """One declaration: a constructor of its result type, or a function that returns it.

    `id` is the declared constructor id (None where the text gives none) and `line` the line it stands on;
    neither its place nor the doc comment counts when combinators are compared.
    """

    name: str
    id: int | None
    implicit: tuple[Parameter, ...]
    parameters: tuple[Parameter, ...]
    result: TypeRef
    is_function: bool = False
    is_builtin: bool = False
    line: int = field(default=0, compare=False)
    doc: Doc = field(default=Doc(), compare=False)
    start: int = _START

    @property
    def namespace(self) -> str:
        """``auth`` of ``auth.sentCode``; "" for the root."""
        return self.name.rpartition(".")[0]

    @property
    def constructor_id(self) -> int:
        """The id that goes on the wire: the declared one, else the computed one."""
        return self.computed_id if self.id is None else self.id

    @property
    def computed_id(self) -> int:
        """CRC-32 of the declaration's text, normalised as Telegram's generator did.

        Source: core.telegram.org/mtproto/TL-formal#combinator-name-and-identifier; the replacements
        reproduce all ids of layer 228.
        """
        text = _TRUE_FLAG.sub("", self._text(with_id=False, close=""))
        return crc32(_BYTES.sub(r"\1string", text).translate(_SPELLING).encode())

    def _text(self, *, with_id: bool, close: str) -> str:
        head = self.name
        if with_id and self.id is not None:
            head += f"#{self.id:08x}"
        if self.is_builtin:
            return f"{head} ? = {self.result}{close}"
        words = [head, *(f"{{{p}}}" for p in self.implicit), *map(str, self.parameters)]
        return f"{' '.join(words)} = {self.result}{close}"

    def __str__(self) -> str:
        return self._text(with_id=True, close=";")
