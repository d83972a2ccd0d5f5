"""``mtproto fuzz`` with atheris: what is planted is found, kept, minimised; and nothing is left running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mtproto.__main__ import main
from mtproto.testing.fuzz import supervisor
from mtproto.testing.fuzz.findings import State
from mtproto.testing.fuzz.identity import DIED, OUT_OF_MEMORY, TIMEOUT
from mtproto.testing.fuzz.progress import Figures
from mtproto.testing.fuzz.settings import Settings
from mtproto.testing.fuzz.sharing import Shared
from mtproto.testing.fuzz.supervisor import campaign
from mtproto.testing.fuzz.target import resolve
from mtproto.testing.fuzz.work import Work
from tests.mtproto.testing.fuzz import strangers

pytestmark = strangers.needs_atheris

BRIEF = ("--minutes", "0.005", "--instrument", strangers.NAME, "--seed", "1")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    strangers.write(tmp_path, monkeypatch)
    return tmp_path


def seeds(folder: Path, *inputs: bytes) -> str:
    corpus = folder / "seeds"
    corpus.mkdir()
    for number, data in enumerate(inputs):
        (corpus / str(number)).write_bytes(data)
    return str(corpus)


def reached(work: Path, *inputs: bytes) -> Path:
    """The corpus of a campaign that was there before."""
    with Work(work, "strange:many").opened():
        pass
    for number, data in enumerate(inputs):
        (work / "corpus" / str(number)).write_bytes(data)
    return work / "corpus"


def found(work: Path) -> dict[str, Any]:
    """By the kind: what stands in their files."""
    files = [json.loads(file.read_text()) for file in work.glob("findings/*/finding.json")]
    return {about["kind"]: about for about in files}


def test_a_planted_bug_is_found_minimised_and_known_to_the_next_run(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "words").write_text('"FUZZ"\n')
    command = ["fuzz", "strange:planted", "--dictionary", "words", "--database", "db"]
    assert main([*command, *BRIEF, "--minutes", "0.03"]) == 1
    work = folder / ".mtproto-fuzz" / "strange.planted"
    (about,) = found(work).values()
    assert (about["kind"], about["places"], about["state"]) == (
        "ValueError",
        ["strange.planted:8"],
        "reproducible",
    )
    (minimised,) = work.glob("findings/*/minimised")
    assert minimised.read_bytes() == b"FUZZ"
    replay = f"mtproto fuzz strange:planted {os.path.relpath(minimised)}"
    out = capsys.readouterr().out
    assert f"\nValueError at strange.planted:8: 4 bytes, {about['count']:,} times\n  {replay}\n" in out
    assert main(replay.split()[1:]) == 1
    assert Shared.open("db", "strange:planted").fetch() == [b"FUZZ"]
    first = json.loads((work / "campaign.json").read_text())
    assert first["executions"] > 100
    assert (first["runs"], first["findings"], first["seed"]) == (1, 1, 1)
    assert first["edges"] >= 2

    capsys.readouterr()
    assert main([*command, *BRIEF, "--jobs", "2"]) == 1
    second = json.loads((work / "campaign.json").read_text())
    assert second["executions"] > first["executions"]
    assert second["seconds"] > first["seconds"]
    assert (second["runs"], second["jobs"], second["findings"]) == (2, 2, 1)
    assert "\nknown: ValueError at strange.planted:8: 4 bytes\n" in capsys.readouterr().out
    assert (work / "run" / "worker-1-0.log").exists()

    assert main([*command, *BRIEF, "--work", "another"]) == 1
    assert "\nfrom the database: ValueError at strange.planted:8: 4 bytes\n" in capsys.readouterr().out


class Watcher:
    """Interrupts a campaign when so many findings have been tried again, and a worker of this name was started."""

    def __init__(self, tried: int, job: Path | None = None) -> None:
        self._left = tried
        self._job = job

    def line(self, text: str) -> None:
        self._left -= text.startswith("tried ")

    def progress(self, figures: Figures) -> None:
        if self._left <= 0 and (self._job is None or self._job.exists()):
            raise KeyboardInterrupt


def settings_of(folder: Path, function: str, corpus: str | None = None, seconds: float = 60) -> Settings:
    target = resolve(f"strange:{function}", folder)
    return Settings(
        target=target,
        work=Work(folder / "w", target.name),
        directory=folder,
        seconds=seconds,
        jobs=1,
        seed=1,
        instrument=(strangers.NAME,),
        max_length=8,
        timeout=1,
        corpus=Path(corpus) if corpus else None,
    )


def test_findings_of_every_kind_do_not_end_it(folder: Path) -> None:
    outcome = campaign(settings_of(folder, "bad", seeds(folder, b"M", b"D", b"S")), Watcher(3))
    assert outcome.interrupted
    states = {finding.identity: finding.state for finding in outcome.findings}
    assert states == dict.fromkeys((TIMEOUT, DIED, OUT_OF_MEMORY), State.REPRODUCIBLE)
    job = json.loads((folder / "w" / "run" / "worker-0-0.job").read_text())
    assert {"-timeout=1", "-seed=1", "-max_len=8", "-reload=1"} <= {*job["command"]}


def test_what_kills_worker_after_worker_does_not_end_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_LONGEST_PAUSE", 0.1)
    outcome = campaign(settings_of(folder, "dies"), Watcher(1, folder / "w" / "run" / "worker-0-5.job"))
    assert outcome.interrupted
    assert [(finding.identity, finding.state) for finding in outcome.findings] == [(DIED, State.REPRODUCIBLE)]
    (finding,) = outcome.findings
    assert finding.count == 5


def test_what_hangs_when_the_time_is_up_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_LATE", 0.2)
    outcome = campaign(settings_of(folder, "bad", seeds(folder, b"S"), seconds=0.5), Watcher(2))
    (finding,) = outcome.findings
    assert (finding.identity, finding.data, finding.count) == (TIMEOUT, b"S", 1)
    assert finding.state is State.REPRODUCIBLE


def test_what_is_to_guide_it_has_to_be_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fuzz", "strange:many", *BRIEF, "--instrument", "strang"]) == 2
    assert capsys.readouterr().err == (
        "mtproto fuzz: a worker does not start:\n"
        "the import of strange:many brings no strang, which was to guide the campaign\n"
    )
    assert main(["fuzz", "strange:chatters", *BRIEF[:2], "--instrument", "mtproto"]) == 0
    assert "\nnothing guided it: " in capsys.readouterr().out


def test_signals_in_different_places_are_different_findings(folder: Path) -> None:
    outcome = campaign(settings_of(folder, "crashes", seeds(folder, b"1", b"2")), Watcher(2))
    states = {str(finding.identity): finding.state for finding in outcome.findings}
    places = ("died at strange.crashes:69", "died at strange.crashes:71")
    assert states == dict.fromkeys(places, State.REPRODUCIBLE)


def test_what_the_target_says_is_not_kept(folder: Path) -> None:
    assert main(["fuzz", "strange:chatters", *BRIEF, "--work", "w"]) == 0
    log = (folder / "w" / "run" / "worker-0-0.log").read_bytes()
    assert b"INITED" in log
    assert b"......" not in log


def test_it_ends_where_no_worker_comes_to_work_any_more(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_IDLE", 2)
    strangers.write(folder, monkeypatch, strangers.ONCE)
    assert main(["fuzz", "strange:once", *BRIEF, "--minutes", "0.5"]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("mtproto fuzz: 2 workers in a row did not come to work; the last said:\n")
    assert said.err.endswith(" it can be imported no more\n")
    assert "\ndied: 0 bytes, not tried again yet, 1 times\n  mtproto fuzz strange:once " in said.out


def test_a_test_of_hypothesis_saves_to_its_own_database(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strangers.write(folder, monkeypatch, strangers.TEST)
    assert main(["fuzz", "strange:test_numbers", *BRIEF, "--minutes", "0.02", "--work", "w"]) == 1
    assert found(folder / "w")["AssertionError"]["state"] == "reproducible"
    assert [*folder.glob(".hypothesis/examples/*/*")]


def test_merge_takes_the_fewest_inputs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reached(folder / "w", b"a", b"b", b"c", b"0", b"00", b"000")
    assert (
        main(["fuzz", "strange:many", *BRIEF, "--work", "w", "--merge", "--corpus", seeds(folder, b"d")]) == 0
    )
    assert sorted(file.read_bytes() for file in (folder / "w" / "merged").iterdir()) == [b"0", b"d"]
    assert capsys.readouterr().out == "w/merged: 2 inputs, 2 bytes\n"


def test_merge_where_names_mean_something_to_a_shell(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reached(folder / "q;touch PWNED;x y'z", b"a", b"b", b"0")
    assert main(["fuzz", "strange:many", *BRIEF, "--work", "q;touch PWNED;x y'z", "--merge"]) == 0
    assert capsys.readouterr().out == "q;touch PWNED;x y'z/merged: 2 inputs, 2 bytes\n"
    assert not [*folder.rglob("PWNED")]


def test_merge_takes_files_alone_and_none_that_is_too_long(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reached(folder / "w", b"0")
    corpus = seeds(folder, b"d", b"d" * 9, b"d" * 10)
    (folder / "seeds" / "below").mkdir()
    (folder / "seeds" / "below" / "it").write_bytes(b"e")
    command = ["fuzz", "strange:many", *BRIEF, "--work", "w", "--merge", "--corpus", corpus, "--max-length=9"]
    assert main(command) == 0
    merged = {file.read_bytes() for file in (folder / "w" / "merged").rglob("*") if file.is_file()}
    assert merged == {b"0", b"d", b"d" * 9, b"e"}
    assert capsys.readouterr().out == "w/merged: 4 inputs, 12 bytes\n"

    dangling = folder / "seeds" / "gone"
    dangling.symlink_to("nowhere")
    assert main(command) == 2
    assert capsys.readouterr().err == f"mtproto fuzz: {dangling}: No such file or directory\n"


def test_merge_that_never_comes_to_its_end(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reached(folder / "w", b"a")
    assert main(["fuzz", "strange:dies", *BRIEF, "--work", "w", "--merge"]) == 2
    assert capsys.readouterr().err.startswith("mtproto fuzz: the merge has failed:\n")


def processes(folder: Path) -> list[str]:
    """Those with the folder in their arguments."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if str(folder) in line:
            lines.append(line)
    return lines


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_nothing_is_left_running(folder: Path, number: int, status: int) -> None:
    command = [sys.executable, "-m", "mtproto", "fuzz", "strange:many", *BRIEF, "--minutes", "5"]
    with subprocess.Popen(
        [*command, "--work", str(folder / "w"), "--corpus", seeds(folder, b"1")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdout is not None
        assert any(line.startswith("found ") for line in process.stdout)
        assert processes(folder)
        process.send_signal(number)
        rest = process.stdout.read()
    assert process.returncode == status
    assert ("executions" in rest) == (status == 130)
    late = time.monotonic() + 20
    while processes(folder):
        assert time.monotonic() < late, processes(folder)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_nothing_is_left_running_of_a_merge(folder: Path, number: int, status: int) -> None:
    reached(folder / "w", b"S")
    command = [sys.executable, "-m", "mtproto", "fuzz", "strange:bad", *BRIEF, "--merge", "--timeout", "60"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([*command, "--work", str(folder / "w")], cwd=folder, env=environment) as process:
        late = time.monotonic() + 30
        while not any("-merge_inner=" in line and "sh -c" not in line for line in processes(folder)):
            assert time.monotonic() < late, processes(folder)
        process.send_signal(number)
    assert process.returncode == status
    while processes(folder):
        assert time.monotonic() < late, processes(folder)
