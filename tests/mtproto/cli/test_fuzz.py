"""``mtproto fuzz``: its arguments, and replays, which need no atheris."""

from __future__ import annotations

import errno
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mtproto.__main__ import main
from mtproto.cli.fuzz import Lines
from mtproto.testing.fuzz.findings import Findings
from mtproto.testing.fuzz.progress import Figures, progress_line, summary_lines
from mtproto.testing.fuzz.work import Totals, Work
from mtproto.testing.fuzz.workers import Reach
from tests.mtproto.testing.fuzz import strangers

FIGURES = Figures(seconds=65.4, left=3600, executions=1_234_567, reach=Reach(12, 3456, 78), findings=2)
LINE = "1,234,567 executions in 1:05, 18,877/s  edges 12  features 3,456  corpus 78  findings 2  1:00:00 left"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    strangers.write(tmp_path, monkeypatch)
    return tmp_path


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--minutes", "0", "got '0', expected minutes, above 0"),
        ("--minutes", "nan", "got 'nan', expected minutes, above 0"),
        ("--minutes", "soon", "got 'soon', expected minutes, above 0"),
        ("--jobs", "0", "got '0', expected a number from 1 to 256"),
        ("--jobs", "-1", "got '-1', expected a number from 1 to 256"),
        ("--max-length", "x", "got 'x', expected a number from 1 to 1048576"),
        ("--seed", "0", "got '0', expected a number from 1 to 4294967295"),
        ("--timeout", "0.5", "got '0.5', expected a number from 1 to 3600"),
    ],
)
def test_arguments_that_are_wrong(
    capsys: pytest.CaptureFixture[str], option: str, value: str, said: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["fuzz", "strange:planted", f"{option}={value}"])
    assert caught.value.code == 2
    assert capsys.readouterr().err.endswith(f"mtproto fuzz: error: argument {option}: {said}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["strang:planted"], "there is no module 'strang' in "),
        (["strange:panted"], "strange:panted: module 'strange' has no attribute 'panted'"),
        (["strange"], "unknown target 'strange', expected MODULE:FUNCTION or one of schema_parser, "),
        (["strange:planted", "--corpus", "none"], "none: expected a directory of inputs"),
        (["strange:planted", "--dictionary", "none"], "none: No such file or directory"),
        (
            ["strange:planted", "--dictionary", "latin"],
            "latin: expected UTF-8: 'utf-8' codec can't decode byte ",
        ),
        (["strange:planted", "--database", "ftp://x"], "no database is known at ftp://x, expected "),
        (["strange:planted", "none"], "none: No such file or directory"),
    ],
)
def test_what_can_not_be_done(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    (folder / "latin").write_bytes(b'"\xe4"\n')
    assert main(["fuzz", *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"mtproto fuzz: {said}")


def test_files_are_replayed_without_atheris(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "atheris", None)
    (folder / "good").write_bytes(b"")
    (folder / "bad").write_bytes(b"FUZZ")
    assert main(["fuzz", "strange:planted", "good"]) == 0
    assert capsys.readouterr().out == "good: holds\n"
    assert main(["fuzz", "strange:planted", "bad", "good"]) == 1
    said = capsys.readouterr()
    assert said.out == (
        "bad: the invariant of strange:planted does not hold: What has FUZZ in it is refused.\ngood: holds\n"
    )
    assert said.err.endswith("ValueError: planted\n")


def test_files_that_kill_or_hang_are_replayed(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for data in (b"D", b"S", b"P"):
        (folder / data.decode()).write_bytes(data)
    assert main(["fuzz", "strange:bad", "D", "S", "P", "--timeout", "1"]) == 1
    said = capfd.readouterr()
    no = "the invariant of strange:bad does not hold: it raises nothing"
    assert said.out == f"D: {no}\nS: {no}\nP: holds\n"
    assert "The process has ended in this input: exit status 3.\n" in said.err
    assert "It took longer than 1 s.\n" in said.err
    assert "in bad\n" in said.err, "where it was"
    assert said.err.endswith("\nprinted\n")
    assert main(["fuzz", "strange:interrupted", "P"]) == 1
    assert capfd.readouterr().err.endswith("\nKeyboardInterrupt\n")


@pytest.mark.parametrize("option", ["--minutes=1", "--merge"])
def test_a_campaign_without_atheris(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.setitem(sys.modules, "atheris", None)
    assert main(["fuzz", "strange:planted", option]) == 2
    assert capsys.readouterr().err == (
        'mtproto fuzz: a campaign needs atheris, which is not installed: pip install "mtwire[fuzz]" (Linux on '
        "x86-64, Python 3.11 to 3.13); a replay of files does without\n"
    )
    assert not (folder / ".mtproto-fuzz").exists()


@strangers.needs_atheris
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--work", "."], " has no campaign in it, but something else: give --work a new or empty one"),
        (["--work", ".", "--merge"], "there is no campaign in "),
        (["--work", "none", "--merge"], "there is no campaign in "),
    ],
)
def test_a_folder_that_is_no_campaigns(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    (folder / ".gitignore").write_text("mine")
    assert main(["fuzz", "strange:planted", "--minutes", "0.001", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert {file.name for file in folder.iterdir()} - {"__pycache__"} == {".gitignore", "strange.py"}
    assert (folder / ".gitignore").read_text() == "mine"


@strangers.needs_atheris
def test_a_disk_that_is_full(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(work: Work, totals: Totals) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Work, "write", full)
    assert (
        main(["fuzz", "strange:planted", "--minutes", "0.001", "--work", "w", "--instrument", "strange"]) == 2
    )
    assert capsys.readouterr().err == f"mtproto fuzz: {folder}/w: No space left on device\n"


def test_progress_is_a_line_from_time_to_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert progress_line(FIGURES) == LINE
    times = iter((0.0, 0.1, 9.9, 10.1, 10.2, 19.9, 20.1))
    with Lines(lambda: next(times)) as lines:
        for _ in range(6):
            lines.progress(FIGURES)
    assert capsys.readouterr().out == f"{LINE}\n" * 2


def test_the_summary_says_whether_anything_guided_it(tmp_path: Path) -> None:
    findings, totals = Findings(tmp_path, "x:y"), Totals("x:y")
    usual = list(summary_lines(FIGURES, totals, findings))
    assert list(summary_lines(replace(FIGURES, reach=Reach()), totals, findings)) == usual
    blind = list(summary_lines(replace(FIGURES, reach=Reach(blind=True)), totals, findings))
    assert [line for line in blind if line not in usual] == [
        "nothing guided it: no input is known to have reached code of the packages that --instrument names"
    ]


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (200, "2 found  1:00:00 left  1,234,567 executions  18,877/s  edges 12  features 3,456  corpus 78"),
        (80, "2 found  1:00:00 left  1,234,567 executions  18,877/s  edges 12  features 3,456"),
        (30, "2 found  1:00:00 left"),
        (5, "2 fo…"),
    ],
)
def test_on_a_terminal_it_is_one_line_below_what_happens(width: int, shown: str) -> None:
    console = pytest.importorskip("rich.console", reason="rich is not installed")
    from mtproto.cli.live import LiveLine

    terminal = console.Console(force_terminal=True, width=width, record=True, _environ={})
    command = "  mtproto fuzz [strange]:planted " + 60 * "long/" + "minimised"
    with LiveLine(terminal) as live:
        live.progress(FIGURES)
        live.line(command)
        live.progress(FIGURES)
    assert terminal.export_text().startswith(f"{shown}{command}\n{shown}")
