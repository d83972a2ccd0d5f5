"""A schema's text → its classes, without files: each is compiled when it is first asked for.

    import tl
    api = tl.load("schema/api.tl")
    data = bytes(api.account.SendVerifyPhoneCode(phone_number="+12025550123", settings=api.CodeSettings()))
    api.decode(data)

The source is the very text that `tl generate` writes, so is all that the classes do; tracebacks show it, and
`inspect.getsource` of a method.
"""

from __future__ import annotations

import linecache
import re
import weakref
from itertools import count
from keyword import iskeyword
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from tl import runtime
from tl.clashes import checked_modules
from tl.codegen import class_source
from tl.errors import SchemaError
from tl.lazy import Namespace, compiled
from tl.module import Names, helper_lines, used_names
from tl.names import module_name
from tl.registry import Registry
from tl.runtime import Decode
from tl.schema import Schema

__all__ = ["LoadedSchema", "load"]

_numbers = count(1)


class LoadedSchema(Protocol):
    """What `load` gives, a module: the combinators without a namespace, the namespaces, and `decode`."""

    SCHEMA: Registry
    """The registry of the classes."""
    LAYER: int | None
    """The layer that the schema says it is of."""
    decode: Decode
    """The value that an encoding is of; see `tl.decode`."""

    def __getattr__(self, name: str) -> Any:
        """A class, a union, a namespace."""


class _Texts:
    """The classes of one namespace, generated from the schema."""

    def __init__(self, schema: Schema, names: list[str], known: Names, where: str, files: list[str]) -> None:
        self.schema = schema
        self.names = names
        self.known = known
        self.where = where
        self.files = files

    def begin(self, module: ModuleType) -> bool:
        """There is nothing to be made ready."""
        return False

    def define(self, name: str, module: ModuleType) -> None:
        """Define the class of the combinator `name` in `module`, and before it what its code calls."""
        source = class_source(self.schema, self.schema.by_name[name])
        needed = used_names([source]) - module.__dict__.keys()
        exec("\n".join(helper_lines(needed, self.known)), module.__dict__)  # noqa: S102 - generated here
        filename = f"<{self.where} {name}>"
        linecache.cache[filename] = len(source), None, source.splitlines(keepends=True), filename
        self.files.append(filename)
        exec(compiled(source, filename, 1), module.__dict__)  # noqa: S102


def load(
    source: Path | str | Schema,
    name: str | None = None,
    *,
    layer: int | None = None,
    strict_ids: bool = False,
) -> LoadedSchema:
    """The classes of a schema, like the package that `tl generate` would write.

    `source` is a path, a text (a str with a line break or a ``;`` in it), or a `Schema`.  `name` is what
    errors call the schema: by default the file's name without its suffix, or ``loaded``.  `layer` picks one
    of the layers that the text marks.  A constructor id that is not the CRC-32 of its declaration is told by
    an `IdMismatchWarning`, or with `strict_ids` refused.  Raise SchemaError, with every error found, where
    the schema can't be used; OSError where there is no such file.
    """
    schema, default = _schema(source, layer, strict_ids)
    schema.warn_of_mismatches(default, stacklevel=2)
    title = default if name is None else name
    if not title.isidentifier() or iskeyword(title):
        raise SchemaError(f"the name {title!r} is not an identifier: give one as `name`")
    modules = checked_modules(schema)
    registry = Registry(title, schema.layer)
    known = Names(schema, modules)
    where = f"tl.load {next(_numbers)} {title}"
    files: list[str] = []
    weakref.finalize(registry, _forget, files)

    root: Any = None
    for namespace, combinators in modules.items():
        attribute = module_name(namespace)
        texts = _Texts(schema, [c.name for c in combinators], known, where, files)
        space = Namespace(f"{title}.{attribute}".rstrip("."), namespace, registry, texts)
        space.module.__dict__.update(_rt=runtime, _SCHEMA=registry)
        for c in combinators:
            type_name = "" if c.is_function else c.result.name
            registry.declare(c.name, c.constructor_id, type_name, space.define)
        if namespace:
            setattr(root, attribute, space.module)
        else:
            root = space.module
    root.__dict__.update(SCHEMA=registry, LAYER=schema.layer, decode=runtime.codec.decoder(registry))
    loaded: LoadedSchema = root
    return loaded


def _forget(files: list[str]) -> None:
    """The sources of a schema whose classes are gone need not be shown any more."""
    for filename in files:
        linecache.cache.pop(filename, None)


def _schema(source: Path | str | Schema, layer: int | None, strict_ids: bool) -> tuple[Schema, str]:
    """The schema that a caller means, and what to call it by default."""
    if isinstance(source, Schema):
        if layer not in (None, source.layer):
            raise SchemaError(f"got layer {layer}, the schema is of layer {source.layer}")
        return Schema(source.declarations, source.layer, strict_ids=True) if strict_ids else source, "loaded"
    if isinstance(source, str) and (";" in source or "\n" in source or not source.strip()):
        return Schema.parse(source, layer=layer, strict_ids=strict_ids), "loaded"
    path = Path(source)
    schema = Schema.read(path, layer=layer, strict_ids=strict_ids)
    return schema, re.sub(r"\W|^(?=\d)", "_", path.stem)
