"""Values that do not fit their types: what the codec says of them, and by which path."""

from __future__ import annotations

from types import ModuleType

import pytest

from mtproto import api
from tests.tl.helpers import everything, refused
from tl import (
    DecodeError,
    EncodeError,
    MissingField,
    TLError,
    decode_result,
    encode,
)
from tl.objects import MAX_ENCODE_DEPTH
from tl.reference import reference_encode

# Values that don't fit


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("i", 2**31, "got 2147483648, expected -2147483648..2147483647 for int"),
        ("i", -(2**31) - 1, "got -2147483649, expected -2147483648..2147483647 for int"),
        ("i", 10**5000, "got a number of 16610 bits, expected -2147483648..2147483647 for int"),
        ("i", 1.0, "got float 1.0, expected an int for int"),
        ("i", "1", "got str '1', expected an int for int"),
        ("l", 2**63, f"got {2**63}, expected {-(2**63)}..{2**63 - 1} for long"),
        ("l", None, "missing, expected long"),
        ("d", "0.5", "got str '0.5', expected a float for double"),
        ("d", 10**400, "got int, too large for double"),
        ("d", 10**5000, "got int, too large for double"),
        ("n", bytes(15), "got 15 bytes, expected 16 for int128"),
        ("n", bytes(17), "got 17 bytes, expected 16 for int128"),
        ("n", 5, "got int 5, expected 16 bytes for int128"),
        ("n", "x" * 16, "got str 'xxxxxxxxxxxxxxxx', expected 16 bytes for int128"),
        ("s", b"text", "got bytes b'text', expected str"),
        ("s", 5, "got int 5, expected str"),
        ("s", "a\ud800", "a str that UTF-8 can't express: surrogates not allowed at 1"),
        ("s", "é" * 2**23, "got 16777216 bytes, expected at most 16777215 for string"),
        ("b", "bytes", "got str 'bytes', expected bytes"),
        ("b", 5, "got int 5, expected bytes"),
        ("b", [1], "got list [1], expected bytes"),
        ("b", bytes(2**24), "got 16777216 bytes, expected at most 16777215 for bytes"),
        ("t", 1, "got int 1, expected a bool"),
        ("t", None, "missing, expected Bool"),
        ("t", "x" * 100, "got str, expected a bool"),
        ("o", None, "missing, expected Leaf"),
        ("o", 5, "got int 5, expected Leaf (leaf | other)"),
        ("v", 5, "got int 5, expected a list for Vector<int>"),
        ("v", "12", "got str '12', expected a list for Vector<int>"),
        ("v", {1: 2}, "got dict {1: 2}, expected a list for Vector<int>"),
        ("v", b"\1\2", r"got bytes b'\x01\x02', expected a list for Vector<int>"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else type(value).__name__,
)
def test_values_that_do_not_fit(shapes: ModuleType, field: str, value: object, message: str) -> None:
    error = refused(everything(shapes, **{field: value}))
    assert (error.path, error.message) == (field, message)
    assert str(error) == f"{field}: {message}"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("i", True),
        ("d", 1),
        ("d", True),
        ("n", bytearray(16)),
        ("b", bytearray(b"x")),
        ("b", memoryview(b"x")),
        ("b", bytes(0xFFFFFF)),
        ("v", (1, 2)),
        ("v", []),
        ("v", [True]),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else type(value).__name__,
)
def test_values_that_fit_well_enough(shapes: ModuleType, field: str, value: object) -> None:
    holder = everything(shapes, **{field: value})
    encoded = bytes(holder)
    assert encoded == reference_encode(holder)
    assert bytes(shapes.decode(encoded)) == encoded


@pytest.mark.parametrize(
    ("field", "expected"), [("n", "expected 16 bytes for int128"), ("b", "expected bytes")]
)
def test_a_memoryview_that_was_released(shapes: ModuleType, field: str, expected: str) -> None:
    view = memoryview(bytes(16))
    view.release()
    error = refused(everything(shapes, **{field: view}))
    assert error.path == field
    assert error.message.startswith("got memoryview <released memory at ")
    assert error.message.endswith(expected)


def test_objects_of_another_type_are_refused(shapes: ModuleType) -> None:
    expected = "expected Leaf (leaf | other)"
    assert refused(everything(shapes, o=shapes.End())).message == f"got End End(), {expected}"
    assert refused(everything(shapes, o=shapes.GetLeaf())).message == f"got GetLeaf GetLeaf(), {expected}"
    assert refused(everything(shapes, o=shapes.Leaf)).message.startswith("got TLType ")
    foreign = refused(everything(shapes, o=api.InputPeerSelf()))
    assert (foreign.path, foreign.message) == ("o", f"got InputPeerSelf InputPeerSelf(), {expected}")


