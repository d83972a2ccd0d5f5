"""A recorder: who is told the bytes of connections, and writes what was said in them, line by line.

    with Recorder.open("talk.jsonl", key_log="talk.keys") as recorder:
        recorder.client(connection)                 # any ClientConnection, before its first byte
        mtproto.connect(…, on_connection=recorder.client)
        mtproto.connect(…, tap=recorder.tap(secrets))
        testing.serve(…, on_connection=recorder.server)

What was seen so far is in the file at every moment.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from io import BufferedIOBase, RawIOBase
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TextIO
from weakref import WeakSet

from mtproto.connection import ClientConnection, ServerConnection
from mtproto.connection.base import Connection, Observer
from mtproto.crypto.auth_key import AuthKey
from mtproto.crypto.rsa import PrivateKey
from mtproto.errors import LocalProtocolError
from mtproto.side import Side
from mtproto.testing.transcript.dissector import Dissector
from mtproto.testing.transcript.files import Entry, entry_line, header_line
from mtproto.testing.transcript.key_log import KeyLog, NoSecrets, Secrets, open_private
from mtproto.testing.transcript.reading import API
from mtproto.transport import ProxySecret
from tl.registry import registry_of

__all__ = ["Recorder", "StreamRecorder", "is_same_file"]

_DIRECTIONS: Final = ("out", "in")


class Recorder:
    """Writes a transcript to `file`, and to `key_log` the secrets by which it was read, where one is given.

    `clock` gives unix time in seconds; `mtproxy_secret`, `rsa_keys` and `schemas` are those of `Dissector`, for all
    connections.  It raises LocalProtocolError for what it can't record.
    """

    def __init__(
        self,
        file: TextIO,
        *,
        key_log: TextIO | None = None,
        clock: Callable[[], float] = time.time,
        mtproxy_secret: ProxySecret | str | bytes | None = None,
        rsa_keys: Sequence[PrivateKey] = (),
        schemas: Sequence[object] = API,
    ) -> None:
        for given, what in ((file, "a file"), (key_log, "key_log")):
            if given is not None and not _takes_text(given):
                raise LocalProtocolError(f"got {given!r:.60} for {what}, expected a file that takes text")
        self.clock = clock
        self._file = file
        self._key_log = key_log
        self._mtproxy_secret = mtproxy_secret
        self._rsa_keys = rsa_keys
        self._schemas = schemas
        self._count = 0
        self._streams: WeakSet[StreamRecorder] = WeakSet()  # a server has many, and each ends some day
        self._logged: set[str] = set()
        self._stack = ExitStack()
        layers = [registry_of(schema).layer for schema in schemas]
        self._write(file, header_line(layers[0] if layers else None))

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], *, key_log: str | os.PathLike[str] | None = None, **options: Any
    ) -> Recorder:
        """A recorder that writes to these files, and has to be closed; `options` are those of the class.

        Only its owner can read the key log.
        """
        if key_log is not None and is_same_file(path, key_log):
            raise LocalProtocolError(
                f"got {path!r:.60} for the transcript and for its key log, expected two files"
            )
        with ExitStack() as stack:
            file = stack.enter_context(Path(path).open("w", encoding="utf-8"))
            keys = None
            if key_log is not None:
                descriptor = open_private(key_log)
                keys = stack.enter_context(os.fdopen(descriptor, "w", encoding="ascii"))
            recorder = cls(file, key_log=keys, **options)
            recorder._stack = stack.pop_all()
        return recorder

    def close(self) -> None:
        """Write what is left, and close the files that `open` has opened."""
        for stream in sorted(self._streams, key=lambda stream: stream.number):
            stream.stop()
        self._streams.clear()
        self._stack.close()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # What is recorded

    def client(self, connection: Connection[Any]) -> None:
        """Record this client's connection, before its first byte, and those that go on where it ends."""
        connection.observer = self._watch(connection, ClientConnection, Side.CLIENT)

    def server(self, connection: Connection[Any]) -> None:
        """Record this server's connection, before its first byte."""
        connection.observer = self._watch(connection, ServerConnection, Side.SERVER)

    def _watch(self, connection: Connection[Any], expected: type, side: Side) -> Observer:
        if not isinstance(connection, expected):
            raise LocalProtocolError(f"got {connection!r:.60}, expected a {expected.__name__}")
        if connection.has_begun:
            raise LocalProtocolError("the connection has begun: it has to be recorded from its first byte on")
        return self.observer(connection, side)

    def observer(self, connection: Connection[Any], side: Side) -> Observer:
        """Who is to be told of this connection, also of what has gone before, by hand."""
        return _Watch(self, connection, side)

    def tap(self, secrets: Secrets | None = None, side: Side = Side.CLIENT) -> Callable[[str, bytes], None]:
        """A function of "out" or "in" and raw bytes, for the socket of `side` in one connection."""
        stream = self.stream(secrets)

        def tap(direction: str, data: bytes) -> None:
            if direction not in _DIRECTIONS:
                raise LocalProtocolError(f"got {direction!r:.60} for a direction, expected 'out' or 'in'")
            stream.feed(side if direction == "out" else side.peer, data)

        return tap

    def stream(self, secrets: Secrets | None = None) -> StreamRecorder:
        """The next connection, whose bytes will be told by hand."""
        if secrets is not None and not hasattr(secrets, "auth_key"):
            raise LocalProtocolError(f"got {secrets!r:.60} for secrets, expected a KeyLog, or None")
        noting = _Noting(NoSecrets() if secrets is None else secrets)
        dissector = Dissector(
            noting, mtproxy_secret=self._mtproxy_secret, rsa_keys=self._rsa_keys, schemas=self._schemas
        )
        stream = StreamRecorder(self, self._count, dissector, noting)
        self._count += 1
        self._streams.add(stream)
        return stream

    def write(self, entries: Sequence[Entry], secrets: KeyLog) -> None:
        """Write entries, and those of the secrets that were not written yet."""
        for entry in entries:
            self._write(self._file, entry_line(entry))
        self._file.flush()
        if self._key_log is None:
            return
        for line in secrets.lines():
            if line not in self._logged:
                self._logged.add(line)
                self._write(self._key_log, line)
        self._key_log.flush()

    @staticmethod
    def _write(file: TextIO, line: str) -> None:
        file.write(line + "\n")


