"""``mtproto fuzz``: a campaign against a function of bytes, or a replay of files, which needs no atheris."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from mtproto.cli.wording import CommandError, one_line

if TYPE_CHECKING:
    from mtproto.testing.fuzz.progress import Figures
    from mtproto.testing.fuzz.settings import Settings
    from mtproto.testing.fuzz.target import Target

__all__ = ["Lines", "add_arguments", "run"]

_INTERRUPTED = 130
_EVERY = 10.0
"""Seconds from one line of figures to the next, where there is no terminal."""

_ABOUT = """
TARGET is one of mtwire's own targets, in a checkout of it, or MODULE:FUNCTION: a function that takes bytes,
and raises where what has to hold does not. A test of Hypothesis is one, too.
With files: they are replayed, without atheris. Without: a campaign, which a second run resumes."""
_STATUS = """\
exit status:
  0    nothing was found; what was replayed holds
  1    something was found; the invariant does not hold for a file
  2    it could not be done: no such target, no atheris, workers that do not start
  130  interrupted, after the summary
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of ``mtproto fuzz``."""
    command.description = f"{command.description}{_ABOUT}"
    command.epilog = _STATUS
    add = command.add_argument
    add("target", metavar="TARGET", help="a name, or MODULE:FUNCTION")
    add("files", nargs="*", type=Path, metavar="FILE", help="replay these instead")
    add("--minutes", type=_minutes, default=10.0, metavar="N", help="how long it takes (default: 10)")
    add("--jobs", type=_number(1, 256), default=1, metavar="N", help="worker processes (default: 1)")
    add("--work", type=Path, metavar="DIR", help="its folder (default: .mtproto-fuzz/TARGET)")
    add("--corpus", type=Path, metavar="DIR", help="inputs to start from (default: those of the name)")
    add(
        "--dictionary",
        type=Path,
        metavar="FILE",
        help="words, in libFuzzer's form (default: those of the name)",
    )
    add(
        "--max-length",
        type=_number(1, 1 << 20),
        metavar="N",
        help="bytes of the longest inputs (default: that of the name, or 4096)",
    )
    add(
        "--instrument",
        action="append",
        metavar="PACKAGE",
        help="let its code guide the campaign; again for more (default: tl, mtproto, that of MODULE)",
    )
    add("--seed", type=_number(1, (1 << 32) - 1), metavar="N", help="libFuzzer's seed (default: random)")
    add(
        "--timeout", type=_number(1, 3600), default=20, metavar="S", help="seconds for an input (default: 20)"
    )
    add(
        "--database",
        metavar="WHERE",
        help="share findings by Hypothesis's database there: a directory, or redis://HOST:PORT/NUMBER",
    )
    add(
        "--merge",
        action="store_true",
        help="no campaign: put the corpus, and the fewest inputs of the folder that reach more, into its `merged`",
    )


def run(arguments: argparse.Namespace) -> int:
    """Replay, merge, or attack."""
    from mtproto.testing.fuzz import FuzzError  # here, as no other command needs it
    from mtproto.testing.fuzz.target import resolve

    try:
        target = resolve(arguments.target, Path.cwd())
        if arguments.files:
            return _replay(target, arguments.files, arguments.timeout)
        settings = _settings(arguments, target)
        with _named(settings.work.folder):
            return _merge(settings) if arguments.merge else _attack(settings)
    except FuzzError as error:
        message, *said = str(error).splitlines()
        print("\n".join((f"mtproto fuzz: {one_line(message)}", *map(one_line, said))), file=sys.stderr)
        return 2


def _settings(arguments: argparse.Namespace, target: Target) -> Settings:
    from mtproto.testing.fuzz.settings import Settings
    from mtproto.testing.fuzz.sharing import Shared
    from mtproto.testing.fuzz.work import Work

    work = arguments.work or Path(".mtproto-fuzz", target.name.replace(":", "."))
    if arguments.corpus is not None and not arguments.corpus.is_dir():
        raise CommandError(f"{arguments.corpus}: expected a directory of inputs")
    if arguments.dictionary is not None:
        dictionary = _text(arguments.dictionary)
    else:
        dictionary = target.dictionary() if target.dictionary is not None else ""
    shared = arguments.database and Shared.open(arguments.database, target.name)
    return Settings(
        target=target,
        work=Work(work, target.name),
        directory=Path.cwd(),
        seconds=arguments.minutes * 60,
        jobs=arguments.jobs,
        seed=arguments.seed or int.from_bytes(os.urandom(4), "little") or 1,
        instrument=tuple(arguments.instrument or target.packages),
        max_length=arguments.max_length or target.max_length,
        timeout=arguments.timeout,
        corpus=arguments.corpus.absolute() if arguments.corpus else target.corpus,
        dictionary=dictionary,
        shared=shared or None,
    )


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise CommandError(f"{file}: expected UTF-8: {error}") from None


def _replay(target: Target, files: Sequence[Path], timeout: float) -> int:
    """In a process of its own, as a file may kill it."""
    from mtproto.testing.fuzz.trials import Trials

    status = 0
    with Trials(target.name, Path.cwd(), target.packages, timeout, shown=True) as trials:
        for file in files:
            outcome = trials.run(file.read_bytes())
            if outcome.identity is None:
                print(f"{file}: holds", flush=True)
                continue
            said = outcome.text.rstrip().encode("utf-8", "backslashreplace").decode()
            print(said, file=sys.stderr, flush=True)
            print(f"{file}: the invariant of {target.name} does not hold: {target.invariant}", flush=True)
            status = 1
    return status


@contextlib.contextmanager
def _named(folder: Path) -> Iterator[None]:
    """Where a write has failed, such as for want of room, the system names no file: it is one in the folder."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or isinstance(error, BrokenPipeError):
            raise
        raise CommandError(f"{folder}: {error.strerror or error}") from error


