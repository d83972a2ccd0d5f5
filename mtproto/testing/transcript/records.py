"""What a transcript is made of: a record for whatever was seen in one connection, in the order it was seen.

    Opening       the client's first bytes: which transport, whether obfuscated
    Cut           a frame, a quick ack or a transport error, cut from the stream
    Plain         a frame's message that is not encrypted
    Sealed        a frame's message that is: its envelope, as far as it could be opened
    Said          what was said in either: a body, or a part of one (`kind`)
    Lost          a message that was sealed, and never came to be bytes of the stream
    Unread        bytes of which nothing is known: behind damage, or under an unknown secret
    Ended         the end of the stream from one side

A `Cut` or a `Lost` is followed by the Plain or the Sealed in it, this by the Said in it.  `findings` say what is
wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from mtproto.side import Side

__all__ = ["Cut", "Ended", "Kind", "Lost", "Opening", "Plain", "Record", "Said", "Sealed", "Unread"]

Kind = Literal["message", "contained", "unpacked", "result", "inner"]
"""A message; one in a container; what was gzip_packed; what is in rpc_result; inner data of the key exchange."""


@dataclass(frozen=True, slots=True)
class Opening:
    """The client's `data` before its first frame: a prefix, an init of 64 bytes, or nothing.

    `transport` is what the framing is called, as in "obfuscated padded"; "" where it can't be told.  `dc` is
    what a proxy was asked for.
    """

    time: float
    side: Side
    transport: str
    data: bytes
    dc: int | None = None
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cut:
    """The bytes of one frame, at `offset` of what this side has sent behind its opening, without obfuscation.

    The message in it is ``data[start:end]``.  A quick ack has its `token`, and the msg_id that it `acknowledges`
    where that is known; a transport error its `code`.
    """

    time: float
    side: Side
    offset: int
    data: bytes
    start: int
    end: int
    quick_ack: bool = False
    token: bytes | None = None
    acknowledges: int | None = None
    code: int | None = None
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plain:
    """A message that is not encrypted, as in the key exchange."""

    time: float
    side: Side
    msg_id: int
    size: int
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted message; the fields from `salt` on are None where its key is not known, or msg_key is wrong.

    `size` is that of the body in bytes, as the envelope says; `padding` is what is behind it.
    """

    time: float
    side: Side
    auth_key_id: bytes
    msg_key: bytes
    is_known: bool
    salt: int | None = None
    session_id: int | None = None
    msg_id: int | None = None
    seq_no: int | None = None
    size: int | None = None
    padding: bytes | None = None
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """A body of `size` bytes, or a part of one: then `inside` is the `number` of the Said that it is in.

    What carries others (msg_container, rpc_result) has in `body` its own first bytes only: the rest is in the
    Said that follow.  `name` is the combinator's in TL, "" where no schema has it; `schema` says which does,
    `as_type` what it has to be if that is known.  `value` is what it means, in JSON (`tl.json_values`), None for
    what can't be read.  `answers` is the msg_id that it is about, `request` what was asked there.
    """

    time: float
    side: Side
    number: int
    kind: Kind
    body: bytes
    size: int
    inside: int | None = None
    msg_id: int | None = None
    seq_no: int | None = None
    name: str = ""
    schema: str = ""
    as_type: str | None = None
    value: object = None
    answers: int | None = None
    request: str = ""
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lost:
    """A message, `data`, that its side has sent as it thinks, and the other one never sees; `how` says why.

    Only a network in memory, that of a Pair, has any: others don't say what they lose.
    """

    time: float
    side: Side
    data: bytes
    how: str
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unread:
    """Bytes that could not be read, as on the wire; `offset` as of a `Cut`."""

    time: float
    side: Side
    offset: int
    data: bytes
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """One side has closed its end."""

    time: float
    side: Side
    findings: tuple[str, ...] = ()


Record: TypeAlias = Opening | Cut | Plain | Sealed | Said | Lost | Unread | Ended
