"""TL names → Python names, in one place.

Fields keep their names; one that Python or the base class has taken gets a trailing underscore (``self_``,
``from_``).  Combinators become classes in camel case (``auth.sentCode`` → ``auth.SentCode``,
``p_q_inner_data_dc`` → ``PQInnerDataDc``), boxed types become unions with ``Type`` in front
(``auth.TypeSentCode``).
"""

from __future__ import annotations

import keyword

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tl.ast import Combinator

__all__ = ["class_name", "field_names", "module_name", "union_name"]

# What `tl.runtime.TLObject` uses for itself; methods of its start with an underscore, as no TL name can.
_RESERVED = frozenset({"self", "CONSTRUCTOR_ID", "FIELDS", "RESULT", "SCHEMA", "TL", "TL_NAME", "TYPE"})
# What a generated `__init__.py` calls by name; what generated modules call the same with an underscore; and what
# is built in and their code calls, for in a loaded schema the namespaces are globals of that code.
_RESERVED_MODULES = frozenset(
    {
        *("annotations", "bytearray", "memoryview", "object"),
        *("new", "root", "rt"),
        *("bool", "bytes", "float", "int", "len", "list", "staticmethod", "str", "tuple", "type"),
    }
)


def _safe(name: str, taken: frozenset[str] = frozenset()) -> str:
    return f"{name}_" if keyword.iskeyword(name) or name in taken else name


def field_names(combinator: Combinator) -> tuple[str, ...]:
    """The Python name of each field, in order; an anonymous one is named by its number, ``field0``."""
    names = [_safe(p.name, _RESERVED) or f"field{i}" for i, p in enumerate(combinator.parameters)]
    taken: set[str] = set()
    for index, name in enumerate(names):
        while name in taken:
            name += "_"
        taken.add(name)
        names[index] = name
    return tuple(names)


def _camel(name: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))


def class_name(name: str) -> str:
    """The class of the combinator `name`, without its namespace: ``SentCode`` of ``auth.sentCode``."""
    return _safe(_camel(name.rpartition(".")[2]))


def union_name(name: str) -> str:
    """The union of the boxed type `name`, without its namespace: ``TypeSentCode`` of ``auth.SentCode``."""
    return f"Type{_camel(name.rpartition('.')[2])}"


def module_name(namespace: str) -> str:
    """The module of a namespace: ``account``; ``a.b`` is flattened to ``a_b``; keywords get an underscore."""
    return _safe(namespace.replace(".", "_"), _RESERVED_MODULES)
