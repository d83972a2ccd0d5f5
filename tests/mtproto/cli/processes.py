"""The command as a process: started, spoken to, stopped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["ROOT", "Server", "run", "serving", "start"]

ROOT = Path(__file__).parents[3]
TIMEOUT = 20
"""Seconds after which a process hangs; far more than it needs."""


def start(*arguments: str, prelude: str = "", **environment: str) -> subprocess.Popen[str]:
    """``python -m mtproto ARGUMENTS``, with pipes; `prelude` is Python that runs before it."""
    program = ["-m", "mtproto"]
    if prelude:
        code = f"import sys; {prelude}; from mtproto.__main__ import main; sys.exit(main(sys.argv[1:]))"
        program = ["-c", code]
    return subprocess.Popen(
        [sys.executable, *program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
        env=_environment(environment),
    )


def _environment(changes: Mapping[str, str]) -> dict[str, str]:
    """Ours without what tells rich to draw, and Python to write, otherwise than they would by themselves."""
    dropped = {"COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "PYTHONUNBUFFERED"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**kept, "PYTHONIOENCODING": "utf-8", **changes}


def run(
    *arguments: str, stdin: str | None = None, prelude: str = "", **environment: str
) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of the command."""
    with start(*arguments, prelude=prelude, **environment) as process:
        out, err = process.communicate(stdin, timeout=TIMEOUT)
    return process.returncode, out, err


class Server:
    """A running ``mtproto serve``; `ready` is the line it printed, `port` as text."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate(timeout=TIMEOUT)[1]
        self.ready: dict[str, Any] = json.loads(line)
        self.port = str(self.ready["port"])
        self.address = f"{self.ready['host']}:{self.port}"

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Send a signal; return exit status, the rest of stdout, and stderr."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=TIMEOUT)
        return self.process.returncode, out, err


@contextlib.contextmanager
def serving(*arguments: str, prelude: str = "") -> Iterator[Server]:
    """``mtproto serve ARGUMENTS``, ready; killed at the end if it still runs."""
    with start("serve", *arguments, prelude=prelude) as process:
        try:
            yield Server(process)
        finally:
            process.kill()
