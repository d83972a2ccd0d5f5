"""What is known is tried first: findings from before, and those that others share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mtproto.testing.fuzz.findings import Finding, Findings, State
from mtproto.testing.fuzz.identity import Identity
from mtproto.testing.fuzz.known import retry
from mtproto.testing.fuzz.progress import Figures
from mtproto.testing.fuzz.settings import Settings
from mtproto.testing.fuzz.sharing import Shared
from mtproto.testing.fuzz.target import resolve
from mtproto.testing.fuzz.trials import Trials
from mtproto.testing.fuzz.work import Work
from tests.mtproto.testing.fuzz import strangers

NUMBER = Identity("ValueError", ("strange.many:12",))
ONE = Identity("AssertionError", ("strange.many:13",))
ELSEWHERE = Identity("ValueError", ("strange.many:999",))


class Told:
    """What a campaign says."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)

    def progress(self, figures: Figures) -> None:
        raise AssertionError("nothing runs")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    strangers.write(tmp_path, monkeypatch)
    target = resolve("strange:many", tmp_path)
    work = Work(tmp_path / "work", target.name)
    work.corpus.mkdir(parents=True)
    return Settings(
        target=target,
        work=work,
        directory=tmp_path,
        seconds=1,
        jobs=1,
        seed=1,
        instrument=("strange",),
        max_length=10,
        timeout=20,
        shared=Shared.open(str(tmp_path / "db"), target.name),
    )


def tried(settings: Settings, findings: Findings) -> tuple[list[Finding], list[str]]:
    told = Told()
    new = retry(
        settings,
        lambda: Trials(settings.target.name, settings.directory, settings.packages, settings.timeout),
        findings,
        told,
    )
    return new, told.lines


def known(findings: Findings, identity: Identity, data: bytes, state: State) -> Finding:
    finding = findings.add(identity, data, "")
    assert finding is not None
    finding.state = state
    finding.minimised = data if state is State.REPRODUCIBLE else None
    return finding


def test_nothing_is_tried_where_nothing_is_known(settings: Settings) -> None:
    assert tried(settings, Findings(settings.work.findings, "strange:many")) == ([], [])


def test_findings_from_before(settings: Settings) -> None:
    findings = Findings(settings.work.findings, "strange:many")
    still = known(findings, NUMBER, b"0", State.REPRODUCIBLE)
    moved = known(findings, ELSEWHERE, b"1", State.REPRODUCIBLE)
    gone = known(findings, Identity("OSError"), b"2", State.REPRODUCIBLE)
    untried = known(findings, Identity("EOFError"), b"2", State.UNTRIED)
    never = known(findings, Identity("KeyError"), b"2", State.UNREPRODUCIBLE)
    new, lines = tried(settings, findings)
    assert [finding.state for finding in (still, moved, gone, untried, never)] == [
        State.REPRODUCIBLE,
        State.MENDED,
        State.MENDED,
        State.MENDED,
        State.MENDED,
    ]
    assert [(finding.identity, finding.data) for finding in new] == [(ONE, b"1")]
    assert lines == [
        f"known: {NUMBER}: 1 byte",
        f"known: {ELSEWHERE}: is now {ONE}",
        "known: OSError: holds now",
        "known: EOFError: holds now",
        "known: KeyError: holds now",
    ]
    assert settings.shared is not None
    assert settings.shared.fetch() == [b"0"], "others get what is still there"
    assert len(Findings(settings.work.findings, "strange:many")) == 2, (
        "what was there, and what it has become"
    )


def test_what_does_happen_again_is_still_to_be_minimised(settings: Settings) -> None:
    findings = Findings(settings.work.findings, "strange:many")
    back = known(findings, ONE, b"1...", State.UNREPRODUCIBLE)
    new, _ = tried(settings, findings)
    assert new == [back]


def test_what_was_not_reproducible_is_tried_some_times(settings: Settings) -> None:
    findings = Findings(settings.work.findings, "strange:forgets")
    now_and_then = Identity("ValueError", ("strange.forgets:31",))
    fifth = known(findings, now_and_then, b"x", State.UNREPRODUCIBLE)
    target = resolve("strange:forgets", settings.directory)
    assert tried(replace(settings, target=target), findings)[0] == [fifth]
    assert fifth.state is State.UNTRIED
    holds = known(Findings(settings.work.findings, "strange:many"), NUMBER, b"x", State.UNREPRODUCIBLE)
    many = Findings(settings.work.findings, "strange:many")
    tried(settings, many)
    again = many.of(holds.identity)
    assert again is not None
    assert not again.is_open
    assert many.add(NUMBER, b"longer", "") is not None, "should it come again, it is found anew"


def test_findings_of_others(settings: Settings) -> None:
    assert settings.shared is not None
    for data in (b"0", b"00", b"holds"):
        settings.shared.save(data)
    findings = Findings(settings.work.findings, "strange:many")
    new, lines = tried(settings, findings)
    assert [(finding.identity, finding.data) for finding in new] == [(NUMBER, b"0")]
    assert lines == [
        f"from the database: {NUMBER}: 1 byte",
        "from the database: 5 bytes that hold now, removed there",
    ]
    assert settings.shared.fetch() == [b"0", b"00"]
    assert [file.read_bytes() for file in settings.work.corpus.iterdir()] == [b"holds"]
