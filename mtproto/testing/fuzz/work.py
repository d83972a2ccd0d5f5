"""The folder of a campaign: its corpus, its findings, and the sums over all of its runs."""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import platform
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, get_origin, get_type_hints

from mtproto.testing.fuzz import FuzzError

__all__ = ["Totals", "Work"]


@dataclass(slots=True)
class Totals:
    """What ``campaign.json`` says: executions, seconds and runs are sums, the rest is of the last run."""

    target: str
    executions: int = 0
    seconds: float = 0.0
    executions_per_second: float = 0.0
    edges: int = 0
    features: int = 0
    corpus: int = 0
    findings: int = 0
    runs: int = 0
    jobs: int = 0
    seed: int = 0
    versions: dict[str, str] = field(default_factory=dict)


class Work:
    """The folder; `run` is for what is of one run alone."""

    def __init__(self, folder: Path, target: str) -> None:
        self.folder = folder.absolute()
        self.corpus = self.folder / "corpus"
        self.findings = self.folder / "findings"
        self.run = self.folder / "run"
        self._target = target

    @contextlib.contextmanager
    def opened(self, *, make: bool = True) -> Iterator[Totals]:
        """The folder, for us alone, with the sums of the runs before; made, unless it has to be there already.

        FuzzError, and nothing touched, where a folder has something in it, but no campaign of ours.
        """
        self._check(make)
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise FuzzError(f"another campaign is at work in {self.folder}") from None
            totals = self._read()
            ignored = self.folder / ".gitignore"
            if not ignored.exists():
                ignored.write_text("*\n")
            shutil.rmtree(self.run, ignore_errors=True)
            self.run.mkdir()
            self.corpus.mkdir(exist_ok=True)
            yield totals

    def write(self, totals: Totals) -> None:
        """Keep the sums."""
        draft = self.folder / "campaign.draft"
        draft.write_text(json.dumps(asdict(totals), indent=2) + "\n", "utf-8")
        draft.replace(self._file)

    @property
    def _file(self) -> Path:
        return self.folder / "campaign.json"

    @property
    def _lock(self) -> Path:
        return self.folder / "lock"

    def _check(self, make: bool) -> None:
        """What has no mark of ours is somebody's: campaign.json, or the lock of a run that came to nothing."""
        if self._file.is_file() or (self._lock.is_file() and not self._lock.stat().st_size):
            return
        if not make:
            raise FuzzError(f"there is no campaign in {self.folder}")
        if self.folder.exists() and any(self.folder.iterdir()):
            raise FuzzError(
                f"{self.folder} has no campaign in it, but something else: give --work a new or empty one"
            )

    def _read(self) -> Totals:
        if not self._file.exists():
            return Totals(self._target, versions=versions())
        try:
            totals = Totals(**_checked(json.loads(self._file.read_text("utf-8"))))
        except (ValueError, TypeError, AttributeError) as error:
            raise FuzzError(f"{self._file} can not be read: {error}") from None
        if totals.target != self._target:
            raise FuzzError(
                f"{self.folder} is of a campaign against {totals.target}, not {self._target}: give another --work"
            )
        totals.versions = versions()
        return totals


def _checked(read: dict[str, object]) -> dict[str, Any]:
    """What there is of the sums, each of the type that it has to be."""
    checked = {}
    for name, expected in get_type_hints(Totals).items():
        if name not in read:
            continue
        value = read[name]
        if type(value) is not (get_origin(expected) or expected) and (expected, type(value)) != (float, int):
            raise TypeError(f"{name} is {value!r}, expected {expected.__name__}")
        if isinstance(value, int | float) and not 0 <= value < math.inf:
            raise ValueError(f"{name} is {value!r}, expected a number from 0")
        checked[name] = value
    return checked


def versions() -> dict[str, str]:
    """Of what takes part."""
    found = {"python": platform.python_version()}
    for name in ("mtwire", "atheris"):
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
