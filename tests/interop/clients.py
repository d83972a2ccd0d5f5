"""The other end of `gramjs_client.js` and `telethon_client.py`: programs that are told what to do, line by line.

Nothing here waits for ever: a program that does not answer in time is killed, and what it said is printed.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mtproto.crypto.rsa import PublicKey

__all__ = ["CLIENTS", "Program", "client", "missing", "needs", "running"]

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TIMEOUT = 40
"""Seconds after which a program hangs; GramJS pings every nine, all else takes one or two."""
_SHOWN = 6000


@dataclass(frozen=True, slots=True)
class Client:
    """A library that others wrote: the program that uses it, and what it calls its transports."""

    command: tuple[str, ...]
    transports: tuple[str, ...]


CLIENTS = {
    "gramjs": Client(("node", str(HERE / "gramjs_client.js")), ("full", "abridged", "obfuscated")),
    "telethon": Client(
        (sys.executable, str(HERE / "telethon_client.py")),
        ("full", "abridged", "intermediate", "obfuscated"),
    ),
}


def missing(kind: str) -> str | None:
    """What this machine lacks for the client, and how to get it; None if it is there."""
    if kind == "telethon":
        if importlib.util.find_spec("telethon") is None:
            return 'Telethon is not installed: pip install -e ".[interop]"'
        return None
    if shutil.which("node") is None:
        return "there is no node on the PATH, which GramJS needs"
    wanted = json.loads((HERE / "package.json").read_text("utf-8"))["dependencies"]["telegram"]
    package = HERE / "node_modules" / "telegram" / "package.json"
    got = json.loads(package.read_text("utf-8"))["version"] if package.exists() else None
    if got != wanted:
        return f"telegram {wanted} from npm is not installed (got {got}): npm install --prefix tests/interop"
    return None


def needs(kind: str) -> None:
    """Skip the test, with the reason, where the client is missing; in CI it must not be."""
    reason = missing(kind)
    if reason is not None and os.environ.get("CI", "") in ("", "false", "0"):
        pytest.skip(reason)
    if reason is not None:
        pytest.fail(f"{reason} (CI is set: this must run)", pytrace=False)


class Program:
    """A running process: lines of JSON to its stdin and from its stdout; its stderr goes to `log`."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.process = process
        self._log = log

    async def line(self) -> Any:
        """What the next line of its stdout says."""
        assert self.process.stdout is not None
        try:
            async with asyncio.timeout(TIMEOUT):
                line = await self.process.stdout.readline()
        except TimeoutError:
            raise AssertionError(f"{self.name} says nothing within {TIMEOUT} s") from None
        assert line, f"{self.name} has ended"
        return json.loads(line)

    async def do(self, command: str, **arguments: object) -> Any:
        """The answer to a command."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": command, **arguments}).encode() + b"\n")
        return await self.line()

    async def end(self) -> None:
        """Close its stdin, wait for its end; it has to be a good one."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            async with asyncio.timeout(TIMEOUT):
                status = await self.process.wait()
        except TimeoutError:
            raise AssertionError(f"{self.name} does not end within {TIMEOUT} s") from None
        assert status == 0, f"{self.name} ended with status {status}"

    def said(self) -> str:
        """Its stderr so far; what can't be shown is a question mark."""
        return re.sub(r"[^\n -~]", "?", self._log.read_text("utf-8", errors="replace"))


@contextlib.asynccontextmanager
async def running(name: str, *command: str, folder: Path) -> AsyncIterator[Program]:
    """The command as a `Program`; killed if it still runs at the end, and heard if something failed."""
    log = folder / f"{name}.log"
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            cwd=ROOT,
        )
    program = Program(name, process, log)
    try:
        yield program
    except BaseException:
        print(f"--- the end of what {name} said:\n{program.said()[-_SHOWN:]}")
        raise
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@contextlib.asynccontextmanager
async def client(
    kind: str, transport: str, *, host: str, port: int, key: PublicKey, folder: Path
) -> AsyncIterator[Program]:
    """A client that is connected to the server, and ends well."""
    options = {
        "host": host,
        "port": port,
        "public_key": key.to_pem(),
        "fingerprint": str(key.fingerprint),
        "transport": transport,
    }
    command = (*CLIENTS[kind].command, json.dumps(options))
    async with running(f"{kind}-{transport}", *command, folder=folder) as program:
        assert await program.do("connect") is True
        yield program
        await program.end()
