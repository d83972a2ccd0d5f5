"""What the inputs of each target are made of, for libFuzzer to put together: ids, tokens, names."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator

__all__ = ["dictionary"]

_LONGEST = 60
"""libFuzzer takes words of up to 64 bytes."""

_TL = (
    *("---functions---", "---types---", "flags:#", "flags.0?", "flags2.31?true", "?", " = ", ";", "# [ "),
    *(" ]", "{X:Type}", "{t:Type}", "!X", "X", "Type", "Vector<", "vector<", "%Vector ", ">", "(", ")"),
    *("4*[ ", "n*[ ", "int", "long", "double", "string", "bytes", "int128", "int256", "Bool", "Object"),
    *("true", "#", "int53", "object", "function", "secureBytes", "boolTrue#997275b5 = Bool;"),
    *("int ? = Int;", "%", "a.b", "_:", "#1", "vector#1cb5c415 {t:Type} # [ t ] = Vector t;"),
    *("// LAYER 7\n", "===8===\n", "// ===8===\n", "/*", "*/", "//@description ", "//@param x "),
    *("//@error 400 A_B ", "//@class A @description ", "//- ", "// @method ", "self", "None", "from"),
    *("class", "__init__", "SCHEMA", "decode", "TL_NAME", "\\", '"""', "\r\n", "\ufeff"),
    *("a#1 x:int = A;\n", "b flags:# y:flags.0?a z:Vector<%A> = B;\n"),
    *("getA n:# rows:n*[ a:int b:A ] = A;\n",),
)
_JSON = (
    *('{"_": "', '{"hex": "', '{"double": "', '"nan"', '"-inf"', '"7ff8000000000001"', '"}', '": ', "null"),
    *("true", "false", "-0", "-0.0", "1e400", "2147483648", "-9223372036854775808", "1E5", '"\\ud800"'),
    *("[[]]", '{"_raw": "', ', "value": '),
)
_SPECIAL = (0x1CB5C415, 0x997275B5, 0xBC799737, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0x000000FE, 0x000000FF)


def dictionary(name: str) -> str:
    """The dictionary of a target in libFuzzer's form: a quoted string a line, its bytes in hex."""
    words = _of_target(name)
    escaped = ("".join(f"\\x{byte:02x}" for byte in word[:_LONGEST]) for word in words)
    return "".join(f'"{word}"\n' for word in dict.fromkeys(escaped))


def _of_target(name: str) -> Iterator[bytes]:
    if name == "schema_parser":
        yield from _texts(_TL)
        return
    words: tuple[bytes, ...] | None = getattr(importlib.import_module(f"tests.fuzz.{name}"), "WORDS", None)
    if words is not None:
        yield from words
        return
    from tests.fuzz.questions import PACKAGES  # not in front: `tl` is to be imported by the campaign

    classes = [cls for package in PACKAGES.values() for cls in package.SCHEMA.by_name.values()]
    for number in (*_SPECIAL, *(cls.CONSTRUCTOR_ID for cls in classes)):
        yield number.to_bytes(4, "little")
    if name == "json_values":
        yield from _texts(_JSON)
        yield from _texts(f'"_": "{cls.TL_NAME}"' for cls in classes)
        yield from _texts(f'"{field.tl_name or field.name}": ' for cls in classes for field in cls.FIELDS)


def _texts(words: Iterable[str]) -> Iterator[bytes]:
    return (word.encode() for word in words)
