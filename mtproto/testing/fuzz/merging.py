"""The fewest inputs of a campaign that reach more than the corpus it began with: libFuzzer's own merge."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import shlex
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from mtproto.testing.fuzz import FuzzError, worker
from mtproto.testing.fuzz.board import Board
from mtproto.testing.fuzz.settings import Settings
from mtproto.testing.fuzz.supervisor import need_atheris, terminated_as_interrupted
from mtproto.testing.fuzz.workers import job

__all__ = ["merge"]


def merge(settings: Settings) -> Path:
    """Put the corpus, and the fewest inputs of the work folder that reach more code, into ``merged`` there.

    What is longer than the longest input stays out.  The code of functions that no import has brought does not
    count: with generated classes that would take an input for each.
    """
    need_atheris()
    work = settings.work
    with work.opened(make=False), terminated_as_interrupted():
        merged = work.folder / "merged"
        merged.mkdir(exist_ok=True)
        if settings.corpus is not None:
            _copy(settings.corpus, merged, settings.max_length)
        (work.run / "notes").mkdir()
        Board(work.run / "merge.board", settings.max_length, create=True).close()
        with _plain_name(work.folder) as (folder, descriptor):
            launcher = _launcher(settings, f"{folder}/run/launcher")
            options = ["-merge=1", "-set_cover_merge=1", "-use_counters=0", f"-timeout={settings.timeout}"]
            options += [f"-max_len={settings.max_length}", f"-artifact_prefix={folder}/run/"]
            options += [f"-merge_control_file={folder}/run/merge.control"]
            log = work.run / "merge.log"
            with log.open("wb") as output:
                command = [launcher, *options, f"{folder}/merged", f"{folder}/corpus"]
                code = _status(command, output.fileno(), descriptor)
        _check(code, log.read_text("utf-8", "replace"))
        return merged


def _copy(corpus: Path, merged: Path, longest: int) -> None:
    """Its files, at any depth."""
    about = [(file, file.stat()) for file in sorted(corpus.rglob("*"))]  # an error, for a link to nothing
    for file, status in about:
        if stat.S_ISREG(status.st_mode) and status.st_size <= longest:
            copy = merged / file.relative_to(corpus)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)


@contextlib.contextmanager
def _plain_name(folder: Path) -> Iterator[tuple[str, int]]:
    """A name of the folder that a shell leaves as it is, and the descriptor that it stands for.

    libFuzzer starts itself again by a shell, and quotes nothing.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}", descriptor
    finally:
        os.close(descriptor)


def _check(code: int, said: str) -> None:
    """libFuzzer ends well where none of its attempts has come to an end: then it has merged nothing."""
    if code or ("MERGE-OUTER: attempt " in said and "MERGE-OUTER: successful in " not in said):
        raise FuzzError("the merge has failed:\n" + "\n".join(said.splitlines()[-6:]))


def _status(command: list[str], output: int, folder: int) -> int:
    """Run it; when it ends, or we do, all that it has started ends: libFuzzer starts itself by a shell."""
    with (
        subprocess.Popen(
            ["/bin/sh", "-c", "read -r line; kill -KILL 0"],  # stdin is at its end when we are gone
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,  # an interrupt from the terminal is for us
        ) as leader,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(folder,),
            process_group=leader.pid,
        ) as process,
    ):
        try:
            return process.wait()
        finally:
            os.killpg(leader.pid, signal.SIGKILL)


def _launcher(settings: Settings, name: str) -> str:
    """A program that is the worker over again: libFuzzer starts itself more than once in a merge."""
    run = settings.work.run
    launcher, file = run / "launcher", run / "merge.job"
    file.write_text(json.dumps(job(settings, "merge", [name], made=False)), "utf-8")
    command = shlex.join([sys.executable, "-P", inspect.getfile(worker), str(file)])
    launcher.write_text(f'#!/bin/sh\nexec {command} "$@"\n', "utf-8")
    launcher.chmod(0o755)
    return name
