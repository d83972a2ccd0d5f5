"""What a campaign shows: a line of figures while it runs, a summary in the end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from mtproto.testing.fuzz.findings import Finding, Findings, State
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
    rate = figures.executions / figures.seconds if figures.seconds > 0 else 0.0
    return (
        f"{_time(figures.seconds)}  {figures.executions:,} executions, {rate:,.0f}/s  "
        f"edges {figures.reach.edges:,}  features {figures.reach.features:,}  corpus {figures.reach.corpus:,}  "
        f"findings {figures.findings}  {_time(figures.left)} left"
    )


def finding_line(finding: Finding) -> str:
    """What was found, and how large the smallest input is."""
    state = "" if finding.state is State.REPRODUCIBLE else f", {finding.state}"
    return f"{finding.identity}: {len(finding.smallest)} bytes{state}"


def summary_lines(totals: Totals, executions: int, findings: Findings) -> Iterable[str]:
    """What was done in this run and in all of them, and what was found."""
    yield (
        f"executions {executions:,}; in all {totals.runs} runs {totals.executions:,}, in {_time(totals.seconds)}, "
        f"{totals.executions_per_second:,.0f}/s"
    )
    yield f"edges {totals.edges:,}, features {totals.features:,}, corpus {totals.corpus:,}; seed {totals.seed}"
    if not len(findings):
        yield "nothing found"
    for finding in findings:
        yield ""
        yield f"{finding_line(finding)}, {finding.count:,} times"
        yield f"  {findings.replay_line(finding)}"


def _time(seconds: float) -> str:
    whole = max(0, int(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
