"""TL values as JSON values and back, without loss.

    codeSettings     {"_": "codeSettings", "allow_flashcall": true, "logout_tokens": [{"hex": "00ff"}]}
    bytes, int128    {"hex": "00ff"}
    double           a number; {"double": "nan" | "inf" | "-inf" | its 64 bits as 16 hex digits}
    int, long, #     a number         string  a string         Bool, true  true, false
    Vector<T>        a list           4*[ a:int b:int ]  a list of {"a": 1, "b": 2}

An object names its constructor under ``_``, which may be left out where the type has only one, and its fields
by their TL names.  An absent field is left out, and so is a flag that is not set; flag bits that this schema
does not know are a number under the flags field's own name.  "JSON value" means what `json.loads` gives.
"""

from __future__ import annotations

import difflib
import math
import re
import struct
from collections.abc import Collection, Mapping
from typing import Any

from tl.errors import EncodeError, JSONValueError
from tl.fields import Field, Flags, Repetition, Table
from tl.objects import MAX_ENCODE_DEPTH, AnyObject, Bare, Boxed
from tl.primitives import Vector, as_bytes
from tl.registry import Registry
from tl.wire import Place, WireType, Writer, type_name

__all__ = ["from_json_value", "to_json_value"]

_NAME = "_"
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})*")
_BITS = re.compile(r"[0-9a-fA-F]{16}")
_DOUBLES = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_QUIET_NAN = 0x7FF8 << 48


def to_json_value(value: object) -> Any:
    """The JSON value of a TL value: of an object, or of a list, a number and so on as a vector holds it.

    Raise EncodeError, with the path, for what is no TL value.  Whether each number fits its field is checked
    when the object is encoded, not here.
    """
    try:
        return _write(None, value, Writer(MAX_ENCODE_DEPTH))
    except RecursionError:
        raise EncodeError("objects are nested deeper than the interpreter allows") from None


def _write(kind: WireType | None, value: object, writer: Writer) -> object:
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
    if isinstance(value, list | tuple):
        return [_write_item(i, kind, item, writer) for i, item in enumerate(value)]
    table: Table | None = getattr(type(value), "FIELDS", None)
    if table is None:
        raise writer.fail(f"got {type_name(value)}, expected a TL value")
    return _write_object(value, table, writer)


def _write_item(index: int, kind: WireType | None, item: object, writer: Writer) -> object:
    """An element of a list of the type `kind`."""
    writer.path.append(index)
    if not isinstance(kind, Repetition):
        written = _write(kind.item if isinstance(kind, Vector) else None, item, writer)
    elif len(kind.items) == 1:
        written = _write(kind.items[0].type, item, writer)
    else:
        names = [field.name for field in kind.items]
        if not isinstance(item, tuple) or len(item) != len(names):
            raise writer.fail(f"got {type_name(item)}, expected a tuple of {len(names)}")
        written = _write_fields(kind.items, dict(zip(names, item, strict=True)), writer)
    writer.path.pop()
    return written


def _write_object(value: Any, table: Table, writer: Writer) -> dict[str, object]:
    writer.depth -= 1
    if writer.depth < 0:
        raise writer.fail(f"objects are nested deeper than {MAX_ENCODE_DEPTH}: does one contain itself?")
    values = {field.name: getattr(value, field.name, None) for field in table}
    written = {_NAME: value.TL_NAME, **_write_fields(table, values, writer)}
    writer.depth += 1
    return written


def _write_fields(table: Table, values: Mapping[str, object], writer: Writer) -> dict[str, object]:
    written: dict[str, object] = {}
    for field in table:
        value = values[field.name]
        if not _is_left_out(field, value):
            writer.path.append(_key(field))
            written[_key(field)] = _write(field.type, value, writer)
            writer.path.pop()
    return written


def _is_left_out(field: Field, value: object) -> bool:
    if isinstance(field.type, Flags):
        return value == 0
    return field.flag is not None and value is (False if field.is_true_flag else None)


def _key(field: Field) -> str:
    return field.tl_name or field.name


def _write_double(value: float) -> object:
    if math.isfinite(value):
        return float(value)
    if math.isinf(value):
        return {"double": "inf" if value > 0 else "-inf"}
    (bits,) = struct.unpack("<Q", struct.pack("<d", value))
    return {"double": "nan" if bits == _QUIET_NAN else f"{bits:016x}"}


