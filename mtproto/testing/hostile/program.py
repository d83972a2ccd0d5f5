"""A client that is a program: started for each conversation, told where to connect, ended with all its children.

    await examine_client(Program(["node", "client.js", "{host}", "{port}", "{key}"]))

The same is in its environment: MTPROTO_HOST, MTPROTO_PORT, and MTPROTO_KEY, a file with the RSA key (PEM, PKCS#1).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mtproto.crypto.rsa import PublicKey
from mtproto.errors import LocalProtocolError

__all__ = ["Program", "ProgramEnd"]

_PATIENCE = 1.0
"""Seconds that a program has to end, once it is told to."""
_SHOWN = 4000
"""Of what a program says so many bytes are kept, the last."""


@dataclass(frozen=True, slots=True)
class ProgramEnd:
    """How a program ended: its exit `status`, None where it was stopped; the end of what it `said`."""

    status: int | None
    said: str

    def __str__(self) -> str:
        if self.status is None:
            return "was stopped"
        if self.status < 0:
            return f"was killed by signal {-self.status}"
        return f"ended with exit status {self.status}"


class Program:
    """What `examine_client` runs, of a `command`: {host}, {port} and {key}, a file, are filled in.

    A command that has no {port} is an error, unless it `reads_environment`.  Each runs in a process group of its
    own, none of which is left at the end.  Raise LocalProtocolError for a command that can't be run.
    """

    def __init__(self, command: Iterable[str], *, reads_environment: bool = False) -> None:
        if isinstance(command, str):
            raise LocalProtocolError(
                f"got {command!r:.80} for a command, expected a list: its name and arguments"
            )
        self.command = tuple(command)
        if not all(isinstance(part, str) for part in self.command) or not self.command:
            raise LocalProtocolError(
                f"got {self.command!r:.80} for a command, expected its name and arguments"
            )
        if shutil.which(self.command[0]) is None:
            raise LocalProtocolError(f"there is no command {self.command[0]!r} that can be run")
        if not reads_environment and not any("{port}" in part for part in self.command):
            raise LocalProtocolError(
                "the command does not say where the client is to connect: there is no {port} in it"
            )

    async def __call__(self, host: str, port: int, key: PublicKey) -> ProgramEnd:
        """Run it once; when this is cancelled it is ended, and told how."""
        with tempfile.TemporaryDirectory(prefix="mtproto-") as folder:
            pem, log = Path(folder) / "key.pem", Path(folder) / "log"
            pem.write_text(key.to_pem(), encoding="ascii")
            with log.open("wb") as said:
                process = await asyncio.create_subprocess_exec(
                    *self._filled(host, port, pem),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    env={
                        **os.environ,
                        "MTPROTO_HOST": host,
                        "MTPROTO_PORT": str(port),
                        "MTPROTO_KEY": str(pem),
                    },
                    start_new_session=True,
                )
            status = await _ended(process)
            return ProgramEnd(status, _tail(log))

    def _filled(self, host: str, port: int, pem: Path) -> list[str]:
        values = {"{host}": host, "{port}": str(port), "{key}": str(pem)}
        filled = []
        for part in self.command:
            for name, value in values.items():
                part = part.replace(name, value)
            filled.append(part)
        return filled


async def _ended(process: asyncio.subprocess.Process) -> int | None:
    """The exit status; None where the wait for it was cancelled.  No process of the group is left."""
    try:
        return await process.wait()
    except asyncio.CancelledError:
        _signal(process, signal.SIGTERM)
        await asyncio.wait({asyncio.ensure_future(process.wait())}, timeout=_PATIENCE)
        return None
    finally:
        _signal(process, signal.SIGKILL)
        await process.wait()


def _signal(process: asyncio.subprocess.Process, number: int) -> None:
    """To the process and its children; where there are no process groups, to itself."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, number)


def _tail(log: Path) -> str:
    return log.read_bytes()[-_SHOWN:].decode("utf-8", errors="replace").strip()
