"""The bytes of what was said, as a tree of spans: what `tl.hexdump` and `tl.html_dump` draw.

What carries others has only its own first bytes in its record, so that its tree is made by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mtproto import service
from mtproto.testing.transcript.reading import Schemas
from mtproto.testing.transcript.records import Said
from tl.findings import Finding
from tl.spans import CONSTRUCTOR_ID, COUNT, OPAQUE, Span

__all__ = ["MOST_BYTES", "Shown", "shown"]

MOST_BYTES: Final = 4096
"""Of a longer body the first bytes are shown, as they are."""
_CONTAINER: Final = "msg_container"
_RESULT: Final = "rpc_result"


@dataclass(frozen=True, slots=True)
class Shown:
    """Bytes with their tree, and what is wrong with them; `left_out` is how many there are besides."""

    data: bytes
    span: Span
    findings: tuple[Finding, ...] = ()
    left_out: int = 0


def shown(said: Said, schemas: Schemas) -> Shown:
    """What there is to show of `said`."""
    body = said.body
    if said.name in (_CONTAINER, _RESULT) and said.size > len(body):
        return Shown(body, _head(said))
    reading = schemas.reading(body, said.schema, said.as_type) if len(body) <= MOST_BYTES else None
    if reading is None:
        data = body[:MOST_BYTES]
        span = Span(0, len(data), "", OPAQUE, data)
        return Shown(data, span, left_out=len(body) - len(data))
    return Shown(body, reading.span, reading.findings)


def _head(said: Said) -> Span:
    """The tree of the first bytes of a container, or of rpc_result."""
    body = said.body
    number = int.from_bytes(body[:4], "little")
    begin = Span(0, 4, "", CONSTRUCTOR_ID, number, note=said.name)
    value = int.from_bytes(body[4:], "little", signed=True)
    if said.name == _CONTAINER:
        rest = Span(4, len(body), "messages", COUNT, value)
    else:
        kind = service.SCHEMA.wire_type("long")
        rest = Span(4, len(body), "req_msg_id", "long", value, kind=kind)
    return Span(0, len(body), "", said.name, None, (begin, rest), note=said.name)