class _Noting:
    """Secrets that remember which ones they were asked for, and had."""

    def __init__(self, secrets: Secrets) -> None:
        self.found: dict[bytes, AuthKey] = {}
        self._secrets = secrets

    def auth_key(self, key_id: bytes) -> AuthKey | None:
        key = self.found.get(key_id) or self._secrets.auth_key(key_id)
        if key is not None:
            self.found[key_id] = key  # it is read on with, also after its owner has forgotten it
        return key

    def new_nonce(self, server_nonce: bytes) -> bytes | None:
        return self._secrets.new_nonce(server_nonce)


class StreamRecorder:
    """One connection of a recorder, with its `number`: the bytes of either side come in as they are sent."""

    def __init__(self, recorder: Recorder, number: int, dissector: Dissector, noting: _Noting) -> None:
        self._recorder = recorder
        self.number = number
        self._dissector = dissector
        self._noting = noting

    def feed(self, side: Side, data: bytes) -> None:
        """`side` has sent these bytes, now."""
        if not isinstance(data, bytes | bytearray | memoryview):
            raise LocalProtocolError(f"got {data!r:.60}, expected bytes")
        self._write(
            [Entry(self.number, r) for r in self._dissector.feed(self._now(), _side(side), bytes(data))]
        )

    def lost(self, side: Side, payload: bytes, how: str) -> None:
        """`side` has sealed this, now, and it is in no stream."""
        records = self._dissector.lost(self._now(), _side(side), payload, how)
        self._write([Entry(self.number, record) for record in records])

    def end(self, side: Side) -> None:
        """`side` has closed its end, now."""
        self._write([Entry(self.number, r) for r in self._dissector.end(self._now(), _side(side))])

    def stop(self) -> None:
        """No more will be told: what is left of both streams."""
        self._write([Entry(self.number, r) for r in self._dissector.rest(self._now())])

    def _now(self) -> float:
        return round(self._recorder.clock(), 6)

    def _write(self, entries: Sequence[Entry]) -> None:
        self._recorder.write(entries, KeyLog(self._noting.found, self._dissector.new_nonces))


class _Watch:
    """The observer of a connection, which tells its secrets itself."""

    def __init__(self, recorder: Recorder, connection: Connection[Any], side: Side) -> None:
        self._recorder = recorder
        self._stream = recorder.stream(connection)
        self._side = side

    def received(self, data: bytes) -> None:
        self._stream.feed(self._side.peer, data)

    def sent(self, data: bytes) -> None:
        self._stream.feed(self._side, data)

    def lost(self, side: Side, payload: bytes, how: str) -> None:
        self._stream.lost(side, payload, how)

    def ended(self) -> None:
        self._stream.end(self._side.peer)

    def closed(self) -> None:
        self._stream.end(self._side)

    def succeeded_by(self, connection: Connection[Any]) -> None:
        connection.observer = _Watch(self._recorder, connection, self._side)


def _side(side: Side) -> Side:
    if not isinstance(side, Side):
        raise LocalProtocolError(f"got {side!r:.60} for a side, expected Side.CLIENT or Side.SERVER")
    return side


def _takes_text(file: object) -> bool:
    return (
        hasattr(file, "write") and hasattr(file, "flush") and not isinstance(file, RawIOBase | BufferedIOBase)
    )


def is_same_file(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    """Whether two paths name one file, be it there already or not."""
    return os.path.realpath(one) == os.path.realpath(other)