def _merge(settings: Settings) -> int:
    from mtproto.testing.fuzz.merging import merge

    merged = merge(settings)
    sizes = [file.stat().st_size for file in merged.rglob("*") if file.is_file()]
    print(f"{os.path.relpath(merged)}: {len(sizes)} inputs, {sum(sizes):,} bytes")
    return 0


def _attack(settings: Settings) -> int:
    from mtproto.testing.fuzz import FuzzError
    from mtproto.testing.fuzz.progress import summary_lines
    from mtproto.testing.fuzz.supervisor import campaign

    work = settings.work.folder
    print(f"{settings.target.name}: {settings.target.invariant}")
    print(f"seed {settings.seed}; all that comes of it goes to {os.path.relpath(work)}", flush=True)
    with _display() as display:
        outcome = campaign(settings, display)
    print()
    for line in summary_lines(outcome.figures, outcome.totals, outcome.findings):
        print(line)
    if outcome.failure:
        raise FuzzError(outcome.failure)
    if outcome.interrupted:
        return _INTERRUPTED
    return 1 if len(outcome.findings) else 0


class Lines:
    """Progress as lines, one from time to time."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._next = now() + _EVERY

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def line(self, text: str) -> None:
        print(text, flush=True)

    def progress(self, figures: Figures) -> None:
        from mtproto.testing.fuzz.progress import progress_line

        if self._now() >= self._next:
            self._next += _EVERY
            self.line(progress_line(figures))


def _display() -> AbstractContextManager[Lines]:
    if sys.stdout.isatty():
        try:
            from mtproto.cli.live import LiveLine  # here, because rich is optional
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "rich":
                raise
        else:
            return LiveLine()
    return Lines()


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = -1.0
    if not 0 < minutes <= 1_000_000:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected minutes, above 0")
    return minutes


def _number(lowest: int, highest: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else -1
        if not lowest <= value <= highest:
            raise argparse.ArgumentTypeError(f"got {text!r}, expected a number from {lowest} to {highest}")
        return value

    return number
