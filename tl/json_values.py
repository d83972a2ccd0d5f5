"""TL values as JSON values and back, without loss.

    codeSettings     {"_": "codeSettings", "allow_flashcall": true, "logout_tokens": [{"hex": "00ff"}]}
    bytes, int128    {"hex": "00ff"}
    double           a number; {"double": "nan" | "inf" | "-inf" | its 64 bits as 16 hex digits}
    int, long, #     a number         string  a string         Bool, true  true, false
    Vector<T>        a list           4*[ a:int b:int ]  a list of {"a": 1, "b": 2}
    tl.Raw           {"_raw": "ff", "value": what it means, if that is known}

An object names its constructor under ``_``, which may be left out where the type has only one, and its fields
by their TL names.  An absent field is left out, and so is a flag that is not set; flag bits that this schema
does not know are a number under the flags field's own name.  `tl.Raw` may stand for any value; read are its
bytes alone, and only if that is asked for.  "JSON value" means what `json.loads` gives.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from tl.errors import EncodeError, JSONValueError
from tl.fields import Field, Flags, Repetition, Table
from tl.json_builder import MEANING, NAME, RAW, Builder, json_path, key_of
from tl.objects import MAX_ENCODE_DEPTH
from tl.primitives import Vector, as_bytes
from tl.raw import Raw
from tl.registry import registry_of
from tl.wire import WireType, Writer, type_name

__all__ = ["from_json_value", "to_json_value"]

_QUIET_NAN = 0x7FF8 << 48


def to_json_value(value: object) -> Any:
    """The JSON value of a TL value: of an object, or of a list, a number and so on as a vector holds it.

    Raise EncodeError, with the path, for what is no TL value.  Whether each number fits its field is checked
    when the object is encoded, not here.
    """
    try:
        return _write(None, value, _Writer(MAX_ENCODE_DEPTH))
    except RecursionError:
        raise EncodeError("objects are nested deeper than the interpreter allows") from None


class _Writer(Writer):
    """A path, and whether what is written is the meaning of raw bytes around it."""

    __slots__ = ("is_meaning",)

    def __init__(self, depth: int, *, is_meaning: bool = False) -> None:
        super().__init__(depth)
        self.is_meaning = is_meaning


def _write(kind: WireType | None, value: object, writer: _Writer) -> object:
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return _write_double(value)
    if isinstance(value, bytes | bytearray | memoryview):
        raw = as_bytes(value)
        if raw is None:
            raise writer.fail(f"got {type_name(value)}, expected bytes")
        return {"hex": raw.hex()}
    if isinstance(value, Raw):
        return _write_raw(kind, value, writer)
    if isinstance(value, list | tuple):
        return [_write_item(i, kind, item, writer) for i, item in enumerate(value)]
    table: Table | None = getattr(type(value), "FIELDS", None)
    if table is None:
        raise writer.fail(f"got {type_name(value)}, expected a TL value")
    return _write_object(value, table, writer)


def _write_raw(kind: WireType | None, raw: Raw, writer: _Writer) -> object:
    """The bytes, and beside them what they mean, if that is known and can be said.

    In there nothing is read from, so raw values are what they mean: each byte is written only once more.
    """
    if writer.is_meaning and raw.value is not None:
        return _write(kind, raw.value, writer)
    written: dict[str, object] = {RAW: raw.encoded.hex()}
    if raw.value is not None:
        with suppress(EncodeError, RecursionError):
            written[MEANING] = _write(kind, raw.value, _Writer(writer.depth, is_meaning=True))
    return written


def _write_item(index: int, kind: WireType | None, item: object, writer: _Writer) -> object:
    """An element of a list of the type `kind`."""
    writer.path.append(index)
    if not isinstance(kind, Repetition):
        written = _write(kind.item if isinstance(kind, Vector) else None, item, writer)
    elif len(kind.items) == 1:
        written = _write(kind.items[0].type, item, writer)
    elif isinstance(item, Raw):
        written = _write_raw(None, item, writer)
    else:
        names = [field.name for field in kind.items]
        if not isinstance(item, tuple) or len(item) != len(names):
            raise writer.fail(f"got {type_name(item)}, expected a tuple of {len(names)}")
        written = _write_fields(kind.items, dict(zip(names, item, strict=True)), writer)
    writer.path.pop()
    return written


def _write_object(value: Any, table: Table, writer: _Writer) -> dict[str, object]:
    writer.depth -= 1
    if writer.depth < 0:
        raise writer.fail(f"objects are nested deeper than {MAX_ENCODE_DEPTH}: does one contain itself?")
    values = {field.name: getattr(value, field.name, None) for field in table}
    written = {NAME: value.TL_NAME, **_write_fields(table, values, writer)}
    writer.depth += 1
    return written


def _write_fields(table: Table, values: Mapping[str, object], writer: _Writer) -> dict[str, object]:
    written: dict[str, object] = {}
    for field in table:
        value = values[field.name]
        if not _is_left_out(field, value):
            writer.path.append(key_of(field))
            written[key_of(field)] = _write(field.type, value, writer)
            writer.path.pop()
    return written


def _is_left_out(field: Field, value: object) -> bool:
    if isinstance(field.type, Flags):
        return value == 0
    return field.flag is not None and value is (False if field.is_true_flag else None)


def _write_double(value: float) -> object:
    if math.isfinite(value):
        return float(value)
    if math.isinf(value):
        return {"double": "inf" if value > 0 else "-inf"}
    (bits,) = struct.unpack("<Q", struct.pack("<d", value))
    return {"double": "nan" if bits == _QUIET_NAN else f"{bits:016x}"}


def from_json_value(schema: object, value: object, as_type: object = None, *, raw: bool = False) -> Any:
    """The TL value of the type `as_type` that a JSON value describes, ready to be encoded.

    `schema` is a generated package, what `tl.load` gives, or their registry; `as_type` a class, a union, the
    text of a TL type, or None for any object of `schema`.  With `raw`, ``{"_raw": "ff"}`` is taken for any
    value, as `tl.Raw`; whoever can say that can have anything written.  Raise JSONValueError, with the JSON
    path, where it is no such value, or one that can't be encoded.
    """
    registry = registry_of(schema)
    kind = registry.wire_type(as_type)
    try:
        built = Builder(registry, raw=raw).value(kind, value)
        kind.write_any(built, Writer(MAX_ENCODE_DEPTH))
    except RecursionError:
        raise JSONValueError("objects are nested deeper than the interpreter allows") from None
    except EncodeError as error:
        # The codec knows the ranges and lengths; as the names are TL's here too, so is the path.
        raise JSONValueError(error.message, path=json_path(error.path)) from None
    return built
