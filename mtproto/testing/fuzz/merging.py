"""The fewest inputs of a campaign that reach more than the corpus it began with: libFuzzer's own merge."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from mtproto.testing.fuzz import FuzzError, worker
from mtproto.testing.fuzz.board import Board
from mtproto.testing.fuzz.settings import Settings
from mtproto.testing.fuzz.supervisor import need_atheris
from mtproto.testing.fuzz.workers import job

__all__ = ["merge"]


def merge(settings: Settings) -> Path:
    """Put the corpus, and the fewest inputs of the work folder that reach more code, into ``merged`` there.

    The code of functions that no import has brought does not count: with generated classes that would take an
    input for each.
    """
    need_atheris()
    work = settings.work
    with work.opened(make=False):
        merged = work.folder / "merged"
        if settings.corpus is None:
            merged.mkdir(exist_ok=True)
        else:
            shutil.copytree(settings.corpus, merged, dirs_exist_ok=True)
        (work.run / "notes").mkdir()
        Board(work.run / "merge.board", settings.max_length, create=True).close()
        launcher = _launcher(settings)
        options = ["-merge=1", "-set_cover_merge=1", "-use_counters=0", f"-timeout={settings.timeout}"]
        options += [f"-max_len={settings.max_length}", f"-artifact_prefix={work.run}/"]
        log = work.run / "merge.log"
        with log.open("wb") as output:
            code = _status([str(launcher), *options, str(merged), str(work.corpus)], output.fileno())
        if code:
            said = log.read_text("utf-8", "replace").splitlines()[-6:]
            raise FuzzError("the merge has failed:\n" + "\n".join(said))
        return merged


def _status(command: list[str], output: int) -> int:
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
    )
    try:
        return process.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _launcher(settings: Settings) -> Path:
    """A program that is the worker over again: libFuzzer starts itself more than once in a merge."""
    run = settings.work.run
    launcher, file = run / "launcher", run / "merge.job"
    file.write_text(json.dumps(job(settings, "merge", [str(launcher)], made=False)), "utf-8")
    command = shlex.join([sys.executable, "-P", inspect.getfile(worker), str(file)])
    launcher.write_text(f'#!/bin/sh\nexec {command} "$@"\n', "utf-8")
    launcher.chmod(0o755)
    return launcher
