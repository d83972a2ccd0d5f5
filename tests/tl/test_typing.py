"""What a type checker sees: generated code is clean under ``mypy --strict``, and its users' mistakes are found."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tl.conftest import SCHEMA as SHAPES
from tests.tl.test_codegen import SCHEMA as DOCUMENTED
from tests.tl.test_rare_types import SCHEMA as RARE
from tl import Schema
from tl.package import write_package

ROOT = Path(__file__).parents[2]
USER = '''\
"""Code that uses generated classes; where mypy has something to say of a line, the line says so too."""

import shapes
import tl
from mtproto import api

api.CodeSettings(allow_flashcall=True)
api.CodeSettings(allow_flashcall=1)  # error: arg-type
api.CodeSettings(allow_flash_call=True)  # error: call-arg
api.CodeSettings(True)  # error: call-arg
api.CodeSettings(logout_tokens=["x"])  # error: list-item
api.account.SendVerifyPhoneCode(phone_number="", settings=api.CodeSettings())
api.account.SendVerifyPhoneCode(phone_number="")  # error: call-arg
api.account.SendVerifyPhoneCode(phone_number=b"", settings=api.CodeSettings())  # error: arg-type
api.account.SendVerifyPhoneCode(phone_number="", settings=api.InputUserSelf())  # error: arg-type
api.account.SendVerifyPhoneCode(phone_number="", settings=None)  # error: arg-type

request = api.account.SendVerifyPhoneCode(phone_number="", settings=api.CodeSettings())
reveal_type(request.settings)  # note: mtproto.api._root.CodeSettings
reveal_type(tl.decode_result(shapes.GetLeaves(), b""))  # note: list[shapes._root.Leaf | shapes._root.Other]
wrapped = shapes.With(layer=1, query=shapes.GetLeaf())
reveal_type(tl.decode_result(wrapped, b""))  # note: shapes._root.Leaf | shapes._root.Other
reveal_type(tl.decode_result(shapes.GetBool(), b""))  # note: bool
reveal_type(api.decode(b"", api.CodeSettings))  # note: mtproto.api._root.CodeSettings
reveal_type(api.decode(b""))  # note: tl.runtime.TLObject
reveal_type(api.decode(b"", "Vector<int>"))  # note: Any
tl.decode_result(shapes.Leaf(), b"")  # error: arg-type
tl.encode(5)  # error: arg-type

value = api.auth.SentCode(type=api.auth.SentCodeTypeSms(length=5), phone_code_hash="")
reveal_type(value.timeout)  # note: int | None
value.timeout = "60"  # error: assignment
value.time_out = 60  # error: attr-defined


def length(kind: api.auth.TypeSentCodeType) -> int:
    match kind:
        case api.auth.SentCodeTypeSms(length=n) | api.auth.SentCodeTypeCall(length=n):
            return n
    return kind.length  # error: union-attr
'''


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What mypy says of each package, and of the code that uses them; one run for all."""
    folder = tmp_path_factory.mktemp("typing")
    for name, text in (("shapes", SHAPES), ("rare", RARE), ("documented", DOCUMENTED)):
        write_package(Schema.parse(text), folder / name, name)
    (folder / "user.py").write_text(USER, "utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--warn-unreachable", "--no-error-summary"),
            *("--config-file=", "--no-pretty", f"--cache-dir={folder / 'cache'}"),
            *("-p", "shapes", "-p", "rare", "-p", "documented", "-m", "user"),
        ],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        check=False,
    )
    assert done.stderr == ""
    lines: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        lines.setdefault(Path(line.split(":")[0]).parts[0], []).append(line)
    return lines


def test_generated_code_is_clean(report: dict[str, list[str]]) -> None:
    for package in ("shapes", "rare", "documented"):
        assert report.get(package) is None


def test_mistakes_are_found(report: dict[str, list[str]]) -> None:
    found = {}
    for line in report["user.py"]:
        if match := re.fullmatch(r"user\.py:(\d+): error: .* +\[([\w-]+)\]", line):
            found[int(match[1])] = f"error: {match[2]}"
        elif match := re.fullmatch(r'user\.py:(\d+): note: Revealed type is "(.*)"', line):
            found[int(match[1])] = f"note: {match[2].replace('builtins.', '')}"
    expected = {
        number: line.split("  # ")[1] for number, line in enumerate(USER.splitlines(), 1) if "  # " in line
    }
    assert found == expected
