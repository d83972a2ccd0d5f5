"""Combinators → the Python source of their classes.

One class per combinator: docstring, slots, constructor, and straight-line `_encode` and `_read`
(`tl.straight`).  The source is what a person would write for this one combinator; it imports `tl.runtime`
alone, and every helper's name starts with an underscore, which no TL name can, so nothing in a schema can
collide with it.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator

from tl.ast import Combinator, Multiplicity, TypeExpr, TypeRef
from tl.names import class_name, field_names, module_name, union_name
from tl.schema import Schema
from tl.straight import straight_read, straight_write

__all__ = ["class_source", "union_source"]

_WIDTH = 106
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_PYTHON_TYPES = {
    "#": "int",
    "int": "int",
    "long": "int",
    "double": "float",
    "string": "str",
    "bytes": "bytes",
    "int128": "bytes",
    "int256": "bytes",
    "Bool": "bool",
    "true": "bool",
    "Object": "_rt.TLObject",
}
_LENGTHS = {"int128": "16 bytes", "int256": "32 bytes"}


class _Scope:
    """How a combinator's Python code names the types of its schema: by module, unless in the same one."""

    def __init__(self, schema: Schema, combinator: Combinator) -> None:
        self.schema = schema
        self.namespace = combinator.namespace
        self.generics = {p.name for p in combinator.implicit}

    def qualified(self, name: str, local: str) -> str:
        namespace = name.rpartition(".")[0]
        if namespace == self.namespace:
            return local
        return f"_{module_name(namespace) or 'root'}.{local}"

    def annotation(self, kind: TypeExpr) -> str:
        """The Python type of a value of `kind`."""
        if isinstance(kind, Multiplicity):
            items = ", ".join(self.annotation(p.type) for p in kind.items)
            return f"list[{items}]" if len(kind.items) == 1 else f"list[tuple[{items}]]"
        if kind.name in self.generics:
            return "_rt.TLFunction[_rt.R]" if kind.generic else "_rt.R"
        if kind.name in _PYTHON_TYPES:
            return _PYTHON_TYPES[kind.name]
        if kind.name in ("Vector", "vector"):
            return f"list[{self.annotation(kind.arguments[0])}]"
        if kind.name in self.schema.types:
            return self.qualified(kind.name, union_name(kind.name))
        return self.qualified(kind.name, class_name(kind.name))


def class_source(schema: Schema, combinator: Combinator) -> str:
    """The source of the class of `combinator`, ending with a newline."""
    scope = _Scope(schema, combinator)
    result = combinator.result
    base = f"_rt.TLFunction[{_quoted(scope, result)}]" if combinator.is_function else "_rt.TLObject"
    result_text = "!X" if result.name in scope.generics else str(result)
    names = field_names(combinator)
    lines = [
        f"class {class_name(combinator.name)}({base}):",
        *_docstring(combinator, names),
        "",
        f"    __slots__ = {_tuple(names)}",
        f"    TL = {_string(str(combinator))}",
        f'    TL_NAME = "{combinator.name}"',
        f"    CONSTRUCTOR_ID = 0x{combinator.constructor_id:08X}",
        f'    {"RESULT" if combinator.is_function else "TYPE"} = "{result_text}"',
        "    SCHEMA = _SCHEMA",
        *_constructor(scope, combinator, names),
        *_indented(straight_write(schema, combinator)),
        *_indented(straight_read(schema, combinator)),
    ]
    return "\n".join(lines) + "\n"


def union_source(name: str, constructors: Iterable[Combinator]) -> str:
    """The definition of a boxed type's union, ending with a newline."""
    namespace = name.rpartition(".")[0]
    members = []
    for constructor in constructors:
        local = class_name(constructor.name)
        module = module_name(constructor.namespace) or "root"
        members.append(local if constructor.namespace == namespace else f"_{module}.{local}")
    line = f"{union_name(name)}: _TypeAlias = {' | '.join(members)}\n"
    if len(line) <= _WIDTH:
        return line
    rows = "\n    | ".join(members)
    return f"{union_name(name)}: _TypeAlias = (\n    {rows}\n)\n"


def _quoted(scope: _Scope, result: TypeRef) -> str:
    """A base class is evaluated when the module is run, when other modules may not be there yet."""
    annotation = scope.annotation(result)
    return annotation if annotation == "_rt.R" else f'"{annotation}"'


