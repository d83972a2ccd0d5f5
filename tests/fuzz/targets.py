"""The targets by name: their functions, their corpora, their invariants; and the replay of files."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["TARGETS", "Target", "load_target", "replay"]

TARGETS = (
    *("schema_parser", "decode_any", "decode_encode", "lenient", "json_values"),
    *("framings", "obfuscated_accept", "client_handshake", "server_handshake"),
    *("client_session", "server_session"),
)
"""Their names: those of the modules."""

_CORPUS = Path(__file__).with_name("corpus")


@dataclass(frozen=True, slots=True)
class Target:
    """`run` raises where the invariant does not hold for the bytes it is given."""

    name: str
    run: Callable[[bytes], None]
    invariant: str
    """The first line of the module's docstring."""

    @property
    def corpus(self) -> Path:
        """The directory of the inputs that are kept."""
        return _CORPUS / self.name


def load_target(name: str) -> Target:
    """The target called `name`, one of `TARGETS`; its module, and with it `tl`, is imported now."""
    module = importlib.import_module(f"tests.fuzz.{name}")
    invariant = (module.__doc__ or "").strip().partition("\n")[0]
    return Target(name, module.target, invariant)


def replay(target: Target, files: Iterable[Path]) -> int:
    """Run the target on each file, and print what comes of it; return 1 if the invariant did not hold."""
    status = 0
    for file in files:
        try:
            data = file.read_bytes()
        except OSError as error:
            print(f"{file}: {error.strerror}", file=sys.stderr)
            status = 2
            continue
        try:
            target.run(data)
        except Exception:
            traceback.print_exc()
            print(f"{file}: the invariant of {target.name} does not hold: {target.invariant}")
            status = status or 1
        else:
            print(f"{file}: holds")
    return status
