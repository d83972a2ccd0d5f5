"""A worker as its supervisor sees it: a process, its board, what it writes down, what libFuzzer says."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtproto.testing.fuzz import worker
from mtproto.testing.fuzz.board import Board
from mtproto.testing.fuzz.identity import OUT_OF_MEMORY, TIMEOUT, Identity, identify_death
from mtproto.testing.fuzz.settings import Settings
from mtproto.testing.fuzz.trials import MEMORY, how_it_ended

__all__ = ["Found", "Reach", "Worker", "job"]

_REACH = re.compile(rb"cov: (\d+) ft: (\d+) corp: (\d+)")
_ARTIFACTS = {"timeout": TIMEOUT, "oom": OUT_OF_MEMORY}


@dataclass(frozen=True, slots=True)
class Reach:
    """How far inputs have come, in libFuzzer's words, and how many of them it keeps."""

    edges: int = 0
    features: int = 0
    corpus: int = 0
    blind: bool = False
    """Nothing that it began with has reached code that guides it."""

    def __or__(self, other: Reach) -> Reach:
        return Reach(
            max(self.edges, other.edges),
            max(self.features, other.features),
            max(self.corpus, other.corpus),
            self.blind or other.blind,
        )


@dataclass(frozen=True, slots=True)
class Found:
    """An input, and what it does."""

    identity: Identity
    data: bytes
    text: str


def job(settings: Settings, name: str, command: list[str], **more: Any) -> dict[str, Any]:
    """What `worker` reads: whom it attacks, how it calls libFuzzer, where it writes."""
    run = settings.work.run
    return {
        "target": settings.target.name,
        "directory": str(settings.directory),
        "path": [str(Path(place).absolute()) for place in sys.path],
        "instrument": settings.instrument,
        "named": settings.instrument if settings.instrument != settings.target.packages else (),
        "packages": settings.packages,
        "made": True,
        "killers": [],
        "parent": None,
        "name": name,
        "folder": str(run / "notes"),
        "board": str(run / f"{name}.board"),
        "capacity": settings.max_length,
        "command": command,
        **more,
    }


class Worker:
    """A process of libFuzzer, started now.  `killers` are inputs it shall not run."""

    def __init__(
        self, settings: Settings, number: int, serial: int, killers: Sequence[bytes], now: float
    ) -> None:
        run = settings.work.run
        self.number = number
        self.serial = serial
        self.started = now
        self.since = now
        """When the input that runs was seen first."""
        self._executions = 0
        self.reach = Reach()
        self._name = f"worker-{number}-{serial}"
        self._notes = run / "notes"
        self._artifacts = run / f"{self._name}.artifacts"
        for folder in (self._notes, self._artifacts):
            folder.mkdir(exist_ok=True)
        self._packages = settings.packages
        self._module = settings.target.module
        self._slots: dict[int, Identity] = {}
        self.board = Board(run / f"{self._name}.board", settings.max_length, create=True)
        log = run / f"{self._name}.log"
        file = run / f"{self._name}.job"
        command = self._command(settings)
        deadly = [data.hex() for data in killers]
        file.write_text(
            json.dumps(job(settings, self._name, command, killers=deadly, parent=os.getpid())), "utf-8"
        )
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-P", inspect.getfile(worker), str(file)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # an interrupt from the terminal is for the supervisor
            )
        self._log = log.open("rb")
        self._read = 0

    def _command(self, settings: Settings) -> list[str]:
        seed = (settings.seed + self.number + 1000 * self.serial) % (1 << 32) or 1  # 0 is "any"
        options = {
            "seed": seed,
            "max_len": settings.max_length,
            "timeout": settings.timeout,
            "rss_limit_mb": MEMORY,
            "reload": 1,  # what other workers have found
            "close_fd_mask": 3,  # what the target writes goes nowhere: it may be more than a disk holds
            "artifact_prefix": f"{self._artifacts}/",
        }
        command = ["fuzz", *(f"-{name}={value}" for name, value in options.items())]
        if settings.dictionary:
            command.append(f"-dict={settings.work.run / 'dictionary'}")
        return [*command, str(settings.work.corpus), *([str(settings.corpus)] if settings.corpus else [])]

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def notes(self) -> Iterator[Found]:
        """What it has written down since the last time; `hits` knows about it from now on."""
        for path in sorted(self._notes.glob(f"{self._name}-*.json")):
            note = json.loads(path.read_text("utf-8"))
            path.unlink()
            identity = Identity(note["kind"], tuple(note["places"]))
            self._slots[note["slot"]] = identity
            yield Found(identity, bytes.fromhex(note["data"]), note["traceback"])

    def hits(self) -> dict[Identity, int]:
        """How often it has come upon each finding."""
        return {identity: self.board.hits(slot) for slot, identity in self._slots.items()}

    def look(self, now: float) -> None:
        """See whether it has gone on, for `since`."""
        executions = self.board.executions
        if executions != self._executions or not executions:
            self._executions = executions
            self.since = now

    def listen(self) -> None:
        """Read on in what libFuzzer says, for `reach`."""
        self._log.seek(self._read)
        said = self._log.read()
        end = said.rfind(b"\n") + 1
        self._read += end
        for numbers in _REACH.findall(said[:end]):
            edges, features, corpus = map(int, numbers)
            self.reach |= Reach(edges, features, corpus)
        if b"no interesting inputs were found" in said[:end]:
            self.reach |= Reach(blind=True)

    def last_words(self, lines: int = 6) -> str:
        """The end of what it said."""
        self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - 16_000))
        said = self._log.read().decode("utf-8", "replace")
        return "\n".join(said.splitlines()[-lines:])

    def death(self) -> Found:
        """What has killed it: libFuzzer's artifact where it has ended it, or the input that was running."""
        how = how_it_ended(self.returncode or 0)
        text = f"The worker has ended in this input: {how}.\n\n{self.last_words(60)}\n"
        for path in self._artifacts.iterdir():
            kind = path.name.partition("-")[0]
            if kind in _ARTIFACTS:
                return Found(_ARTIFACTS[kind], path.read_bytes(), text)
        identity = identify_death(self.last_words(200), self._packages, self._module)
        return Found(identity, self.board.current, text)

    def end(self) -> None:
        """Kill it; what it found is in files."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """Let go of its files."""
        self.board.close()
        self._log.close()
