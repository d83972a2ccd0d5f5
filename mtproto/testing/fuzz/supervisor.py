"""A campaign: workers kept up, what they find gathered, until the time is over or somebody interrupts."""

from __future__ import annotations

import contextlib
import importlib.util
import signal
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

from mtproto.testing.fuzz import FuzzError
from mtproto.testing.fuzz.findings import Finding, Findings, size_text
from mtproto.testing.fuzz.identity import TIMEOUT, Identity
from mtproto.testing.fuzz.known import retry
from mtproto.testing.fuzz.minimiser import Minimiser, Result
from mtproto.testing.fuzz.progress import Figures, Teller, finding_line
from mtproto.testing.fuzz.settings import Settings
from mtproto.testing.fuzz.sharing import Shared
from mtproto.testing.fuzz.trials import Trials
from mtproto.testing.fuzz.work import Totals
from mtproto.testing.fuzz.workers import Found, Reach, Worker

__all__ = ["Outcome", "campaign", "need_atheris", "terminated_as_interrupted"]

_TICK = 0.05
_START = 120.0
"""Seconds until the first execution: an import takes longer where every branch is watched."""
_QUICK = 5.0
"""A worker that dies so soon is easy to kill: there is a pause before the next one."""
_LONGEST_PAUSE = 2.0
_IDLE = 5
"""Workers in a row that have ended before any execution: the next one would, too."""
_KILLERS = 1000
"""So many inputs that have killed a worker the next ones are told of."""
_AFTER = 60.0
"""Seconds for minimising after the end."""
_LATE = 1.0
"""Seconds that an input has run for at the end, and may be one that hangs."""
_MOST_LATE = 4
"""So many of them are tried: all workers may hang in the same thing."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended; `figures` are those of this run."""

    figures: Figures
    totals: Totals
    findings: Findings
    interrupted: bool
    failure: str = ""
    """Why it could not go on, if it could not."""


@dataclass(frozen=True, slots=True)
class _Start:
    """A worker that is to be started at a time."""

    when: float
    number: int
    serial: int


def campaign(settings: Settings, teller: Teller) -> Outcome:
    """Attack the target, as the settings say."""
    need_atheris()
    with settings.work.opened() as totals, terminated_as_interrupted():
        return _Campaign(settings, totals, teller).run()


def need_atheris() -> None:
    """FuzzError where atheris is missing."""
    if importlib.util.find_spec("atheris") is None:
        raise FuzzError(
            'a campaign needs atheris, which is not installed: pip install "mtwire[fuzz]" (Linux on x86-64, Python '
            "3.11 to 3.13); a replay of files does without"
        )


