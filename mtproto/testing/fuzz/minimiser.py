"""Findings tried again and minimised while the campaign goes on, one after the other, in a thread."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mtproto.testing.fuzz import FuzzError
from mtproto.testing.fuzz.findings import Finding, State
from mtproto.testing.fuzz.identity import Identity
from mtproto.testing.fuzz.minimise import minimise
from mtproto.testing.fuzz.trials import Trials

__all__ = ["Minimiser", "Result"]

_SECONDS = 20.0
_TRIALS = 20_000
"""What one finding may cost."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of the input `data` of a finding; `text` is the traceback for `minimised`."""

    identity: Identity
    data: bytes
    state: State
    minimised: bytes | None = None
    text: str = ""


class Minimiser:
    """Takes findings, has results; each finding gets a fresh process, made by `trials`."""

    def __init__(self, trials: Callable[[], Trials]) -> None:
        self._make = trials
        self._waiting: queue.SimpleQueue[tuple[Identity, bytes] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Result] = queue.SimpleQueue()
        self._latest: dict[Identity, bytes] = {}
        self._stopped = threading.Event()
        self._trials: Trials | None = None
        self._thread = threading.Thread(target=self._work, name="minimiser", daemon=True)
        self._thread.start()

    def put(self, finding: Finding) -> None:
        """Have it tried and minimised, instead of a longer input of it that still waits."""
        self._latest[finding.identity] = finding.data
        self._waiting.put((finding.identity, finding.data))

    def results(self) -> list[Result]:
        """What has come of them since the last time."""
        return [self._done.get() for _ in range(self._done.qsize())]

    def finish(self, seconds: float) -> None:
        """Wait until all are done, or for so long: the next run goes on with the others."""
        self._waiting.put(None)
        self._thread.join(seconds)
        self.stop()

    def stop(self) -> None:
        """End it at once, with the input that runs."""
        self._stopped.set()
        self._waiting.put(None)
        while self._thread.is_alive():
            trials = self._trials
            if trials is not None:
                trials.kill()
            self._thread.join(0.05)

    def _work(self) -> None:
        while (item := self._waiting.get()) is not None and not self._stopped.is_set():
            identity, data = item
            if self._latest[identity] != data:
                continue
            try:
                result = self._minimised(identity, data)
            except FuzzError as error:
                result = Result(identity, data, State.UNTRIED, text=str(error))
            if not self._stopped.is_set():
                self._done.put(result)

    @contextlib.contextmanager
    def _process(self) -> Iterator[Trials]:
        with self._make() as trials:
            self._trials = trials
            try:
                yield trials
            finally:
                self._trials = None

    def _minimised(self, identity: Identity, data: bytes) -> Result:
        deadline = time.monotonic() + _SECONDS
        left = _TRIALS

        with self._process() as trials:
            first = trials.run(data)
            if first.identity != identity:
                came = f"something else: {first.identity}\n{first.text}" if first.identity else "nothing"
                return Result(identity, data, State.UNREPRODUCIBLE, text=f"Tried again, there was {came}")

            def same(candidate: bytes) -> bool:
                nonlocal left
                left -= 1
                return trials.run(candidate).identity == identity

            def more() -> bool:
                return left > 0 and time.monotonic() < deadline and not self._stopped.is_set()

            smallest = minimise(data, same, more)
        if smallest == data or self._stopped.is_set():
            return Result(identity, data, State.REPRODUCIBLE, data, first.text)
        with self._process() as trials:  # in a process where nothing was run before it
            again = trials.run(smallest)
        if again.identity != identity:
            return Result(identity, data, State.REPRODUCIBLE, data, first.text)
        return Result(identity, data, State.REPRODUCIBLE, smallest, again.text)
