"""`tl dump --lenient`, `tl decode --lenient`, `tl encode --raw`; and bad input to any of the three."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tl
from tests.tl.test_hexdump import NARROW
from tests.tl.test_ids import FULL_SCHEMAS, needs_full_schemas
from tests.tl.test_values_commands import API, REQUEST, run
from tl.commands import main

ROOT = Path(__file__).parent.parent.parent
BAD = f"{REQUEST[:38]}01{REQUEST[40:]}ff"
"""The request with padding that is not zero, and a byte behind it."""
PADDING = "padding 000001 behind string, expected zeros"
OLD = "a#1 = A;\nb#2 x:A y:int = B;\n// LAYER 7"
NEW = "b#2 x:A y:int = B;\nc#3 = A;\n// LAYER 9"


@pytest.fixture
def layers(tmp_path: Path) -> tuple[Path, Path]:
    """Two layers in files; what the first calls `a` the second has not."""
    old, new = tmp_path / "old.tl", tmp_path / "new.tl"
    old.write_text(OLD)
    new.write_text(NEW)
    return old, new


def test_a_lenient_dump(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "dump", "--schema", API, "--lenient", BAD)
    assert (status, err) == (1, "")
    assert out == (
        NARROW.replace("000c  35 30 31 32 33 00 00 00", "000c! 35 30 31 32 33 00 00 01").replace(
            "padding 3\n", f"padding 3\n      ! NonZeroPadding at 0011: {PADDING}\n"
        )
        + "0038! ff                       trailing bytes   1 byte\n"
        + "      ! TrailingBytes at 0038: 1 byte is left over\n"
    )


def test_a_lenient_dump_of_what_is_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "dump", "--schema", API, "--lenient", REQUEST) == (0, NARROW, "")
    status, out, _ = run(capsys, "dump", "--schema", API, "--lenient", "--json", REQUEST)
    assert (status, json.loads(out)["findings"]) == (0, [])
    assert "findings" not in json.loads(run(capsys, "dump", "--schema", API, "--json", REQUEST)[1])


@pytest.mark.parametrize("form", ["html", "svg"])
def test_lenient_pages_and_pictures(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "dump"
    arguments = ("dump", "--schema", API, f"--{form}", path)
    assert run(capsys, *arguments, REQUEST) == (0, f"{path}: 56 bytes, 10 fields\n", "")
    assert PADDING not in path.read_text("utf-8")
    assert run(capsys, *arguments, "--lenient", BAD) == (1, f"{path}: 57 bytes, 11 fields, 2 findings\n", "")
    assert PADDING in path.read_text("utf-8")
    assert run(capsys, *arguments, "--lenient", BAD[:-2])[1].endswith(", 1 finding\n")


def test_a_lenient_dump_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "dump", "--schema", API, "--lenient", "--json", BAD)
    assert (status, err) == (1, "")
    names = [(f["name"], f["offset"]) for f in json.loads(out)["findings"]]
    assert names == [("NonZeroPadding", 17), ("TrailingBytes", 56)]


def test_what_is_decoded_leniently_encodes_again(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "decode", "--schema", API, "--lenient", BAD)
    assert status == 1
    assert err.splitlines() == [
        f"! NonZeroPadding at 17, phone_number: {PADDING}",
        "! TrailingBytes at 56: 1 byte is left over",
    ]
    assert json.loads(out)["phone_number"] == {
        "_raw": "0c2b3132303235353530313233000001",
        "value": "+12025550123",
    }
    assert run(capsys, "encode", "--schema", API, "--raw", out) == (0, BAD[:-2] + "\n", "")
    status, _, err = run(capsys, "encode", "--schema", API, out)
    assert status == 1
    assert "tl: $.phone_number._raw: raw bytes" in err
    assert "--raw" in err


def test_lenient_decoding_of_what_is_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    strict = run(capsys, "decode", "--schema", API, REQUEST)
    assert strict[0] == 0
    assert run(capsys, "decode", "--schema", API, "--lenient", REQUEST) == strict


def test_unknown_constructors_are_looked_up_elsewhere(
    layers: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = layers
    data = "02000000 01000000 09000000"
    status, out, _ = run(capsys, "dump", "--schema", new, "--lenient", data)
    assert status == 1
    assert "0x00000001 unknown" in out
    status, out, _ = run(capsys, "dump", "--schema", new, "--lenient", "--also", API, "--also", old, data)
    assert status == 1
    assert "0x00000001 a of layer 7" in out
    assert "; 0x00000001 is a of layer 7\n" in " ".join(out.split("        ")).replace("\n ", " ")
    status, out, err = run(capsys, "decode", "--schema", new, "--lenient", "--also", old, data)
    assert json.loads(out)["x"] == {"_raw": "01000000", "value": {"_": "a"}}
    assert err.endswith("; 0x00000001 is a of layer 7\n")


@needs_full_schemas
def test_two_whole_layers(capsys: pytest.CaptureFixture[str]) -> None:
    old = tl.load(FULL_SCHEMAS / "api_222.tl")
    value = old.ChatParticipants(chat_id=5, participants=[old.ChatParticipantCreator(user_id=1)], version=3)
    arguments = ("--schema", FULL_SCHEMAS / "api.tl", "--lenient", "--also", FULL_SCHEMAS / "api_222.tl")
    status, out, _ = run(capsys, "dump", *arguments, bytes(value).hex())
    assert status == 1
    assert "0xe46bcee4 is chatParticipantCreator of layer 222" in out
    assert "user_id   1\n" in out


def test_without_lenient_it_is_mentioned(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("dump", "decode"):
        assert run(capsys, command, "--schema", API, BAD) == (
            1,
            "",
            f"tl: {PADDING} (offset 17, phone_number); --lenient shows what can be read\n",
        )


@pytest.mark.parametrize("data", ["", "00", "ff" * 40, "f956a3a500", REQUEST[:50], BAD * 3])
def test_nothing_is_refused_leniently(data: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for as_type in ([], ["--type", "Vector<User>"], ["--type", "int"], ["--type", "string"]):
        for form in ([], ["--json"], ["--html", tmp_path / "page"], ["--svg", tmp_path / "picture"]):
            status, out, err = run(capsys, "dump", "--schema", API, "--lenient", *as_type, *form, data)
            assert (status, bool(out), err) == (1, True, "")
        status, out, err = run(capsys, "decode", "--schema", API, "--lenient", *as_type, data)
        assert status == 1
        assert err.startswith("! ")
        json.loads(out)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("form", ["dump", "decode", "dump --lenient", "decode --lenient", "dump --json"])
def test_terminals_that_lack_characters(encoding: str, form: str) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding)
    with contextlib.redirect_stdout(out):
        assert main([*form.split(), "--schema", API, "048d747d 05c3a9e6bca20000"]) == 0
    assert isinstance(out.buffer, io.BytesIO)
    text = out.buffer.getvalue().decode(encoding)
    if encoding == "utf-8":
        assert "é漢" in text
    else:
        assert ("?'" if form in ("dump", "dump --lenient") else '\\u6f22"') in text


@pytest.mark.parametrize("command", ["dump", "decode"])
def test_help_says_what_the_status_means(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "Exit status: 0 done; 1 the bytes" in told
    assert "with --lenient there are findings" in told


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["dump", "--schema", API, "--lenient", "f95"], 2, "f95: got 3 hex digits"),
        (["dump", "--schema", API, "--lenient", "z" * 5000], 2, f"{'z' * 40}…: got 'z'"),
        (["dump", "--schema", API, "--lenient", "--type", "Foo", ""], 2, "--type Foo: api has no type 'Foo'"),
        (["dump", "--schema", "missing.tl", "--lenient", ""], 2, "missing.tl: No such file or directory"),
        (["dump", "--schema", ".", ""], 2, ".: Is a directory"),
        (["dump", "--schema", API, "--also", API, ""], 2, "--also: only with --lenient"),
        (["decode", "--schema", API, "--lenient", "--also", "missing.tl", ""], 2, "missing.tl: No such file"),
        (["dump", "--schema", API, "--html", "/missing/x", REQUEST], 2, "/missing/x: No such file or directory"),
        (["dump", "--schema", API, "--svg", "/missing/x", REQUEST], 2, "/missing/x: No such file or directory"),
        (["dump", "--schema", API, "--svg", "/", REQUEST], 2, "/: Is a directory"),
        (["encode", "--schema", API, "-o", "/missing/x", '{"_": "help.getConfig"}'], 2, "/missing/x: No such"),
        (["encode", "--schema", API, "missing.json"], 2, "missing.json: no such file; and as JSON: Expecting"),
        (["encode", "--schema", API, "missing/value"], 2, "missing/value: no such file"),
        (["encode", "--schema", API, "--raw", '{"_raw": "0"}'], 1, "$._raw: got 1 hex digits"),
        (["encode", "--schema", API, "--raw", "", "--type", "Foo"], 2, "--type Foo: api has no type"),
    ],
)  # fmt: skip
def test_bad_input_gets_one_line(
    arguments: list[str], status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    got, out, err = run(capsys, *arguments)
    assert (got, out) == (status, "")
    assert err.count("\n") == 1
    assert err.startswith("tl: ")
    assert message in err
    assert len(err) < 200


def test_another_schema_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "odd.tl"
    path.write_text("a x:Usre = A;\nb = b;\n")
    status, out, err = run(capsys, "dump", "--schema", API, "--lenient", "--also", path, REQUEST)
    assert (status, out) == (2, "")
    assert err.startswith(f"tl: --also {path}:1:5: a: x: unknown type 'Usre'\n")
    assert f"\n--also {path}:2:5: b: the result type b is not a boxed type" in err


@pytest.mark.parametrize(
    ("closing", "status", "printed"),
    [
        ("<&-", 2, "tl: -: standard input is closed\n"),
        (">&-", 1, ""),
    ],
)
def test_closed_streams(closing: str, status: int, printed: str) -> None:
    command = f'"{sys.executable}" -m tl dump --schema schema/api.tl - {closing}'
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        input="",
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=60,
    )
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    assert not printed or done.stderr == printed


def test_what_a_terminal_can_not_show_is_replaced() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tl", "diff", "docs/examples/layer_133.tl", "schema/api.tl"],
        capture_output=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (1, b"")
    assert done.stdout.startswith(b"layer 133 ? 228: ")
