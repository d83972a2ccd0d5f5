"""TL values as JSON: nothing is lost, and what is wrong is said with its place in the JSON."""

from __future__ import annotations

import json
import math
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtproto import api, service
from tests.strategies import values_of
from tests.tl.helpers import load_package
from tl.errors import EncodeError, JSONValueError, TLError
from tl.json_values import from_json_value, to_json_value

REQUEST = bytes.fromhex(
    "f956a3a50c2b3132303235353530313233000000783d25ad7300000015c4b51c01000000"
    "1361726269747261727920646174612068657265"
)
CLASSES = [*api.SCHEMA.by_name.values(), *service.SCHEMA.by_name.values()]
SEND = api.account.SendVerifyPhoneCode
RARE = """
    pair#00000001 a:int b:string = Pair;
    rare#00000002 n:# self:2*[ int ] many:n*[ x:int flags:# y:flags.3?bytes on:flags.1?true ] = Rare;
    shared#00000003 flags:# one:flags.4?int two:flags.4?true late:flags.7?Bool = Shared;
    bare#00000004 first:%Pair second:vector<pair> third:vector<true> = Bare;
    any#00000005 o:Object = Any;
"""


@pytest.fixture(scope="module")
def rare(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return load_package(RARE, tmp_path_factory.mktemp("json"), "rare_json")


def through_text(value: object) -> Any:
    """As it comes out of JSON text, of which `allow_nan` would make something else."""
    return json.loads(json.dumps(value, allow_nan=False))


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: f"{cls.SCHEMA.name}.{cls.TL_NAME}")
@settings(max_examples=5)
@given(data=st.data())
def test_there_and_back(cls: Any, data: st.DataObject) -> None:
    value = data.draw(values_of(cls))
    written = to_json_value(value)
    assert from_json_value(cls.SCHEMA, through_text(written), cls) == value
    assert from_json_value(cls.SCHEMA, written) == value
    assert written["_"] == cls.TL_NAME


def test_the_request() -> None:
    assert to_json_value(api.decode(REQUEST)) == {
        "_": "account.sendVerifyPhoneCode",
        "phone_number": "+12025550123",
        "settings": {
            "_": "codeSettings",
            "allow_flashcall": True,
            "current_number": True,
            "allow_app_hash": True,
            "allow_missed_call": True,
            "logout_tokens": [{"hex": "61726269747261727920646174612068657265"}],
        },
    }


def test_the_request_from_json_without_what_goes_without_saying() -> None:
    value = {
        "phone_number": "+12025550123",
        "settings": {
            "allow_flashcall": True,
            "current_number": True,
            "allow_app_hash": True,
            "allow_missed_call": True,
            "unknown_number": False,
            "logout_tokens": [{"hex": "61726269747261727920646174612068657265"}],
        },
    }
    assert bytes(from_json_value(api.SCHEMA, value, SEND)) == REQUEST


def test_names_are_those_of_tl(rare: ModuleType) -> None:
    value = rare.Rare(n=1, self_=[5, 6], many=[(7, 1 << 9, b"\xff", True)])
    written = to_json_value(value)
    assert written == {
        "_": "rare",
        "n": 1,
        "self": [5, 6],
        "many": [{"x": 7, "flags": 512, "y": {"hex": "ff"}, "on": True}],
    }
    assert from_json_value(rare.SCHEMA, through_text(written)) == value


def test_false_is_there_where_it_is_no_flag(rare: ModuleType) -> None:
    value = rare.Shared(late=False)
    assert to_json_value(value) == {"_": "shared", "late": False}
    assert from_json_value(rare.SCHEMA, {"_": "shared", "late": False}) == value
    assert from_json_value(rare.SCHEMA, {"_": "shared", "two": False}) == rare.Shared()


def test_bare_objects_and_unknown_bits(rare: ModuleType) -> None:
    value = rare.Bare(first=rare.Pair(a=1, b="é"), second=[rare.Pair(a=-1, b="")], third=[True])
    written = to_json_value(value)
    assert written["first"] == {"_": "pair", "a": 1, "b": "é"}
    assert from_json_value(rare.SCHEMA, through_text(written)) == value
    shared = rare.Shared(one=3, two=True, flags=1 << 31)
    assert to_json_value(shared) == {"_": "shared", "flags": 1 << 31, "one": 3, "two": True}
    assert from_json_value(rare.SCHEMA, to_json_value(shared), "Shared") == shared


def test_values_that_are_no_objects() -> None:
    users = [api.UserEmpty(id=5), api.UserEmpty(id=-5)]
    written = to_json_value(users)
    assert written == [{"_": "userEmpty", "id": 5}, {"_": "userEmpty", "id": -5}]
    assert from_json_value(api.SCHEMA, written, "Vector<User>") == users
    assert from_json_value(api.SCHEMA, True, "Bool") is True
    assert from_json_value(api.SCHEMA, {"hex": "00" * 16}, "int128") == bytes(16)
    assert from_json_value(api.SCHEMA, [{"hex": ""}, {"hex": "0aFF"}], "Vector<bytes>") == [b"", b"\x0a\xff"]
    assert to_json_value(bytearray(b"\0")) == {"hex": "00"}
    assert to_json_value(memoryview(b"\1")) == {"hex": "01"}


