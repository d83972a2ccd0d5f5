"""What was recorded, dissected again: with more keys, another schema, the secret of a proxy.

The bytes of its frames come in as they came then.  Of a frame that was open then and is not now, what was said in
it is still there, and is read again; and where even that tells less than it did then, it is left as it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from struct import Struct
from typing import Any, Final

from mtproto.testing.transcript.dissector import Dissector
from mtproto.testing.transcript.records import Cut, Ended, Lost, Opening, Plain, Record, Said, Sealed, Unread

__all__ = ["dissect_again", "insides", "whole_body"]

_MESSAGE_HEAD: Final = Struct("<qii")


def dissect_again(records: Iterable[Record], *, forgetful: bool = True, **options: Any) -> list[Record]:
    """The records of one stream made again of the bytes in them, with other `options` of `Dissector`.

    What was opened or read then, and can't be now, gets lost where it is `forgetful`, and is kept where it is not.
    """
    dissector = Dissector(**options)
    found: list[Record] = []
    for group in _groups(records):
        match group[0]:
            case Opening() as opening if opening.transport:
                dissector.opened(opening)
                found.append(opening)
            case Cut() as cut:
                now = dissector.feed(cut.time, cut.side, cut.data)
                found += now if forgetful else _richer(dissector, now, group)
            case Lost() as lost:
                now = dissector.lost(lost.time, lost.side, lost.data, lost.how)
                found += now if forgetful else _richer(dissector, now, group)
            case Unread() as unread:
                found += dissector.feed(unread.time, unread.side, unread.data)
            case Ended() as ended:
                found += dissector.end(ended.time, ended.side)
            case _:
                pass
    found += dissector.rest(found[-1].time if found else 0.0)
    return found if forgetful else list(_numbered(found))


def _groups(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Each frame with what is in it, and each record that is in none."""
    group: list[Record] = []
    for record in records:
        if group and not isinstance(record, Plain | Sealed | Said):
            yield group
            group = []
        group.append(record)
    if group:
        yield group


# What was known then


def _richer(dissector: Dissector, now: list[Record], then: list[Record]) -> list[Record]:
    """What tells more of a frame."""
    if _tells(now) < _tells(then) and len(now) > 1:
        now = _with_body_of(dissector, now, then)
    return then if _tells(now) < _tells(then) else now


def _tells(group: Sequence[Record]) -> tuple[int, ...]:
    opened = sum(isinstance(record, Sealed) and record.msg_id is not None for record in group)
    said = [record for record in group if isinstance(record, Said)]
    acknowledged = sum(isinstance(record, Cut) and record.acknowledges is not None for record in group)
    return opened, len(said), sum(bool(record.name) for record in said), acknowledged


def _with_body_of(dissector: Dissector, now: list[Record], then: Sequence[Record]) -> list[Record]:
    """A frame with the envelope that it had, and what was said in it read by today's schemas."""
    said = [record for record in then if isinstance(record, Said)]
    sealed = then[1]
    if not isinstance(sealed, Sealed) or sealed.msg_id is None or sealed.seq_no is None or not said:
        return now
    body = whole_body(said[0], insides(said))
    if body is None:
        return now
    read = dissector.said(sealed.time, sealed.side, sealed.msg_id, sealed.seq_no, body)
    return [now[0], sealed, *read]


def _numbered(records: Iterable[Record]) -> Iterator[Record]:
    """The records with the messages counted from 1, whoever has counted them before."""
    count, numbers = 0, dict[int, int]()
    for record in records:
        if isinstance(record, Cut | Lost):
            numbers = {}
        if isinstance(record, Said):
            count += 1
            numbers[record.number] = count
            inside = None if record.inside is None else numbers.get(record.inside)
            record = replace(record, number=count, inside=inside)
        yield record


# Bodies put together


def insides(said: Iterable[Said]) -> Mapping[int, Sequence[Said]]:
    """What is directly in each message that carries others, by its number."""
    found: dict[int, list[Said]] = defaultdict(list)
    for record in said:
        if record.inside is not None:
            found[record.inside].append(record)
    return found


def whole_body(said: Said, inside: Mapping[int, Sequence[Said]]) -> bytes | None:
    """The body with what is in it, where the record has its first bytes only; None where some of it is missing."""
    parts = [said.body]
    if len(said.body) < said.size:
        for part in inside.get(said.number, ()):
            body = whole_body(part, inside)
            if body is None:
                return None
            if part.kind == "contained":
                parts.append(_MESSAGE_HEAD.pack(part.msg_id or 0, part.seq_no or 0, len(body)))
            parts.append(body)
    whole = b"".join(parts)
    return whole if len(whole) == said.size else None
