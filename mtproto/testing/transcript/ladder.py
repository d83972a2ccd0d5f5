"""A transcript as rows to draw: a row for each frame, with what was said in it as items.

    records ──▶ rows ──▶ the terminal (mtproto.cli.ladder), a page (`page`), a picture (`picture`)

Here is what is shown of a message, and of what kind it is; how that looks is for those who draw.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from mtproto import service
from mtproto.side import Side
from mtproto.testing.transcript.around import closed_text, code_text, facts, opening_text
from mtproto.testing.transcript.brief import brief, duration, many
from mtproto.testing.transcript.files import Transcript
from mtproto.testing.transcript.records import Cut, Ended, Lost, Opening, Plain, Record, Said, Sealed, Unread

__all__ = ["CLASSES", "TONES", "Item", "Row", "Tone", "rows", "summary"]

Tone = Literal["transport", "exchange", "request", "answer", "update", "service", "ack", "error", "unknown"]
TONES: Final[Mapping[Tone, str]] = {
    "request": "requests",
    "answer": "answers",
    "update": "updates",
    "error": "errors",
    "service": "service messages",
    "ack": "acknowledgements",
    "exchange": "key exchange",
    "transport": "transport",
    "unknown": "not decrypted",
}
"""The kinds of rows and items, and what a reader calls them."""
CLASSES: Final[Mapping[Tone, str]] = {
    "transport": "count",
    "exchange": "id",
    "request": "ink",
    "answer": "text",
    "update": "flags",
    "service": "number",
    "ack": "dim",
    "error": "bad",
    "unknown": "dim",
}
"""Their colours in `tl.palette`."""

_ERRORS: Final = ("rpc_error", "bad_msg_notification", "bad_server_salt")
_FIRST: Final = ("req_pq", "req_pq_multi")
_NONCES: Final = ("nonce", "server_nonce")
_FEW: Final = 3
_SHORT: Final = 8


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that was said: `title` is its name, `note` its seq_no and what it is about, `gist` its content."""

    said: Said
    depth: int
    tone: Tone
    title: str
    note: str = ""
    gist: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """What went from `side` to the other at `time`, in seconds since the transcript began.

    A frame with items is called after the first of them; a row without any has a `title` and a `note` of its own.
    `facts` are names and values of what is around: frame, envelope.  `lost` says how it got lost, if it did.
    """

    stream: int
    time: float
    side: Side
    size: int
    tone: Tone
    title: str
    note: str = ""
    items: tuple[Item, ...] = ()
    findings: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    lost: str = ""

    @property
    def tones(self) -> frozenset[Tone]:
        """Those of the row and of all that is in it."""
        return frozenset({self.tone, *(item.tone for item in self.items)})

    @property
    def is_wrong(self) -> bool:
        """Whether there are findings in it."""
        return bool(self.findings) or any(item.said.findings for item in self.items)


def rows(transcript: Transcript) -> list[Row]:
    """The rows of a transcript, in its order."""
    start = transcript.entries[0].record.time if transcript.entries else 0.0
    drawers: dict[int, _Drawer] = {}
    found: list[Row] = []
    for entry in transcript.entries:
        drawer = drawers.get(entry.stream)
        if drawer is None:
            drawer = drawers[entry.stream] = _Drawer(entry.stream, start)
        found += drawer.take(entry.record)
    for drawer in drawers.values():
        found += drawer.finish()
    return sorted(found, key=lambda row: row.time)


def summary(transcript: Transcript) -> str:
    """``1 connection, 12 frames, 17 messages, 2,212 bytes``, and how much is wrong."""
    records = [entry.record for entry in transcript.entries]
    frames = [record for record in records if isinstance(record, Cut)]
    said = sum(isinstance(record, Said) and record.kind in ("message", "contained") for record in records)
    lost = sum(isinstance(record, Lost) for record in records)
    wrong = sum(len(record.findings) for record in records)
    size = sum(len(r.data) for r in records if isinstance(r, Opening | Cut | Unread))
    parts = [
        many(len({entry.stream for entry in transcript.entries}), "connection"),
        many(len(frames), "frame"),
        many(said, "message"),
        many(size, "byte"),
        *([f"{lost:,} lost"] if lost else []),
        *([many(wrong, "finding")] if wrong else []),
    ]
    return ", ".join(parts)


