"""Raw bytes in JSON: what a lenient reading gives comes back, and nobody can write any without asking.

Findings in JSON, too, and the values of a lenient reading's tree.
"""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import tl
from mtproto import api, service
from tests.samples import plan
from tests.tl.test_ids import FULL_SCHEMAS, needs_full_schemas
from tests.tl.test_json_values import SEND, settings_of
from tests.tl.test_rare_types import SCHEMA as RARE
from tests.tl.test_reading import NEW, OLD, VECTOR, damaged, words
from tl.errors import EncodeError, JSONValueError
from tl.json_text import span_json
from tl.json_values import from_json_value, to_json_value
from tl.reference import reference_encode_as

PACKAGES: dict[str, Any] = {"api": api, "service": service, "rare": tl.load(RARE, "rare"), "new": NEW}


def read(data: bytes, schema: object = NEW, as_type: object = None) -> tl.Reading:
    return tl.read(data, schema, as_type, mode="lenient", others=[OLD])


# As JSON


def test_raw_bytes_as_json() -> None:
    assert to_json_value(tl.Raw(b"\x00\xff")) == {"_raw": "00ff"}
    assert to_json_value(tl.Raw(b"\2ab\1", "ab")) == {"_raw": "02616201", "value": "ab"}
    assert to_json_value([tl.Raw(b"")]) == [{"_raw": ""}]
    assert to_json_value(tl.Raw(b"\0", api.CodeSettings(current_number=True))) == {
        "_raw": "00",
        "value": {"_": "codeSettings", "current_number": True},
    }


def test_a_meaning_that_can_not_be_said_is_left_out() -> None:
    loop: list[object] = []
    loop.append(loop)
    for meaning in (object(), [1, object()], loop, api.JsonArray(value=[object()])):  # type: ignore[list-item]
        value = api.CodeSettings(logout_tokens=[tl.Raw(b"\1", meaning), b""])  # type: ignore[list-item]
        assert to_json_value(value)["logout_tokens"] == [{"_raw": "01"}, {"hex": ""}]
    with pytest.raises(EncodeError, match=r"^logout_tokens\[1\]: got object"):  # the path is whole again
        to_json_value(api.CodeSettings(logout_tokens=[tl.Raw(b"", object()), object()]))  # type: ignore[list-item]


def test_raw_bytes_in_raw_bytes_are_written_once_more_only() -> None:
    value: Any = api.JsonNull()
    for _ in range(60):
        value = tl.Raw(bytes(1000), api.JsonArray(value=[value, tl.Raw(b"\1")]))  # type: ignore[list-item]
    text = tl.to_json(value)
    assert len(text) < 10_000
    assert text.count('"_raw"') == 1 + 60
    assert json.loads(text)["value"]["value"][0]["value"][1] == {"_raw": "01"}


def test_a_lenient_reading_as_json() -> None:
    reading = read(words(3, VECTOR, 2, 0x11111111, 7, 0x33333333, 9))
    assert to_json_value(reading.value) == {
        "_": "list",
        "things": [
            {"_raw": "1111111107000000", "value": {"_": "named", "id": 7}},
            {"_": "thing"},
        ],
        "n": 9,
    }


# And back


def test_raw_bytes_may_stand_for_any_value() -> None:
    raw = {"_raw": "00FF", "value": {"anything": None}}
    for as_type in (
        None,
        SEND,
        "int",
        "#",
        "double",
        "string",
        "Bool",
        "true",
        "int128",
        "Vector<User>",
        "User",
    ):
        assert from_json_value(api.SCHEMA, raw, as_type, raw=True) == tl.Raw(b"\x00\xff")
    value = from_json_value(
        api.SCHEMA,
        {"phone_number": raw, "settings": {"flags": {"_raw": "00"}, "logout_tokens": [{"hex": ""}, raw]}},
        SEND,
        raw=True,
    )
    assert value.settings.logout_tokens == [b"", tl.Raw(b"\x00\xff")]
    assert bytes(value) == bytes.fromhex("f956a3a5 00ff 783d25ad 00 15c4b51c 02000000 00000000 00ff")


