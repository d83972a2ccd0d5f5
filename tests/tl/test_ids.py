"""Constructor ids: the CRC-32 of a declaration's text, as Telegram's own generator computed it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from tests.vectors import load
from tl.ast import Combinator
from tl.errors import SchemaError
from tl.parser import parse
from tl.schema import Schema

VECTORS = load("crc32_ids")
SCHEMAS = Path(__file__).parents[2] / "schema"
FULL_SCHEMAS = Path(__file__).parents[2].parent / "shared" / "schemas"
needs_full_schemas = pytest.mark.skipif(
    not FULL_SCHEMAS.is_dir(), reason=f"the full schemas are not at {FULL_SCHEMAS}"
)


def combinator_of(text: str) -> Combinator:
    (combinator,) = parse(f"{text};").combinators
    return combinator


def name_of(case: dict[str, Any]) -> str:
    return str(case["text"]).split(" ")[0].split("#")[0]


@pytest.mark.parametrize("case", VECTORS["cases"], ids=name_of)
def test_published_ids(case: dict[str, Any]) -> None:
    combinator = combinator_of(case["text"])
    assert f"{combinator.computed_id:08x}" == case["id"].zfill(8)
    assert combinator.id in (combinator.computed_id, None)
    assert combinator.constructor_id == combinator.computed_id


@pytest.mark.parametrize("case", VECTORS["cases"], ids=name_of)
def test_ids_follow_from_the_normalised_text_alone(case: dict[str, Any]) -> None:
    without_id = combinator_of(
        case["text"].replace(f"#{case['id']}", "").replace(f"#{case['id'].lstrip('0')}", "")
    )
    assert without_id.id is None
    assert f"{without_id.constructor_id:08x}" == case["id"].zfill(8)


def test_the_vectors_have_every_trap() -> None:
    texts = " ".join(case["text"] for case in VECTORS["cases"])
    for trap in (
        ":bytes ",
        "?bytes ",
        "Vector<bytes>",
        "?true ",
        "{X:Type}",
        "(Vector int)",
        "? = ",
    ):
        assert trap in texts


@pytest.mark.parametrize("case", [case for case in VECTORS["exceptions"] if "=" in case["text"]], ids=name_of)
def test_ids_assigned_by_hand_are_told(case: dict[str, Any]) -> None:
    types = "ipPort = IpPort; accessPointRule0 = AccessPointRule;"
    schema = Schema.parse(f"{case['text']}; {types}")
    (mismatch,) = schema.id_mismatches
    assert mismatch.combinator is schema.combinators[0]
    assert mismatch.declared == mismatch.combinator.constructor_id
    assert mismatch.computed == mismatch.combinator.computed_id != mismatch.declared
    assert str(mismatch) == (
        f"1: {name_of(case)}: declared id {mismatch.declared:08x}, its text gives {mismatch.computed:08x}"
    )


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("a x:bytes = A", "a x:string = A"),
        ("a f:# x:f.1?bytes = A", "a f:# x:f.1?string = A"),
        ("a f:# x:f.0?true = A", "a f:# = A"),
        ("a f:# f2:# x:f2.0?true y:f.1?true z:int = A", "a f:# f2:# z:int = A"),
        ("a x:Vector<Vector<int>> = A", "a x:Vector Vector int = A"),
        ("a x:(Vector int) = A", "a x:Vector int = A"),
        ("a x:bytesOfA y:f.bytes = A", "a x:bytesOfA y:f.bytes = A"),
        ("a f:# x:f.1?trueOrNot = A", "a f:# x:f.1?trueOrNot = A"),
        ("a  x:int\n= A", "a x:int = A"),
        ("a#12345678 x:int = A", "a x:int = A"),
        ("a {X:Type} x:!X = X", "a X:Type x:!X = X"),
        ("a x:vector<%M> = A", "a x:vector M = A"),
    ],
)
def test_spellings_of_one_id(text: str, same_as: str) -> None:
    assert combinator_of(text).computed_id == crc32(same_as.encode())


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("a x:Vector<bytes> = A", "a x:Vector<string> = A"),
        ("a x:true = A", "a = A"),
        ("a bytes:int = A", "a string:int = A"),
        ("a x:int = A", "a y:int = A"),
    ],
)
def test_spellings_of_two_ids(text: str, other: str) -> None:
    assert combinator_of(text).computed_id != combinator_of(other).computed_id


@pytest.mark.parametrize("file", ["mtproto.tl", "api.tl"])
def test_our_schemas_declare_every_id_and_every_id_is_right(file: str) -> None:
    schema = Schema.read(SCHEMAS / file, strict_ids=True)
    assert schema.id_mismatches == ()
    assert [c.name for c in schema.combinators if c.id is None] == []


@needs_full_schemas
@pytest.mark.parametrize(
    ("file", "count", "layer", "mismatches"),
    [
        ("api.tl", 2448, 228, 0),
        ("api_222.tl", 2295, 222, 0),
        ("api_tdlib.tl", 2468, None, 9),
        ("mtproto.tl", 68, None, 3),
        ("mtproto_tdlib.tl", 48, None, 1),
        ("e2e_api.tl", 49, None, 0),
    ],
)
def test_all_of_the_full_schemas(file: str, count: int, layer: int | None, mismatches: int) -> None:
    schema = Schema.read(FULL_SCHEMAS / file)
    assert (len(schema.declarations), schema.layer) == (count, layer)
    assert len(schema.id_mismatches) == mismatches
    assert Schema.parse(str(schema)) == schema
    if mismatches:
        with pytest.raises(SchemaError) as caught:
            Schema.read(FULL_SCHEMAS / file, strict_ids=True)
        assert len(caught.value.errors) == mismatches
    else:
        assert Schema.read(FULL_SCHEMAS / file, strict_ids=True) == schema


@needs_full_schemas
def test_functions_of_the_full_schemas_that_share_an_id() -> None:
    schema = Schema.read(FULL_SCHEMAS / "api_tdlib.tl")
    shared = {tuple(c.name for c in sharing) for sharing in schema.shared_ids.values()}
    names = ("BusinessConnection", "GooglePlayIntegrity", "ApnsSecret", "ReCaptcha")
    assert shared == {(f"invokeWith{name}Prefix", f"invokeWith{name}") for name in names}
    assert schema.by_id[0xADBB0F94].name == "invokeWithReCaptcha"
    assert Schema.read(FULL_SCHEMAS / "api.tl").shared_ids == {}
