"""What happens in a test that has fixtures of ours: recorded while it runs, told where it fails."""

from __future__ import annotations

import os
import re
import shlex
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

import pytest

from mtproto.testing.plugin.marks import settings_of

if TYPE_CHECKING:
    from mtproto.testing import Pair, ThreadedServer
    from mtproto.testing.plugin.recording import Recording

__all__ = ["WATCHED", "Watched", "watched"]

_FIRST_LINES: Final = 60
_LAST_LINES: Final = 140
"""How many lines of a transcript are in a report; what is between the first and the last is left out."""
_WIDTHS: Final = (60, 120)
_LONGEST_NAME: Final = 120
_TELLING: Final = re.compile(r"[\w./]+(::\w+)*(\[[a-z0-9_.-]*[a-z0-9_.]\])?")
"""The ids of tests no two of which give the same name, not even where capitals are the same as small letters."""


class Watched:
    """One test: its recordings, `checks` for when it has passed, `servers` in which no handler may fail."""

    def __init__(self, item: pytest.Item, seed: int) -> None:
        self.is_checked = settings_of(item).is_checked
        self.seed = seed
        self.recordings: list[Recording] = []
        self.checks: list[Callable[[], None]] = []
        self.servers: list[ThreadedServer] = []
        self._errors_told = 0
        self._item = item

    def recording(self, name: str, **options: Any) -> Recording:
        """A new recording, of what its recorder is told; the `options` are those of its class."""
        from mtproto.testing.plugin.recording import Recording

        self.recordings.append(Recording(name, **options))
        return self.recordings[-1]

    def pair(self, pair: Pair, **options: Any) -> None:
        """Record what a Pair says."""
        from mtproto.testing.plugin.recording import Recording

        self.recordings.append(Recording.of_pair(pair, **options))

    def check(self) -> None:
        """Let the test fail where a check does, unless its mark says otherwise."""
        self.check_servers()
        if not self.is_checked:
            return
        try:
            for check in self.checks:
                check()
        except AssertionError as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None

    def check_servers(self) -> None:
        """Let the test fail where a handler has raised anything but RpcError, and nobody was told so far."""
        errors = self._errors() if self.is_checked else ""
        if errors:
            pytest.fail(f"handlers of the server raised what is no RpcError:\n{errors}", pytrace=False)

    def _errors(self) -> str:
        """Those that were not told so far, with their tracebacks."""
        errors = [error for server in self.servers for error in server.errors][self._errors_told :]
        self._errors_told += len(errors)
        return "\n".join("".join(traceback.format_exception(error)) for error in errors)

    # What is told

    def sections(self) -> Iterator[tuple[str, str]]:
        """What the report of a failure has of it: what was said, and how to say it again."""
        config = self._item.config
        width = min(max(config.get_terminal_writer().fullwidth, _WIDTHS[0]), _WIDTHS[1])
        for recording in self.recordings:
            name = "" if len(self.recordings) == 1 else f": {recording.name}"
            yield f"mtproto transcript{name}", "\n".join(_shortened(list(recording.lines(width))))
        errors = self._errors()
        if errors:
            yield "mtproto server errors", errors
        files = [f"{self._path(recording)}.html" for recording in self.recordings if self._directory()]
        command = f"pytest {shlex.quote(self._node_id())} --mtproto-seed={self.seed}"
        yield "mtproto replay", "\n".join([command, *files])

    def _node_id(self) -> str:
        """As the test is named where pytest was started."""
        file = os.path.relpath(self._item.path, self._item.config.invocation_params.dir)
        return "::".join([file, *self._item.nodeid.split("::")[1:]])

    def end(self) -> None:
        """The test is over: write the recordings to files, if that was asked for."""
        for recording in self.recordings:
            recording.close()
            if self._directory():
                recording.write(self._path(recording))

    def _directory(self) -> str | None:
        directory: str | None = self._item.config.option.mtproto_transcript
        return directory

    def _path(self, recording: Recording) -> Path:
        directory = self._item.config.invocation_params.dir / str(self._directory())
        return directory / f"{_file_name(self._item.nodeid)}-{recording.name}"


def _file_name(node_id: str) -> str:
    """A name that every file system takes, as near to the test's as can be, and no other test's."""
    name = re.sub(r"[^\w.-]", "-", node_id.replace("::", "-")).strip("-")
    if len(name) > _LONGEST_NAME or not _TELLING.fullmatch(node_id):
        name = f"{name[:_LONGEST_NAME]}-{crc32(node_id.encode()):08x}"
    return name


def _shortened(lines: list[str]) -> list[str]:
    left_out = len(lines) - _FIRST_LINES - _LAST_LINES
    if left_out <= 1:
        return lines
    note = f"… {left_out} lines, which --mtproto-transcript=DIR would write …"
    return [*lines[:_FIRST_LINES], note, *lines[-_LAST_LINES:]]


WATCHED: Final = pytest.StashKey[Watched]()


def watched(item: pytest.Item, seed: int) -> Watched:
    """What is known of a test, from its first fixture on."""
    return item.stash.setdefault(WATCHED, Watched(item, seed))
