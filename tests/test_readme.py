"""The README's Python runs as it stands there, and its first two commands are one line each."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("code", blocks("python"))
def test_the_examples_run_and_print_something(code: str) -> None:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip()


def test_the_first_two_commands_are_one_line_each() -> None:
    demo, tests = blocks("sh")[:2]
    assert demo.count("\n") == tests.count("\n") == 1
    assert demo.rstrip().endswith("mtproto demo")
    assert "pytest" in tests


def test_what_one_sees_is_what_the_demo_prints() -> None:
    shown = next(block for block in blocks("text") if "Key exchange" in block)
    assert shown.rstrip().endswith("  timeout=60,\n)")
    rows = re.findall(
        r"^[0-9a-f]{4}  ((?:[0-9a-f]{2}(?: |$)){1,8})", shown.split("3  Encrypted")[0], re.MULTILINE
    )
    assert "".join("".join(rows).split()) == (
        "f956a3a50c2b3132303235353530313233000000783d25ad73000000"
        "15c4b51c010000001361726269747261727920646174612068657265"
    )