class _Drawer:
    """The rows of one stream: a frame's row is whole when the next record is none of its own."""

    def __init__(self, stream: int, start: float) -> None:
        self._stream = stream
        self._start = start
        self._cut: Cut | Lost | None = None
        self._around: Plain | Sealed | None = None
        self._said: list[Said] = []
        self._names: dict[tuple[Side, int], tuple[str, float]] = {}
        self._sealed: set[tuple[Side, int | None, int]] = set()
        self._repeated: set[int] = set()

    def take(self, record: Record) -> Iterator[Row]:
        match record:
            case Plain() | Sealed():
                self._around = record
                return
            case Said():
                if record.msg_id is not None:
                    self._look_for_repetition(record, record.msg_id)
                    self._names[record.side, record.msg_id] = _title(record), record.time
                self._said.append(record)
                return
            case _:
                pass
        yield from self.finish()
        match record:
            case Cut() | Lost():
                self._cut = record
            case Opening():
                yield self._row(record, len(record.data), "transport", *opening_text(record))
            case Unread() if record.data or record.findings:
                note = "" if record.findings else "not read"
                title = f"{len(record.data):,} bytes" if record.data else "what follows is not read"
                yield self._row(record, len(record.data), "unknown", title, note)
            case Ended():
                yield self._row(record, 0, "transport", "end of the stream")
            case _:
                pass

    def _look_for_repetition(self, record: Said, msg_id: int) -> None:
        """Whether this session has had the message before; what is not encrypted has msg_ids of its own."""
        if isinstance(self._around, Sealed):
            place = record.side, self._around.session_id, msg_id
            if place in self._sealed:
                self._repeated.add(record.number)
            self._sealed.add(place)

    def finish(self) -> Iterator[Row]:
        """The row of the frame that is still open."""
        if self._cut is not None:
            yield self._frame(self._cut, self._around, self._said)
        self._cut, self._around, self._said = None, None, []

    def _row(self, record: Record, size: int, tone: Tone, title: str, note: str = "") -> Row:
        time = record.time - self._start
        tone = "error" if record.findings else tone
        return Row(self._stream, time, record.side, size, tone, title, note, findings=record.findings)

    def _frame(self, cut: Cut | Lost, around: Plain | Sealed | None, said: list[Said]) -> Row:
        size = len(cut.data)
        if isinstance(cut, Lost):
            return replace(self._message(cut, around, said), lost=cut.how)
        if cut.code is not None:
            return self._row(cut, size, "error", *code_text(cut.code))
        if cut.token is not None:
            name, _ = self._names.get((cut.side.peer, cut.acknowledges or 0), ("", 0.0))
            return self._row(cut, size, "transport", "quick ack", f"of {name}" if name else cut.token.hex())
        if around is None:
            return self._row(cut, size, "transport", "nothing", "padding only")
        return self._message(cut, around, said)

    def _message(self, cut: Cut | Lost, around: Plain | Sealed | None, said: list[Said]) -> Row:
        if around is None:
            return self._row(cut, len(cut.data), "unknown", "a message")
        items = tuple(self._items(said, isinstance(around, Plain)))
        findings = (*cut.findings, *around.findings)
        around_it = tuple(facts(cut, around))
        if not items:
            title, note = closed_text(around)
            tone: Tone = "unknown"
        else:
            tone, title, note = _loudest(items), items[0].title, items[0].note
        time = cut.time - self._start
        return Row(self._stream, time, cut.side, len(cut.data), tone, title, note, items, findings, around_it)

    # Items

    def _items(self, said: list[Said], is_exchange: bool) -> Iterator[Item]:
        depths: dict[int, int] = {}
        inside = {record.inside: record for record in said}
        results = {record.number for record in said if record.name == "rpc_result"}
        for record in said:
            depth = 0 if record.inside is None else depths.get(record.inside, 0) + 1
            depths[record.number] = depth
            if record.inside in results:
                results.add(record.number)
            tone = _tone(record, is_exchange=is_exchange, is_answer=record.number in results)
            note = _note(record, is_repeated=record.number in self._repeated)
            gist = self._gist(record, inside.get(record.number))
            yield Item(record, depth, tone, _title(record), note, gist)

    def _gist(self, record: Said, inside: Said | None) -> str:
        value = record.value if isinstance(record.value, dict) else {}
        skipped = () if record.name in _FIRST else _NONCES
        match record.name:
            case "rpc_error":
                return f"{value.get('error_code')} {value.get('error_message')}"
            case "bad_msg_notification" | "bad_server_salt":
                return f"code {value.get('error_code')}, of {self._name(record.side.peer, record.answers)}"
            case "rpc_result":
                return self._answered(record)
            case "msgs_ack":
                ids = value.get("msg_ids")
                return self._named(record.side.peer, ids if isinstance(ids, list) else [])
            case "msg_container":
                return ""
            case "new_session_created":
                return f"from {self._name(record.side.peer, record.answers)} on"
            case "pong":
                return f"to {self._name(record.side.peer, record.answers)}"
            case "future_salts":
                salts = value.get("salts")
                return many(len(salts) if isinstance(salts, list) else 0, "salt")
            case "msgs_state_req" | "msg_resend_req" | "msg_resend_ans_req":
                ids = value.get("msg_ids")
                return self._named(record.side, ids if isinstance(ids, list) else [])
            case "gzip_packed":
                return f"{record.size:,} bytes for {inside.size:,}" if inside else f"{record.size:,} bytes"
            case _:
                if not record.name:
                    return f"{record.body[:_SHORT].hex()}…"
                # Each message of the key exchange has them, and the first shows them.
                return brief({k: v for k, v in value.items() if k not in skipped} if value else record.value)

    def _answered(self, record: Said) -> str:
        name, asked_at = self._names.get((record.side.peer, record.answers or 0), (record.request, None))
        if not name:
            return f"to {record.answers}, which was not seen"
        return f"to {name}" + ("" if asked_at is None else f", after {duration(record.time - asked_at)}")

    def _name(self, side: Side, msg_id: object) -> str:
        found = self._names.get((side, msg_id)) if isinstance(msg_id, int) else None
        return found[0] if found else f"message {msg_id}"

    def _named(self, side: Side, ids: list[object]) -> str:
        names = [self._name(side, msg_id) for msg_id in ids[:_FEW]]
        more = len(ids) - len(names)
        return "of " + ", ".join(names) + (f" and {more:,} more" if more else "")


