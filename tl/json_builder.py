"""JSON values → TL values, checked against their types; `tl.json_values` says what the JSON looks like."""

from __future__ import annotations

import difflib
import math
import re
import struct
from collections.abc import Collection, Mapping
from typing import Any

from tl.errors import JSONValueError
from tl.fields import Field, Flags, Repetition, Table
from tl.objects import MAX_ENCODE_DEPTH, AnyObject, Bare, Boxed
from tl.primitives import Vector
from tl.raw import Raw
from tl.registry import Registry
from tl.wire import Place, WireType, type_name

__all__ = ["MEANING", "NAME", "RAW", "Builder", "json_path", "key_of"]

NAME = "_"
RAW = "_raw"  # no name of a combinator or a field begins like this
MEANING = "value"

_HEX = re.compile(r"(?:[0-9a-fA-F]{2})*")
_BITS = re.compile(r"[0-9a-fA-F]{16}")
_DOUBLES = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def key_of(field: Field) -> str:
    """The name that a field has in JSON: that of TL, or by its place if it has none."""
    return field.tl_name or field.name


def json_path(path: str) -> str:
    """The JSON path of the value at the path `path` of an encoding."""
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


class Builder(Place):
    """Builds the values of a schema from JSON values, with `raw` also of raw bytes; the place is for errors."""

    __slots__ = ("schema", "takes_raw")

    def __init__(self, schema: Registry, *, raw: bool) -> None:
        super().__init__(MAX_ENCODE_DEPTH)
        self.schema = schema
        self.takes_raw = raw

    def fail(self, message: str, at: str = "") -> JSONValueError:
        path = json_path(str(self))
        return JSONValueError(message, path=f"{path}.{at}" if at else path)

    def wrong_type(self, value: object, expected: str) -> JSONValueError:
        hint = "; leave an absent field out" if value is None and self.path else ""
        return self.fail(f"got {_json_type(value)}, expected {expected}{hint}")

    def value(self, kind: WireType, value: object) -> object:
        """The value of the type `kind` that a JSON value stands for; raise JSONValueError where it is none."""
        if isinstance(value, dict) and RAW in value:
            return self.raw(value)
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

    def raw(self, value: Mapping[object, object]) -> Raw:
        """The bytes under ``_raw``; what they mean may stand beside them."""
        if not self.takes_raw:
            raise self.fail("raw bytes may be anything, they have to be asked for (raw=True, --raw)", RAW)
        for name in value:
            if name not in (RAW, MEANING):
                raise self.fail(f"unknown name beside {RAW}, expected only {MEANING}", str(name))
        return Raw(self.unhex(value[RAW], RAW))

    def hex_bytes(self, kind: WireType, value: object) -> bytes:
        return self.unhex(self.only(value, "hex", f'{{"hex": "…"}} for {kind.name}'), "hex")

    def unhex(self, text: object, key: str) -> bytes:
        """The bytes that the hex digits under `key` are."""
        if not isinstance(text, str):
            raise self.fail(f"got {_json_type(text)}, expected a string", key)
        if _HEX.fullmatch(text):
            return bytes.fromhex(text)
        stray = re.search(r"[^0-9a-fA-F]", text)
        if stray:
            raise self.fail(f"got {stray[0]!r} at {stray.start()}, expected hex digits", key)
        raise self.fail(f"got {len(text)} hex digits, expected an even number", key)

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
        built: object
        if isinstance(kind, Vector):
            built = self.value(kind.item, value)
        elif len(kind.items) == 1:
            built = self.value(kind.items[0].type, value)
        elif isinstance(value, dict) and RAW in value:
            built = self.raw(value)
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
        fields = {name: item for name, item in value.items() if name != NAME}
        built: object = cls(**self.fields(cls.FIELDS, fields, cls.TL_NAME))
        self.depth += 1
        return built

    def constructor(self, kind: Boxed | Bare, value: Mapping[object, object]) -> Any:
        """The class that ``_`` names, or else the only one there is."""
        allowed = self.allowed(kind)
        if NAME not in value:
            if len(allowed) != 1:
                raise self.fail(f"missing, expected {_names(kind, allowed)}", NAME)
            return next(iter(allowed.values()))
        name = value[NAME]
        if not isinstance(name, str):
            raise self.fail(f"got {_json_type(name)}, expected a string", NAME)
        if name in allowed:
            return allowed[name]
        if name in self.schema.by_name:
            raise self.fail(f"got {name}, expected {_names(kind, allowed)}", NAME)
        known = f"unknown to {self.schema.name}, expected {_names(kind, allowed)}"
        raise self.fail(f"got {name[:80]!r}, {known}{_suggestion(name, allowed)}", NAME)

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
        known = [key_of(field) for field in table]
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
        name = key_of(field)
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
