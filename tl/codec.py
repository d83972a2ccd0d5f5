"""The one seam through which everything is encoded and decoded.

Two codecs stand behind it: the straight-line code that was generated for each class, which only ever says
"here is the result" or gives up, and the reference codec (`tl.reference`), which decides everything else and
explains it.  A compiled codec would be a third; nothing outside this module would know.
"""

from __future__ import annotations

from tl.errors import DecodeError, EncodeError
from tl.fast import Level, Unfit
from tl.limits import DEFAULT_LIMITS, Budget, Limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from tl.registry import Registry
    from tl.runtime import Decode, R, TLFunction, TLObject

__all__ = [
    "decode",
    "decode_prefix",
    "decode_result",
    "decode_wrapper",
    "decoder",
    "encode",
    "encode_again",
    "encode_result",
    "is_wrapper",
]

_SMALLEST = 4
"""What an object that counts, or an element that is read by straight-line code, takes at least, in bytes."""
_UNCOUNTED = _SMALLEST * min(DEFAULT_LIMITS.objects, DEFAULT_LIMITS.elements)
"""Data up to this size can't hold more than the default limits allow, so nothing has to be counted."""
_MOST_WRAPPERS = 128


def _reference() -> Any:
    from tl import reference

    return reference


def encode(value: TLObject) -> bytes:
    """The boxed encoding of an object; raise EncodeError, naming the field, where a value does not fit."""
    if not hasattr(type(value), "SCHEMA"):
        raise EncodeError(f"got {type(value).__name__}, expected a TL object")
    return bytes(value)


def encode_again(value: TLObject) -> bytes:
    """What straight-line code gave up on: encoded after all, or explained."""
    encoded: bytes = _reference().reference_encode(value)
    return encoded


def decoder(schema: Registry) -> Decode:
    """The `decode` of one schema, as its package exports it."""
    readers = schema.fast_readers
    default_depth = DEFAULT_LIMITS.depth
    uncounted = _UNCOUNTED

    def decode(
        data: bytes | bytearray | memoryview,
        as_type: object = None,
        canonical: bool = True,
        strict_flags: bool = False,
        limits: Limits | Budget | None = None,
    ) -> Any:
        """The value that `data` is the whole boxed encoding of.

        `as_type` says what it has to be: a class, a union such as ``auth.TypeSentCode``, the text of a TL
        type such as ``"Vector<User>"``, or None for any combinator of this schema.  ``canonical=False`` lets
        long length forms and non-zero padding through, ``strict_flags=True`` refuses flag bits that no field
        of this layer uses; `limits` are `tl.Limits`, or the `tl.Budget` of a decode that this one is part
        of.  Raise `tl.DecodeError`, with offset and path, where it is not one; SchemaError for an `as_type`
        whose text names no type of this schema, TypeError for one that is no type at all.
        """
        if type(data) is bytes and limits is None and not strict_flags:
            size = len(data)
            if size <= uncounted:
                try:
                    value, position = readers[as_type][data[:4]](data, 4, default_depth)
                    if position == size:
                        return value
                except Exception:  # noqa: S110 - whatever it was, the reference codec says it better
                    pass
        return _decode_again(schema, data, as_type, canonical, strict_flags, limits)

    return decode


def _decode_again(
    schema: Registry,
    data: bytes | bytearray | memoryview,
    as_type: object,
    canonical: bool,
    strict_flags: bool,
    limits: Limits | Budget | None,
) -> Any:
    """What the quick way did not settle: types asked for the first time, other buffers, bad bytes."""
    if limits is None:
        limits = DEFAULT_LIMITS
    elif not isinstance(limits, Limits | Budget):
        raise TypeError(f"limits: got {type(limits).__name__}, expected tl.Limits or tl.Budget")
    if type(data) is not bytes:
        data = bytes(memoryview(data))  # `bytes` alone would make zeros of a number
    if not strict_flags and not isinstance(limits, Budget) and len(data) <= limits.string_bytes:
        try:
            return _read_quickly(schema, data, as_type, limits)
        except Exception:  # noqa: S110 - as above
            pass
    return _reference().reference_decode(
        schema, data, as_type, canonical=canonical, strict_flags=strict_flags, limits=limits
    )


def _read_quickly(schema: Registry, data: bytes, as_type: object, limits: Limits) -> Any:
    """What straight-line code makes of `data`; raise whatever it raises."""
    most = len(data) // _SMALLEST
    depth: Any = limits.depth
    if most > limits.objects or most > limits.elements:
        depth = Level.at(limits.depth, limits.budget())
    value, position = schema.requested_readers(as_type)[data[:4]](data, 4, depth)
    if position != len(data):
        raise Unfit
    return value


