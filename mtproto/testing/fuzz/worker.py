"""What runs in a worker, started by its path: libFuzzer, which calls the target as long as it is let.

Nothing but the standard library is imported before atheris is in place: what it shall follow has to be imported
under its eyes, mtproto among it.  An exception of the target is written down, and the campaign goes on.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import io
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mtproto.testing.fuzz.board import Board
    from mtproto.testing.fuzz.identity import Identity
    from mtproto.testing.fuzz.target import Target

__all__ = ["Notes", "main"]

_PACKAGE = "mtproto.testing.fuzz"


class Notes:
    """What the target raises, as files for the supervisor: the first input of each identity, and shorter ones.

    Of more than `most` identities nothing is written: they are no names of what is wrong.
    """

    def __init__(
        self, board: Board, folder: Path, name: str, identify: Callable[[BaseException], Identity], most: int
    ) -> None:
        self._board = board
        self._folder = folder
        self._name = name
        self._identify = identify
        self._most = most
        self._slots: dict[Identity, int] = {}
        self._shortest: dict[Identity, int] = {}
        self._written = 0

    def add(self, data: bytes, error: BaseException) -> None:
        """The target raised `error` for `data`."""
        identity = self._identify(error)
        slot = self._slots.setdefault(identity, len(self._slots))
        if slot >= self._most:
            del self._slots[identity]
            return
        self._board.hit(slot)
        if len(data) >= self._shortest.get(identity, len(data) + 1):
            return
        self._shortest[identity] = len(data)
        self._written += 1
        note = {
            "slot": slot,
            "kind": identity.kind,
            "places": identity.places,
            "data": data.hex(),
            "traceback": "".join(traceback.format_exception(error)),
        }
        draft = self._folder / f"{self._name}.draft"
        draft.write_text(json.dumps(note), "utf-8")
        draft.rename(self._folder / f"{self._name}-{self._written:06}.json")


def main() -> None:
    """Attack, as the job in the file of the first argument says; the others are more of libFuzzer's."""
    job = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: no worker without a supervisor
        if job["parent"] not in (None, os.getppid()):
            return  # it has gone already
    sys.path[:] = job["path"]
    faulthandler.enable(os.dup(2))  # the target's own will be closed
    import atheris

    own = [_PACKAGE, *(f"{_PACKAGE}.{file.stem}" for file in Path(__file__).parent.glob("*.py"))]
    chatter = contextlib.redirect_stderr(io.StringIO())  # a line for each module
    with chatter, atheris.instrument_imports(include=job["instrument"], exclude=own):
        from mtproto.testing.fuzz.board import SLOTS, Board
        from mtproto.testing.fuzz.identity import identify
        from mtproto.testing.fuzz.target import resolve

        target = resolve(job["target"], Path(job["directory"]))
        for function in target.made() if job["made"] else ():
            atheris.instrument_func(function)
    absent = [name for name in job["named"] if name not in sys.modules]
    if absent:
        sys.exit(
            f"the import of {target.name} brings no {', '.join(absent)}, which was to guide the campaign"
        )
    packages = frozenset(job["packages"])
    board = Board(Path(job["board"]), job["capacity"])

    def identity(error: BaseException) -> Identity:
        return identify(error, packages, target.module)

    notes = Notes(board, Path(job["folder"]), job["name"], identity, SLOTS)
    sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - what the target prints
    atheris.Setup([*job["command"], *sys.argv[2:]], _execution(target, board, notes, job["killers"]))
    atheris.Fuzz()


def _execution(target: Target, board: Board, notes: Notes, killers: list[str]) -> Callable[[bytes], None]:
    """What libFuzzer calls.  An input that has killed a worker is not run again."""
    deadly = {bytes.fromhex(data) for data in killers}
    run, begin = target.run, board.begin

    def execute(data: bytes) -> None:
        if deadly and data in deadly:
            return
        begin(data)
        try:
            run(data)
        except BaseException as error:
            notes.add(data, error)

    return execute


if __name__ == "__main__":
    main()
