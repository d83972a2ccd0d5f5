"""What a decoder may be asked for: classes, unions, the text of a type, the answer to a request."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Union

import pytest

from mtproto import api, service
from tests.tl.helpers import load_package, refused
from tl import (
    DecodeError,
    EncodeError,
    Limits,
    SchemaError,
    TLObject,
    UnexpectedConstructor,
    decode,
    decode_result,
    encode_result,
)
from tl.reference import reference_decode, reference_encode


def test_as_type(shapes: ModuleType) -> None:
    leaf, other = b"\3\0\0\0", b"\4\0\0\0\7\0\0\0"
    vector = b"\x15\xc4\xb5\x1c\2\0\0\0" + leaf + other
    leaves = [shapes.Leaf(), shapes.Other(x=7)]
    for codec in (decode, reference_decode):
        for as_type in (None, shapes.Leaf, shapes.TypeLeaf, "Leaf", "Object", shapes.Leaf | shapes.End):
            assert codec(shapes.SCHEMA, leaf, as_type) == shapes.Leaf()
        for as_type in ("Vector<Leaf>", "Vector Leaf", "Vector<Object>"):
            assert codec(shapes.SCHEMA, vector, as_type) == leaves
        assert codec(shapes.SCHEMA, vector[4:], "vector<Leaf>") == leaves
        assert codec(shapes.SCHEMA, vector[4:], "%Vector<Leaf>") == leaves
        assert codec(shapes.SCHEMA, b"\7\0\0\0", "other") == shapes.Other(x=7)
        assert codec(shapes.SCHEMA, b"\7\0\0\0\1\0\0\0", "2*[ int ]") == [7, 1]
        assert codec(shapes.SCHEMA, b"\7\0\0\0", "int") == 7
        assert codec(shapes.SCHEMA, b"\3abc", "string") == "abc"
        assert codec(shapes.SCHEMA, b"\xb5\x75\x72\x99", "Bool") is True
        assert codec(shapes.SCHEMA, b"\xb5\x75\x72\x99") == shapes.BoolTrue()
        assert codec(shapes.SCHEMA, b"\x11\0\0\0", shapes.GetLeaf) == shapes.GetLeaf()


@pytest.mark.parametrize(
    ("as_type", "expected"),
    [
        (lambda shapes: shapes.Other, "other"),
        (lambda shapes: shapes.TypeNode, "node | end | tree"),
        (lambda shapes: shapes.Other | shapes.End, "other | end"),
        (lambda shapes: "Node", "Node (node | end | tree)"),
        (lambda shapes: "Vector<Leaf>", "0x1cb5c415 (Vector<Leaf>)"),
        (lambda shapes: "Bool", "boolTrue or boolFalse"),
        (lambda shapes: Union[shapes.Other, shapes.End], "other | end"),  # noqa: UP007
    ],
)
def test_as_type_is_held_to(shapes: ModuleType, as_type: Callable[[Any], object], expected: str) -> None:
    with pytest.raises(UnexpectedConstructor) as caught:
        shapes.decode(b"\3\0\0\0", as_type(shapes))
    assert (caught.value.got, caught.value.expected) == (3, expected)


@pytest.mark.parametrize(
    "as_type",
    [
        *(int, str, list[int], int | str, 5, [1], object(), type, Limits, TLObject),
        *(api.CodeSettings(), api.CodeSettings, list[api.CodeSettings], api.CodeSettings | None),
    ],
)
def test_as_type_is_no_other_thing(shapes: ModuleType, as_type: object) -> None:
    with pytest.raises(TypeError, match="expected a class or union of shapes, or a TL type's text"):
        shapes.decode(b"\3\0\0\0", as_type)


@pytest.mark.parametrize(
    "as_type",
    [
        "Nope",
        "nope",
        "Vector<Nope>",
        "Vector",
        "vector",
        "Vector<n*[ int ]>",
        "[ int ]",
        "Leaf;",
        "Leaf<int>",
        "leaf<int>",
        "int<int>",
        "Vector<int,int>",
        "",
        "getLeaf<",
    ],
)
def test_as_type_is_a_type_of_the_schema(shapes: ModuleType, as_type: str) -> None:
    with pytest.raises(SchemaError):
        shapes.decode(b"\3\0\0\0", as_type)


@pytest.mark.parametrize(
    "text", ["{types}---functions---{functions}", "---functions---{functions}---types---{types}"]
)
def test_a_function_may_share_its_id_with_a_constructor(tmp_path: Path, text: str) -> None:
    text = text.format(types=" a#1 = A; ", functions=" f#1 = A; g#2 {X:Type} query:!X = X; ")
    package = load_package(text, tmp_path, "shared_ids")
    assert package.SCHEMA.find(1) is package.F
    for codec in (decode, reference_decode):
        for as_type, expected in (
            (None, package.F),
            ("Object", package.F),
            ("A", package.A),
            (package.A, package.A),
        ):
            assert type(codec(package.SCHEMA, b"\1\0\0\0", as_type)) is expected
        assert codec(package.SCHEMA, b"\2\0\0\0\1\0\0\0") == package.G(query=package.F())


def test_straight_line_code_reads_what_is_asked_for(shapes: ModuleType) -> None:
    readers = shapes.SCHEMA.requested_readers
    assert set(readers(shapes.TypeLeaf)) == set(readers("Leaf")) == {b"\3\0\0\0", b"\4\0\0\0"}
    data = b"\x15\xc4\xb5\x1c\1\0\0\0\3\0\0\0"
    assert readers("Vector<Leaf>")[data[:4]](data, 4, 64) == ([shapes.Leaf()], len(data))


@pytest.mark.parametrize(
    ("as_type", "items", "value"),
    [
        ("Vector<int>", b"\xff\xff\xff\xff\2\0\0\0", [-1, 2]),
        ("Vector<long>", bytes(8) + b"\xff" * 8, [0, -1]),
        ("Vector<double>", bytes(16), [0.0, 0.0]),
        ("Vector<bytes>", b"\1a\0\0\2bc\0", [b"a", b"bc"]),
        ("Vector<string>", b"\1a\0\0\2bc\0", ["a", "bc"]),
    ],
)
def test_vectors_by_themselves(shapes: ModuleType, as_type: str, items: bytes, value: list[object]) -> None:
    data = b"\x15\xc4\xb5\x1c\2\0\0\0" + items
    assert shapes.SCHEMA.requested_readers(as_type)[data[:4]](data, 4, 64) == (value, len(data))
    assert shapes.decode(data, as_type) == reference_decode(shapes.SCHEMA, data, as_type) == value
    for bad in (data[:-1], data + b"\0\0\0\0", b"\x14" + data[1:], data[:4] + b"\3\0\0\0" + items):
        with pytest.raises(DecodeError):
            shapes.decode(bad, as_type)


def test_results(shapes: ModuleType) -> None:
    leaf = b"\3\0\0\0"
    vector = b"\x15\xc4\xb5\x1c\2\0\0\0"
    results: list[tuple[Any, bytes, object]] = [
        (shapes.GetLeaf(), leaf, shapes.Leaf()),
        (shapes.GetLeaves(), vector + leaf + leaf, [shapes.Leaf(), shapes.Leaf()]),
        (shapes.GetNumbers(), vector + bytes(7) + b"\x80" + bytes(8), [-(2**63), 0]),
        (shapes.GetBool(), b"\x37\x97\x79\xbc", False),
    ]
    for request, data, value in results:
        for wrapped in (request, shapes.With(layer=1, query=shapes.With(layer=2, query=request))):
            got = decode_result(wrapped, data)
            assert got == value
            assert type(got) is type(value)
            assert encode_result(wrapped, value) == data
            with pytest.raises(UnexpectedConstructor):
                decode_result(wrapped, b"\6\0\0\0")
            with pytest.raises(EncodeError):
                encode_result(wrapped, shapes.End())


def test_results_of_the_api() -> None:
    request = api.InvokeWithLayer(
        layer=228,
        query=api.InitConnection(
            api_id=1,
            device_model="",
            system_version="",
            app_version="",
            system_lang_code="",
            lang_pack="",
            lang_code="",
            query=api.auth.SendCode(phone_number="", api_id=1, api_hash="", settings=api.CodeSettings()),
        ),
    )
    assert api.decode(bytes(request)) == request
    sent = api.auth.SentCode(type=api.auth.SentCodeTypeSms(length=5), phone_code_hash="")
    assert decode_result(request, bytes(sent)) == sent
    with pytest.raises(UnexpectedConstructor, match=r"expected auth\.SentCode "):
        decode_result(request, bytes(api.CodeSettings()))
    users = [api.UserEmpty(id=1), api.UserEmpty(id=2)]
    get = api.users.GetUsers(id=[api.InputUserSelf()])
    assert decode_result(get, encode_result(get, users)) == users
    bind = api.auth.BindTempAuthKey(perm_auth_key_id=1, nonce=2, expires_at=3, encrypted_message=b"")
    assert decode_result(bind, bytes.fromhex("b5757299")) is True


def test_results_that_are_open(shapes: ModuleType) -> None:
    for request in (
        shapes.Without(layer=1),
        shapes.With(layer=1, query=None),
        shapes.With(layer=1, query=shapes.Leaf()),
    ):
        with pytest.raises(DecodeError, match="is open"):
            decode_result(request, b"")
        with pytest.raises(EncodeError, match="is open"):
            encode_result(request, shapes.Leaf())


def test_any_layer_may_stand_in_a_wrapper(shapes: ModuleType) -> None:
    wrapped = shapes.With(layer=1, query=service.Ping(ping_id=5))
    assert (
        bytes(wrapped) == reference_encode(wrapped) == b"\x15\0\0\0\1\0\0\0" + bytes(service.Ping(ping_id=5))
    )
    error = refused(shapes.With(layer=1, query=shapes.Leaf()))
    assert (error.path, error.message) == ("query", "got Leaf Leaf(), expected a function of shapes")
    pong = service.Pong(msg_id=1, ping_id=5)
    assert decode_result(wrapped, bytes(pong)) == pong


def test_as_type_is_a_subclass_of_a_users() -> None:
    class Mine(api.DataJSON):
        __slots__ = ()

    data = bytes(api.DataJSON(data="x"))
    for strict_flags in (False, True):
        value = api.decode(data, Mine, strict_flags=strict_flags)
        assert (type(value), value.data) == (Mine, "x")
        assert bytes(value) == data


def test_as_type_does_not_depend_on_what_was_asked_for_before(tmp_path: Path) -> None:
    package = load_package("leaf#1 = Leaf;---functions---get#2 {X:Type} query:!X = X;", tmp_path, "before")
    for _ in range(2):
        with pytest.raises(SchemaError):
            package.decode(b"\2\0\0\0\2\0\0\0", "!X")
        assert package.SCHEMA.readers("!X")
