"""What a campaign shows: a line of figures while it runs, a summary in the end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from mtproto.testing.fuzz.findings import Finding, Findings, State, size_text
from mtproto.testing.fuzz.work import Totals
from mtproto.testing.fuzz.workers import Reach

__all__ = ["Figures", "Teller", "finding_line", "progress_line", "summary_lines"]


@dataclass(frozen=True, slots=True)
class Figures:
    """Of this run."""

    seconds: float
    left: float
    executions: int
    reach: Reach
    findings: int


class Teller(Protocol):
    """Who shows it to the user."""

    def line(self, text: str) -> None:
        """Something has happened."""

    def progress(self, figures: Figures) -> None:
        """How it stands; called several times a second."""


def progress_line(figures: Figures) -> str:
    """All of it in one line."""
    return (
        f"{_work(figures.executions, figures.seconds)}  "
        f"edges {figures.reach.edges:,}  features {figures.reach.features:,}  corpus {figures.reach.corpus:,}  "
        f"findings {figures.findings}  {_time(figures.left)} left"
    )


def finding_line(finding: Finding) -> str:
    """What was found, and how large the smallest input is."""
    state = "" if finding.state is State.REPRODUCIBLE else f", {finding.state}"
    return f"{finding.identity}: {size_text(finding.smallest)}{state}"


def summary_lines(figures: Figures, totals: Totals, findings: Findings) -> Iterable[str]:
    """What was done in this run and in all of them, and what was found."""
    yield f"{_work(figures.executions, figures.seconds)}; seed {totals.seed}"
    if totals.runs > 1:
        yield f"all {totals.runs} runs: {_work(totals.executions, totals.seconds)}"
    yield f"edges {totals.edges:,}, features {totals.features:,}, corpus {totals.corpus:,}"
    if figures.reach.blind and not figures.reach.corpus:
        yield "nothing guided it: no input is known to have reached code of the packages that --instrument names"
    if not len(findings):
        yield "nothing found"
    for finding in findings:
        yield ""
        yield f"{finding_line(finding)}, {finding.count:,} times"
        yield f"  {findings.replay_line(finding)}"


def _work(executions: int, seconds: float) -> str:
    return f"{executions:,} executions in {_time(seconds)}, {executions / seconds if seconds else 0:,.0f}/s"


def _time(seconds: float) -> str:
    whole = max(0, int(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
