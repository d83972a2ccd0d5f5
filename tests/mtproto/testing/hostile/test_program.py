"""Clients that are programs: what they are told, how they end, and that nothing of them is left."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mtproto.errors import LocalProtocolError
from mtproto.testing import hostile
from mtproto.testing.hostile import CLIENT_CONVERSATIONS, NobodyCame, Program, ProgramEnd
from tests.mtproto.helpers import TEST_KEY

WHERE: Any = ("127.0.0.1", 4430, TEST_KEY.public)


def python(code: str, *arguments: str) -> Program:
    return Program([sys.executable, "-c", code, *arguments], reads_environment=True)


def run(program: Program) -> ProgramEnd:
    return asyncio.run(program(*WHERE))


def is_gone(pid: int) -> bool:
    """Whether the process has ended, or does so soon: it may wait for its parent as a zombie."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
    return False


def test_it_is_told_where_to_connect() -> None:
    code = "import sys, os; print(*sys.argv[1:3], open(sys.argv[3]).read(), os.environ['MTPROTO_PORT'])"
    end = run(python(code, "--at={host}:{port}", "{port}{port}", "{key}"))
    assert end.status == 0
    assert end.said == f"--at=127.0.0.1:4430 44304430 {TEST_KEY.public.to_pem()} 4430"
    code = "import os; print(os.environ['MTPROTO_HOST'], open(os.environ['MTPROTO_KEY']).read())"
    assert run(python(code)).said == f"127.0.0.1 {TEST_KEY.public.to_pem()}".strip()


def test_braces_of_other_kinds_stay() -> None:
    assert run(python("import sys; print(sys.argv[1])", '{"port": {port}, "x": {}}')).said == (
        '{"port": 4430, "x": {}}'
    )


def test_how_it_ended() -> None:
    end = run(python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"))
    assert (end.status, sorted(end.said.split()), str(end)) == (
        3,
        ["err", "out"],
        "ended with exit status 3",
    )
    assert str(run(python("import os; os.kill(os.getpid(), 9)"))) == "was killed by signal 9"


def test_what_it_says_is_bounded() -> None:
    said = run(python("print('x' * 10**6, 'end')")).said
    assert len(said) <= 4000
    assert said.endswith("x end")


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc to look into")
FORKS = "import subprocess, sys; print(subprocess.Popen(['sleep', '1000']).pid, flush=True); "


@needs_proc
def test_children_do_not_survive_it() -> None:
    end = run(python(FORKS))
    assert end.status == 0
    assert is_gone(int(end.said))


@needs_proc
@pytest.mark.parametrize("stubborn", ["", "signal.signal(signal.SIGTERM, signal.SIG_IGN); "])
def test_nothing_is_left_of_one_that_is_cancelled(stubborn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtproto.testing.hostile.program._PATIENCE", 0.2)
    code = f"import signal; {stubborn}{FORKS}print(__import__('os').getpid(), flush=True); signal.pause()"

    async def scenario() -> ProgramEnd:
        program = python(f"{code}", "{port}")
        running = asyncio.ensure_future(program(*WHERE))
        await _said(running)
        running.cancel()
        return await running

    end = asyncio.run(scenario())
    assert (end.status, str(end)) == (None, "was stopped")
    pids = [int(pid) for pid in end.said.split()]
    assert len(pids) == 2
    assert all(map(is_gone, pids))


async def _said(running: asyncio.Future[ProgramEnd]) -> None:
    """Wait until both lines are in the log, which only the program's coroutine knows."""
    async with asyncio.timeout(20):
        while True:
            await asyncio.sleep(0.01)
            frame = running.get_coro().cr_frame  # type: ignore[attr-defined]
            log = frame.f_locals.get("log") if frame else None
            if log is not None and log.exists() and log.read_bytes().count(b"\n") == 2:
                return


def test_commands_that_make_no_sense() -> None:
    cases: list[tuple[Any, str]] = [
        ("client {port}", "got 'client {port}' for a command, expected a list"),
        ([], r"got \(\) for a command"),
        ([sys.executable, 1], "for a command, expected its name and arguments"),
        (["nosuchcommand", "{port}"], "there is no command 'nosuchcommand' that can be run"),
        ([os.devnull, "{port}"], "there is no command '/dev/null' that can be run"),
        ([sys.executable, "{host}"], r"there is no \{port\} in it"),
    ]
    for command, said in cases:
        with pytest.raises(LocalProtocolError, match=said):
            Program(command)


# In an examination


def examined(program: Program, **options: Any) -> hostile.Results:
    chosen = CLIENT_CONVERSATIONS[:2] + CLIENT_CONVERSATIONS[-1:]
    return asyncio.run(hostile.examine_client(program, key=TEST_KEY, conversations=chosen, **options))


def test_who_never_connects_is_examined_once() -> None:
    (result,) = examined(python("print('no'); raise SystemExit(1)"))
    assert isinstance(result.failure, NobodyCame)
    assert str(result.failure).endswith("before it ended")
    assert result.account.endswith("  the client ended with exit status 1, having said:\n    no")
    (result,) = examined(python("import signal; signal.pause()"), patience=0.5)
    assert str(result.failure).endswith("within 0.5 s")
    assert result.ending == "was stopped"


def test_who_connects_and_says_nothing() -> None:
    code = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2]))).recv(1)"
    (result,) = examined(python(code, "{host}", "{port}"), patience=0.5, limit=1)
    assert str(result.failure) == "sanity, first: the client connected, and said nothing"