def test_raw_rows_and_counts() -> None:
    rare = PACKAGES["rare"]
    for written, encoded in (
        (
            {"_": "rows", "n": 2, "rows": [{"_raw": "01"}, {"a": 1, "b": {"_raw": ""}}], "tail": 5},
            "02000000 01 01000000 05000000",
        ),
        ({"_": "int128Of", "field0": [{"_raw": "01"}, 1, 2, 3]}, "01 01000000 02000000 03000000"),
        ({"_": "int128Of", "field0": {"_raw": "01"}}, "01"),
        ({"_": "rows", "n": {"_raw": "01"}, "rows": {"_raw": "02"}, "tail": {"_raw": "03"}}, "01 02 03"),
    ):  # fmt: skip
        value = from_json_value(rare.SCHEMA, written, raw=True)
        assert bytes(value)[4:] == bytes.fromhex(encoded)
        assert to_json_value(value) == written


def test_a_raw_flag_word_and_the_fields_that_it_should_follow_from() -> None:
    written = {
        "_": "codeSettings",
        "flags": {"_raw": "00000000"},
        "allow_flashcall": True,
        "token": "t",
        "app_sandbox": True,
    }
    value = from_json_value(api.SCHEMA, written, raw=True)
    assert bytes(value) == bytes.fromhex("783d25ad 00000000 01740000 b5757299")
    assert to_json_value(value) == written


@pytest.mark.parametrize(
    ("value", "path", "words"),
    [
        ({"_raw": "7"}, "$._raw", ["got 1 hex digits", "even"]),
        ({"_raw": "7g"}, "$._raw", ["'g' at 1"]),
        ({"_raw": 7}, "$._raw", ["got int 7", "a string"]),
        ({"_raw": None}, "$._raw", ["got null"]),
        ({"_raw": "", "_": "user"}, "$._", ["beside _raw", "value"]),
        ({"_raw": "", 5: ""}, "$.5", ["beside _raw"]),
        ({"phone_number": {"_raw": []}, "settings": {}}, "$.phone_number._raw", ["got a list"]),
        (settings_of(allow_flashcall={"_raw": ""}), "$.settings.allow_flashcall", ["expected a bool"]),
    ],
)  # fmt: skip
def test_raw_bytes_that_are_none(value: object, path: str, words: list[str]) -> None:
    with pytest.raises(JSONValueError) as caught:
        from_json_value(api.SCHEMA, value, SEND, raw=True)
    assert caught.value.path == path
    for word in words:
        assert word in caught.value.message


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"_raw": ""}, "$._raw"),
        ({"phone_number": {"_raw": "00", "value": ""}, "settings": {}}, "$.phone_number._raw"),
        ({"phone_number": "", "settings": {"logout_tokens": [{"_raw": ""}]}}, "$.settings.logout_tokens[0]._raw"),
        ({"phone_number": "", "settings": {"flags": {"_raw": ""}}}, "$.settings.flags._raw"),
    ],
)  # fmt: skip
def test_raw_bytes_have_to_be_asked_for(value: object, path: str) -> None:
    with pytest.raises(JSONValueError, match="raw=True, --raw") as caught:
        from_json_value(api.SCHEMA, value, SEND)
    assert caught.value.path == path
    with pytest.raises(JSONValueError, match="raw=True, --raw"):
        tl.from_json(api.SCHEMA, json.dumps(value), SEND)


# There and back, whatever the bytes are


def check(data: bytes, schema: Any, as_type: object) -> None:
    reading = read(data, schema, as_type)
    text = tl.to_json(reading.value)
    json.loads(text, parse_constant=pytest.fail)
    value = tl.from_json(schema, text, as_type, raw=True)
    assert reference_encode_as(schema, value, as_type) + reading.trailing == data
    if "_raw" in text:
        assert reading.findings
        with pytest.raises(JSONValueError, match="raw=True, --raw"):
            tl.from_json(schema, text, as_type)