class _Campaign:
    """One run of it."""

    def __init__(self, settings: Settings, totals: Totals, teller: Teller) -> None:
        self._settings = settings
        self._totals = totals
        self._teller = teller
        self._before = (totals.executions, totals.seconds)
        self._findings = Findings(settings.work.findings, settings.target.name)
        self._workers: list[Worker] = []
        self._starts: list[_Start] = []
        self._killers: deque[bytes] = deque(maxlen=_KILLERS)
        self._quick_deaths: Counter[int] = Counter()  # of a worker's number, in a row
        self._idle = 0
        self._executions = 0  # of workers that are no more
        self._reach = Reach()
        self._begun: float | None = None  # when the first execution was seen
        self._ended: float | None = None  # when the last worker was told to end
        self._saved = 0.0
        totals.runs += 1
        totals.jobs = settings.jobs
        totals.seed = settings.seed

    def run(self) -> Outcome:
        interrupted = False
        failure = ""
        minimiser = None
        try:
            new = retry(self._settings, self._trials, self._findings, self._teller)
            minimiser = Minimiser(self._trials)
            for finding in new:
                minimiser.put(finding)
            self._attack(minimiser)
            late = self._late(time.monotonic())
            self._end(minimiser)
            self._try_late(late, minimiser)
            minimiser.finish(_AFTER)
        except KeyboardInterrupt:
            interrupted = True
        except FuzzError as error:
            failure = str(error)
        finally:
            if minimiser is not None:
                self._end(minimiser)
                minimiser.stop()
                self._take(minimiser)
            self._save()
        return Outcome(self._figures(), self._totals, self._findings, interrupted, failure)

    def _trials(self) -> Trials:
        settings = self._settings
        return Trials(settings.target.name, settings.directory, settings.packages, settings.timeout)

    def _attack(self, minimiser: Minimiser) -> None:
        settings = self._settings
        (settings.work.run / "dictionary").write_text(settings.dictionary, "utf-8")
        start = time.monotonic()
        self._starts = [_Start(start, number, 0) for number in range(settings.jobs)]
        while True:
            self._start_workers(time.monotonic())
            time.sleep(_TICK)
            self._gather(minimiser)
            now = time.monotonic()
            if self._begun is None:
                if self._executions or any(worker.board.executions for worker in self._workers):
                    self._begun = now
                elif now - start > _START:
                    raise FuzzError(f"nothing was executed within {_START:.0f} s")
            elif now - self._begun >= settings.seconds:
                return
            for worker in [one for one in self._workers if one.returncode is not None]:
                self._replace(worker, now, minimiser)
            self._teller.progress(self._figures())
            if now - self._saved > 10:
                self._saved = now
                self._save()

    def _start_workers(self, now: float) -> None:
        for start in [one for one in self._starts if one.when <= now]:
            self._starts.remove(start)
            self._workers.append(
                Worker(self._settings, start.number, start.serial, tuple(self._killers), now)
            )

    def _gather(self, minimiser: Minimiser) -> None:
        for worker in self._workers:
            worker.listen()
            worker.look(time.monotonic())
            self._reach |= worker.reach
            for found in worker.notes():
                self._found(found, minimiser)
        self._take(minimiser)

    def _late(self, now: float) -> list[bytes]:
        """What is in the midst of it, and has been for long, when the time is up."""
        late = [worker.board.current for worker in self._workers if now - worker.since >= _LATE]
        return list(dict.fromkeys(late))

    def _try_late(self, late: list[bytes], minimiser: Minimiser) -> None:
        known = self._findings.of(TIMEOUT)
        if known is not None and known.is_open:
            return
        for data in late[:_MOST_LATE]:
            self._teller.line(f"did not end in time, tried once more: {size_text(data)}")
            with self._trials() as trials:
                outcome = trials.run(data)
            if outcome.identity is not None:
                self._found(Found(outcome.identity, data, outcome.text), minimiser)
                self._count({outcome.identity: 1})

    def _found(self, found: Found, minimiser: Minimiser) -> None:
        known = self._findings.of(found.identity)
        finding = self._findings.add(found.identity, found.data, found.text)
        if finding is None:
            return
        if known is None or not known.is_open:
            self._teller.line(f"found {finding.identity}: {size_text(finding.data)}")
        minimiser.put(finding)

    def _take(self, minimiser: Minimiser) -> None:
        """Take the results of the minimiser."""
        for result in minimiser.results():
            finding = self._findings.of(result.identity)
            if finding is not None and finding.data == result.data:
                self._apply(finding, result)

    def _apply(self, finding: Finding, result: Result) -> None:
        finding.state = result.state
        finding.minimised = result.minimised
        if result.minimised is None:
            finding.text += f"\n{result.text}"
        else:
            finding.text = result.text
        self._findings.write(finding)
        if self._settings.shared is not None and result.minimised is not None:
            self._share(self._settings.shared, result.data, result.minimised)
        self._teller.line(f"tried {finding_line(finding)}\n  {self._findings.replay_line(finding)}")

    def _share(self, shared: Shared, data: bytes, minimised: bytes) -> None:
        try:
            shared.save(minimised)
            if minimised != data:
                shared.remove(data)
        except FuzzError as error:  # no reason to end: the next run shares what it knows
            self._teller.line(str(error))

    def _replace(self, worker: Worker, now: float, minimiser: Minimiser) -> None:
        """A worker has ended: that is a finding, unless it never came to work; the next one takes its place.

        Where it is easy to kill one, there is a pause in between, so that starting them is not all that is done.
        """
        if not self._killers:
            self._check_start(worker)
        if worker.board.executions:
            self._idle = 0
            death = worker.death()
            self._killers.append(death.data)
            self._found(death, minimiser)
            self._count({death.identity: 1})
        else:
            self._idle += 1
            if self._idle >= _IDLE:
                said = worker.last_words()
                raise FuzzError(f"{_IDLE} workers in a row did not come to work; the last said:\n{said}")
        number = worker.number
        self._quick_deaths[number] = self._quick_deaths[number] + 1 if now - worker.started < _QUICK else 0
        self._retire(worker, minimiser)
        when = now + _pause(self._quick_deaths[number])
        self._starts.append(_Start(when, number, worker.serial + 1))

    def _check_start(self, worker: Worker) -> None:
        """A worker that ends before any input has killed one may be unable to work."""
        words = worker.last_words()
        if not worker.board.executions:
            raise FuzzError(f"a worker does not start:\n{words}")
        if "no interesting inputs were found" in words:
            packages = ", ".join(self._settings.instrument)
            raise FuzzError(f"the target reaches no code of {packages}: name its package with --instrument")

    def _retire(self, worker: Worker, minimiser: Minimiser) -> None:
        self._workers.remove(worker)
        worker.end()
        worker.listen()
        self._reach |= worker.reach
        for found in worker.notes():
            self._found(found, minimiser)
        self._executions += worker.board.executions
        self._count(worker.hits())
        worker.close()

    def _count(self, hits: dict[Identity, int]) -> None:
        for identity, count in hits.items():
            finding = self._findings.of(identity)
            if finding is not None:
                finding.count += count
                self._findings.write(finding)

    def _end(self, minimiser: Minimiser) -> None:
        self._ended = self._ended or time.monotonic()
        for worker in tuple(self._workers):
            self._retire(worker, minimiser)
        self._take(minimiser)

    def _figures(self) -> Figures:
        seconds = 0.0 if self._begun is None else (self._ended or time.monotonic()) - self._begun
        executions = self._executions + sum(worker.board.executions for worker in self._workers)
        left = self._settings.seconds - seconds
        return Figures(seconds, left, executions, self._reach, len(self._findings))

    def _save(self) -> None:
        figures, totals = self._figures(), self._totals
        totals.executions = self._before[0] + figures.executions
        totals.seconds = round(self._before[1] + figures.seconds, 3)
        totals.executions_per_second = round(totals.executions / totals.seconds, 1) if totals.seconds else 0.0
        totals.findings = figures.findings
        if self._reach.corpus:  # libFuzzer says nothing until it has run the whole corpus
            totals.edges = self._reach.edges
            totals.features = self._reach.features
            totals.corpus = self._reach.corpus
        self._settings.work.write(totals)


def _pause(deaths: int) -> float:
    """Seconds until the next start, after so many quick deaths in a row."""
    return min(_LONGEST_PAUSE, 0.05 * 2.0 ** min(deaths, 10)) if deaths else 0.0


@contextlib.contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM ends it as an interrupt from the keyboard does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
