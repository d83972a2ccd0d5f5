"""What is known from before, tried first: findings of earlier runs, and those that others share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from mtproto.testing.fuzz.findings import Finding, Findings, State, size_text
from mtproto.testing.fuzz.progress import Teller
from mtproto.testing.fuzz.settings import Settings
from mtproto.testing.fuzz.trials import Trials

__all__ = ["retry"]

_TRIES = 5
"""How often an input is tried that may do so only now and then, until it is said to hold."""


def retry(
    settings: Settings, trials: Callable[[], Trials], findings: Findings, teller: Teller
) -> list[Finding]:
    """Try them; what is still to be minimised comes back.

    What holds now is said to do so.  If it came from the database, it is removed there, as Hypothesis does, and
    stays in the corpus, as what is shared may have come from code that has changed since.
    """
    shared = settings.shared
    known = list(findings)
    inputs = shared.fetch() if shared is not None else []
    if not (known or inputs):
        return []
    with trials() as process:
        for finding in known:
            _try_again(finding, process, findings, teller)
            if shared is not None and finding.state is State.REPRODUCIBLE:
                shared.save(finding.smallest)
        for data in inputs:
            outcome = process.run(data)
            if outcome.identity is None:
                if shared is not None:
                    shared.remove(data)
                (settings.work.corpus / hashlib.sha1(data).hexdigest()).write_bytes(data)
                teller.line(f"from the database: {size_text(data)} that hold now, removed there")
            elif findings.add(outcome.identity, data, outcome.text) is not None:
                teller.line(f"from the database: {outcome.identity}: {size_text(data)}")
    return [finding for finding in findings if finding.state is State.UNTRIED]


def _try_again(finding: Finding, process: Trials, findings: Findings, teller: Teller) -> None:
    outcome = process.run(finding.smallest)
    if finding.state is not State.REPRODUCIBLE:
        for _ in range(_TRIES - 1):
            if outcome.identity is not None:
                break
            outcome = process.run(finding.smallest)
    if outcome.identity == finding.identity:
        finding.state = State.UNTRIED if finding.minimised is None else State.REPRODUCIBLE
        findings.write(finding)
        teller.line(f"known: {finding.identity}: {size_text(finding.smallest)}")
        return
    if outcome.identity is not None:
        findings.add(outcome.identity, finding.smallest, outcome.text)
    finding.state = State.MENDED
    findings.write(finding)
    now = f"is now {outcome.identity}" if outcome.identity else finding.state
    teller.line(f"known: {finding.identity}: {now}")
