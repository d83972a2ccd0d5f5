"""What a recorded conversation says, as steps that either side can take again.

A step is one message, out of its container, with the numbers that it had; what answers what is known, so that a
replay can wait for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import tl
from mtproto import service
from mtproto.errors import RemoteProtocolError
from mtproto.message import constructor_id, unpack_gzip
from mtproto.side import Side
from mtproto.testing.transcript.again import insides, whole_body
from mtproto.testing.transcript.errors import TranscriptError
from mtproto.testing.transcript.files import Transcript
from mtproto.testing.transcript.reading import Schemas, asked
from mtproto.testing.transcript.records import Cut, Lost, Record, Said, Sealed

__all__ = ["REFUSALS", "Step", "kind_of", "script", "unanswered"]

_DROP: Final = "rpc_drop_answer"
REFUSALS: Final = ("bad_server_salt", "bad_msg_notification")
_ANSWERS: Final = ("rpc_result", *REFUSALS)


@dataclass(frozen=True, slots=True)
class Step:
    """One message of the recorded conversation; `kind` is what it is compared by: the innermost function's name.

    `outer` is the msg_id of the container that it came in, or its own; `answers` that of the message that it is
    about, which may be a container.
    """

    index: int
    side: Side
    msg_id: int
    outer: int
    name: str
    kind: str
    body: bytes
    answers: int | None


def script(transcript: Transcript, stream: int = 0, schemas: Schemas | None = None) -> tuple[Step, ...]:
    """The steps of one connection of a transcript.

    Raise TranscriptError where there is no such connection, nothing was said in it, or some of it is encrypted.
    """
    if not isinstance(transcript, Transcript):
        raise TranscriptError(f"got {transcript!r:.60}, expected a Transcript: Transcript.load reads a file")
    records = transcript.streams().get(stream)
    if records is None:
        raise TranscriptError(f"there is no connection {stream}, of {len(transcript.streams())}")
    closed = sum(isinstance(record, Sealed) and record.msg_id is None for record in records)
    if closed:
        raise TranscriptError(
            f"{closed} messages can't be decrypted: replay what `Transcript.opened` makes with their keys"
        )
    known = Schemas() if schemas is None else schemas
    steps: list[Step] = []
    seen: dict[tuple[Side, int], int] = {}
    containers = {r.number: r.msg_id for r in records if isinstance(r, Said) and r.name == "msg_container"}
    inside = insides(record for record in records if isinstance(record, Said))
    for said in _said(records):
        if said.msg_id is None or said.name == "msg_container" or (said.side, said.msg_id) in seen:
            continue  # what was sent again is the same message
        body = whole_body(said, inside)
        if body is None:
            raise TranscriptError(
                f"message {said.number}, of {said.size} bytes, is not all in the transcript"
            )
        kind = kind_of(body, known)
        outer = seen[said.side, said.msg_id] = containers.get(said.inside or 0) or said.msg_id
        if said.name in REFUSALS:  # what was refused, and is sent again, is another one
            seen = {key: around for key, around in seen.items() if said.answers not in (key[1], around)}
        steps.append(Step(len(steps), said.side, said.msg_id, outer, said.name, kind, body, said.answers))
    if not steps:
        raise TranscriptError(f"nothing was said in connection {stream} behind its key exchange")
    return tuple(steps)


def unanswered(steps: Sequence[Step]) -> frozenset[int]:
    """Which requests got neither an answer nor a refusal, and were not dropped by their client, by their index."""
    settled: set[int | None] = set()
    for step in steps:
        if step.side is Side.SERVER and step.name in _ANSWERS:
            settled.add(step.answers)
        elif step.side is Side.CLIENT and step.kind == _DROP:
            settled.add(_dropped(step))
    return frozenset(s.index for s in steps if _is_request(s) and not settled & {s.msg_id, s.outer})


def _is_request(step: Step) -> bool:
    """Whether it is owed an answer: a call of the API, or of what no schema has."""
    return step.side is Side.CLIENT and (step.kind not in service.SCHEMA.by_name or step.kind == _DROP)


def _dropped(step: Step) -> int | None:
    try:
        return int(service.decode(step.body, service.RpcDropAnswer).req_msg_id)
    except tl.DecodeError:
        return None


def kind_of(body: bytes, schemas: Schemas) -> str:
    """What a message is compared by: the name of its function, without wrappers and gzip_packed, or its id."""
    if constructor_id(body) == service.GzipPacked.CONSTRUCTOR_ID:
        try:
            body = unpack_gzip(body)
        except RemoteProtocolError:
            return "gzip_packed"
    return asked(schemas.meaning(body)).name or f"{constructor_id(body):08x}"


def _said(records: Sequence[Record]) -> Iterable[Said]:
    """What was said in encrypted frames; nobody has heard what got lost."""
    is_sealed = is_lost = False
    for record in records:
        if isinstance(record, Cut | Lost):
            is_sealed, is_lost = False, isinstance(record, Lost)
        elif isinstance(record, Sealed):
            is_sealed = not is_lost
        elif isinstance(record, Said) and is_sealed:
            yield record
