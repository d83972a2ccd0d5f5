"""What is said to or by a fixture, kept in memory while a test runs; drawn and written if somebody asks for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from time import time
from typing import Any

from mtproto import api
from mtproto.connection.base import Connection
from mtproto.side import Side
from mtproto.testing.handlers import Handlers
from mtproto.testing.pair import Pair
from mtproto.testing.transcript import KeyLog, Recorder, Transcript
from mtproto.testing.transcript.key_log import Secrets, open_private
from mtproto.testing.transcript.ladder import rows, summary
from mtproto.testing.transcript.page import html_page
from mtproto.testing.transcript.reading import Schemas
from mtproto.testing.transcript.text import Line, heading, row_lines
from mtproto.transport import ProxySecret

__all__ = ["Recording"]


class Recording:
    """The recording of the fixture called `name`: of whatever its `recorder` is told.

    `handlers` and `mtproxy_secret` are those of the fixture: by them it is read.
    """

    def __init__(
        self,
        name: str,
        *,
        clock: Callable[[], float] = time,
        handlers: Handlers | None = None,
        mtproxy_secret: ProxySecret | str | bytes | None = None,
    ) -> None:
        self.name = name
        self._file = StringIO()
        self._key_log = StringIO()
        self._schemas = _schemas(handlers)
        self._clock = clock
        self._then: float | None = None
        self._later: list[tuple[float, Callable[..., None], tuple[object, ...]]] = []
        self.recorder = Recorder(
            self._file,
            key_log=self._key_log,
            clock=lambda: self._clock() if self._then is None else self._then,
            mtproxy_secret=mtproxy_secret,
            schemas=self._schemas,
        )

    @classmethod
    def of_pair(cls, pair: Pair, **options: Any) -> Recording:
        """What a Pair's client says and hears, with what it has said so far."""
        recording = cls("pair", clock=pair.clock, **options)
        if pair.state.keys:  # there will be no others
            pair.client.observer = _Observer(recording, KeyLog(dict(pair.state.keys)))
        else:
            pair.client.observer = recording.recorder.observer(pair.client, Side.CLIENT)
        for _, side, data in pair.wire:
            if side is Side.CLIENT and pair.client.observer is not None:
                pair.client.observer.sent(data)
        return recording

    def later(self, do: Callable[..., None], *arguments: object) -> None:
        """Let this be done when somebody asks for the transcript, as if it were now."""
        self._later.append((self._clock(), do, arguments))

    def _settle(self) -> None:
        for when, do, arguments in self._later:
            self._then = when
            do(*arguments)
        self._later.clear()
        self._then = None

    def close(self) -> None:
        """No more is to come."""
        self._settle()
        self.recorder.close()

    def transcript(self) -> Transcript:
        """All of it until now."""
        self._settle()
        return Transcript.parse(StringIO(self._file.getvalue()))

    def lines(self, width: int) -> Iterator[str]:
        """It as text, `width` columns wide."""
        transcript = self.transcript()
        many, stream = len(transcript.streams()) > 1, None
        for row in rows(transcript):
            if row.stream != stream:
                if many:
                    yield f"connection {row.stream + 1}"
                yield _text(heading(width))
                stream = row.stream
            for line in row_lines(row, width):
                yield _text(line)
        yield summary(transcript) if transcript.entries else "nothing was said"

    def write(self, path: Path) -> None:
        """Write it as lines of JSON, as a page, and the keys that open it, to files of this name."""
        path.parent.mkdir(parents=True, exist_ok=True)
        page = html_page(self.transcript(), Schemas(self._schemas), path.name)
        path.with_name(f"{path.name}.html").write_text(page, "utf-8")
        path.with_name(f"{path.name}.jsonl").write_text(self._file.getvalue(), "utf-8")
        keys = path.with_name(f"{path.name}.keys")
        with os.fdopen(open_private(keys), "w", encoding="ascii") as file:
            file.write(self._key_log.getvalue())


class _Observer:
    """Who looks at a Pair's client, and leaves what is said to be read later: that takes longer than saying it."""

    def __init__(self, recording: Recording, secrets: Secrets) -> None:
        self._recording = recording
        self._secrets = secrets
        self._stream = recording.recorder.stream(secrets)

    def received(self, data: bytes) -> None:
        self._recording.later(self._stream.feed, Side.SERVER, data)

    def sent(self, data: bytes) -> None:
        self._recording.later(self._stream.feed, Side.CLIENT, data)

    def lost(self, side: Side, payload: bytes, how: str) -> None:
        self._recording.later(self._stream.lost, side, payload, how)

    def ended(self) -> None:
        self._recording.later(self._stream.end, Side.SERVER)

    def closed(self) -> None:
        self._recording.later(self._stream.end, Side.CLIENT)

    def succeeded_by(self, connection: Connection[Any]) -> None:
        connection.observer = _Observer(self._recording, self._secrets)


def _text(line: Line) -> str:
    return "".join(piece for piece, _ in line).rstrip()


def _schemas(handlers: Handlers | None) -> tuple[object, ...]:
    """Those of the functions that there are handlers for, and the API's."""
    own = {id(cls.SCHEMA): cls.SCHEMA for cls in handlers or () if hasattr(cls, "SCHEMA")}
    own.pop(id(api.SCHEMA), None)
    return (*own.values(), api.SCHEMA)
