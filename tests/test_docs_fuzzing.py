"""docs/fuzzing.md: its target breaks as it is told there, and its tables are those of the code."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from mtproto.__main__ import main
from mtproto.cli.arguments import parser
from tests.mtproto.testing.fuzz.strangers import needs_atheris

TEXT = (Path(__file__).parent.parent / "docs" / "fuzzing.md").read_text("utf-8")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With the target, and an input in which the bug is: chance would take its time."""
    example = re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)[0]
    assert len([line for line in example.splitlines() if line]) <= 10
    (tmp_path / "pairs.py").write_text(example)
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "seed").write_bytes(b"a=1&a=2")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "pairs", raising=False)
    return tmp_path


@needs_atheris
def test_its_target_breaks_as_it_says(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["fuzz", "pairs:target", "--minutes", "0.01", "--seed", "7", "--corpus", "seeds"]
    assert main([*command, "--instrument", "pairs"]) == 1
    out = capsys.readouterr().out
    shown = TEXT.partition("--seed 7\n")[2].partition("\n```")[0].splitlines()
    assert out.splitlines()[:2] == shown[:2]
    tried, replay = shown[3:5]
    assert f"\n{tried}\n{replay}\n" in out
    assert out.endswith(f"\n{replay}\n")
    *_, file = replay.split()
    assert (folder / file).read_bytes() == b"=&="
    assert main(["fuzz", "pairs:target", file]) == 1
    said = TEXT.partition("\nAssertionError\n")[2].partition("\n")[0]
    assert capsys.readouterr().out == f"{said}\n"


def test_every_option_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["fuzz", "--help"])
    options = set(re.findall(r"^  (--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))
    assert set(re.findall(r"^\| `(--[a-z-]+)", TEXT, re.MULTILINE)) == options


def test_the_keys_of_the_sums_are_there() -> None:
    from mtproto.testing.fuzz.work import Totals

    paragraph = re.search(r"`campaign.json` in the folder.*?\n\n", TEXT, re.DOTALL)
    assert paragraph
    assert {*re.findall(r"`(\w+)`", paragraph[0])} == {*Totals.__slots__} - {"target"}
