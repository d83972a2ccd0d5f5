"""The built-in types, byte for byte: by themselves, as fields, as optional fields, as elements.

By itself a value goes through the reference codec; in a generated class it goes through straight-line code
first, and through the reference codec where that gives up.
"""

from __future__ import annotations

import math
import struct
from hashlib import sha256
from types import ModuleType
from typing import Any

import pytest

from tests.tl.helpers import load_package
from tests.vectors import load
from tl import (
    DecodeError,
    InvalidCount,
    InvalidUtf8,
    NonCanonical,
    TrailingBytes,
    UnexpectedConstructor,
    UnexpectedEnd,
    decode,
    decode_result,
)
from tl.reference import reference_decode, reference_encode
from tl.wire import BOOL_FALSE, BOOL_TRUE, VECTOR_ID

VECTORS = load("tl_primitives")
TYPES = ("int", "long", "double", "string", "bytes", "int128", "int256", "Bool", "Vector<int>")
CLASSES = {t: t.replace("<int>", "_int").title().replace("_", "") for t in TYPES}
COUNT_OF_ONE = bytes.fromhex("15c4b51c01000000")
ERRORS: dict[str, type[DecodeError]] = {
    "truncated": UnexpectedEnd,
    "non_canonical": NonCanonical,
    "invalid_length_byte": NonCanonical,
    "unexpected_constructor": UnexpectedConstructor,
    "invalid_count": InvalidCount,
    "invalid_utf8": InvalidUtf8,
    "trailing_data": TrailingBytes,
}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """For each type T: a class with a field of it, with an optional one, and with a vector of it."""
    lines = [
        "true = True;",
        "null = Null;",
        "boolTrue = Bool;",
        "boolFalse = Bool;",
        "user#d23c81a3 id:int first_name:string last_name:string = User;",
        "no_user#c67599d1 id:int = User;",
    ]
    for index, kind in enumerate(TYPES):
        name = CLASSES[kind]
        lines += [
            f"plain{name}#{index}1 value:{kind} = Plain;",
            f"maybe{name}#{index}2 flags:# value:flags.7?{kind} = Maybe;",
            f"many{name}#{index}3 value:Vector<{kind}> = Many;",
        ]
    lines += ["---functions---", "getUsers#2d84d5f5 (Vector int) = Vector User;"]
    return load_package("\n".join(lines), tmp_path_factory.mktemp("primitives"), "primitives_schema")


class Form:
    """A way to hold a value: a class of the package, its bytes in front, and the value within it."""

    def __init__(self, package: ModuleType, kind: str, form: str) -> None:
        self.cls: Any = getattr(package, form + CLASSES[kind])
        self.is_vector = form == "Many"
        head: bytes = self.cls.CONSTRUCTOR_ID.to_bytes(4, "little")
        self.head = head + {"Plain": b"", "Maybe": b"\x80\0\0\0", "Many": COUNT_OF_ONE}[form]
        self.path = "value[0]" if self.is_vector else "value"

    def encode(self, value: object) -> bytes:
        """The bytes of `value` alone, by both codecs."""
        holder = self.cls(value=[value] if self.is_vector else value)
        encoded = bytes(holder)
        assert reference_encode(holder) == encoded
        assert encoded.startswith(self.head)
        return encoded[len(self.head) :]

    def decode(self, data: bytes, *, canonical: bool = True) -> object:
        """The value that `data` encodes, by both codecs."""
        schema = self.cls.SCHEMA
        holders = [
            codec(schema, self.head + data, self.cls, canonical=canonical)
            for codec in (decode, reference_decode)
        ]
        values = [holder.value[0] if self.is_vector else holder.value for holder in holders]
        assert _bits(values[0]) == _bits(values[1])
        return values[0]


FORMS = ("Plain", "Maybe", "Many")


def _bits(value: object) -> object:
    return struct.pack("<d", value) if isinstance(value, float) else value


def both_ways(package: ModuleType, kind: str, value: object, encoding: bytes) -> None:
    """Assert that `value` is encoded as `encoding` and decoded from it, in every form."""
    if not kind.startswith("Vector"):
        assert _bits(decode(package.SCHEMA, encoding, kind)) == _bits(value)
    for name in FORMS:
        form = Form(package, kind, name)
        assert form.encode(value) == encoding
        got = form.decode(encoding)
        assert _bits(got) == _bits(value)
        assert type(got) is type(value)


# What is well formed


@pytest.mark.parametrize("case", VECTORS["ints"], ids=lambda case: str(case["value"]))
def test_int(package: ModuleType, case: dict[str, Any]) -> None:
    both_ways(package, "int", case["value"], bytes.fromhex(case["encoding"]))


