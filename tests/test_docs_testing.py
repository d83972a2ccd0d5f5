"""docs/testing.md: each of its examples is a test file that passes, in few lines; its table is that of the code."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mtproto.testing import hostile
from mtproto.testing.plugin import marks, watching
from mtproto.testing.running import DEADLINE, MAX_STEPS

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "testing.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def test_every_example_passes_as_it_stands_there(tmp_path: Path) -> None:
    for number, example in enumerate(EXAMPLES):
        (tmp_path / f"test_{number}.py").write_text(example, "utf-8")
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)  # a slow machine is no failure
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-W",
        "error",
        "--strict-markers",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "11 passed" in done.stdout


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_are_short(example: str) -> None:
    assert len(example.splitlines()) < 20


def test_the_table_has_every_keyword_and_whom_it_is_for() -> None:
    said = {}
    for keywords, takers in re.findall(r"^\| (`.+?`) \| (.+?) \| .+ \|$", TEXT, re.MULTILINE):
        fixtures = set(marks._ALL) if takers == "all" else set(re.findall(r"`(\w+)`", takers))
        said.update(dict.fromkeys(re.findall(r"`(\w+)`", keywords), fixtures))
    assert said == {name: set(takers) for name, takers in marks._KEYWORDS.items()}


def test_what_is_named_of_hostile_is_there() -> None:
    names = re.findall(r"hostile\.(?!md)(\w+)", TEXT.replace("testing.hostile", ""))
    assert len(names) == 2
    assert {*names} <= {*hostile.__all__}


def test_how_long_a_pair_runs() -> None:
    assert f"after an hour of virtual time, or {MAX_STEPS:,} events" in " ".join(TEXT.split())
    assert DEADLINE == 3600


def test_how_much_of_a_transcript_is_shown() -> None:
    assert f"the first {watching._FIRST_LINES} and the last {watching._LAST_LINES} lines" in TEXT
