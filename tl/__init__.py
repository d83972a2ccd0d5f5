"""TL, the schema and serialization language of MTProto: parser, code generator, strict codec.

    from tl import Schema
    schema = Schema.read("schema/api.tl")      # parsed and resolved, or SchemaError with every error

The classes that the generator writes are used by themselves: ``bytes(obj)`` encodes, the generated package's
``decode`` reads.  This package knows nothing of MTProto and needs the standard library only.
"""

from tl.codec import decode, decode_prefix, decode_result, encode, encode_result
from tl.errors import (
    DecodeError,
    EncodeError,
    InvalidCount,
    InvalidUtf8,
    JSONValueError,
    LimitExceeded,
    MissingField,
    NonCanonical,
    SchemaError,
    TLError,
    TrailingBytes,
    UnexpectedConstructor,
    UnexpectedEnd,
)
from tl.limits import Budget, Limits
from tl.runtime import TLFunction, TLObject
from tl.schema import Schema

__all__ = [
    "Budget",
    "DecodeError",
    "EncodeError",
    "InvalidCount",
    "InvalidUtf8",
    "JSONValueError",
    "LimitExceeded",
    "Limits",
    "MissingField",
    "NonCanonical",
    "Schema",
    "SchemaError",
    "TLError",
    "TLFunction",
    "TLObject",
    "TrailingBytes",
    "UnexpectedConstructor",
    "UnexpectedEnd",
    "__version__",
    "decode",
    "decode_prefix",
    "decode_result",
    "encode",
    "encode_result",
]

__version__ = "0.1.0"
