"""What a campaign is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mtproto.testing.fuzz.sharing import Shared
from mtproto.testing.fuzz.target import Target
from mtproto.testing.fuzz.work import Work

__all__ = ["Settings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`directory` is where the target was found from, `seed` libFuzzer's for the first worker."""

    target: Target
    work: Work
    directory: Path
    seconds: float
    jobs: int
    seed: int
    instrument: tuple[str, ...]
    max_length: int
    timeout: int
    """Seconds that an input may take."""
    corpus: Path | None = None
    """A directory of inputs to start from."""
    dictionary: str = ""
    """In libFuzzer's form."""
    shared: Shared | None = None

    @property
    def packages(self) -> tuple[str, ...]:
        """Those in which the place of a failure is looked for."""
        return tuple(dict.fromkeys((*self.instrument, self.target.module.partition(".")[0])))
