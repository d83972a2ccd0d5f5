"""The classes of one schema, found by name, by id and by type: what decoding starts from.

Every generated or loaded package has one registry (``api.SCHEMA``), so several schemas and layers live side
by side in one process, and every object knows its own (``obj.SCHEMA``).

A package declares its combinators when it is imported: name, id and type of each, and who makes the class.
A class is made when it is first asked for, by name, by id, or because it is on the wire; it adds itself, and
takes the place of what stood for it in the tables of straight-line code.
"""

from __future__ import annotations

from _thread import RLock
from _weakref import ref
from collections.abc import Mapping

from tl.errors import SchemaError
from tl.fast import BOOL_FALSE, BOOL_TRUE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from typing import Any

    from tl.fast import FastReader, FastWriter
    from tl.fields import Table
    from tl.wire import WireType

__all__ = ["Registry", "loaded_registries", "registry_of"]

_MOST_READERS = 10_000
_loaded: list[ref[Registry]] = []
_UnionType = type(int | str)


class _Classes(Mapping[str, "Any"]):
    """TL name → class, made on first use; one namespace after the other."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def __getitem__(self, name: str) -> Any:
        return self._registry.make(name)

    def __contains__(self, name: object) -> bool:
        return name in self._registry.declared

    def __iter__(self) -> Iterator[str]:
        return iter(self._registry.declared)

    def __len__(self) -> int:
        return len(self._registry.declared)


class Registry:
    """The classes of one schema.  `name` says which in errors; `layer` is its layer number, or None.

    `by_name` maps the TL name of every combinator to its class.
    """

    def __init__(self, name: str, layer: int | None = None) -> None:
        self.name = name
        self.layer = layer
        self.by_name: Mapping[str, Any] = _Classes(self)
        self.declared: dict[str, tuple[int, str, Callable[[str], object]]] = {}
        self._made: dict[str, Any] = {}
        self._by_id: dict[int, str] = {}
        self._constructors: dict[str, list[str]] = {}
        self._functions: list[str] = []
        self._readers: dict[str, dict[bytes, FastReader]] = {}
        self.fast_readers: dict[object, dict[bytes, FastReader]] = {}
        """What callers have asked for (`as_type`) → fast readers by constructor id."""
        self._writers: dict[str, dict[type, FastWriter]] = {"Bool": {bool: _write_bool}}
        self._tables: dict[type, Table] = {}
        self._lock = RLock()
        _loaded.append(ref(self, _loaded.remove))

    def __repr__(self) -> str:
        layer = "" if self.layer is None else f", layer {self.layer}"
        return f"<Registry {self.name}{layer}, {len(self.declared)} combinators>"

    # Classes come to be

    def declare(self, name: str, number: int, type_name: str, make: Callable[[str], object]) -> None:
        """Make a combinator known: its TL name, constructor id, and boxed type ("" for a function).

        `make` is called with the TL name and has to define the class, which then adds itself.  Raise
        SchemaError where the name is taken by another combinator.
        """
        with self._lock:
            known = self.declared.get(name)
            self.declared[name] = number, type_name, make
            if known is not None:
                if known[:2] != (number, type_name):
                    raise SchemaError(f"{self.name} already has a combinator {name}")
                return
            if type_name:
                self._constructors.setdefault(type_name, []).append(name)
                self._by_id.setdefault(number, name)
            else:
                # A body that could be a function or a constructor is the function.  Where functions share an id,
                # as pairs in TDLib's schema do, the later one counts: there the first is how the second begins.
                self._functions.append(name)
                self._by_id[number] = name

    def make(self, name: str) -> Any:
        """The class of the combinator `name`, made now if need be; raise KeyError where there is none."""
        found = self._made.get(name)
        if found is None:
            maker = self.declared[name][2]
            with self._lock:
                if name not in self._made:
                    maker(name)
                found = self._made.get(name)
            if found is None:
                raise SchemaError(
                    f"{self.name} has no class for {name}: its file is not what `tl generate` wrote"
                )
        return found

    def is_made(self, name: str) -> bool:
        """Whether the class of the combinator `name` is there already."""
        return name in self._made

    def add(self, cls: Any) -> None:
        """Make a class known; raise SchemaError where its name is taken.

        The same class once more, of a second module from the same file, changes nothing: the first stays.  (Two
        threads that import a package and a module of it at once make Python do that.)  A reload is refused.
        """
        name: str = cls.TL_NAME
        type_name = "" if hasattr(cls, "RESULT") else cls.TYPE
        with self._lock:
            first = self._made.get(name)
            if first is not None:
                is_same = (first.TL, first.__module__) == (cls.TL, cls.__module__)
                if not is_same or _globals_of(first) is _globals_of(cls):
                    raise SchemaError(f"{self.name} already has a combinator {name}: no class is made twice")
                return
            if name not in self.declared:
                self.declare(name, cls.CONSTRUCTOR_ID, type_name, self._made.__getitem__)
            elif self.declared[name][:2] != (cls.CONSTRUCTOR_ID, type_name):
                raise SchemaError(f"{self.name} already has a combinator {name}, with another id or type")
            self._made[name] = cls
            if type_name == "Bool":  # built in: whatever a schema declares, its values are True and False
                return
            key = cls.CONSTRUCTOR_ID.to_bytes(4, "little")
            tables = [self._readers.get(type_name or "!X")]
            if self._by_id[cls.CONSTRUCTOR_ID] == name:
                tables.append(self._readers.get("Object"))
            for table in tables:
                if table is not None:
                    table[key] = cls._read
            if type_name:
                self.writers(type_name)[cls] = cls._encode

    # What generated code asks for

    def readers(self, type_name: str) -> dict[bytes, FastReader]:
        """The fast readers of a boxed type (or of "Object", "!X") by constructor id."""
        with self._lock:
            if type_name not in self._readers:
                self._readers[type_name] = self._new_readers(type_name)
            return self._readers[type_name]

    def writers(self, type_name: str) -> dict[type, FastWriter]:
        """The fast writers of a boxed type by class, filled as classes are made."""
        return self._writers.setdefault(type_name, {})

    def _new_readers(self, type_name: str) -> dict[bytes, FastReader]:
        if type_name == "Bool":
            return {BOOL_TRUE: _read_true, BOOL_FALSE: _read_false}
        names: Iterable[str] = self._constructors.get(type_name, ())
        if type_name == "Object":
            names = self._by_id.values()
        elif type_name == "!X":
            names = self._functions
        readers: dict[bytes, FastReader] = {}
        for name in names:
            cls = self._made.get(name)
            key = self.declared[name][0].to_bytes(4, "little")
            readers[key] = cls._read if cls is not None else _FirstRead(self, name)
        return readers

    # What the reference codec asks for

    @property
    def title(self) -> str:
        """How messages name the schema among others: ``layer 228``, or its name where it has no layer."""
        return self.name if self.layer is None else f"layer {self.layer}"

    def find(self, constructor_id: int, type_name: str = "Object") -> Any | None:
        """The class with this id among those of a boxed type (or of "Object", "!X"), or None."""
        if type_name == "Object":
            name = self._by_id.get(constructor_id)
            return None if name is None else self.make(name)
        names = self._functions if type_name == "!X" else self._constructors.get(type_name, ())
        found = [name for name in names if self.declared[name][0] == constructor_id]
        return self.make(found[-1]) if found else None

    def type_names(self) -> Collection[str]:
        """The names of all boxed types."""
        return self._constructors.keys()

    def constructor_names(self, type_name: str) -> tuple[str, ...]:
        """The TL names of a boxed type's constructors; () where there is no such type."""
        return tuple(self._constructors.get(type_name, ()))

    def classes(self, type_name: str) -> tuple[Any, ...]:
        """The classes of a boxed type's constructors; () where there is no such type."""
        return tuple(self.make(name) for name in self.constructor_names(type_name))

    def is_object(self, value: object, *, function: bool = False) -> bool:
        """Whether `value` is a TL object (or function) of any schema."""
        cls: Any = type(value)
        schema = getattr(cls, "SCHEMA", None)
        return (
            isinstance(schema, Registry)
            and hasattr(cls, "TL_NAME")
            and (hasattr(cls, "RESULT") or not function)
        )

    def is_of(self, value: object, type_name: str) -> bool:
        """Whether `value` is an object of this schema and of this boxed type."""
        cls: Any = type(value)
        return getattr(cls, "SCHEMA", None) is self and getattr(cls, "TYPE", None) == type_name

    def is_wrapper(self, cls: Any) -> bool:
        """Whether a class is that of a function whose last field is any function, as ``query:!X`` is."""
        if not hasattr(cls, "RESULT"):
            return False
        table = self.table(cls)
        return bool(table) and table[-1].type.name.startswith("!") and table[-1].flag is None

    def bare_name(self, name: str) -> str:
        """The constructor that the bare type `name` means: itself, or the only one of that type."""
        constructors = self.constructor_names(name)
        if len(constructors) == 1:
            return constructors[0]
        if name not in self.declared:
            raise SchemaError(f"{self.name} has no constructor {name!r}")
        return name

    def table(self, cls: Any) -> Table:
        """The field table of a class, made from its TL text on first use."""
        if cls not in self._tables:
            self._tables[cls] = _reference().table_of(cls, self)
        return self._tables[cls]

    # What a caller asks for

    def wire_type(self, as_type: object) -> WireType:
        """The wire type that a caller means: a class, a union, a TL type's text, or None for any object."""
        reference = _reference()
        if isinstance(as_type, str):
            kind: WireType = reference.type_of_text(as_type, self)
        else:
            kind = reference.type_of_classes(self._classes_of(as_type), self)
        return kind

    def _classes_of(self, as_type: object) -> tuple[Any, ...]:
        """The classes that `as_type` names; () for None; raise TypeError for anything else."""
        if as_type is None:
            return ()
        classes: tuple[Any, ...] = (as_type,)
        if isinstance(as_type, _UnionType) or str(getattr(as_type, "__origin__", "")) == "typing.Union":
            classes = getattr(as_type, "__args__", ())
        for cls in classes:
            if (
                not isinstance(cls, type)
                or getattr(cls, "SCHEMA", None) is not self
                or not hasattr(cls, "TL")
            ):
                raise TypeError(
                    f"as_type: got {as_type!r}, expected a class or union of {self.name}, or a TL type's text"
                )
        return classes

    def requested_readers(self, as_type: object) -> dict[bytes, FastReader]:
        """The fast readers for what a caller asked for; empty where only the reference codec will do."""
        found = self.fast_readers.get(as_type)
        if found is None:
            if as_type is None or as_type == "Object":
                found = self.readers("Object")
            elif not isinstance(as_type, str):
                classes = self._classes_of(as_type)
                if all(
                    "TL" in vars(c) for c in classes
                ):  # a subclass of a user's: the fast readers don't know it
                    found = {c.CONSTRUCTOR_ID.to_bytes(4, "little"): c._read for c in classes}
                else:
                    found = {}
            elif as_type == "Bool" or as_type in self._constructors:
                found = self.readers(as_type)
            else:
                found = _reference().fast_readers_of(as_type, self)
            if len(self.fast_readers) < _MOST_READERS:  # a text can be spelled in many ways
                self.fast_readers[as_type] = found
        return found