# Doubles


@given(bits=st.integers(0, 2**64 - 1))
def test_doubles_keep_all_their_bits(bits: int) -> None:
    check_bits(bits)


@pytest.mark.parametrize(
    "bits",
    [
        0,
        1 << 63,
        0x7FF0 << 48,
        0xFFF0 << 48,
        0x7FF8 << 48,
        0xFFF8 << 48,
        (0x7FF8 << 48) + 1,
        (0x7FF0 << 48) + 1,
    ],
)
def test_special_doubles_keep_all_their_bits(bits: int) -> None:
    check_bits(bits)


def check_bits(bits: int) -> None:
    data = api.JsonNumber.CONSTRUCTOR_ID.to_bytes(4, "little") + bits.to_bytes(8, "little")
    written = through_text(to_json_value(api.decode(data)))
    assert bytes(from_json_value(api.SCHEMA, written)) == data


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1.5, 1.5),
        (-0.0, -0.0),
        (math.nan, {"double": "nan"}),
        (math.inf, {"double": "inf"}),
        (-math.inf, {"double": "-inf"}),
    ],
)
def test_doubles(value: float, written: object) -> None:
    assert to_json_value(api.JsonNumber(value=value)) == {"_": "jsonNumber", "value": written}


def test_the_bits_of_a_double_in_hex() -> None:
    value = from_json_value(api.SCHEMA, {"double": "3FF8000000000000"}, "double")
    assert value == 1.5
    integer = from_json_value(api.SCHEMA, {"_": "jsonNumber", "value": 3})
    assert type(integer.value) is float


# What is wrong, and where


def settings_of(**fields: object) -> dict[str, object]:
    return {"phone_number": "1", "settings": fields}


@pytest.mark.parametrize(
    ("value", "path", "words"),
    [
        ([10**5000], "$", ["got a list, expected an object for account.sendVerifyPhoneCode"]),
        ({"_": 10**5000}, "$._", ["got int, expected a string"]),
        (settings_of(logout_tokens={"a": 10**5000}), "$.settings.logout_tokens", ["got an object, exp"]),
        (settings_of(flags=-(10**5000)), "$.settings.flags", ["got a number of 16610 bits"]),
        ([], "$", ["got a list []", "expected an object for account.sendVerifyPhoneCode"]),
        ({"_": 5}, "$._", ["got int 5", "expected a string"]),
        ({"_": "help.getConfig"}, "$._", ["got help.getConfig", "expected account.sendVerifyPhoneCode"]),
        ({"phone_number": "1"}, "$.settings", ["missing in account.sendVerifyPhoneCode", "CodeSettings"]),
        ({"phone_number": 1, "settings": {}}, "$.phone_number", ["got int 1", "expected a string"]),
        ({"phone_number": None, "settings": {}}, "$.phone_number", ["got null", "leave an absent field out"]),
        ({"phone_number": "\ud800", "settings": {}}, "$.phone_number", ["surrogates"]),
        (settings_of(_="codeSetting"), "$.settings._", ["'codeSetting'", "did you mean codeSettings?"]),
        (settings_of(_="auth.sentCode"), "$.settings._", ["got auth.sentCode", "expected CodeSettings"]),
        (
            settings_of(allow_flashcal=True),
            "$.settings.allow_flashcal",
            ["unknown field of codeSettings", "did you mean allow_flashcall"],
        ),
        (settings_of(allow_flashcall=1), "$.settings.allow_flashcall", ["got int 1", "true or false"]),
        (settings_of(logout_tokens={}), "$.settings.logout_tokens", ["got an object {}", "Vector<bytes>"]),
        (settings_of(logout_tokens=["ab"]), "$.settings.logout_tokens[0]", ["a string 'ab'", '{"hex": "…"}']),
        (settings_of(logout_tokens=[{"hex": 1}]), "$.settings.logout_tokens[0].hex", ["got int 1"]),
        (
            settings_of(logout_tokens=[{"hex": "abc"}]),
            "$.settings.logout_tokens[0].hex",
            ["3 hex digits", "even"],
        ),
        (settings_of(logout_tokens=[{"hex": "a "}]), "$.settings.logout_tokens[0].hex", ["' ' at 1"]),
        (settings_of(logout_tokens=[{"hex": "", "x": ""}]), "$.settings.logout_tokens[0]", ['{"hex": "…"}']),
        (settings_of(flags=1), "$.settings.flags", ["bit 0 follows from a field"]),
        (settings_of(flags=1 << 32), "$.settings.flags", ["got 4294967296", "0..4294967295"]),
        (settings_of(flags=True), "$.settings.flags", ["got true", "a whole number"]),
        (settings_of(token="x"), "$.settings.app_sandbox", ["not given, but token is"]),
    ],
)
def test_errors_of_a_request(value: object, path: str, words: list[str]) -> None:
    check_error(value, SEND, path, words)


