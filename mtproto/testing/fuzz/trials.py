"""Single inputs, each tried in a process without atheris, which may hang or die without harm."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, cast

from mtproto.testing.fuzz import FuzzError, runner
from mtproto.testing.fuzz.identity import DIED, OUT_OF_MEMORY, TIMEOUT, Identity, identify_death

__all__ = ["MEMORY", "Outcome", "Trials", "how_it_ended"]

_START = 60.0
"""Seconds that the import of a target may take."""
MEMORY = 2048
"""MiB that a process may take; a campaign's worker has as many."""
_LOOK = 0.05
"""Seconds from one look at its memory, and at what it has written, to the next."""
_SAID = 1 << 20
"""Bytes that it may have written, before they are thrown away."""
_GRACE = 2.0
"""Seconds more than an input's own until the process is ended from outside: it should have done so itself."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an input: the identity of its failure, and the traceback; None where the invariant holds."""

    identity: Identity | None
    text: str = ""


class _TooLargeError(Exception):
    """A process has taken too much memory."""


class Trials:
    """A process that runs inputs of a target, started when it is needed and after it has died.

    What the target writes is `shown` on standard error, or else is only kept for the text of an outcome.
    """

    def __init__(
        self, target: str, directory: Path, packages: tuple[str, ...], timeout: float, *, shown: bool = False
    ) -> None:
        self._job = {
            "target": target,
            "directory": str(directory),
            "packages": packages,
            "path": [str(Path(place).absolute()) for place in sys.path],
            "timeout": timeout,
            "shown": shown,
        }
        self._shown = shown
        self._timeout = timeout
        self._packages = packages
        self._module = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the rest

    def __enter__(self) -> Trials:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        self._errors.close()

    def run(self, data: bytes) -> Outcome:
        """Run the target with `data`; FuzzError where it can't even be imported."""
        process = self._process or self._start()
        self._bound()
        begun = time.monotonic()
        with contextlib.suppress(BrokenPipeError):
            _inlet(process).write(len(data).to_bytes(4, "little") + data)
            _inlet(process).flush()
        try:
            line = self._line(process, self._timeout + _GRACE)
        except _TooLargeError:
            self._end()
            return Outcome(OUT_OF_MEMORY, f"The process has come to {MEMORY} MiB in this input.\n")
        if not line:
            if time.monotonic() - begun >= self._timeout:
                self._end()
                return Outcome(TIMEOUT, f"It took longer than {self._timeout:g} s.\n\n{self._last_words()}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE)
            how, said = how_it_ended(self._end()), self._last_words()
            identity = identify_death(said, self._packages, self._module)
            return Outcome(identity, f"The process has ended in this input: {how}.\n\n{said}")
        try:
            answer = json.loads(line)
        except ValueError:  # the target writes to descriptors that are not its own
            self._end()
            return Outcome(DIED, f"It answered {line[:100]!r}, expected JSON.\n")
        if answer["kind"] is None:
            return Outcome(None)
        return Outcome(Identity(answer["kind"], tuple(answer["places"])), answer["text"])

    def kill(self) -> None:
        """End the input that runs, as if it had died; from another thread."""
        process = self._process
        if process is not None:
            _kill_group(process)

    def _start(self) -> subprocess.Popen[bytes]:
        self._errors.seek(0)
        self._errors.truncate()
        self._process = process = subprocess.Popen(
            [sys.executable, "-P", inspect.getfile(runner), json.dumps(self._job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if self._shown else self._errors,
            start_new_session=True,  # an interrupt from the terminal is for the supervisor
        )
        ready = self._line(process, _START)
        if not ready:
            self._end()
            raise FuzzError(f"{self._job['target']} can not be tried: {self._last_words() or 'no answer'}")
        self._module = json.loads(ready)["module"]
        return process

    def _line(self, process: subprocess.Popen[bytes], seconds: float) -> bytes:
        """The next line the process says; nothing if it dies or takes too long.

        Its memory is watched from outside, as libFuzzer does it: a limit of the system's would count what is only
        reserved.
        """
        line = b""
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(_outlet(process), selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                left = deadline - time.monotonic()
                if not selector.select(max(0.0, min(_LOOK, left))):
                    if left <= 0 or process.poll() is not None:  # its children may have the pipe
                        return b""
                    if _resident(process.pid) >= MEMORY << 20:
                        raise _TooLargeError
                    self._bound()
                    continue
                more = os.read(_outlet(process).fileno(), 1 << 16)
                if not more:
                    return b""
                line += more
        return line

    def _end(self) -> int:
        """End it, with all that its inputs have started; its status, as `subprocess` has it."""
        process, self._process = self._process, None
        if process is None:
            return 0
        _kill_group(process)
        with contextlib.suppress(BrokenPipeError):
            _inlet(process).close()
        _outlet(process).close()
        return process.wait()

    def _bound(self) -> None:
        """Throw away what it has written, if that is much; it writes on where it was."""
        if os.fstat(self._errors.fileno()).st_blocks * 512 > _SAID:
            os.ftruncate(self._errors.fileno(), 0)

    def _last_words(self) -> str:
        end = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, end - 16_000))
        return self._errors.read().lstrip(b"\0").decode("utf-8", "replace")


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def how_it_ended(code: int) -> str:
    """The status of a process, as `subprocess` has it, in words."""
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"


def _resident(pid: int) -> int:
    """Bytes of memory that a process has; 0 where it can't be known."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _inlet(process: subprocess.Popen[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", process.stdin)


def _outlet(process: subprocess.Popen[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", process.stdout)
