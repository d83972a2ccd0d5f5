"""TL, the schema and serialization language of MTProto: parser, code generator, strict codec.

    import tl
    api = tl.load("schema/api.tl")           # the classes of a schema, or SchemaError with every error
    data = bytes(api.CodeSettings(current_number=True))
    api.decode(data)                         # the object again, or DecodeError with offset and path

``tl generate`` writes the same classes as a package.  This package knows nothing of MTProto and needs the
standard library only.
"""

from __future__ import annotations

from tl.codec import (
    decode,
    decode_prefix,
    decode_result,
    decode_wrapper,
    encode,
    encode_result,
    is_wrapper,
)
from tl.errors import (
    DecodeError,
    EncodeError,
    IdMismatchWarning,
    InvalidCount,
    InvalidUtf8,
    JSONValueError,
    LimitExceeded,
    MissingField,
    NonCanonical,
    NonMinimalLength,
    NonZeroPadding,
    ReservedLength,
    SchemaError,
    TLError,
    TrailingBytes,
    UnexpectedConstructor,
    UnexpectedEnd,
    UnknownConstructor,
    UnknownFlags,
    WrongType,
)
from tl.limits import Budget, Limits
from tl.runtime import TLFunction, TLObject

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tl.findings import Finding
    from tl.inspection import Reading, inspect, read
    from tl.json_text import from_json, to_json
    from tl.loader import load
    from tl.raw import Raw
    from tl.schema import Schema

__all__ = [
    "Budget",
    "DecodeError",
    "EncodeError",
    "Finding",
    "IdMismatchWarning",
    "InvalidCount",
    "InvalidUtf8",
    "JSONValueError",
    "LimitExceeded",
    "Limits",
    "MissingField",
    "NonCanonical",
    "NonMinimalLength",
    "NonZeroPadding",
    "Raw",
    "Reading",
    "ReservedLength",
    "Schema",
    "SchemaError",
    "TLError",
    "TLFunction",
    "TLObject",
    "TrailingBytes",
    "UnexpectedConstructor",
    "UnexpectedEnd",
    "UnknownConstructor",
    "UnknownFlags",
    "WrongType",
    "__version__",
    "decode",
    "decode_prefix",
    "decode_result",
    "decode_wrapper",
    "encode",
    "encode_result",
    "from_json",
    "inspect",
    "is_wrapper",
    "load",
    "read",
    "to_json",
]

__version__ = "0.1.0"

_LATER = {
    "Schema": "tl.schema",
    "Finding": "tl.findings",
    "Raw": "tl.raw",
    "Reading": "tl.inspection",
    "from_json": "tl.json_text",
    "inspect": "tl.inspection",
    "load": "tl.loader",
    "read": "tl.inspection",
    "to_json": "tl.json_text",
}


def __getattr__(name: str) -> object:
    """What generated classes don't need is imported when it is first used."""
    if name not in _LATER:
        raise AttributeError(f"module 'tl' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_LATER[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