@pytest.mark.parametrize("case", VECTORS["longs"], ids=lambda case: str(case["value"]))
def test_long(package: ModuleType, case: dict[str, Any]) -> None:
    both_ways(package, "long", case["value"], bytes.fromhex(case["encoding"]))


DOUBLES = {
    "0.0": 0.0,
    "-0.0": -0.0,
    "1.0": 1.0,
    "-1.5": -1.5,
    "pi": math.pi,
    "inf": math.inf,
    "-inf": -math.inf,
    "min_subnormal": 5e-324,
    "max": 1.7976931348623157e308,
    "nan (quiet)": math.nan,
}


@pytest.mark.parametrize("case", VECTORS["doubles"], ids=lambda case: str(case["name"]))
def test_double(package: ModuleType, case: dict[str, Any]) -> None:
    encoding = bytes.fromhex(case["encoding"])
    if case["name"] in DOUBLES:
        both_ways(package, "double", DOUBLES[case["name"]], encoding)
    else:
        assert "payload" in case["name"]
    for name in FORMS:
        form = Form(package, "double", name)
        assert form.encode(form.decode(encoding)) == encoding


@pytest.mark.parametrize("case", VECTORS["strings"], ids=lambda case: f"{case['length']} bytes")
def test_bytes(package: ModuleType, case: dict[str, Any]) -> None:
    value = bytes((7 * i + 3) & 0xFF for i in range(case["length"]))
    encoding = Form(package, "bytes", "Plain").encode(value)
    assert encoding.startswith(bytes.fromhex(case["head"]))
    assert len(encoding) == case["encoded_length"]
    assert sha256(encoding).hexdigest() == case["sha256_of_encoding"]
    if "encoding" in case:
        assert (encoding, value) == (bytes.fromhex(case["encoding"]), bytes.fromhex(case["value"]))
    both_ways(package, "bytes", value, encoding)


@pytest.mark.parametrize("case", VECTORS["utf8_strings"], ids=lambda case: ascii(case["value"]))
def test_string(package: ModuleType, case: dict[str, Any]) -> None:
    both_ways(package, "string", case["value"], bytes.fromhex(case["encoding"]))