@pytest.mark.parametrize(
    ("field", "good", "value", "message"),
    [
        ("s", "a", b"a", "got bytes b'a', expected str"),
        ("b", b"a", "a", "got str 'a', expected bytes"),
        ("o", None, None, "got NoneType None, expected Leaf (leaf | other)"),
        ("t", True, 0, "got int 0, expected a bool"),
        ("n", bytes(32), bytes(16), "got 16 bytes, expected 32 for int256"),
        ("q", [], 5, "got int 5, expected a list for Vector<int>"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else type(value).__name__,
)
def test_elements_that_do_not_fit(
    shapes: ModuleType, field: str, good: object, value: object, message: str
) -> None:
    fields: dict[str, list[object]] = {name: [] for name in "sbotnq"}
    fields[field] = [shapes.Leaf() if field == "o" else good, value]
    error = refused(shapes.Words(**fields))
    assert (error.path, error.message) == (f"{field}[1]", message)


def test_paths_lead_into_nested_values(shapes: ModuleType) -> None:
    words: dict[str, list[object]] = {name: [] for name in "sbotn"}
    assert refused(shapes.Words(**words, q=[[], [1, "2"]])).path == "q[1][1]"
    tree = shapes.Tree(children=[shapes.End(), shapes.Node(next=shapes.Tree(children=[shapes.Node(next=5)]))])
    assert refused(tree).path == "children[1].next.children[0].next"
    request = api.account.SendVerifyPhoneCode(
        phone_number="",
        settings=api.CodeSettings(logout_tokens=["x"]),  # type: ignore[list-item]
    )
    assert str(refused(request)) == "settings.logout_tokens[0]: got str 'x', expected bytes"


def test_missing_fields(shapes: ModuleType) -> None:
    with pytest.raises(MissingField) as caught:
        shapes.All(i=1, l=2)
    assert (caught.value.path, caught.value.message) == ("d", "missing in all, expected double")
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, EncodeError)
    holder = everything(shapes)
    del holder.s
    error = refused(holder)
    assert isinstance(error, MissingField)
    assert str(error) == "s: missing, expected string"
    assert refused(shapes.All.__new__(shapes.All)).path == "i"


@pytest.mark.parametrize("fields", [{"x": 1, "y": 2}, {"x": 1, "X": 1}])
def test_fields_that_are_none(shapes: ModuleType, fields: dict[str, int]) -> None:
    with pytest.raises(TypeError, match="unexpected keyword") as caught:
        shapes.Other(**fields)
    assert not isinstance(caught.value, TLError)
    with pytest.raises(TypeError, match="positional"):
        shapes.Other(1)


@pytest.mark.parametrize(
    ("fields", "path", "message"),
    [
        ({"yes": 1}, "yes", "got int 1, expected a bool"),
        ({"yes": None}, "yes", "got NoneType None, expected a bool"),
        ({"i": "1"}, "i", "got str '1', expected an int for int"),
        ({"a": 1}, "b", "not given, but a is, and they share flags.2: give all of them or none"),
        ({"b": "x"}, "a", "not given, but b is, and they share flags.2: give all of them or none"),
        ({"c": True}, "d", "not given, but c is, and they share flags.3: give all of them or none"),
        ({"d": 1}, "c", "not given, but d is, and they share flags.3: give all of them or none"),
        ({"flags": 1}, "flags", "bit 0 follows from a field: give that, and only bits that no field uses here"),
        ({"flags": 14}, "flags", "bit 1, 2, 3 follows from a field: give that, and only bits"),
        ({"flags": 1, "yes": True}, "flags", "bit 0 follows from a field: give that, and only bits"),
        ({"flags": -1}, "flags", "got -1, expected 0..4294967295 for #"),
        ({"flags": 2**32}, "flags", "got 4294967296, expected 0..4294967295 for #"),
        ({"flags": None}, "flags", "missing, expected #"),
        ({"flags": "0"}, "flags", "got str '0', expected an int for #"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else type(value).__name__,
)  # fmt: skip
def test_flags_that_do_not_fit(
    shapes: ModuleType, fields: dict[str, object], path: str, message: str
) -> None:
    error = refused(shapes.Maybe(**fields))
    assert error.path == path
    assert error.message.startswith(message)


def test_what_is_no_object_is_not_encoded(shapes: ModuleType) -> None:
    for value in (5, None, b"", "x", [shapes.Leaf()], shapes.Leaf, object()):
        with pytest.raises(EncodeError, match="expected a TL object"):
            encode(value)  # type: ignore[arg-type]


def test_an_unconditional_true_is_true(shapes: ModuleType) -> None:
    assert bytes(shapes.Plain(n=7, x=True)) == bytes.fromhex("0b00000007000000")
    assert shapes.decode(bytes.fromhex("0b00000007000000")) == shapes.Plain(n=7, x=True)
    assert refused(shapes.Plain(n=7, x=False)).message == (
        "got bool False, expected True: the type `true` has no other value"
    )


def test_objects_that_contain_themselves(shapes: ModuleType) -> None:
    node = shapes.Node(next=shapes.End())
    node.next = node
    error = refused(node)
    assert error.message == f"objects are nested deeper than {MAX_ENCODE_DEPTH}: does one contain itself?"
    tree = shapes.Tree(children=[])
    tree.children.append(tree)
    assert "nested deeper" in refused(tree).message
    wrapper = shapes.With(layer=1, query=shapes.GetLeaf())
    wrapper.query = wrapper
    assert "nested deeper" in refused(wrapper).message
    with pytest.raises(DecodeError, match="is open"):
        decode_result(wrapper, b"")