def test_damaged_bytes_there_and_back() -> None:
    for seed in range(1000):
        rng = random.Random(seed)
        name = rng.choice(sorted(PACKAGES))
        schema = PACKAGES[name].SCHEMA
        cls = schema.by_name[rng.choice(sorted(schema.declared))]
        data = damaged(rng, bytes(plan(rng, cls, 3).build(schema)), schema)
        try:
            check(data, schema, rng.choice((None, cls)))
        except Exception as error:
            error.add_note(f"{name}, seed {seed}, {cls.TL_NAME}: {data.hex()}")
            raise


@given(
    st.binary(max_size=64),
    st.sampled_from(sorted(NEW.SCHEMA.declared)),
    st.sampled_from(
        [None, "Thing", "Vector<Thing>", "vector<int>", "%Message", "Bool", "string", "int", "true"]
    ),
)
@example(b"", "text", None)  # not even a flag word
@example(b"\1", "asked", None)  # half of one
def test_any_bytes_there_and_back(data: bytes, name: str, as_type: str | None) -> None:
    check(data, NEW.SCHEMA, as_type)
    check(words(NEW.SCHEMA.by_name[name].CONSTRUCTOR_ID) + data, NEW.SCHEMA, None)


# The whole layer


def round_trips(schema: Any, seeds: range) -> int:
    """Values of each class by way of JSON text; how many there were."""
    number = 0
    for name in schema.declared:
        for seed in seeds:
            value = plan(random.Random(f"{name} {seed}"), schema.by_name[name]).build(schema)
            text = tl.to_json(value)
            again = tl.from_json(schema, text, schema.by_name[name])
            assert bytes(again) == bytes(value), f"{name}, seed {seed}: {text}"
            number += 1
    return number


@pytest.mark.parametrize("name", sorted(PACKAGES))
def test_every_class_there_and_back(name: str) -> None:
    schema = PACKAGES[name].SCHEMA
    assert round_trips(schema, range(20)) == 20 * len(schema.declared)


@needs_full_schemas
def test_every_class_of_a_whole_layer_there_and_back() -> None:
    schema = tl.load(FULL_SCHEMAS / "api.tl").SCHEMA
    assert round_trips(schema, range(2)) == 2 * len(schema.declared) > 2 * 2000


# Findings and trees


def test_findings_in_json() -> None:
    reading = read(words(3, VECTOR, 1, 0x11111111, 7, 9))
    tree = span_json(reading.span, reading.findings)
    assert tree["findings"] == [
        {
            "name": "UnknownConstructor",
            "offset": 12,
            "path": "things[0]",
            "message": "got constructor 0x11111111, unknown to new, expected Thing (thing)",
            "expected": "Thing (thing)",
            "got": 0x11111111,
            "candidates": ["named of layer 5"],
        },
    ]
    assert "findings" not in span_json(reading.span)
    assert span_json(reading.span, ())["findings"] == []


def test_values_of_a_lenient_tree_in_json() -> None:
    def leaves(node: Any) -> list[tuple[str, object]]:
        children = node.get("children")
        return [leaf for c in children for leaf in leaves(c)] if children else [(node["type"], node["value"])]

    reading = read(words(1, 0xDEADBEEF, 5, 7, 0x44444444))
    assert leaves(span_json(reading.span)) == [
        ("constructor id", 1),
        ("constructor id", 0xDEADBEEF),
        ("opaque", {"hex": "05000000"}),
        ("int", 7),
        ("constructor id", 0x44444444),
    ]
    reading = read(words(5, 6))
    assert leaves(span_json(reading.span)) == [("constructor id", 5), ("trailing bytes", {"hex": "06000000"})]
    told: Any = span_json(reading.span, reading.findings)["findings"]
    assert [(f["name"], f["expected"], f["got"]) for f in told] == [("TrailingBytes", 0, 4)]
    padding = b"\2abc"
    assert span_json(read(padding, as_type="string").span)["value"] == {"_raw": padding.hex(), "value": "ab"}
    told = span_json(read(padding, as_type="string").span, read(padding, as_type="string").findings)[
        "findings"
    ]
    assert [(f["expected"], f["got"]) for f in told] == [({"hex": "00"}, {"hex": "63"})]