@pytest.mark.parametrize("kind", ["int128", "int256"])
def test_opaque_numbers(package: ModuleType, kind: str) -> None:
    value = bytes(range(int(kind[3:]) // 8))
    both_ways(package, kind, value, value)


@pytest.mark.parametrize("value", [True, False])
def test_bool(package: ModuleType, value: bool) -> None:
    both_ways(package, "Bool", value, bytes.fromhex(VECTORS["constructors"][f"bool{value}"]))


def test_constructor_ids_that_the_codec_knows(package: ModuleType) -> None:
    constructors = {name: bytes.fromhex(encoding) for name, encoding in VECTORS["constructors"].items()}
    assert constructors["vector"] == VECTOR_ID
    assert constructors["boolTrue"] == BOOL_TRUE
    assert constructors["boolFalse"] == BOOL_FALSE
    assert bytes(package.Null()) == constructors["null"]
    assert bytes(package.True_()) == constructors["true"]
    assert bytes(package.BoolTrue()) == constructors["boolTrue"]
    assert bytes(package.BoolFalse()) == constructors["boolFalse"]


def test_the_example_of_the_documents(package: ModuleType) -> None:
    example = VECTORS["tl_page_example"]
    request = package.GetUsers(field0=[2, 3, 4])
    assert bytes(request) == bytes.fromhex(example["getUsers_query"])
    assert package.decode(bytes(request)) == request
    assert decode_result(request, bytes.fromhex(example["response"])) == [
        package.User(id=2, first_name="Peter", last_name="Parker"),
        package.NoUser(id=3),
        package.User(id=4, first_name="John", last_name="Doe"),
    ]


# What is not

MALFORMED = [case for case in VECTORS["malformed"] if case["expect"] != "ok"]
WELL_FORMED = [case for case in VECTORS["malformed"] if case["expect"] == "ok"]


def test_every_malformed_input_is_used() -> None:
    assert (len(MALFORMED), len(WELL_FORMED)) == (26, 6)
    assert {case["expect"] for case in MALFORMED} == set(ERRORS)


@pytest.mark.parametrize("case", WELL_FORMED, ids=lambda case: str(case["name"]))
def test_the_neighbours_of_malformed_input_are_read(package: ModuleType, case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["input"])
    value = decode(package.SCHEMA, data, case["type"])
    both_ways(package, case["type"], value, data)


@pytest.mark.parametrize("case", MALFORMED, ids=lambda case: str(case["name"]))
def test_malformed_input_by_itself(package: ModuleType, case: dict[str, Any]) -> None:
    with pytest.raises(ERRORS[case["expect"]]) as caught:
        decode(package.SCHEMA, bytes.fromhex(case["input"]), case["type"])
    assert caught.value.got is not None
    assert caught.value.expected is not None
    assert 0 <= caught.value.offset <= len(case["input"]) // 2


@pytest.mark.parametrize(
    ("kind", "data", "offset", "got", "expected"),
    [
        ("string", "0561626364", 1, 4, 5),
        ("string", "fe0100", 1, 2, 3),
        ("string", "0461626364", 5, 0, 3),
        ("string", "0161ff00", 2, b"\xff\0", bytes(2)),
        ("string", "fe03000061626300", 0, 3, ">= 254"),
        ("string", "ff00000100000000", 0, 255, "0..254"),
        ("string", "03fffe80", 0, b"\xff", "UTF-8"),
        ("string", "0561c3285a000000", 0, b"\xc3", "UTF-8"),
        ("Bool", "00000000", 0, 0, "boolTrue or boolFalse"),
        ("Vector<int>", "15c4b51cffffffff", 4, -1, ">= 0"),
        ("Vector<int>", "15c4b51c0200000007000000", 4, 2, "<= 1"),
        ("Vector<int>", "0100000007000000", 0, 1, "0x1cb5c415 (Vector<int>)"),
        ("int", "0100000002000000", 4, 4, 0),
    ],
)
def test_where_malformed_input_is_wrong(
    package: ModuleType, kind: str, data: str, offset: int, got: object, expected: object
) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(package.SCHEMA, bytes.fromhex(data), kind)
    assert (caught.value.offset, caught.value.path) == (offset, "")
    assert (caught.value.got, caught.value.expected) == (got, expected)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", MALFORMED, ids=lambda case: str(case["name"]))
def test_malformed_input_in_an_object(package: ModuleType, case: dict[str, Any], form: str) -> None:
    data = bytes.fromhex(case["input"])
    holder = Form(package, case["type"], form)
    with pytest.raises(ERRORS[case["expect"]]) as alone:
        decode(package.SCHEMA, data, case["type"])
    with pytest.raises(ERRORS[case["expect"]]) as inside:
        decode(package.SCHEMA, holder.head + data)
    if isinstance(inside.value, InvalidCount) and not isinstance(alone.value, InvalidCount):
        # The vector around it is told first that there are too few bytes for even one element.
        assert (inside.value.offset, inside.value.path) == (len(holder.head) - 4, "value")
        return
    assert inside.value.offset == len(holder.head) + alone.value.offset
    element = f"[{alone.value.path.strip('[]')}]" if alone.value.path else ""
    assert inside.value.path == ("" if case["expect"] == "trailing_data" else holder.path + element)
    assert (inside.value.got, inside.value.expected) == (alone.value.got, alone.value.expected)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "case",
    [case for case in MALFORMED if case["expect"] == "non_canonical"],
    ids=lambda case: str(case["name"]),
)
def test_what_is_not_canonical_is_read_on_request(
    package: ModuleType, case: dict[str, Any], form: str
) -> None:
    data = bytes.fromhex(case["input"])
    size = data[0] if data[0] < 254 else int.from_bytes(data[1:4], "little")
    start = 1 if data[0] < 254 else 4
    expected = data[start : start + size].decode()
    assert decode(package.SCHEMA, data, "string", canonical=False) == expected
    assert Form(package, "string", form).decode(data, canonical=False) == expected
    assert Form(package, "bytes", form).decode(data, canonical=False) == expected.encode()


@pytest.mark.parametrize(
    "case",
    [case for case in MALFORMED if case["expect"] != "non_canonical"],
    ids=lambda case: str(case["name"]),
)
def test_leniency_goes_no_further(package: ModuleType, case: dict[str, Any]) -> None:
    with pytest.raises(ERRORS[case["expect"]]):
        decode(package.SCHEMA, bytes.fromhex(case["input"]), case["type"], canonical=False)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [0, 1, 2, 4, 5, 6, 253, 254, 255, 257])
def test_every_byte_of_padding_has_to_be_zero(package: ModuleType, size: int, form: str) -> None:
    holder = Form(package, "bytes", form)
    encoding = holder.encode(bytes(size))
    head = 1 if size < 254 else 4
    for index in range(head + size, len(encoding)):
        damaged = encoding[:index] + b"\1" + encoding[index + 1 :]
        with pytest.raises(NonCanonical) as caught:
            decode(package.SCHEMA, holder.head + damaged)
        assert caught.value.offset == len(holder.head) + head + size
        assert holder.decode(damaged, canonical=False) == bytes(size)
