"""What the documents say is so: their Python runs, their table of refusals names errors and tests that exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import tl
from tests.tl import test_checklist

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