def decode(
    schema: Registry,
    data: bytes | bytearray | memoryview,
    as_type: object = None,
    *,
    canonical: bool = True,
    strict_flags: bool = False,
    limits: Limits | Budget | None = None,
) -> Any:
    """The value that `data` is the whole boxed encoding of.

    `as_type` says what it has to be: a class, a union of classes (``api.auth.TypeSentCode``), the text of a
    TL type (``"Vector<User>"``), or None for any combinator of `schema`.  With ``canonical=False`` long
    length forms and non-zero padding are let through; with ``strict_flags=True`` flag bits that no field of
    the schema uses are refused, which are otherwise kept in the object.  `limits` are `Limits`, or the
    `Budget` of a decode that this one is part of.  Raise DecodeError, with offset and path, where it is not
    one; SchemaError for an `as_type` whose text names no type of `schema`, TypeError for one that is no type
    at all.
    """
    return _decode_again(schema, data, as_type, canonical, strict_flags, limits)


def decode_prefix(
    schema: Registry,
    data: bytes | bytearray | memoryview,
    as_type: object = None,
    *,
    canonical: bool = True,
    strict_flags: bool = False,
    limits: Limits | Budget | None = None,
) -> tuple[Any, int]:
    """The value at the start of `data`, and how many bytes it takes; what follows is the caller's.

    Otherwise as `decode`.
    """
    if type(data) is not bytes:
        data = bytes(memoryview(data))
    found: tuple[Any, int] = _reference().reference_decode_prefix(
        schema, data, as_type, canonical=canonical, strict_flags=strict_flags, limits=limits or DEFAULT_LIMITS
    )
    return found


def is_wrapper(cls: type) -> bool:
    """Whether `cls` is the class of a function that only wraps another: its last field is any, ``query:!X``."""
    schema = getattr(cls, "SCHEMA", None)
    return schema is not None and schema.is_wrapper(cls)


def decode_wrapper(
    schema: Registry,
    data: bytes | bytearray | memoryview,
    *,
    canonical: bool = True,
    strict_flags: bool = False,
    limits: Limits | Budget | None = None,
) -> Any:
    """The function at the start of `data` that wraps another, such as invokeWithLayer, without reading that one.

    In its last field is `tl.Raw` with all bytes behind its own: a function, which may be of another schema, or
    gzip_packed.  Raise DecodeError where `data` begins with no wrapper (see `is_wrapper`); otherwise as `decode`.
    """
    if type(data) is not bytes:
        data = bytes(memoryview(data))
    return _reference().reference_decode_wrapper(
        schema, data, canonical=canonical, strict_flags=strict_flags, limits=limits or DEFAULT_LIMITS
    )


def _answered_function(request: Any) -> Any | None:
    """The request whose result type counts, that inside invokeWithLayer and its like; None if it is open."""
    function = request
    for _ in range(_MOST_WRAPPERS):
        if getattr(function, "RESULT", "!X") != "!X":
            return function
        inner = [getattr(function, f.name) for f in type(function).FIELDS if f.type.name.startswith("!")]
        if not inner or not hasattr(inner[0], "RESULT"):
            return None
        function = inner[0]
    return None


def encode_result(request: TLFunction[Any], value: object) -> bytes:
    """The boxed encoding of `value` as the answer to `request`; raise EncodeError where it is not one."""
    if not hasattr(type(request), "RESULT"):
        raise EncodeError(f"got {type(request).__name__}, expected a function's object as the request")
    function = _answered_function(request)
    if function is None:
        raise EncodeError(f"the result type of {request.TL_NAME} is open")
    if function.SCHEMA.is_of(value, function.RESULT):
        return bytes(value)  # type: ignore[call-overload, no-any-return]
    encoded: bytes = _reference().reference_encode_as(function.SCHEMA, value, function.RESULT)
    return encoded


def decode_result(
    request: TLFunction[R],
    data: bytes | bytearray | memoryview,
    *,
    canonical: bool = True,
    strict_flags: bool = False,
    limits: Limits | Budget | None = None,
) -> R:
    """The answer to `request` that `data` encodes; raise DecodeError where it is not of its result type."""
    if not hasattr(type(request), "RESULT"):
        raise TypeError(f"got {type(request).__name__}, expected a function's object as the request")
    function = _answered_function(request)
    if function is None:
        raise DecodeError(f"the result type of {request.TL_NAME} is open", offset=0)
    result: R = _decode_again(function.SCHEMA, data, function.RESULT, canonical, strict_flags, limits)
    return result
