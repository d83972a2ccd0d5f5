"""What a script hears of its peer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import tl
from mtproto.errors import TransportCodeReceived
from mtproto.testing.hostile.wording import described

__all__ = ["Closed", "CodeHeard", "Connected", "Elapsed", "Happening", "Heard", "QuickAckHeard", "Unreadable"]


@dataclass(frozen=True, slots=True)
class Heard:
    """A message: its TL name, or "request" or "update" for one of the API's, its numbers, its boxed bytes.

    `value` is what the service schema makes of it, None where that can't read it.  `container` is the msg_id of
    the container that it came in; containers themselves are not heard.  A plain message has no salt, no
    session_id and no seq_no: they are 0.
    """

    name: str
    body: bytes = field(repr=False)
    msg_id: int
    value: tl.TLObject | None = None
    seq_no: int = 0
    salt: int = 0
    session_id: int = 0
    container: int | None = None
    is_plain: bool = False

    def __str__(self) -> str:
        numbers = "plain" if self.is_plain else f"msg_id {self.msg_id}, seq_no {self.seq_no}"
        return f"{described(self.body)}  [{numbers}{'' if self.container is None else ', in a container'}]"


@dataclass(frozen=True, slots=True)
class CodeHeard:
    """A transport error of the server's."""

    code: int

    def __str__(self) -> str:
        return str(TransportCodeReceived(self.code))


@dataclass(frozen=True, slots=True)
class QuickAckHeard:
    """A quick ack of the server's."""

    token: bytes

    def __str__(self) -> str:
        return f"quick ack {self.token.hex()}"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Bytes that are no message, or none under the key that there is; `reason` says which rule they break."""

    reason: str

    def __str__(self) -> str:
        return f"something unreadable: {self.reason}"


@dataclass(frozen=True, slots=True)
class Closed:
    """The peer has closed the connection."""

    def __str__(self) -> str:
        return "the end of the connection"


@dataclass(frozen=True, slots=True)
class Connected:
    """There is a new connection, in which the conversation goes on."""

    def __str__(self) -> str:
        return "a new connection"


@dataclass(frozen=True, slots=True)
class Elapsed:
    """The time for which the script wanted to listen is over: so many seconds, where that is known."""

    seconds: float = 0.0

    def __str__(self) -> str:
        return f"nothing within {self.seconds:g} s"


Happening: TypeAlias = Heard | CodeHeard | QuickAckHeard | Unreadable | Closed | Connected | Elapsed
