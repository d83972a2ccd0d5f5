"""What TL has without a declaration, under which names, and what a schema may still declare of it.

Schemas restate the built-in types (``int ? = Int;``, ``vector {t:Type} # [ t ] = Vector t;``), and those of
TDLib and TON call some of them by other names (``int53``, ``secureBytes``, ``object``).  A codec knows one
name for each; here the combinators of a schema are brought to these names.

Sources: core.telegram.org/mtproto/TL-types, core.telegram.org/mtproto/serialize#base-types
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from tl.ast import Combinator, Multiplicity, Parameter, TypeExpr, TypeRef

__all__ = ["BUILTIN_TYPES", "core_problem", "names_in", "names_of", "normal_combinators"]

BUILTIN_TYPES = {
    "#": 0,
    "int": 0,
    "long": 0,
    "double": 0,
    "string": 0,
    "bytes": 0,
    "int128": 0,
    "int256": 0,
    "Bool": 0,
    "true": 0,
    "Object": 0,
    "vector": 1,
    "Vector": 1,
}
"""The types a codec knows without a declaration, and how many arguments each takes."""

# Declarations that only restate the built-in types.
_CORE = frozenset({"int", "long", "double", "string", "bytes", "vector", "int128", "int256"})
# Other names of built-in types, unless a schema has a constructor of that name with fields.
_ALIASES = {
    "int32": "int",
    "int53": "long",
    "int64": "long",
    "secureString": "string",
    "secureBytes": "bytes",
    "object": "Object",
}
_FUNCTION_TYPES = ("function", "Function")
_VECTOR_ID = 0x1CB5C415
_BOOL_IDS = (0xBC799737, 0x997275B5)


def _type_of(name: str) -> str:
    """The boxed type that the documents declare a core constructor with: ``Int`` for ``int``."""
    return name[:1].upper() + name[1:]


def _is_alias(combinator: Combinator) -> bool:
    """Whether a declaration only says that there is such a type: ``int53 = Int53;``."""
    name = combinator.name
    is_other_name = name in _ALIASES or name in _FUNCTION_TYPES
    return is_other_name and not combinator.parameters and combinator.result == TypeRef(_type_of(name))


def normal_combinators(declarations: Iterable[Combinator]) -> Iterator[Combinator]:
    """The combinators that get classes, in order: no core declarations, one name for each built-in type."""
    declared = [c for c in declarations if not c.is_builtin]
    constructors = [c for c in declared if not c.is_function]
    own = {c.result.name for c in constructors} | {c.name for c in constructors if not _is_alias(c)}
    other_names = {
        **_bare_names(constructors),
        **{name: TypeRef(target) for name, target in _ALIASES.items()},
        **dict.fromkeys(_FUNCTION_TYPES, TypeRef("Function", generic=True)),
    }
    other_names = {name: kind for name, kind in other_names.items() if name not in own}
    left_out = _CORE | {name for name in other_names if name in _ALIASES or name in _FUNCTION_TYPES}
    for c in declared:
        if c.is_function and c.result.name not in own and _has_no_answer(c):
            yield _normal(replace(c, id=c.constructor_id, result=TypeRef("Object")), other_names)
        elif c.is_function or c.name not in left_out:
            yield _normal(c, other_names)


def _bare_names(constructors: Iterable[Combinator]) -> dict[str, TypeRef]:
    """``futureSalt`` → ``%FutureSalt``, as the old schemas of one client have it; for types of one constructor."""
    count = Counter(c.result.name for c in constructors)
    return {
        _bare_name(name): TypeRef(name, bare=True)
        for name, times in count.items()
        if times == 1 and name not in BUILTIN_TYPES and _bare_name(name) not in BUILTIN_TYPES
    }


def _bare_name(type_name: str) -> str:
    namespace, dot, name = type_name.rpartition(".")
    return f"{namespace}{dot}{name[:1].lower()}{name[1:]}"


def _has_no_answer(function: Combinator) -> bool:
    """Whether this is a request such as ``http_wait … = HttpWait``, whose type is its own and has no values."""
    result = function.result
    if result.arguments or result.name in {p.name for p in function.implicit}:
        return False
    words = function.name.rpartition(".")[2].split("_")
    return result.name == "".join(word[:1].upper() + word[1:] for word in words)


def _normal(combinator: Combinator, other_names: dict[str, TypeRef]) -> Combinator:
    used = set(names_in(combinator.parameters))
    if used.isdisjoint(other_names) and other_names.keys().isdisjoint(names_of(combinator.result)):
        return combinator
    variables = {p.name for p in combinator.implicit}
    renamed = {name: kind for name, kind in other_names.items() if name not in variables}
    result = _renamed(combinator.result, {n: kind for n, kind in renamed.items() if not kind.generic})
    implicit = combinator.implicit
    if any(name in renamed for name in used.intersection(_FUNCTION_TYPES)):  # any function, as `!X` is
        implicit = (*implicit, Parameter("Function", TypeRef("Type")))
    return replace(
        combinator,
        id=combinator.constructor_id,
        implicit=implicit,
        parameters=_renamed_in(combinator.parameters, renamed),
        result=result if isinstance(result, TypeRef) else combinator.result,
    )


def names_in(parameters: Iterable[Parameter]) -> Iterator[str]:
    """The names of all types that fields refer to."""
    for parameter in parameters:
        yield from names_of(parameter.type)


def names_of(kind: TypeExpr) -> Iterator[str]:
    """The names of all types in a type expression."""
    if isinstance(kind, Multiplicity):
        yield from names_in(kind.items)
        return
    yield kind.name
    for argument in kind.arguments:
        yield from names_of(argument)


def _renamed_in(parameters: Iterable[Parameter], renamed: dict[str, TypeRef]) -> tuple[Parameter, ...]:
    return tuple(replace(p, type=_renamed(p.type, renamed)) for p in parameters)


def _renamed(kind: TypeExpr, renamed: dict[str, TypeRef]) -> TypeExpr:
    if isinstance(kind, Multiplicity):
        return replace(kind, items=_renamed_in(kind.items, renamed))
    arguments = tuple(_renamed(argument, renamed) for argument in kind.arguments)
    known = renamed.get(kind.name)
    if known is None:
        return replace(kind, arguments=arguments)
    bare = kind.bare or known.bare
    return replace(kind, name=known.name, bare=bare, generic=known.generic, arguments=arguments)


def core_problem(combinator: Combinator) -> str:
    """What is wrong with a declaration of a built-in type; "" where it says what the codec does."""
    name, result = combinator.name, combinator.result.name
    if combinator.is_function:
        return ""
    if name in _CORE and result != _type_of(name):
        return f"{name} is built in, expected the result type {_type_of(name)}, got {combinator.result}"
    if name == "vector" and combinator.id not in (None, _VECTOR_ID):
        return f"vector is built in with the id {_VECTOR_ID:08x}, got {combinator.id:08x}"
    if name == "true" and combinator.parameters:
        return "true is built in and has no fields"
    if result == "Bool" and not _is_bool(combinator):
        no, yes = _BOOL_IDS
        return f"Bool is built in, expected boolFalse#{no:08x} or boolTrue#{yes:08x}"
    if result in ("vector", "Vector", "true", "#") and name != "vector":
        return f"{result} is built in and has no other constructors"
    return ""


def _is_bool(combinator: Combinator) -> bool:
    return not combinator.parameters and combinator.constructor_id in _BOOL_IDS
