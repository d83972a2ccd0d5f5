"""The one seam through which everything is encoded and decoded.

Two codecs stand behind it: the straight-line code that was generated for each class, which only ever says
"here is the result" or gives up, and the reference codec (`tl.wire`), which decides everything else and
explains it.  A compiled codec would be a third; nothing outside this module would know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tl.errors import DecodeError, EncodeError, LimitExceeded, TrailingBytes
from tl.objects import MAX_ENCODE_DEPTH, AnyObject
from tl.wire import DEFAULT_LIMITS, Limits, Reader, WireType, Writer, type_name

if TYPE_CHECKING:
    from tl.registry import Registry
    from tl.runtime import Decode, R, TLFunction, TLObject

__all__ = [
    "decode",
    "decode_prefix",
    "decode_result",
    "decoder",
    "encode",
    "encode_result",
    "reference_decode",
    "reference_encode",
]


def encode(value: TLObject) -> bytes:
    """The boxed encoding of an object; raise EncodeError, naming the field, where a value does not fit."""
    if not hasattr(type(value), "SCHEMA"):
        raise EncodeError(f"got {type_name(value)}, expected a TL object")
    return bytes(value)


def reference_encode(value: TLObject) -> bytes:
    """`encode` by the reference codec alone."""
    try:
        return AnyObject("Object", value.SCHEMA).write(value, Writer(MAX_ENCODE_DEPTH))
    except RecursionError:
        raise EncodeError("objects are nested deeper than the interpreter allows") from None


def decoder(schema: Registry) -> Decode:
    """The `decode` of one schema, as its package exports it."""
    readers = schema.fast_readers

    default_depth = DEFAULT_LIMITS.depth

    def decode(
        data: bytes | bytearray | memoryview,
        as_type: object = None,
        canonical: bool = True,
        limits: Limits | None = None,
    ) -> Any:
        """The value that `data` is the whole boxed encoding of.

        `as_type` says what it has to be: a class, a union such as ``auth.TypeSentCode``, the text of a TL
        type such as ``"Vector<User>"``, or None for any combinator of this schema.  ``canonical=False`` lets
        long length forms and non-zero padding through.  Raise `tl.DecodeError`, with offset and path, where
        it is not one; SchemaError for an `as_type` whose text names no type of this schema, TypeError for
        one that is no type at all.
        """
        try:
            if type(data) is bytes:
                value, position = readers[as_type][data[:4]](
                    data, 4, default_depth if limits is None else limits.depth
                )
                if position == len(data):
                    return value
        except Exception:  # noqa: S110 - whatever it was, the reference codec says it better
            pass
        return _decode_again(schema, data, as_type, canonical, limits or DEFAULT_LIMITS)

    return decode


def _decode_again(
    schema: Registry, data: bytes | bytearray | memoryview, as_type: object, canonical: bool, limits: Limits
) -> Any:
    """What the quick way did not settle: types asked for the first time, other buffers, bad bytes."""
    if type(data) is not bytes:
        data = bytes(memoryview(data))  # `bytes` alone would make zeros of a number
    try:
        value, position = schema.requested_readers(as_type)[data[:4]](data, 4, limits.depth)
        if position == len(data):
            return value
    except Exception:  # noqa: S110 - as above
        pass
    return reference_decode(schema, data, as_type, canonical=canonical, limits=limits)


def decode(
    schema: Registry,
    data: bytes | bytearray | memoryview,
    as_type: object = None,
    *,
    canonical: bool = True,
    limits: Limits = DEFAULT_LIMITS,
) -> Any:
    """The value that `data` is the whole boxed encoding of.

    `as_type` says what it has to be: a class, a union of classes (``api.auth.TypeSentCode``), the text of a
    TL type (``"Vector<User>"``), or None for any combinator of `schema`.  With ``canonical=False`` long
    length forms and non-zero padding are let through.  Raise DecodeError, with offset and path, where it is
    not one; SchemaError for an `as_type` whose text names no type of `schema`, TypeError for one that is no
    type at all.
    """
    return _decode_again(schema, data, as_type, canonical, limits)


def reference_decode(
    schema: Registry,
    data: bytes,
    as_type: object = None,
    *,
    canonical: bool = True,
    limits: Limits = DEFAULT_LIMITS,
) -> Any:
    """`decode` by the reference codec alone."""
    reader = Reader(data, canonical=canonical, limits=limits)
    value = _read(schema.wire_type(as_type), reader)
    if reader.left:
        raise TrailingBytes(
            f"{reader.left} bytes are left over", offset=reader.pos, got=reader.left, expected=0
        )
    return value


def decode_prefix(
    schema: Registry, data: bytes, as_type: object = None, *, limits: Limits = DEFAULT_LIMITS
) -> tuple[Any, int]:
    """The value at the start of `data`, and how many bytes it takes; what follows is the caller's."""
    reader = Reader(data, limits=limits)
    return _read(schema.wire_type(as_type), reader), reader.pos


def _read(kind: WireType, reader: Reader) -> Any:
    try:
        return kind.read(reader)
    except RecursionError:
        raise LimitExceeded(
            "objects are nested deeper than the interpreter allows", offset=reader.pos, path=str(reader)
        ) from None


def _answered_function(request: Any) -> Any | None:
    """The request whose result type counts, that inside invokeWithLayer and its like; None if it is open."""
    function = request
    for _ in range(MAX_ENCODE_DEPTH):
        if getattr(function, "RESULT", "!X") != "!X":
            return function
        inner = [getattr(function, f.name) for f in type(function).FIELDS if f.type.name.startswith("!")]
        if not inner or not hasattr(inner[0], "RESULT"):
            return None
        function = inner[0]
    return None


def encode_result(request: TLFunction[Any], value: object) -> bytes:
    """The boxed encoding of `value` as the answer to `request`; raise EncodeError where it is not one."""
    function = _answered_function(request)
    if function is None:
        raise EncodeError(f"the result type of {request.TL_NAME} is open")
    kind: WireType = function.SCHEMA.wire_type(function.RESULT)
    try:
        return kind.write(value, Writer(MAX_ENCODE_DEPTH))
    except RecursionError:
        raise EncodeError("objects are nested deeper than the interpreter allows") from None


def decode_result(
    request: TLFunction[R],
    data: bytes | bytearray | memoryview,
    *,
    canonical: bool = True,
    limits: Limits = DEFAULT_LIMITS,
) -> R:
    """The answer to `request` that `data` encodes; raise DecodeError where it is not of its result type."""
    function = _answered_function(request)
    if function is None:
        raise DecodeError(f"the result type of {request.TL_NAME} is open", offset=0)
    result: R = decode(function.SCHEMA, data, function.RESULT, canonical=canonical, limits=limits)
    return result
