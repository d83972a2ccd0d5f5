"""Findings in their folder, and the folder of a campaign."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from mtproto.cli.arguments import parser
from mtproto.testing.fuzz import FuzzError
from mtproto.testing.fuzz.findings import Findings, State
from mtproto.testing.fuzz.identity import TIMEOUT, Identity
from mtproto.testing.fuzz.work import Work

ERROR = Identity("ValueError", ("tiny.target:3",))


def test_each_is_kept_once_with_the_shortest_input(tmp_path: Path) -> None:
    findings = Findings(tmp_path, "tiny:target")
    first = findings.add(ERROR, b"four", "Traceback")
    assert first is not None
    assert findings.add(ERROR, b"five5", "Traceback") is None
    assert findings.add(ERROR, b"same", "Traceback") is None
    assert findings.add(TIMEOUT, b"slow", "") is not None
    shorter = findings.add(ERROR, b"two", "Traceback")
    assert shorter is not None
    assert [finding.data for finding in findings] == [b"two", b"slow"]
    shorter.minimised = b"t"
    assert findings.add(ERROR, b"tw", "Traceback") is None, "no shorter than what was made of the other"
    assert findings.add(ERROR, b"", "Traceback") is not None
    assert len(findings) == 2


def test_the_next_run_knows_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    findings = Findings(tmp_path / "findings", "tiny:target")
    finding = findings.add(ERROR, b"input", "Traceback: ä")
    assert finding is not None
    finding.minimised, finding.state, finding.count = b"i", State.REPRODUCIBLE, 7
    findings.write(finding)
    assert list(Findings(tmp_path / "findings", "tiny:target")) == [finding]
    folder = tmp_path / "findings" / ERROR.name
    assert (folder / "input").read_bytes() == b"input"
    assert (folder / "minimised").read_bytes() == b"i"
    report = (folder / "report.txt").read_text("utf-8")
    assert report.startswith(
        "ValueError at tiny.target:3\nreproducible; 7 times; 5 bytes, the smallest 1: b'i'\n"
    )
    assert f"\nReplay it in {tmp_path}: mtproto fuzz tiny:target findings/{ERROR.name}/minimised\n" in report
    assert report.endswith("Traceback: ä")


def test_messages_may_have_surrogates(tmp_path: Path) -> None:
    findings = Findings(tmp_path, "tiny:target")
    finding = findings.add(ERROR, b"input", "ValueError: x\udcff\ud800")
    assert list(Findings(tmp_path, "tiny:target")) == [finding]
    report = (tmp_path / ERROR.name / "report.txt").read_text("utf-8")
    assert report.endswith("\n\nValueError: x\\udcff\\ud800")
    assert Identity("\udcff").name.startswith("-"), "and so may names of classes"


def test_the_line_that_replays_it_has_no_option_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    findings = Findings(tmp_path / "-w", "tiny:target")
    finding = findings.add(TIMEOUT, b"input", "")
    assert finding is not None
    line = findings.replay_line(finding)
    assert line == f"mtproto fuzz tiny:target ./-w/{TIMEOUT.name}/input"
    assert parser().parse_args(shlex.split(line)[1:]).files == [Path("-w", TIMEOUT.name, "input")]


def test_what_holds_now_is_found_again_by_any_input(tmp_path: Path) -> None:
    findings = Findings(tmp_path, "tiny:target")
    finding = findings.add(ERROR, b"a", "Traceback")
    assert finding is not None
    finding.state = State.MENDED
    assert len(findings) == 0
    assert findings.add(ERROR, b"longer", "Traceback") is not None
    assert len(findings) == 1


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", '{"kind": "x"}'),
        '{"kind": "x", "places": [], "text": "", "count": 1, "state": "?"}',
        '{"kind": "x", "places": [], "text": "", "count": "x", "state": "reproducible"}',
        '{"kind": 7, "places": [], "text": "", "count": 1, "state": "reproducible"}',
        '{"kind": "x", "places": [7], "text": "", "count": 1, "state": "reproducible"}',
        '{"kind": "x", "places": "abc", "text": "", "count": 1, "state": "reproducible"}',
        '{"kind": "x", "places": [], "text": null, "count": 1, "state": "reproducible"}',
    ],
)
def test_what_is_no_finding(tmp_path: Path, text: str) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "finding.json").write_text(text)
    (tmp_path / "x" / "input").write_bytes(b"")
    with pytest.raises(FuzzError, match=r"x/finding.json is no finding: "):
        Findings(tmp_path, "tiny:target")


def test_a_folder_is_for_one_campaign(tmp_path: Path) -> None:
    work = Work(tmp_path / "work", "tiny:target")
    with work.opened() as totals:
        assert (totals.target, totals.runs) == ("tiny:target", 0)
        totals.runs, totals.executions = 1, 10
        work.write(totals)
        with pytest.raises(FuzzError, match=r"another campaign is at work in .*work"), work.opened():
            pass
    with work.opened() as totals:
        assert (totals.runs, totals.executions) == (1, 10)
    with pytest.raises(
        FuzzError, match="is of a campaign against tiny:target, not lenient: give another --work"
    ):
        Work(tmp_path / "work", "lenient").opened().__enter__()
    assert json.loads((tmp_path / "work" / "campaign.json").read_text())["versions"]["python"]


@pytest.mark.parametrize(
    "mine", [(".gitignore", "run/mine.txt"), ("lock",), ("corpus/mine",), ("campaign.json/mine",)]
)
def test_a_folder_of_somebody_else_is_refused_as_it_is(tmp_path: Path, mine: tuple[str, ...]) -> None:
    for name in mine:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with (
        pytest.raises(FuzzError, match=f"^{tmp_path} has no campaign in it, but something else: give --work"),
        Work(tmp_path, "tiny:target").opened(),
    ):
        pass
    assert sorted(tmp_path.rglob("*")) == before
    assert {(tmp_path / name).read_text() for name in mine} == {"mine"}


def test_a_folder_that_has_to_be_there(tmp_path: Path) -> None:
    work = Work(tmp_path / "work", "tiny:target")
    with (
        pytest.raises(FuzzError, match=f"^there is no campaign in {work.folder}$"),
        work.opened(make=False),
    ):
        pass
    assert not work.folder.exists()
    (work.folder / "run").mkdir(parents=True)
    with pytest.raises(FuzzError, match=r"^there is no campaign in /"), work.opened(make=False):
        pass
    work.run.rmdir()
    with work.opened():
        pass  # killed before it had anything to keep
    (work.folder / ".gitignore").write_text("mine")
    with work.opened(make=False) as totals:
        assert totals.runs == 0
    assert (work.folder / ".gitignore").read_text() == "mine"


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", "3", "\xff", '{"target": 3}'),
        *(
            f'{{"target": "tiny:target", {wrong}}}'
            for wrong in (
                '"executions": null',
                '"runs": "q"',
                '"runs": true',
                '"jobs": -1',
                '"seconds": "NaN"',
                '"seconds": NaN',
                '"seconds": Infinity',
                '"versions": []',
            )
        ),
    ],
)
def test_sums_that_can_not_be_read(tmp_path: Path, text: str) -> None:
    work = Work(tmp_path, "tiny:target")
    (tmp_path / "campaign.json").write_text(text, "latin-1")
    with pytest.raises(FuzzError, match=r"campaign.json can not be read: "), work.opened():
        pass
