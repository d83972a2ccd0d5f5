"""Hypothesis strategies for TL schemas: made-up ones that hold together, and texts in any spelling of them.

`schemas()` draws schemas with everything that the language has: sections in any order, namespaces, ids or
none, declarations of built-in types and their other names, several flag words, conditional fields with and
without names, bare types by name and by ``%``, vectors of vectors, repetitions of repetitions, type variables,
functions that share an id.  `texts_of(schema)` draws texts of the same meaning: other brackets, white space,
comments, doc comments, ids of fewer digits.
"""

from __future__ import annotations

from collections import Counter

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tl.ast import Combinator, FlagRef, Multiplicity, Parameter, TypeExpr, TypeRef
from tl.schema import Schema

__all__ = ["schemas", "spelled_schemas", "texts_of"]

_ADJECTIVES = ("old", "new", "my", "p_q_", "x", "the", "edit", "get")
_NOUNS = ("", "User", "file", "Message", "2", "_id", "s", "DH_params")
_WORDS = st.builds(str.__add__, st.sampled_from(_ADJECTIVES), st.sampled_from(_NOUNS))
_NAMESPACE = st.sampled_from(("", "", "auth.", "a.b."))
_NAMES = st.lists(st.builds(str.__add__, _NAMESPACE, _WORDS), min_size=1, max_size=5, unique=True)
_RESULTS = st.builds(str.__add__, _NAMESPACE, st.sampled_from(("Foo", "Bar", "Baz")))
_VARIABLES = st.lists(st.sampled_from(("X", "Y")), max_size=2, unique=True)
_IDS = st.none() | st.integers(0, 2**32 - 1)
_LAYERS = st.none() | st.integers(0, 300)
_BUILTIN = ("int", "long", "double", "string", "bytes", "int128", "int256", "Bool", "Object", "true")
_OTHER_NAMES = ("int32", "int53", "int64", "secureString", "secureBytes", "object", "Function")
_VECTORS = st.lists(st.sampled_from(("Vector", "vector", "%Vector")), max_size=2)
_TYPE = TypeRef("Type")


def _core() -> list[Combinator]:
    """Declarations of built-in types, as many schemas begin with them."""
    t, ints = TypeRef("t"), Multiplicity(4, (Parameter("", TypeRef("int")),))
    of_t = (Parameter("", TypeRef("#")), Parameter("", Multiplicity(None, (Parameter("", t),))))
    return [
        Combinator("int", 0xA8509BDA, (), (), TypeRef("Int"), is_builtin=True),
        Combinator("int53", None, (), (), TypeRef("Int53")),
        Combinator("int128", None, (), (Parameter("", ints),), TypeRef("Int128")),
        Combinator("vector", 0x1CB5C415, (Parameter("t", _TYPE),), of_t, TypeRef("Vector", (t,))),
        Combinator("boolTrue", None, (), (), TypeRef("Bool")),
    ]


@st.composite
def schemas(draw: DrawFn) -> Schema:
    """Small schemas that hold together, with all that the TL language has."""
    names = draw(_NAMES)
    heads = [(name, draw(_RESULTS), draw(st.booleans())) for name in names]
    count = Counter(result for _, result, is_function in heads if not is_function)
    kinds = [TypeRef(name) for name in (*_BUILTIN, *_OTHER_NAMES, *count)]
    declarations = draw(st.lists(st.sampled_from(_core()), max_size=2, unique_by=lambda c: c.name))
    combinators: list[Combinator] = []
    for name, result, is_function in heads:
        variables = draw(_VARIABLES) if is_function else []
        combinators.append(
            Combinator(
                name=name,
                id=_draw_id(draw, [*declarations, *combinators], is_function),
                implicit=tuple(Parameter(v, _TYPE) for v in variables),
                parameters=_draw_parameters(draw, [*kinds, *(TypeRef(v, generic=True) for v in variables)]),
                result=_draw_result(draw, kinds, variables) if is_function else TypeRef(result),
                is_function=is_function,
            )
        )
        if not is_function:  # what was declared before can be bare, so that nothing contains itself
            is_marked = draw(st.booleans())
            kinds.append(TypeRef(name, bare=is_marked))
            if count[result] == 1:
                kinds.append(TypeRef(result, bare=True))
    return Schema([*declarations, *combinators], draw(_LAYERS))


def _draw_id(draw: DrawFn, before: list[Combinator], is_function: bool) -> int | None:
    """An id; that of another function now and then, for a function, but never that of a constructor."""
    functions = [c.id for c in before if c.is_function]
    if is_function and functions and not draw(st.integers(0, 3)):
        return draw(st.sampled_from(functions))
    taken = {c.constructor_id for c in before}
    return draw(_IDS.filter(lambda number: number not in taken))


def _draw_result(draw: DrawFn, kinds: list[TypeRef], variables: list[str]) -> TypeRef:
    open_ended = draw(st.booleans())
    if variables and open_ended:
        return TypeRef(draw(st.sampled_from(variables)))
    return _draw_type(draw, [kind for kind in kinds if kind.name not in ("Function", "function")])


def _draw_type(draw: DrawFn, kinds: list[TypeRef]) -> TypeRef:
    kind = draw(st.sampled_from(kinds))
    for vector in draw(_VECTORS):
        kind = TypeRef(vector.lstrip("%"), (kind,), bare=vector.startswith("%"))
    return kind


