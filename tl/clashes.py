"""A schema's combinators by namespace, after a look at whether Python could tell all of their names apart."""

from __future__ import annotations

from dataclasses import dataclass

from tl.ast import Combinator
from tl.errors import SchemaError
from tl.names import class_name, module_name, union_name
from tl.schema import Schema

__all__ = ["checked_modules"]


def checked_modules(schema: Schema) -> dict[str, list[Combinator]]:
    """Namespace → its combinators; raise SchemaError where two things would get the same Python name."""
    modules: dict[str, list[Combinator]] = {"": []}
    for combinator in sorted(schema.combinators, key=lambda c: c.namespace):
        modules.setdefault(combinator.namespace, []).append(combinator)
    for name in schema.types:
        modules.setdefault(name.rpartition(".")[0], [])
    modules = dict(sorted(modules.items()))
    _refuse_clashes(schema, modules)
    return modules


def _refuse_clashes(schema: Schema, modules: dict[str, list[Combinator]]) -> None:
    """Raise SchemaError where two things of the schema would get the same Python name."""
    errors: list[SchemaError] = []
    taken: dict[tuple[str, str], _Claim] = {}

    def claim(module: str, name: str, what: str, combinator: Combinator | None, in_result: bool) -> None:
        new = _Claim(what, combinator, in_result)
        first = taken.setdefault((module, name), new)
        if first.what != what:
            message = f"{first.what} and {what} would both be {name} in Python"
            errors.append(max(first, new, key=_Claim.line).error(schema, message))

    users = _namespace_users(schema)
    for namespace in modules:
        user, in_result = users.get(namespace, (None, False))
        module = module_name(namespace) or "_root"
        claim("", module, f"namespace {namespace}", user, in_result)
        # Some file systems tell no capital letters.
        claim("the files", module.lower(), f"namespace {namespace}", user, in_result)
    for name in ("SCHEMA", "LAYER", "decode"):
        claim("", name, f"the package's own {name}", None, False)
    for combinator in schema.combinators:
        module = module_name(combinator.namespace)
        claim(module, class_name(combinator.name), f"combinator {combinator.name}", combinator, False)
    for name, (constructor, *_) in schema.types.items():
        claim(module_name(name.rpartition(".")[0]), union_name(name), f"type {name}", constructor, True)
        claim("the readers and writers", name.replace(".", "__"), f"type {name}", constructor, True)
    if errors:
        raise SchemaError.of(errors)


@dataclass(frozen=True, slots=True)
class _Claim:
    """Who wants a Python name: what it is, and where the schema has it first (None: it is the package's)."""

    what: str
    combinator: Combinator | None
    in_result: bool

    def line(self) -> int:
        return self.combinator.line if self.combinator else -1

    def error(self, schema: Schema, message: str) -> SchemaError:
        if self.combinator is None:
            return SchemaError(message)
        return schema.error(message, self.combinator, in_result=self.in_result)


def _namespace_users(schema: Schema) -> dict[str, tuple[Combinator, bool]]:
    """Namespace → the first combinator that is in it, or whose result type is (then True)."""
    users: dict[str, tuple[Combinator, bool]] = {}
    for combinator in schema.combinators:
        users.setdefault(combinator.namespace, (combinator, False))
        if not combinator.is_function:
            users.setdefault(combinator.result.name.rpartition(".")[0], (combinator, True))
    return users
