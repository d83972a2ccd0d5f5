"""What was found, each identity once, in a folder that the next run reads again."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from mtproto.testing.fuzz import FuzzError
from mtproto.testing.fuzz.identity import Identity

__all__ = ["Finding", "Findings", "State", "size_text"]


def size_text(data: bytes) -> str:
    """``3 bytes``."""
    return "1 byte" if len(data) == 1 else f"{len(data)} bytes"


class State(StrEnum):
    """What is known of a finding."""

    UNTRIED = "not tried again yet"
    REPRODUCIBLE = "reproducible"
    UNREPRODUCIBLE = "not reproducible"
    MENDED = "holds now"


@dataclass(slots=True)
class Finding:
    """`data` is the shortest input that came with it, `minimised` what was made of that."""

    identity: Identity
    data: bytes
    text: str
    """The traceback, or what else is known."""
    count: int = 0
    """How often it came, in all runs."""
    state: State = State.UNTRIED
    minimised: bytes | None = None

    @property
    def is_open(self) -> bool:
        return self.state is not State.MENDED

    @property
    def smallest(self) -> bytes:
        """What to replay."""
        return self.data if self.minimised is None else self.minimised


class Findings:
    """The findings of a target below `folder`, a folder for each."""

    def __init__(self, folder: Path, target: str) -> None:
        self._folder = folder
        self._target = target
        self._found: dict[Identity, Finding] = {}
        for path in sorted(folder.glob("*/finding.json")):
            finding = _read(path)
            self._found[finding.identity] = finding

    def __iter__(self) -> Iterator[Finding]:
        return iter(tuple(self._found.values()))

    def __len__(self) -> int:
        """How many are open."""
        return sum(finding.is_open for finding in self)

    def add(self, identity: Identity, data: bytes, text: str) -> Finding | None:
        """Take an input with this identity; the finding, if that is news: a new one, again, or far shorter."""
        known = self._found.get(identity)
        if known is not None and known.is_open and len(data) >= len(known.smallest):
            return None
        finding = Finding(identity, data, text, count=known.count if known else 0)
        self._found[identity] = finding
        self.write(finding)
        return finding

    def of(self, identity: Identity) -> Finding | None:
        return self._found.get(identity)

    def write(self, finding: Finding) -> None:
        """Put it into its folder, as it is now."""
        folder = self._folder / finding.identity.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "input").write_bytes(finding.data)
        minimised = folder / "minimised"
        if finding.minimised is None:
            minimised.unlink(missing_ok=True)
        else:
            minimised.write_bytes(finding.minimised)
        about = {
            "kind": finding.identity.kind,
            "places": finding.identity.places,
            "state": finding.state,
            "count": finding.count,
            "replay": self.replay_line(finding),
            "text": finding.text,
        }
        draft = folder / "finding.draft"
        draft.write_text(json.dumps(about, indent=2) + "\n", "utf-8")
        draft.replace(folder / "finding.json")
        report = self._report(finding)  # what the target says may have surrogates in it
        (folder / "report.txt").write_text(report, "utf-8", errors="backslashreplace")

    def replay_line(self, finding: Finding) -> str:
        """The command that runs it once more."""
        name = "input" if finding.minimised is None else "minimised"
        file = self._folder / finding.identity.name / name
        shown = os.path.relpath(file) if file.is_relative_to(Path.cwd()) else str(file)
        if shown.startswith("-"):
            shown = f"./{shown}"  # or it would be an option
        return shlex.join(["mtproto", "fuzz", self._target, shown])

    def _report(self, finding: Finding) -> str:
        smallest = finding.smallest
        return (
            f"{finding.identity}\n{finding.state}; {finding.count} times; {size_text(finding.data)}, "
            f"the smallest {len(smallest)}: {smallest[:64]!r}{'…' if len(smallest) > 64 else ''}\n"
            f"Replay it in {Path.cwd()}: {self.replay_line(finding)}\n\n{finding.text}"
        )


def _read(path: Path) -> Finding:
    try:
        about = json.loads(path.read_text("utf-8"))
        for key, expected in (("kind", str), ("places", list), ("text", str), ("count", int)):
            if type(about[key]) is not expected:
                raise TypeError(f"{key} is {about[key]!r}, expected {expected.__name__}")
        if not all(isinstance(place, str) for place in about["places"]):
            raise TypeError(f"places are {about['places']!r}, expected texts")
        minimised = path.with_name("minimised")
        return Finding(
            Identity(about["kind"], tuple(about["places"])),
            path.with_name("input").read_bytes(),
            about["text"],
            about["count"],
            State(about["state"]),
            minimised.read_bytes() if minimised.exists() else None,
        )
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise FuzzError(f"{path} is no finding: {type(error).__name__}: {error}") from None
