"""Modules whose classes are made when they are first asked for.

A layer has more than two thousand classes, of which a program uses a few dozen.  So a generated package is
not run when it is imported: it knows what is in it from its index, and compiles a class from its own source
file, between two byte offsets, when somebody asks for it: by attribute, by name, or because its id is on the
wire.  `dir()`, tracebacks, debuggers and type checkers see what they would see had the file been run.

A file that is not the one its index is of (edited by hand, converted, or only byte code) is run as a whole.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from zlib import crc32

from tl.names import class_name, union_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Protocol

    from tl.registry import Registry

    class Source(Protocol):
        """Where the classes of one module come from."""

        @property
        def names(self) -> Iterable[str]:
            """The TL names of the combinators."""

        def define(self, name: str, module: ModuleType) -> None:
            """Define the class of the combinator `name` in `module`."""

        def begin(self, module: ModuleType) -> bool:
            """Make ready for `define`; say whether the module was run as a whole instead, whatever it has."""


__all__ = ["Namespace", "compiled", "lazily"]


_NOT_EXPORTED = {"TYPE_CHECKING", "annotations"}


class Namespace:
    """What a module of one namespace has: the classes of `source`, and the unions of the namespace's types.

    The module itself is an ordinary one, for attributes of such are found fastest; this stands behind its
    `__getattr__`, which Python asks for what is not there yet.
    """

    def __init__(self, name: str, namespace: str, registry: Registry, source: Source) -> None:
        title = f"of the namespace `{namespace}`" if namespace else "without a namespace"
        self.module = ModuleType(name, f"The combinators {title}.")
        self.namespace = namespace
        self.registry = registry
        self.source = source
        self.known: dict[str, tuple[str, bool]] = {}
        self.module.__dict__.update(__getattr__=self.get, __dir__=self.dir)

    def members(self) -> dict[str, tuple[str, bool]]:
        """Python name → TL name, and whether it is that of a type, for all that the namespace has."""
        if not self.known:
            types = [t for t in self.registry.type_names() if t.rpartition(".")[0] == self.namespace]
            known = {class_name(name): (name, False) for name in self.source.names}
            known |= {union_name(name): (name, True) for name in types}
            self.known = known
        return self.known

    def define(self, name: str) -> None:
        """Make the class of the combinator `name`."""
        self.source.define(name, self.module)

    def get(self, name: str) -> Any:
        """An attribute of the module that is not there yet."""
        module = self.module
        if name == "__all__":
            return sorted(self.members())
        found = None
        if not name.startswith("_"):
            found = self.members().get(name)
            # A file that was edited may have other classes than its index says.
            if self.source.begin(module) and (found is None or not found[1]):
                if name in module.__dict__:
                    return module.__dict__[name]
                found = None
        if found is None:
            message = f"module {module.__name__!r} has no attribute {name!r}"
            raise AttributeError(message, name=name, obj=module)
        tl_name, is_type = found
        if not is_type:
            return self.registry.make(tl_name)
        union, *others = self.registry.classes(tl_name)
        for other in others:
            union |= other
        module.__dict__[name] = union
        return union

    def dir(self) -> list[str]:
        """What `dir` shows of the module."""
        return sorted({*self.module.__dict__, *self.members(), "__all__"})


def compiled(source: str | bytes, filename: str, line: int) -> CodeType:
    """The code of a part of a generated module that begins on `line`, counted from 1."""
    code = compile(source, filename, "exec", annotations.compiler_flag, dont_inherit=True)
    return _moved(code, line - 1)


def _moved(code: CodeType, lines: int) -> CodeType:
    """The same code further down in its file; every other line number in it is relative to its first."""
    return code.replace(
        co_firstlineno=code.co_firstlineno + lines,
        co_consts=tuple(_moved(c, lines) if isinstance(c, CodeType) else c for c in code.co_consts),
    )


class _File:
    """The classes of a generated module, in the source file that its index knows by size and CRC-32."""

    def __init__(self, path: str, size: int, crc: int) -> None:
        self.path = path
        self.size = size
        self.crc = crc
        self.places: dict[str, list[str]] = {}
        """TL name → offset, size and line of the class, as the index has them."""
        self.modified: int | None = None
        self.was_run = False

    @property
    def names(self) -> Iterable[str]:
        return self.places

    def define(self, name: str, module: ModuleType) -> None:
        """Define the class of the combinator `name`; where the file is another, all classes that it has."""
        if not self.begin(module):
            offset, size, line = map(int, self.places[name])
            exec(compiled(self.part(offset, size), self.path, line), module.__dict__)  # noqa: S102 - our own file

    def begin(self, module: ModuleType) -> bool:
        """Run what stands above the classes, or, where the file is another, all of it: then say True."""
        if self.was_run or self.modified is not None:
            return self.was_run
        text = self.text()
        if text is None:
            self.was_run = True  # at once, for modules that refer to each other ask again
            try:
                _run(module)
            except BaseException:
                self.was_run = False
                raise
            return True
        # Imports, and short names for what the code of the classes calls.
        first = min((int(place[0]) for place in self.places.values()), default=len(text))
        exec(compiled(text[:first], self.path, 1), module.__dict__)  # noqa: S102
        return False

    def text(self) -> bytes | None:
        """The whole file, if it is the one that the index is of."""
        try:
            with open(self.path, "rb") as file:  # noqa: PTH123 - pathlib takes longer than all the rest
                modified = os.fstat(file.fileno()).st_mtime_ns
                text = file.read()
        except OSError:
            return None
        if len(text) != self.size or crc32(text) != self.crc:
            return None
        self.modified = modified
        return text

    def part(self, offset: int, size: int) -> bytes:
        """A part of the file; raise ImportError where it has changed under the running program."""
        try:
            with open(self.path, "rb") as file:  # noqa: PTH123
                status = os.fstat(file.fileno())
                if (status.st_size, status.st_mtime_ns) == (self.size, self.modified):
                    file.seek(offset)
                    return file.read(size)
        except OSError:
            pass
        raise ImportError(f"{self.path} has changed since it was first used", path=self.path)


def _run(module: ModuleType) -> None:
    """Run the module as a whole, as Python itself would have on import."""
    name = module.__name__
    spec = PathFinder.find_spec(name, sys.modules[name.rpartition(".")[0]].__path__)
    get_code = getattr(spec.loader, "get_code", None) if spec else None
    code = get_code(name) if get_code else None
    if code is None:
        raise ImportError(f"there is neither source nor code of {name}", name=name)
    exec(code, module.__dict__)  # noqa: S102 - what an import does


def lazily(
    package: str, registry: Registry, index: str
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Make the modules of a generated package, and give the package's own `__getattr__` and `__dir__`."""
    own = sys.modules[package]
    spaces: dict[str, Namespace] = {}
    source = space = None
    for line in index.splitlines():
        name, *rest = line.split(" ")
        if len(rest) == 3:
            source = _File(f"{own.__path__[0]}/{name}.py", int(rest[1]), int(rest[2], 16))
            space = Namespace(f"{package}.{name}", rest[0].strip("-"), registry, source)
            spaces[name] = space
            _install(own, name, space.module, source.path)
        elif source and space:
            number, type_name, *place = rest
            source.places[name] = place
            registry.declare(name, int(number, 16), "" if type_name == "-" else type_name, space.define)

    def get(name: str) -> object:
        if name.startswith("_") and name != "__all__":
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name, obj=own)
        value = getattr(spaces["_root"].module, name)
        if name == "__all__":
            own_names = [n for n in own.__dict__ if not n.startswith("_") and n not in _NOT_EXPORTED]
            value = sorted({*value, *own_names})
        setattr(own, name, value)
        return value

    return get, lambda: sorted({*own.__dict__, *own.__all__})


def _install(own: ModuleType, name: str, module: ModuleType, path: str) -> None:
    """Make `module` what an import of the file at `path`, a module of the package `own`, would find."""
    module.__file__ = path
    module.__package__ = own.__name__
    if isinstance(own.__loader__, SourceFileLoader):
        spec = ModuleSpec(module.__name__, SourceFileLoader(module.__name__, path), origin=path)
        spec.has_location = True
    else:  # a zip file, or only byte code
        spec = PathFinder.find_spec(module.__name__, own.__path__) or ModuleSpec(module.__name__, None)
    module.__spec__ = spec
    module.__loader__ = spec.loader
    sys.modules[module.__name__] = module
    setattr(own, name, module)