@pytest.mark.parametrize(
    ("value", "as_type", "path", "words"),
    [
        ({}, None, "$._", ["missing", "a constructor or function"]),
        (5, None, "$", ["got int 5", "an object"]),
        ({"_": "sendVerifyPhoneCode"}, None, "$._", ["did you mean account.sendVerifyPhoneCode?"]),
        ({"_": "ACCOUNT.SENDVERIFYPHONECODE"}, None, "$._", ["did you mean account.sendVerifyPhoneCode?"]),
        ({"_": "\x1b[31m"}, None, "$._", ["'\\x1b[31m'"]),
        ({}, "auth.SentCode", "$._", ["auth.sentCode | auth.sentCodeSuccess | auth.sentCodePaymentRequired"]),
        ({"_": "userEmpty"}, "auth.SentCode", "$._", ["got userEmpty", "auth.SentCode (auth.sentCode |"]),
        (
            [{"_": "userEmpty", "id": 5.0}],
            "Vector<User>",
            "$[0].id",
            ["got float 5.0", "a whole number for long"],
        ),
        ([{"_": "userEmpty", "id": 1 << 63}], "Vector<User>", "$[0].id", ["9223372036854775808"]),
        ("x", "Vector<User>", "$", ["got a string 'x'", "a list for Vector<User>"]),
        (
            {"_": "invokeWithLayer", "layer": 1, "query": {"_": "auth.sentCode"}},
            None,
            "$.query._",
            ["got auth.sentCode, expected a function"],
        ),
        ({"_": "jsonNumber", "value": "1"}, None, "$.value", ["got a string '1'", "16 hex digits"]),
        ({"_": "jsonNumber", "value": True}, None, "$.value", ["got true"]),
        ({"_": "jsonNumber", "value": math.nan}, None, "$.value", ["got float nan", '{"double": "nan"']),
        ({"_": "jsonNumber", "value": 10**400}, None, "$.value", ["too large for double"]),
        ({"_": "jsonNumber", "value": {"double": "7ff"}}, None, "$.value.double", ["'7ff'", "16 hex digits"]),
        (
            {"_": "help.getConfig", "a": 1},
            None,
            "$.a",
            ["unknown field of help.getConfig, expected no field"],
        ),
        ({"hex": "00" * 15}, "int128", "$", ["got 15 bytes, expected 16"]),
        ({"_": "userEmpty", 5: 5}, None, "$.5", ["unknown field"]),
    ],
)
def test_errors(value: object, as_type: object, path: str, words: list[str]) -> None:
    check_error(value, as_type, path, words)


def check_error(value: object, as_type: object, path: str, words: list[str]) -> None:
    with pytest.raises(JSONValueError) as caught:
        from_json_value(api.SCHEMA, value, as_type)
    assert caught.value.path == path
    assert str(caught.value).startswith(f"{path}: ")
    for word in words:
        assert word in str(caught.value)
    assert isinstance(caught.value, TLError)
    assert isinstance(caught.value, ValueError)


def test_errors_in_repetitions(rare: ModuleType) -> None:
    for many, path in (
        ([5], "$.many[0]"),
        ([{"x": "5"}], "$.many[0].x"),
        ([{}], "$.many[0].x"),
        ([{"x": 5, "z": 5}], "$.many[0].z"),
        ([], "$.many"),
    ):
        with pytest.raises(JSONValueError) as caught:
            from_json_value(rare.SCHEMA, {"_": "rare", "n": 1, "self": [1, 2], "many": many})
        assert caught.value.path == path


@pytest.mark.parametrize("depth", [129, 2000])
def test_nesting_has_an_end(depth: int) -> None:
    value: object = {"_": "jsonNull"}
    for _ in range(depth):
        value = {"_": "jsonArray", "value": [value]}
    with pytest.raises(JSONValueError, match="nested deeper"):
        from_json_value(api.SCHEMA, value)


def test_what_a_decoder_takes_has_a_json_value() -> None:
    value: Any = api.JsonNull()
    for _ in range(64):
        value = api.JsonArray(value=[value])
    assert from_json_value(api.SCHEMA, to_json_value(api.decode(bytes(value)))) == value


def test_what_is_no_tl_value() -> None:
    with pytest.raises(EncodeError, match=r"^settings.logout_tokens\[1\]: got NoneType None"):
        to_json_value(SEND(phone_number="1", settings=api.CodeSettings(logout_tokens=[b"", None])))  # type: ignore[list-item]
    loop = api.JsonArray(value=[])
    loop.value.append(loop)
    with pytest.raises(EncodeError, match="does one contain itself"):
        to_json_value(loop)
    view = memoryview(b"bytes")
    view.release()
    with pytest.raises(EncodeError, match=r"^\[0\]: got memoryview <released memory .*, expected bytes"):
        to_json_value([view])


def test_a_row_of_another_length(rare: ModuleType) -> None:
    with pytest.raises(EncodeError, match=r"^many\[0\]: got tuple \(1, 2\), expected a tuple of 4"):
        to_json_value(rare.Rare(n=1, self_=[1, 2], many=[(1, 2)]))
