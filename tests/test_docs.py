"""What the documents say is so: their Python runs, their table of refusals names errors and tests that exist."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import tl
from tests.tl import test_checklist
from tl.mutations import OPERATORS

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_the_python_of_a_document_runs_from_top_to_bottom(path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", path.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(blocks)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def consoles(path: Path) -> list[tuple[str, str]]:
    """The commands of a document's ``console`` blocks, each behind a ``$``, and what it says they print."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```$", path.read_text("utf-8"), re.DOTALL | re.MULTILINE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, printed = part.partition("\n")
            found.append((command, printed))
    return found


@pytest.mark.parametrize(
    ("command", "printed"),
    [pair for path in DOCUMENTS for pair in consoles(path)],
    ids=lambda text: text[:40],
)
def test_commands_print_what_a_document_says(command: str, printed: str) -> None:
    """A line ``[…]`` stands for any number of lines."""
    program, *arguments = shlex.split(command)
    assert program in ("tl", "mtproto")
    done = subprocess.run(
        [sys.executable, "-m", program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "80", "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"},
        timeout=60,
        check=False,
    )
    pattern = "".join(
        r"(?:.*\n)+?" if line == "[…]\n" else re.escape(line) for line in printed.splitlines(keepends=True)
    )
    assert re.fullmatch(pattern, done.stdout), done.stdout


@pytest.mark.parametrize("path", [*DOCUMENTS, ROOT / "README.md"], ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text("utf-8")):
        assert target.startswith("https://") or (path.parent / target).exists(), f"{path.name}: {target}"


def test_the_strictness_table() -> None:
    text = (ROOT / "docs" / "tl.md").read_text("utf-8")
    rows = re.findall(r"^\| T(\d+) \| .+ \| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    assert [int(number) for number, _, _ in rows] == list(range(1, 13))
    named = set()
    for number, errors, tests in rows:
        for error in re.findall(r"`(\w+)`", errors):
            assert issubclass(getattr(tl, error), tl.TLError)
        for test in re.findall(r"`(\w+)`", tests):
            assert test.startswith(f"test_t{number}_")
            named.add(test)
    assert named == {name for name in vars(test_checklist) if name.startswith("test_")}


def test_the_limits_and_their_defaults() -> None:
    text = (ROOT / "docs" / "tl.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)`(?:, `\w+`)? \| ([\d,]+(?: MiB)?)", text, re.MULTILINE))
    said = {
        k: int(v.removesuffix(" MiB").replace(",", "")) << 20 * v.endswith("MiB") for k, v in rows.items()
    }
    limits = tl.Limits()
    names = ("depth", "objects", "elements", "empty_elements", "string_bytes", "gunzipped_bytes")
    assert said == {name: getattr(limits, name) for name in names}
    assert f"10 MiB, {limits.gunzip_ratio}" in text


def test_the_operators_are_listed_as_they_say_of_themselves() -> None:
    text = (ROOT / "docs" / "tools.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.+\.) \|$", text, re.MULTILINE)
    assert rows == [(name, operator.about) for name, operator in OPERATORS.items()]


def test_the_findings_are_listed_with_what_they_are_of() -> None:
    text = (ROOT / "docs" / "tools.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| .+? \| (?:`(\w+)` )?\|$", text, re.MULTILINE)
    said = {name: base or "DecodeError" for name, base in rows}
    errors = [
        error for error in vars(tl).values() if isinstance(error, type) and issubclass(error, tl.DecodeError)
    ]
    inner = {
        error.__name__: error.__base__.__name__
        for error in errors
        if not error.__subclasses__() and error.__base__
    }
    assert inner | {"UnexpectedEnd": "DecodeError"} == said