def from_json_value(schema: Registry, value: object, as_type: object = None) -> Any:
    """The TL value of the type `as_type` that a JSON value describes, ready to be encoded.

    `as_type` is as for `tl.decode`: a class, a union, the text of a TL type, or None for any object of
    `schema`.  Raise JSONValueError, with the JSON path, where it is not one, or can't be encoded.
    """
    kind = schema.wire_type(as_type)
    try:
        built = _Builder(schema).value(kind, value)
        kind.write_any(built, Writer(MAX_ENCODE_DEPTH))
    except RecursionError:
        raise JSONValueError("objects are nested deeper than the interpreter allows") from None
    except EncodeError as error:
        # The codec knows the ranges and lengths; as the names are TL's here too, so is the path.
        raise JSONValueError(error.message, path=_json_path(error.path)) from None
    return built


def _json_path(path: str) -> str:
    return f"${path}" if path.startswith("[") or not path else f"$.{path}"


def _json_type(value: object) -> str:
    """How errors name a JSON value that was got."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    for python_type, name in ((dict, "an object"), (list, "a list"), (str, "a string")):
        if isinstance(value, python_type):
            return f"{name}{type_name(value).removeprefix(type(value).__name__)}"
    return type_name(value)


def _suggestion(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, 3)
    if not near:
        # A name without its namespace, or only begun, is near too.
        part = name.rpartition(".")[2].lower()
        near = sorted(n for n in known if len(part) > 2 and part in n.lower())[:3]
    return f"; did you mean {' or '.join(near)}?" if near else ""


class _Builder(Place):
    """Builds values from JSON values; the place is for errors."""

    __slots__ = ("schema",)

    def __init__(self, schema: Registry) -> None:
        super().__init__(MAX_ENCODE_DEPTH)
        self.schema = schema

    def fail(self, message: str, at: str = "") -> JSONValueError:
        path = _json_path(str(self))
        return JSONValueError(message, path=f"{path}.{at}" if at else path)

    def wrong_type(self, value: object, expected: str) -> JSONValueError:
        hint = "; leave an absent field out" if value is None and self.path else ""
        return self.fail(f"got {_json_type(value)}, expected {expected}{hint}")

    def value(self, kind: WireType, value: object) -> object:
        if isinstance(kind, Boxed | Bare):
            return self.composite(kind, value)
        if isinstance(kind, Vector | Repetition):
            if not isinstance(value, list):
                raise self.wrong_type(value, f"a list for {kind.name}")
            return [self.item(kind, index, item) for index, item in enumerate(value)]
        if kind.name in ("bytes", "int128", "int256"):
            return self.hex_bytes(kind, value)
        if kind.name == "double":
            return self.double(value)
        return self.plain(kind, value)

    def plain(self, kind: WireType, value: object) -> object:
        """A number, a string or a bool: the same in JSON."""
        if kind.name == "string":
            is_right, expected = isinstance(value, str), "a string"
        elif kind.name in ("Bool", "true"):
            is_right, expected = isinstance(value, bool), "true or false"
        else:
            is_right = isinstance(value, int) and not isinstance(value, bool)
            expected = f"a whole number for {kind.name}"
        if not is_right:
            raise self.wrong_type(value, expected)
        return value

    def hex_bytes(self, kind: WireType, value: object) -> bytes:
        text = self.only(value, "hex", f'{{"hex": "…"}} for {kind.name}')
        if _HEX.fullmatch(text):
            return bytes.fromhex(text)
        stray = re.search(r"[^0-9a-fA-F]", text)
        if stray:
            raise self.fail(f"got {stray[0]!r} at {stray.start()}, expected hex digits", "hex")
        raise self.fail(f"got {len(text)} hex digits, expected an even number", "hex")

    def double(self, value: object) -> float:
        expected = 'a number or {"double": "nan" | "inf" | "-inf" | 16 hex digits}'
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                number: float = float(value)
            except OverflowError:
                raise self.fail("got a number too large for double") from None
            if math.isfinite(number):
                return number
        text = self.only(value, "double", expected)
        if text in _DOUBLES:
            return _DOUBLES[text]
        if not _BITS.fullmatch(text):
            raise self.fail(f"got {text[:40]!r}, expected nan, inf, -inf or 16 hex digits", "double")
        return float(struct.unpack(">d", bytes.fromhex(text))[0])

    def only(self, value: object, key: str, expected: str) -> str:
        """The string that is alone in an object, under `key`."""
        if not isinstance(value, dict) or list(value) != [key]:
            raise self.wrong_type(value, expected)
        text = value[key]
        if not isinstance(text, str):
            raise self.fail(f"got {_json_type(text)}, expected a string", key)
        return text

    def item(self, kind: Vector | Repetition, index: int, value: object) -> object:
        """An element of a list; of a repetition with several items, all of them."""
        self.path.append(index)
        if isinstance(kind, Vector):
            built = self.value(kind.item, value)
        elif len(kind.items) == 1:
            built = self.value(kind.items[0].type, value)
        elif isinstance(value, dict):
            built = tuple(self.fields(kind.items, value, kind.name).values())
        else:
            raise self.wrong_type(value, f"an object for {kind.name}")
        self.path.pop()
        return built

    def composite(self, kind: Boxed | Bare, value: object) -> object:
        if not isinstance(value, dict):
            raise self.wrong_type(value, f"an object for {kind.name}")
        self.depth -= 1
        if self.depth < 0:
            raise self.fail(f"objects are nested deeper than {MAX_ENCODE_DEPTH}")
        cls = self.constructor(kind, value)
        fields = {name: item for name, item in value.items() if name != _NAME}
        built: object = cls(**self.fields(cls.FIELDS, fields, cls.TL_NAME))
        self.depth += 1
        return built

    def constructor(self, kind: Boxed | Bare, value: Mapping[object, object]) -> Any:
        """The class that ``_`` names, or else the only one there is."""
        allowed = self.allowed(kind)
        if _NAME not in value:
            if len(allowed) != 1:
                raise self.fail(f"missing, expected {_names(kind, allowed)}", _NAME)
            return next(iter(allowed.values()))
        name = value[_NAME]
        if not isinstance(name, str):
            raise self.fail(f"got {_json_type(name)}, expected a string", _NAME)
        if name in allowed:
            return allowed[name]
        if name in self.schema.by_name:
            raise self.fail(f"got {name}, expected {_names(kind, allowed)}", _NAME)
        known = f"unknown to {self.schema.name}, expected {_names(kind, allowed)}"
        raise self.fail(f"got {name[:80]!r}, {known}{_suggestion(name, allowed)}", _NAME)

    def allowed(self, kind: Boxed | Bare) -> dict[str, Any]:
        """The classes that an object of the type `kind` may be of, by TL name."""
        if isinstance(kind, Bare):
            name = self.schema.bare_name(kind.name.lstrip("%"))
            return {name: self.schema.by_name[name]}
        if not isinstance(kind, AnyObject):
            return {cls.TL_NAME: cls for cls in kind.classes()}
        is_function = kind.name.startswith("!")
        by_name = self.schema.by_name
        return {name: c for name, c in by_name.items() if hasattr(c, "RESULT") or not is_function}

    def fields(self, table: Table, given: Mapping[str, object], owner: str) -> dict[str, object]:
        """The fields by Python name, in the order of the table."""
        known = [_key(field) for field in table]
        for name in given:
            if name not in known:
                fields = f"one of {', '.join(known)}" if known else "no field"
                raise self.fail(
                    f"unknown field of {owner}, expected {fields}{_suggestion(str(name), known)}", str(name)
                )
        values: dict[str, object] = {}
        for field in table:
            values[field.name] = self.field(field, given, owner)
        return values

    def field(self, field: Field, given: Mapping[str, object], owner: str) -> object:
        name = _key(field)
        if name in given:
            self.path.append(name)
            built = self.value(field.type, given[name])
            self.path.pop()
            return built
        if isinstance(field.type, Flags):
            return 0
        if field.flag is None:
            raise self.fail(f"missing in {owner}, expected {field.type.name}", name)
        return False if field.is_true_flag else None


def _names(kind: WireType, allowed: Collection[str]) -> str:
    """What errors say was expected in ``_``."""
    if isinstance(kind, AnyObject):
        return "a function" if kind.name.startswith("!") else "a constructor or function"
    names = " | ".join(allowed)
    return names if kind.name in (names, *allowed) else f"{kind.name} ({names})"
