"""What generated code imports, and nothing else: the base classes, and the tools of straight-line codecs.

A generated class is a plain class with slots.  How its `_encode` and `_read` work together with the
reference codec is told in `tl.fast`.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, ClassVar

from tl import codec
from tl.errors import MissingField
from tl.fast import (
    HEAD,
    TAIL,
    FastReader,
    FastWriter,
    Unfit,
    long_bytes,
    new,
    read_boxes,
    read_bytes_vector,
    read_long,
    read_numbers,
    read_string_vector,
    write_boxes,
    write_bytes_vector,
    write_numbers,
    write_object,
    write_string_vector,
)
from tl.fields import Table
from tl.registry import Registry
from tl.wire import BOOL_FALSE, BOOL_TRUE, DEFAULT_LIMITS, VECTOR_ID, Limits

__all__ = [
    "BOOL_FALSE",
    "BOOL_TRUE",
    "DEFAULT_LIMITS",
    "HEAD",
    "TAIL",
    "VECTOR_ID",
    "Decode",
    "FastReader",
    "FastWriter",
    "Limits",
    "Registry",
    "Struct",
    "TLFunction",
    "TLObject",
    "Unfit",
    "codec",
    "long_bytes",
    "new",
    "read_boxes",
    "read_bytes_vector",
    "read_long",
    "read_numbers",
    "read_string_vector",
    "write_boxes",
    "write_bytes_vector",
    "write_numbers",
    "write_object",
    "write_string_vector",
]


class TLType(type):
    """The class of generated classes: makes their field tables, and names the field that a call left out."""

    SCHEMA: Registry

    @property
    def FIELDS(cls) -> Table:  # noqa: N802
        """The fields in wire order; made from the TL text on first use."""
        return cls.SCHEMA.table(cls)

    if not TYPE_CHECKING:

        def __call__(cls, /, *args, **fields):  # a field may be called `cls`
            try:
                return type.__call__(cls, *args, **fields)
            except TypeError:
                given = fields.keys()
                for field in cls.FIELDS if hasattr(cls, "TL_NAME") and not args else ():
                    if field.flag is None and not hasattr(field.type, "known") and field.name not in given:
                        raise MissingField(
                            f"missing in {cls.TL_NAME}, expected {field.type.name}", path=field.name
                        ) from None
                raise


class TLObject(metaclass=TLType):
    """A value of a combinator: built by keyword, compared by its fields, encoded by ``bytes(obj)``."""

    __slots__: tuple[str, ...] = ()

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
            cls.SCHEMA.add(cls)

    def __bytes__(self) -> bytes:
        try:
            return self._encode()
        except Exception:  # noqa: S110 - as in `codec.encode`, whose body this is: a call less
            pass
        return codec.reference_encode(self)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

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
    def _read(data: bytes, pos: int, depth: int) -> tuple[Any, int]:
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
            self, data: _Data, as_type: None = None, *, canonical: bool = True, limits: Limits = ...
        ) -> TLObject: ...
        @overload
        def __call__(
            self, data: _Data, as_type: type[_T], *, canonical: bool = True, limits: Limits = ...
        ) -> _T: ...
        @overload
        def __call__(
            self, data: _Data, as_type: object, *, canonical: bool = True, limits: Limits = ...
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