def _string(text: str) -> str:
    """A string literal, over several lines where it is long."""
    if len(text) <= _WIDTH - 10:
        return f'"{text}"'
    parts = textwrap.wrap(text, _WIDTH - 10, break_long_words=False, break_on_hyphens=False)
    body = "\n".join(f'        "{part} "' for part in parts[:-1])
    return f'(\n{body}\n        "{parts[-1]}"\n    )'


def _tuple(names: tuple[str, ...]) -> str:
    inner = ", ".join(f'"{name}"' for name in names)
    line = f"({inner}{',' if len(names) == 1 else ''})"
    if len(line) <= _WIDTH - 16:
        return line
    return "(\n" + "".join(f'        "{name}",\n' for name in names) + "    )"


def _indented(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield f"    {line}" if line else ""


# Docstrings


def _docstring(combinator: Combinator, names: tuple[str, ...]) -> Iterator[str]:
    doc = combinator.doc
    summary = (
        doc.description
        or f"The TL {'function' if combinator.is_function else 'constructor'} {combinator.name}."
    )
    lines = textwrap.wrap(summary, _WIDTH - 8)
    lines.append("")
    lines.extend(_wrapped(str(combinator), "    "))
    sections = (
        ("Fields:", _field_docs(combinator, names)),
        (
            "Errors:",
            [f"{code} {name}: {text}" if text else f"{code} {name}" for code, name, text in doc.errors],
        ),
    )
    for title, entries in sections:
        if entries:
            lines += ["", title]
            for entry in entries:
                lines.extend(_wrapped(entry, "    "))
    for line in ['"""' + _escaped(lines[0]), *map(_escaped, lines[1:]), '"""']:
        yield f"    {line}" if line else ""


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH - 4, initial_indent=indent, subsequent_indent=indent + "    ", break_on_hyphens=False
    )


def _escaped(line: str) -> str:
    """A docstring's line as it is written: nothing in it may end the docstring, or be an escape."""
    return _CONTROL.sub(" ", line).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')


def _field_docs(combinator: Combinator, names: tuple[str, ...]) -> list[str]:
    docs = dict(combinator.doc.parameters)
    entries = []
    for name, parameter in zip(names, combinator.parameters, strict=True):
        text = docs.get(parameter.name, "")
        length = _LENGTHS.get(str(parameter.type))
        if length and length not in text:
            text = f"{text} ({length})".strip()
        if text:
            entries.append(f"{name}: {text}")
    return entries


# Constructors


def _condition(tests: list[str]) -> Iterator[str]:
    line = f"        if {' or '.join(tests)}:"
    if len(line) <= _WIDTH:
        yield line
    else:
        yield "        if ("
        yield f"            {tests[0]}"
        yield from (f"            or {test}" for test in tests[1:])
        yield "        ):"


def _constructor(scope: _Scope, combinator: Combinator, names: tuple[str, ...]) -> Iterator[str]:
    if not names:
        return
    required: list[str] = []
    optional: list[tuple[int, str]] = []
    flag_words = {p.flag.field for p in combinator.parameters if p.flag}
    for name, parameter in zip(names, combinator.parameters, strict=True):
        annotation = scope.annotation(parameter.type)
        if parameter.name in flag_words:
            optional.append((1, f"{name}: int = 0"))
        elif parameter.flag and parameter.type == TypeRef("true"):
            optional.append((0, f"{name}: bool = False"))
        elif parameter.flag:
            optional.append((0, f"{name}: {annotation} | None = None"))
        else:
            required.append(f"{name}: {annotation}")
    arguments = [*required, *(text for _, text in sorted(optional, key=lambda pair: pair[0]))]
    line = f"    def __init__(self, *, {', '.join(arguments)}) -> None:"
    yield ""
    if len(line) <= _WIDTH:
        yield line
    else:
        yield "    def __init__("
        yield "        self,"
        yield "        *,"
        yield from (f"        {argument}," for argument in arguments)
        yield "    ) -> None:"
    yield from (f"        self.{name} = {name}" for name in names)
    if required:
        tests = [f"_MISSING is {argument.partition(':')[0]}" for argument in required]
        yield from _condition(tests)
        yield "            raise _missing_field(self)"