def _title(said: Said) -> str:
    """The name; of wrappers, with those of what is inside."""
    if not said.name:
        return f"{said.body[3::-1].hex() or 'nothing'}, in no schema"
    names, value = [said.name], said.value
    while isinstance(value, dict) and isinstance(value.get("query"), dict) and len(names) < _SHORT:
        value = value["query"]
        inner = value.get("_") or (value.get("value") or {}).get("_")
        if not isinstance(inner, str):
            break
        names.append(inner)
    return " › ".join(names)


def _note(said: Said, *, is_repeated: bool) -> str:
    again = ", again" if is_repeated else ""
    return "" if said.seq_no is None else f"seq {said.seq_no}{again}"


def _tone(said: Said, *, is_exchange: bool, is_answer: bool) -> Tone:
    if said.name in _ERRORS:
        return "error"
    if is_exchange:
        return "exchange"
    if said.name == "msgs_ack":
        return "ack"
    if is_answer:
        return "answer"
    if said.schema == service.SCHEMA.name:
        return "service"
    if not said.name:
        return "unknown"
    return "request" if said.side is Side.CLIENT else "update"


_LOUDNESS: Final[tuple[Tone, ...]] = (
    "error",
    "request",
    "answer",
    "update",
    "exchange",
    "unknown",
    "service",
    "ack",
    "transport",
)


def _loudest(items: Iterable[Item]) -> Tone:
    """What a frame is called after: of its items' tones, the one that a reader looks for most."""
    return min(
        (item.tone for item in items if item.said.name != "msg_container"),
        key=_LOUDNESS.index,
        default="service",
    )