def _draw_parameters(draw: DrawFn, kinds: list[TypeRef], nesting: int = 2) -> tuple[Parameter, ...]:
    names = draw(st.lists(_WORDS, min_size=nesting < 2, max_size=4, unique=True))
    counts: list[str] = []
    result = []
    for name in names:
        kind: TypeExpr = TypeRef("#")
        flag = None
        choice = draw(st.integers(0, 7))
        if counts and choice & 1:
            flag = FlagRef(draw(st.sampled_from(counts)), draw(st.integers(0, 31)))
        if choice < 2 and nesting:
            times = draw(st.sampled_from((0, 1, 9, *counts, None) if counts else (0, 1, 9)))
            kind = Multiplicity(times, _draw_parameters(draw, kinds, nesting - 1))
        elif choice < 7:
            kind = _draw_type(draw, kinds)
        else:
            counts.append(name)
            flag = None
        is_anonymous = name not in counts and choice in (5, 6)
        result.append(Parameter("" if is_anonymous else name, kind, flag))
    return tuple(result)


# Texts

_WORD = st.sampled_from(("all", "of", "it", "@it", "=", ";", "Vector<int>", "*/", "é"))
_REMARKS = st.lists(_WORD, max_size=4).map(" ".join)
_SPACES = (" ", "  ", "\n", "\t", "\r\n", " // x; = y\n", "/* ; */", "/**/", " //= {(\n")
_DOCS = ("//@description ", "//@param x ", "//@error 400 A_B ", "//@class Foo @description ", "//- ")


@st.composite
def texts_of(draw: DrawFn, schema: Schema) -> str:
    """A text that means `schema`."""
    speller = _Speller(draw)
    parts: list[str] = [draw(st.sampled_from(("", "\ufeff")))]
    is_function = False
    for combinator in schema.declarations:
        if combinator.is_function != is_function or draw(st.integers(0, 9)) == 0:
            is_function = combinator.is_function
            space = draw(st.sampled_from(("", " ", "\t")))
            parts.append(f"---{space}{'functions' if is_function else 'types'}{space}---")
        parts.append(draw(st.just("") | st.builds("{}{}\n".format, st.sampled_from(_DOCS), _REMARKS)))
        parts.append(speller.combinator(combinator))
    if schema.layer is not None:
        parts.insert(draw(st.integers(1, len(parts))), f"\n// LAYER {schema.layer}\n")
    return "".join(parts)


class _Speller:
    """Writes the nodes of a schema in one of the ways that TL has."""

    def __init__(self, draw: DrawFn) -> None:
        self.draw = draw

    def one_of(self, *spellings: str) -> str:
        return self.draw(st.sampled_from(spellings))

    def gap(self) -> str:
        return self.one_of(*_SPACES)

    def words(self, *words: str) -> str:
        return "".join(word + self.gap() for word in words)

    def combinator(self, combinator: Combinator) -> str:
        name = combinator.name
        if combinator.id is not None:
            digits = self.one_of(f"{combinator.id:08x}", f"{combinator.id:x}", f"{combinator.id:X}")
            name += f"#{digits}"
        if combinator.is_builtin:
            return self.words(name, "?", "=", str(combinator.result), ";")
        fields = [*self.variables(combinator), *map(self.field, combinator.parameters)]
        return self.words(name, *fields, "=", self.type(combinator.result, self.one_of("", "result")), ";")

    def variables(self, combinator: Combinator) -> list[str]:
        names = [p.name for p in combinator.implicit]
        if len(names) > 1 and self.draw(st.booleans()):
            return [f"{{{self.words(*names)}:Type}}"]
        return [f"{{{self.words(name, ':', 'Type')}}}" for name in names]

    def field(self, parameter: Parameter) -> str:
        kind = self.type(parameter.type)
        if parameter.flag is not None:
            kind = self.one_of(f"{parameter.flag}{kind}", f"({parameter.flag}{kind})")
        elif not parameter.name:
            return self.one_of(kind, f"_:{kind}", f"(_ : {kind})")
        name = parameter.name or "_"
        spellings = [f"{name}:{kind}", f"{name}{self.gap()}:{self.gap()}{kind}"]
        if parameter.flag is None:
            spellings.append(f"({self.gap()}{name}{self.gap()}:{self.gap()}{kind}{self.gap()})")
        return self.one_of(*spellings)

    def type(self, kind: TypeExpr, place: str = "") -> str:
        if isinstance(kind, Multiplicity):
            times = "" if kind.count is None else f"{kind.count}{self.one_of('', self.gap())}*"
            return f"{times}{self.one_of('', self.gap())}[ {self.words(*map(self.field, kind.items))}]"
        text = "%" * kind.bare + "!" * kind.generic + kind.name
        if kind.arguments:
            (item,) = (self.type(argument) for argument in kind.arguments)
            applied = f"{text} {item}"
            text = self.one_of(f"{text}<{item}>", f"{text} < {item} >", applied if place else f"({applied})")
            if kind.bare and "<" not in text:
                text = self.one_of(text, f"%({kind.name} {item})")
        return self.one_of(text, f"({text})") if not kind.generic else text


def spelled_schemas() -> SearchStrategy[tuple[Schema, str]]:
    """A schema, and a text that means it."""
    return schemas().flatmap(lambda schema: st.tuples(st.just(schema), texts_of(schema)))
