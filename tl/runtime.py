"""What generated code imports, and nothing else: the base classes, and the tools of straight-line codecs.

A generated class is a plain class with slots.  How its `_encode` and `_read` work together with the
reference codec is told in `tl.fast`.
"""

from __future__ import annotations

from struct import Struct

from tl import codec
from tl.errors import MissingField
from tl.fast import (
    BOOL_FALSE,
    BOOL_TRUE,
    READ_SHORT,
    SHORT_BYTES,
    SIZE,
    TAIL,
    Unfit,
    long_bytes,
    new,
    read_boxes,
    read_bytes_vector,
    read_long,
    read_numbers,
    read_string_vector,
    text_bytes,
    write_boxes,
    write_bytes_vector,
    write_numbers,
    write_object,
    write_string_vector,
)
from tl.lazy import lazily
from tl.registry import Registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar

    from tl.fields import Table
    from tl.limits import Budget, Limits

__all__ = [
    "BOOL_FALSE",
    "BOOL_TRUE",
    "MISSING",
    "READ_SHORT",
    "SHORT_BYTES",
    "SIZE",
    "TAIL",
    "Decode",
    "Registry",
    "Struct",
    "TLFunction",
    "TLObject",
    "Unfit",
    "codec",
    "lazily",
    "long_bytes",
    "missing_field",
    "new",
    "read_boxes",
    "read_bytes_vector",
    "read_long",
    "read_numbers",
    "read_string_vector",
    "text_bytes",
    "write_boxes",
    "write_bytes_vector",
    "write_numbers",
    "write_object",
    "write_string_vector",
]


class TLType(type):
    """The class of generated classes: makes their field tables."""

    SCHEMA: Registry

    @property
    def FIELDS(cls) -> Table:  # noqa: N802
        """The fields in wire order; made from the TL text on first use."""
        return cls.SCHEMA.table(cls)


class _Missing:
    """What a required field is until it is given."""

    def __repr__(self) -> str:
        return "<required>"


MISSING: Any = _Missing()


def missing_field(value: Any) -> MissingField:
    """The error for an object that was built without all of its required fields."""
    for field in type(value).FIELDS:
        if getattr(value, field.name, None) is MISSING:
            return MissingField(f"missing in {value.TL_NAME}, expected {field.type.name}", path=field.name)
    raise TypeError(f"nothing is missing in {value!r}")


def _let_fields_be_missing(cls: type) -> None:
    """Give `__init__` a default for each required field, so that it can say itself which one is missing.

    Type checkers read the source, where there is none.
    """
    init: Any = cls.__init__  # type: ignore[misc]
    code = init.__code__
    names = code.co_varnames[1 : 1 + code.co_kwonlyargcount]
    init.__kwdefaults__ = dict.fromkeys(names, MISSING) | (init.__kwdefaults__ or {})


class TLObject(metaclass=TLType):
    """A value of a combinator: built by keyword, compared by its fields, encoded by ``bytes(obj)``."""

    __slots__: tuple[str, ...] = ()
    _NAMES: ClassVar[tuple[str, ...]] = ()  # the slots of the generated class, for its subclasses too
    _ONLY: ClassVar[
        Any
    ]  # of a class without fields, the instance that decoding gives: nothing tells two apart

    TL: ClassVar[str]
    """The combinator as its schema has it."""
    TL_NAME: ClassVar[str]
    CONSTRUCTOR_ID: ClassVar[int]
    TYPE: ClassVar[str]
    """The boxed type that a constructor belongs to."""
    SCHEMA: ClassVar[Registry]
    """The registry of the schema that this class was generated from."""

    def __init_subclass__(cls) -> None:
        if "TL" in cls.__dict__:
            if "__init__" in cls.__dict__:
                _let_fields_be_missing(cls)
            cls._NAMES = cls.__slots__
            if not cls.__slots__:
                cls._ONLY = new(cls)
            cls.SCHEMA.add(cls)

    def __bytes__(self) -> bytes:
        try:
            return self._encode()
        except Exception:  # noqa: S110 - whatever it was, the reference codec says it better
            pass
        return codec.encode_again(self)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self._NAMES)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = []
        for field in type(self).FIELDS:
            value = getattr(self, field.name, None)
            is_default = field.flag is not None or hasattr(field.type, "known")
            if not (is_default and (value is None or value is False or (value == 0 and field.flag is None))):
                shown.append(f"{field.name}={value!r}")
        namespace = self.TL_NAME.rpartition(".")[0]
        prefix = f"{namespace}." if namespace else ""
        return f"{prefix}{type(self).__name__}({', '.join(shown)})"

    # Overridden by generated code wherever straight-line code is possible.

    def _encode(self) -> bytes:
        raise Unfit

    @staticmethod
    def _read(data: bytes, pos: int, depth: Any) -> tuple[Any, int]:
        raise Unfit


if TYPE_CHECKING:
    from typing import Generic, Protocol, TypeVar, overload

    R = TypeVar("R", covariant=True)
    _T = TypeVar("_T")
    _Data = bytes | bytearray | memoryview

    class Decode(Protocol):
        """The type of a package's `decode`."""

        @overload
        def __call__(
            self,
            data: _Data,
            as_type: None = None,
            *,
            canonical: bool = True,
            strict_flags: bool = False,
            limits: Limits | Budget = ...,
        ) -> TLObject: ...
        @overload
        def __call__(
            self,
            data: _Data,
            as_type: type[_T],
            *,
            canonical: bool = True,
            strict_flags: bool = False,
            limits: Limits | Budget = ...,
        ) -> _T: ...
        @overload
        def __call__(
            self,
            data: _Data,
            as_type: object,
            *,
            canonical: bool = True,
            strict_flags: bool = False,
            limits: Limits | Budget = ...,
        ) -> Any: ...

    class TLFunction(TLObject, Generic[R]):
        """A request whose answer is of type `R`."""

        RESULT: ClassVar[str]
        """The TL type of the answer; ``!X`` where it is that of the request inside."""

else:

    class TLFunction(TLObject):
        """A request; what stands in its brackets is the type of the answer, for type checkers."""

        __slots__ = ()

        def __class_getitem__(cls, _):
            return cls

    R = Decode = None
