"""`tl excerpt` and `tl diff`: what they print, and how they end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tl.test_ids import SCHEMAS
from tl import Schema
from tl.commands import main
from tl.excerpt import excerpt

API = SCHEMAS / "api.tl"
OLD = "a#1 x:int = A;\nb#2 = A;\n// LAYER 1\n"
NEW = "a#3 x:long = A;\nb#2 = A;\nc#4 = A;\n// LAYER 2\n"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    old, new = tmp_path / "old.tl", tmp_path / "new.tl"
    old.write_text(OLD)
    new.write_text(NEW)
    return old, new


def test_excerpt(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "excerpt", API, "auth.sentCodeTypeSms", "codeSettings")
    assert (status, err) == (0, "")
    expected = excerpt(Schema.read(API), ["auth.sentCodeTypeSms", "codeSettings"])
    assert Schema.parse(out) == expected
    assert {c.name for c in expected.combinators} > {
        "auth.sentCodeTypeSms",
        "auth.sentCodeTypeCall",
        "codeSettings",
    }
    assert "//@description" in out


def test_excerpt_with_docs_of_another_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare = tmp_path / "bare.tl"
    bare.write_text(str(Schema.read(API)))
    assert "//@" not in run(capsys, "excerpt", bare, "codeSettings")[1]
    with_docs = run(capsys, "excerpt", bare, "codeSettings", "--docs", API)
    assert with_docs == run(capsys, "excerpt", API, "codeSettings")


def test_excerpt_of_what_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "excerpt", API, "auth.sentCod")
    assert (status, out) == (2, "")
    assert "no combinator or type 'auth.sentCod', did you mean 'auth.sentCode'" in err


def test_diff(pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "diff", *pair)
    assert (status, err) == (1, "")
    assert out.startswith("layer 1 → 2: 1 constructor added, 1 changed (1 breaking)")
    assert "~ breaking" in out
    assert "+ new reads old  c#00000004" in out
    status, out, _ = run(capsys, "diff", "--json", *pair)
    assert status == 1
    assert {change["grade"] for change in json.loads(out)["changes"]} == {"breaking", "new reads old"}
    assert run(capsys, "diff", pair[0], pair[0])[0] == 0


def test_diff_says_which_schema_is_wrong(pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    old, new = pair
    new.write_text("a x:Nope = A;")
    status, out, err = run(capsys, "diff", old, new)
    assert (status, out) == (2, "")
    assert f"{new}:1:5: a: x: unknown type 'Nope'" in err
    assert run(capsys, "diff", old, new.with_name("missing.tl"))[0] == 2
