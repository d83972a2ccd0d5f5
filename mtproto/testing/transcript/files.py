"""Transcripts as files: lines of JSON, the first of which says what the file is (docs/transcripts.md).

    {"event": "transcript", "version": 1, "mtwire": "0.1.0", "layer": 228}
    {"event": "frame", "stream": 0, "time": 1700000000.25, "from": "client", …}

A line has the fields of its record (`records`), but for those that have their defaults; bytes are hexadecimal.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Final, cast

import tl
from mtproto import api
from mtproto.side import Side
from mtproto.testing.transcript.again import dissect_again
from mtproto.testing.transcript.errors import TranscriptError
from mtproto.testing.transcript.records import Cut, Ended, Lost, Opening, Plain, Record, Said, Sealed, Unread
from tl.json_text import parse_json

__all__ = ["EVENTS", "VERSION", "Entry", "Transcript", "entry_line", "header_line"]

VERSION: Final = 1
EVENTS: Final[dict[str, type[Record]]] = {
    "opening": Opening,
    "frame": Cut,
    "plain": Plain,
    "envelope": Sealed,
    "message": Said,
    "lost": Lost,
    "unread": Unread,
    "ended": Ended,
}
"""What a line is called under "event" → its record."""
_NAMES: Final = {cls: name for name, cls in EVENTS.items()}
_SIDES: Final = {"client": Side.CLIENT, "server": Side.SERVER}
_KINDS: Final = ("message", "contained", "unpacked", "result", "inner")


@dataclass(frozen=True, slots=True)
class Entry:
    """A record, and of which stream it is: the connections of a transcript are numbered from 0."""

    stream: int
    record: Record


def header_line(layer: int | None = api.LAYER) -> str:
    """The first line of a file, of a recorder whose API is of this layer."""
    head = {"event": "transcript", "version": VERSION, "mtwire": tl.__version__, "layer": layer}
    return json.dumps(head)


def entry_line(entry: Entry) -> str:
    """The line of an entry, without its end."""
    record = entry.record
    line: dict[str, object] = {"event": _NAMES[type(record)], "stream": entry.stream}
    for field in fields(record):
        value = getattr(record, field.name)
        if field.default is not MISSING and value == field.default:
            continue
        if isinstance(value, bytes):
            value = value.hex()
        elif isinstance(value, Side):
            line["from"] = value.name.lower()
            continue
        line[field.name] = value
    return json.dumps(line, ensure_ascii=False)


# Reading: each field is what its annotation says, or the file is damaged.


def _hex(value: object) -> bytes:
    if not isinstance(value, str):
        raise TypeError
    return bytes.fromhex(value)


def _typed(*types: type) -> Callable[[object], object]:
    def check(value: object) -> object:
        if type(value) not in types:
            raise TypeError
        return value

    return check


def _kind(value: object) -> object:
    if value not in _KINDS:
        raise ValueError
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError
    return tuple(value)


def _same(value: object) -> object:
    return value


_READERS: Final[dict[str, tuple[Callable[[object], object], str]]] = {
    "float": (_typed(float, int), "a number"),
    "int": (_typed(int), "a whole number"),
    "bool": (_typed(bool), "true or false"),
    "str": (_typed(str), "text"),
    "bytes": (_hex, "hexadecimal text"),
    "Kind": (_kind, " or ".join(_KINDS)),
    "tuple[str, ...]": (_texts, "a list of texts"),
    "object": (_same, "anything"),
}


def _read_entry(line: dict[str, Any], where: str) -> Entry:
    cls = EVENTS.get(cast("str", line.get("event")))
    if cls is None:
        raise TranscriptError(
            f"{where}: got the event {line.get('event')!r:.40}, expected {', '.join(EVENTS)}"
        )
    values: dict[str, Any] = {}
    for field in fields(cls):
        if field.name == "side":
            values["side"] = _SIDES.get(line.get("from", ""))
            if values["side"] is None:
                raise TranscriptError(
                    f"{where}: got {line.get('from')!r:.40} under 'from', expected client or server"
                )
        elif field.name in line:
            values[field.name] = _read_field(str(field.type), line[field.name], f"{where}: {field.name}")
        elif field.default is MISSING:
            raise TranscriptError(f"{where}: {field.name} is missing")
    stream = line.get("stream")
    if type(stream) is not int or stream < 0:
        raise TranscriptError(f"{where}: got {stream!r:.40} under 'stream', expected a number from 0")
    return Entry(stream, cls(**values))


def _read_field(annotation: str, value: object, where: str) -> object:
    reader, expected = _READERS[annotation.removesuffix(" | None")]
    try:
        return reader(value)
    except (TypeError, ValueError):
        raise TranscriptError(f"{where}: got {value!r:.40}, expected {expected}") from None


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a file holds: its entries in order, which version of mtwire wrote it, and its API's layer."""

    entries: tuple[Entry, ...]
    mtwire: str = tl.__version__
    layer: int | None = api.LAYER

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Transcript:
        """The transcript in a file; raise TranscriptError where it is none, and OSError."""
        try:
            with Path(path).open(encoding="utf-8") as file:
                return cls.parse(file)
        except UnicodeDecodeError as error:
            raise TranscriptError(f"not UTF-8: {error.reason} at byte {error.start}") from None

    @classmethod
    def parse(cls, lines: Iterable[str]) -> Transcript:
        """The transcript that these lines are; raise TranscriptError, with the line, where they are none."""
        numbered = _objects(lines)
        head = next(numbered, (1, {}))[1]
        if head.get("event") != "transcript":
            raise TranscriptError('line 1: no transcript, which begins with {"event": "transcript", …}')
        if head.get("version") != VERSION:
            raise TranscriptError(
                f"line 1: a transcript of version {head.get('version')!r:.20}, expected {VERSION}"
            )
        layer = head.get("layer")
        entries = tuple(_read_entry(line, f"line {number}") for number, line in numbered)
        return cls(entries, str(head.get("mtwire", "")), layer if type(layer) is int else None)

    def lines(self) -> Iterator[str]:
        """The lines of the file, without their ends."""
        yield header_line(self.layer)
        for entry in self.entries:
            yield entry_line(entry)

    def streams(self) -> dict[int, list[Record]]:
        """The records of each stream, in the order in which they began."""
        found: dict[int, list[Record]] = {}
        for entry in self.entries:
            found.setdefault(entry.stream, []).append(entry.record)
        return found

    def again(self, **options: Any) -> Transcript:
        """The same bytes dissected again with these options of `Dissector`, and nothing that was known before."""
        return self._again(forgetful=True, **options)

    def opened(self, **options: Any) -> Transcript:
        """The same transcript with what these options of `Dissector` open or read besides: with more keys, say."""
        return self._again(forgetful=False, **options)

    def _again(self, **options: Any) -> Transcript:
        entries = [
            Entry(stream, record)
            for stream, records in self.streams().items()
            for record in dissect_again(records, **options)
        ]
        entries.sort(key=lambda entry: entry.record.time)
        return Transcript(tuple(entries), self.mtwire, self.layer)


def _objects(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each line that is not empty, as the JSON object that it has to be, with its number."""
    for number, line in enumerate(lines, 1):
        if number == 1:
            line = line.removeprefix("\ufeff")  # some editors mark UTF-8 so
        if not line.strip():
            continue
        try:
            value = parse_json(line)
        except tl.JSONValueError as error:
            raise TranscriptError(f"line {number}: {error.message}") from None
        if not isinstance(value, dict):
            raise TranscriptError(f"line {number}: got {type(value).__name__}, expected an object")
        yield number, value
