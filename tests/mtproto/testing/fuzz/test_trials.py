"""Single inputs in a process of their own: what they raise, that they hang, that they die."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtproto.testing.fuzz import FuzzError
from mtproto.testing.fuzz.findings import Finding, State
from mtproto.testing.fuzz.identity import DIED, OUT_OF_MEMORY, TIMEOUT, Identity
from mtproto.testing.fuzz.minimiser import Minimiser, Result
from mtproto.testing.fuzz.trials import Trials
from tests.mtproto.testing.fuzz import strangers


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    strangers.write(tmp_path, monkeypatch)
    return tmp_path


def trials(folder: Path, function: str, timeout: float = 20.0) -> Trials:
    return Trials(f"{strangers.NAME}:{function}", folder, (strangers.NAME,), timeout)


@pytest.fixture
def bad(folder: Path) -> Iterator[Trials]:
    with trials(folder, "bad", 0.2) as process:
        yield process


def test_what_comes_of_inputs(bad: Trials) -> None:
    assert bad.run(b"").identity is None
    assert bad.run(b"P").identity is None
    assert bad.run(b"M").identity == OUT_OF_MEMORY
    died = bad.run(b"D")
    assert died.identity == DIED
    assert died.text == "The process has ended in this input: exit status 3.\n\n"
    late = bad.run(b"S")
    assert late.identity == TIMEOUT
    assert "in bad" in late.text, "the stack of where it was"
    assert bad.run(bytes(100_000)).identity is None


def test_what_the_target_writes_is_no_answer(folder: Path) -> None:
    with trials(folder, "speaks") as process:
        assert process.run(b"O").identity is None
        assert process.run(b"O!").identity == Identity("KeyError", ("strange.speaks:45",))
        wrong = process.run(b"E")
        assert wrong.identity == DIED
        assert wrong.text.startswith("It answered b'hello\\n")
        assert process.run(b".").identity is None


def test_what_takes_too_much_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtproto.testing.fuzz.trials.MEMORY", 128)
    with trials(folder, "takes", 10) as process:
        assert process.run(b"1").identity is None
        large = process.run(b"128")
        assert (large.identity, large.text) == (
            OUT_OF_MEMORY,
            "The process has come to 128 MiB in this input.\n",
        )
        assert process.run(b"1").identity is None


def test_what_the_target_says_fills_no_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "errors"
    monkeypatch.setattr("mtproto.testing.fuzz.trials.tempfile.TemporaryFile", lambda: file.open("w+b"))
    with trials(folder, "chatters") as process:
        for _ in range(4):
            process.run(bytes(3 << 20))
        process.run(b".")
    assert file.stat().st_blocks * 512 < 2 << 20


def is_running(number: int) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc")
@pytest.mark.parametrize("data", [b"", b"x"])
def test_what_the_target_starts_ends_with_it(folder: Path, data: bytes) -> None:
    with trials(folder, "leaves", 10) as process:
        assert process.run(data).identity == (DIED if data else None)
        number = int((folder / "left").read_text("ascii"))
        assert data or is_running(number)
    late = time.monotonic() + 10
    while is_running(number):
        assert time.monotonic() < late


def test_signals_have_places_in_the_target(folder: Path) -> None:
    with trials(folder, "crashes") as process:
        outcome = process.run(b"1")
        assert outcome.identity == Identity("died", ("strange.crashes:69",))
        assert outcome.text.startswith(
            "The process has ended in this input: SIGSEGV.\n\nFatal Python error: "
        )
        assert process.run(b"2").identity == Identity("died", ("strange.crashes:71",))


def test_identities_have_places_in_the_target(folder: Path) -> None:
    with trials(folder, "many") as process:
        outcome = process.run(b"0")
        assert outcome.identity == Identity("ValueError", ("strange.many:12",))
        assert "invalid literal for int()" in outcome.text
        assert process.run(b"1").identity == Identity("AssertionError", ("strange.many:13",))
        assert process.run(b"2").identity is None


def test_a_target_that_can_not_be_imported(folder: Path) -> None:
    with (
        trials(folder, "gone") as process,
        pytest.raises(FuzzError, match=r"strange:gone can not be tried: (.|\n)*no attribute 'gone'"),
    ):
        process.run(b"")


def minimised(folder: Path, function: str, identity: Identity, data: bytes) -> Result:
    minimiser = Minimiser(lambda: trials(folder, function))
    minimiser.put(Finding(identity, data, ""))
    minimiser.finish(30)
    (result,) = minimiser.results()
    return result


def test_a_finding_is_minimised(folder: Path) -> None:
    identity = Identity("ValueError", ("strange.planted:8",))
    result = minimised(folder, "planted", identity, b"....FU\0FUZZFUZ....")
    assert (result.state, result.minimised) == (State.REPRODUCIBLE, b"FUZZ")
    assert "ValueError: planted" in result.text


def test_what_does_not_happen_again_is_said_to_do_so(folder: Path) -> None:
    identity = Identity("ValueError", ("strange.planted:8",))
    result = minimised(folder, "planted", identity, b"FUZ")
    assert (result.state, result.minimised) == (State.UNREPRODUCIBLE, None)
    assert result.text == "Tried again, there was nothing"
    result = minimised(folder, "planted", Identity("ValueError", ("strange.planted:7",)), b"FUZZ")
    assert result.state is State.UNREPRODUCIBLE
    assert "there was something else: ValueError at strange.planted:8" in result.text


def test_what_depends_on_inputs_before_is_not_minimised(folder: Path) -> None:
    identity = Identity("ValueError", ("strange.forgets:31",))
    result = minimised(folder, "forgets", identity, b"x")
    assert result.state is State.UNREPRODUCIBLE


def test_a_longer_input_that_still_waits_is_left_out(folder: Path) -> None:
    go = threading.Event()

    def make() -> Trials:
        assert go.wait(30)
        return trials(folder, "planted")

    minimiser = Minimiser(make)
    identity = Identity("ValueError", ("strange.planted:8",))
    for finding in (
        Finding(DIED, b"", ""),
        Finding(identity, b"..FUZZ", ""),
        Finding(identity, b".FUZZ", ""),
    ):
        minimiser.put(finding)
    go.set()
    minimiser.finish(30)
    assert [result.data for result in minimiser.results()] == [b"", b".FUZZ"]


def test_it_can_be_stopped_in_the_midst_of_an_input(folder: Path) -> None:
    made: list[Trials] = []

    def make() -> Trials:
        made.append(trials(folder, "touches", 60))
        return made[-1]

    minimiser = Minimiser(make)
    minimiser.put(Finding(TIMEOUT, b"S" * 100, ""))
    late = time.monotonic() + 30
    while not (folder / "running").exists():
        assert time.monotonic() < late
    minimiser.stop()
    assert minimiser.results() == []
    assert len(made) == 1
    assert time.monotonic() < late, "it hangs for a minute"
