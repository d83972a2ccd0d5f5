"""`tl dictionary`: its ids are those of the schema's text, in the form that AFL++ and libFuzzer read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.tl.test_ids import SCHEMAS
from tl import Schema
from tl.commands import main
from tl.dictionary import dictionary_text

API = SCHEMAS / "api.tl"


def words(text: str) -> dict[str, bytes]:
    """What the tools make of a dictionary: AFL++'s rules, which are the narrower ones."""
    found: dict[str, bytes] = {}
    for line in text.split("\n"):
        if not line.strip() or line.startswith("#"):
            continue
        matched = re.fullmatch(r'(?P<name>[A-Za-z0-9_]+)="(?P<value>(?:\\x[0-9a-f]{2})+)"', line)
        assert matched, line
        word = bytes(int(digits, 16) for digits in matched["value"].split("\\x")[1:])
        assert 0 < len(word) <= 64
        assert matched["name"] not in found
        found[matched["name"]] = word
    return found


def ids(text: str) -> dict[str, int]:
    """The ids that a schema's text declares, by name."""
    found = re.findall(r"^([\w.]+)#([0-9a-f]{1,8})\b", text, re.MULTILINE)
    return {name: int(digits, 16) for name, digits in found}


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_it_has_every_id_of_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "dictionary", API)
    assert (status, err) == (0, "")
    assert out.startswith("# TL of layer 228: ")
    found = words(out)
    declared = ids(API.read_text("utf-8"))
    assert len(declared) > 90
    for name, number in declared.items():
        assert found[name.replace(".", "_")] == number.to_bytes(4, "little")
    assert found["auth_sentCode"] == b"\x02\x25\x00\x5e"
    extra = set(found) - {name.replace(".", "_") for name in declared}
    assert {name.partition("_")[0] for name in extra} == {"vector", "count", "length"}
    assert len(set(found.values())) == len(found)


def test_it_has_what_every_encoding_is_made_of() -> None:
    found = words(dictionary_text(Schema.parse("a#1 = A;")))
    assert found == {
        "vector": bytes.fromhex("15c4b51c"),
        "boolTrue": bytes.fromhex("b5757299"),
        "boolFalse": bytes.fromhex("379779bc"),
        "count_0": bytes(4),
        "count_1": b"\1\0\0\0",
        "count_negative": b"\xff\xff\xff\xff",
        "count_highest": b"\xff\xff\xff\x7f",
        "count_lowest": b"\0\0\0\x80",
        "length_253": b"\xfd",
        "length_254": b"\xfe\xfe\0\0",
        "length_not_minimal": b"\xfe\3\0\0",
        "length_highest": b"\xfe\xff\xff\xff",
        "length_reserved": b"\xff",
    }


def test_names_are_told_apart_and_words_are_not_repeated() -> None:
    text = """\
a.b#11 = A; a_b#12 = A; boolTrue#997275b5 = Bool; a_b_2#14 = A; count_0#15 = C; noId = N;
---functions---
first#16 = A; second#16 x:int = A;
"""
    found = words(dictionary_text(Schema.parse(text)))
    names = {
        name: word[0] for name, word in found.items() if word[1:] == bytes(3) and 0x11 <= word[0] <= 0x16
    }
    assert names == {"a_b": 0x11, "a_b_2": 0x12, "a_b_2_2": 0x14, "count_0_2": 0x15, "first": 0x16}
    assert "noId" in found
    assert list(found.values()).count(b"\xb5\x75\x72\x99") == 1


def test_only_what_some_names_need(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "dictionary", API, "auth.CodeType", "codeSettings")
    assert status == 0
    names = {name for name in words(out) if not name.startswith(("count_", "length_"))}
    assert names == {
        *("vector", "boolTrue", "boolFalse", "true", "codeSettings", "auth_codeTypeSms", "auth_codeTypeCall"),
        *("auth_codeTypeFlashCall", "auth_codeTypeMissedCall", "auth_codeTypeFragmentSms"),
    }


def test_layers_and_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    schema, output = tmp_path / "s.tl", tmp_path / "words.dict"
    schema.write_text("===1===\na#aaaaaaaa = A;\n===2===\na#bbbbbbbb x:int = A;\n")
    assert run(capsys, "dictionary", schema, "--layer", 1, "-o", output) == (0, f"{output}: 14 words\n", "")
    assert words(output.read_text("ascii"))["a"] == b"\xaa" * 4
    assert words(run(capsys, "dictionary", schema)[1])["a"] == b"\xbb" * 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([API, "auth.SentCod"], "the schema has no combinator or type 'auth.SentCod', did you mean"),
        (["missing.tl"], "missing.tl: No such file or directory"),
        ([API, "-o", "missing/words.dict"], "missing/words.dict: No such file or directory"),
    ],
)
def test_bad_input_gets_one_line(
    arguments: list[object], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(capsys, "dictionary", *arguments)
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err