def loaded_registries() -> list[Registry]:
    """Those of all schemas that are loaded, the first first."""
    return [registry for weak in list(_loaded) if (registry := weak()) is not None]


def registry_of(schema_or_module: object) -> Registry:
    """The registry that a caller means: itself, or that of a generated package or of what `tl.load` gives.

    Raise TypeError for anything else, a class for instance.
    """
    is_class = isinstance(schema_or_module, type)
    found = schema_or_module if is_class else getattr(schema_or_module, "SCHEMA", schema_or_module)
    if isinstance(found, Registry):
        return found
    hint = "; give a class as `what` or `as_type`" if is_class else ""
    raise TypeError(
        f"schema: got {schema_or_module!r}, expected a generated package, what tl.load gives, or a registry{hint}"
    )


def _globals_of(cls: Any) -> object:
    """The namespace that a class was made in, as far as its own methods tell."""
    method = vars(cls).get("_encode") or vars(cls).get("__init__")
    return getattr(method, "__globals__", cls)


class _FirstRead:
    """Stands for the reader of a class that is still to be made."""

    __slots__ = ("name", "registry")

    def __init__(self, registry: Registry, name: str) -> None:
        self.registry = registry
        self.name = name

    def __call__(self, data: bytes, pos: int, depth: int) -> tuple[Any, int]:
        read: FastReader = self.registry.make(self.name)._read
        return read(data, pos, depth)


def _reference() -> Any:
    """The reference codec; it takes longer to load than all that generated code needs."""
    from tl import reference

    return reference


def _write_bool(value: bool) -> bytes:
    return BOOL_TRUE if value else BOOL_FALSE


def _read_true(data: bytes, position: int, depth: int) -> tuple[Any, int]:
    return True, position


def _read_false(data: bytes, position: int, depth: int) -> tuple[Any, int]:
    return False, position
