"""The command `tl check-ids`, and what `tl generate` and `tl check` say of ids and layers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import pytest

from tests.tl.test_ids import FULL_SCHEMAS, SCHEMAS, needs_full_schemas
from tl.__main__ import main
from tl.schema import Schema

ODD = """\
a#1 = A;
b = B;
  n.c#2 x:int = n.C;
---functions---
f#3 = A;
g#3 = A;
"""
A, C, F, G = (crc32(text) for text in (b"a = A", b"n.c x:int = n.C", b"f = A", b"g = A"))
LAYERS = f"===1===\na#{A:08x} = A;\n===2===\na#7 x:int = A;\n===3===\na#8 x:long = A;\n"


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    path = tmp_path / "odd.tl"
    path.write_text(ODD)
    return path


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def told(capsys: pytest.CaptureFixture[str]) -> tuple[list[str], list[str]]:
    captured = capsys.readouterr()
    return captured.out.splitlines(), captured.err.splitlines()


def test_ids_that_are_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.tl"
    path.write_text(f"a#{A:x} = A;\nint#a8509bda ? = Int;\nb = B;")
    assert run("check-ids", path) == 0
    assert told(capsys) == ([f"{path}: 2 ids checked, each the CRC-32 of its text"], [])
    for file in ("mtproto.tl", "api.tl"):
        count = len(Schema.read(SCHEMAS / file).combinators)
        assert run("check-ids", SCHEMAS / file) == 0
        assert told(capsys)[0] == [f"{SCHEMAS / file}: {count} ids checked, each the CRC-32 of its text"]


def test_ids_that_are_not(odd: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check-ids", odd) == 1
    assert told(capsys) == (
        [
            f"{odd}:1: a: declared id 00000001, its text gives {A:08x}",
            f"{odd}:3: n.c: declared id 00000002, its text gives {C:08x}",
            f"{odd}:5: f: declared id 00000003, its text gives {F:08x}",
            f"{odd}:6: g: declared id 00000003, its text gives {G:08x}",
            f"{odd}:5: f shares the id 00000003 with g, line 6, which is what it decodes as",
            f"{odd}: 4 ids checked, 4 not the CRC-32 of the text",
        ],
        [],
    )


def test_a_shared_id_is_mentioned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "shared.tl"
    path.write_text(f"---functions---\nf#{G:08x} = A;\ng = A;\n---types---\na = A;")
    assert run("check-ids", path) == 1
    assert told(capsys)[0] == [
        f"{path}:2: f: declared id {G:08x}, its text gives {F:08x}",
        f"{path}:2: f shares the id {G:08x} with g, line 3, which is what it decodes as",
        f"{path}: 1 id checked, 1 not the CRC-32 of the text",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a#1 = ;", ":1:7: got ';', expected a type"),
        (b"a#1 x:Nope = A;", ":1:7: a: x: unknown type 'Nope'"),
        (b"a = A; // \xff", ": {path} is not UTF-8: invalid start byte at byte 10"),
    ],
)
def test_a_schema_that_can_not_be_read(
    content: bytes, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.tl"
    path.write_bytes(content)
    assert run("check-ids", path) == 2
    out, err = told(capsys)
    assert out == []
    assert err[0] == f"{path}{message.format(path=path)}"


def test_no_schema_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check-ids", tmp_path / "none.tl") == 2
    assert run("check-ids", tmp_path) == 2
    assert [line.rpartition(": ")[2] for line in told(capsys)[1]] == [
        "No such file or directory",
        "Is a directory",
    ]
    with pytest.raises(SystemExit) as caught:
        run("check-ids")
    assert caught.value.code == 2


def test_all_layers_are_checked_unless_one_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "layers.tl"
    path.write_text(LAYERS)
    assert run("check-ids", path) == 1
    assert [line.split(":")[1] for line in told(capsys)[0]] == [
        "4",
        "6",
        " 3 ids checked, 2 not the CRC-32 of the text",
    ]
    assert run("check-ids", path, "--layer", 1) == 0
    assert told(capsys)[0] == [f"{path}: 1 id checked, each the CRC-32 of its text"]
    assert run("check-ids", path, "--layer", 2) == 1
    assert run("check-ids", path, "--layer", 0) == 2
    assert told(capsys)[1] == [f"{path}: the schema has no layer 0: its first is 1"]


@pytest.mark.parametrize("command", ["generate", "check"])
def test_strict_ids_refuse(command: str, odd: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package = odd.parent / "odd"
    assert run("generate", odd, "-o", package) == 0
    mismatches = [f"{odd}:{line}" for line in ("1: a", "3: n.c", "5: f", "6: g")]
    lines = told(capsys)[1]
    assert [line.split(": declared")[0] for line in lines] == mismatches
    assert run(command, odd, "-o", package) == 0  # said, and no more
    assert told(capsys)[1] == lines
    before = {path: path.read_bytes() for path in package.glob("*.py")}
    odd.write_text(ODD + "more#4 = Bool;")
    assert run(command, odd, "-o", package, "--strict-ids") == 2
    out, err = told(capsys)
    assert out == []
    assert len(err) == 15  # for each the place and what is wrong, its line, and a caret
    assert err[:6] == [
        f"{odd}:1:2: a: declared id 00000001, its text gives {A:08x}",
        "    a#1 = A;",
        "     ^",
        f"{odd}:3:6: n.c: declared id 00000002, its text gives {C:08x}",
        "      n.c#2 x:int = n.C;",
        "         ^",
    ]
    assert {path: path.read_bytes() for path in package.glob("*.py")} == before


def test_strict_ids_accept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, package = tmp_path / "a.tl", tmp_path / "a"
    path.write_text(f"a#{A:08x} = A; b = B;")
    for command in ("generate", "check"):
        assert run(command, path, "-o", package, "--strict-ids") == 0
    assert told(capsys)[1] == []


def test_a_layer_is_generated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, package = tmp_path / "layers.tl", tmp_path / "layers"
    path.write_text(LAYERS)
    for arguments, line in (((), "LAYER = 3"), (("--layer", 2), "LAYER = 2")):
        assert run("generate", path, "-o", package, *arguments) == 0
        assert line in (package / "__init__.py").read_text().splitlines()
        assert run("check", path, "-o", package, *arguments) == 0
    assert run("check", path, "-o", package) == 1
    assert run("generate", path, "-o", tmp_path / "none", "--layer", 0) == 2
    assert not (tmp_path / "none").exists()
    assert len(told(capsys)[1]) > 0


@needs_full_schemas
def test_the_full_schemas(capsys: pytest.CaptureFixture[str]) -> None:
    expected: Sequence[tuple[str, int, str]] = (
        ("api.tl", 0, "2448 ids checked, each the CRC-32 of its text"),
        ("api_222.tl", 0, "2295 ids checked, each the CRC-32 of its text"),
        ("api_tdlib.tl", 1, "2460 ids checked, 9 not the CRC-32 of the text"),
        ("mtproto.tl", 1, "66 ids checked, 3 not the CRC-32 of the text"),
        ("mtproto_tdlib.tl", 1, "39 ids checked, 1 not the CRC-32 of the text"),
        ("e2e_api.tl", 0, "4 ids checked, each the CRC-32 of its text"),
    )
    for file, status, summary in expected:
        assert run("check-ids", FULL_SCHEMAS / file) == status
        lines, _ = told(capsys)
        assert lines[-1] == f"{FULL_SCHEMAS / file}: {summary}"
        assert sum("shares the id" in line for line in lines) == (4 if file == "api_tdlib.tl" else 0)
