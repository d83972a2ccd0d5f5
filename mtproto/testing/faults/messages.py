"""Messages that get lost, come twice, late, or changed; of either side, whole frames of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar
from weakref import WeakSet

from mtproto.errors import AuthKeyLost, LocalProtocolError, MTProtoError
from mtproto.side import Side
from mtproto.testing.faults.base import (
    Altered,
    Channel,
    Fault,
    Item,
    MessageFault,
    Passing,
    Scene,
    Tamper,
    number,
    whole,
)
from mtproto.testing.network import Ending

__all__ = [
    "Delay",
    "Drop",
    "DropAck",
    "DropAnswer",
    "DropRequest",
    "Duplicate",
    "FlipBit",
    "Reflect",
    "Reorder",
    "Replay",
    "Truncate",
]


@dataclass(frozen=True, slots=True)
class DropRequest(MessageFault):
    """A request gets lost, on a link that lives.

    Right: the client asks what became of it, hears that it was not received, and sends it again as a new message.
    """

    def concerns(self, passing: Passing) -> bool:
        return passing.side is Side.CLIENT and passing.holds("request")

    def instead(self, passing: Passing) -> Iterable[Item]:
        return ()


@dataclass(frozen=True, slots=True)
class DropAnswer(MessageFault):
    """An rpc_result gets lost, on a link that lives.

    Right: the client asks, hears that there is an answer, and gets it; the request is not executed again.
    """

    def concerns(self, passing: Passing) -> bool:
        return passing.side is Side.SERVER and passing.holds("rpc_result")

    def instead(self, passing: Passing) -> Iterable[Item]:
        return ()


@dataclass(frozen=True, slots=True)
class DropAck(MessageFault):
    """A msgs_ack gets lost, with what travels with it.

    Right: what was not acknowledged comes again, is acknowledged again, and has no other consequence.
    """

    side: Side = Side.CLIENT

    def concerns(self, passing: Passing) -> bool:
        return passing.side is self.side and passing.holds("msgs_ack")

    def instead(self, passing: Passing) -> Iterable[Item]:
        return ()


@dataclass(frozen=True, slots=True)
class _Sided(MessageFault):
    """A fault of any encrypted messages of one side."""

    side: Side = Side.SERVER

    def concerns(self, passing: Passing) -> bool:
        return passing.side is self.side and bool(passing.messages)


@dataclass(frozen=True, slots=True)
class Drop(_Sided):
    """Whatever message it is that comes next gets lost, on a link that lives.

    Right: what it was about is asked for, or comes again.
    """

    def instead(self, passing: Passing) -> Iterable[Item]:
        return ()


@dataclass(frozen=True, slots=True)
class Duplicate(_Sided):
    """A message comes twice.

    Right: the second is ignored, and acknowledged once more; a server executes nothing twice.
    """

    def instead(self, passing: Passing) -> Iterable[Item]:
        return passing.payload, passing.payload


@dataclass(frozen=True, slots=True)
class Reorder(Fault):
    """A message, that with number `nth`, comes after the next one of the same side.

    Right: both are taken, as long as their numbers are within the window.  (Bytes of a stream keep their order.)
    """

    nth: int = whole(0, least=0)
    side: Side = Side.SERVER

    def begin(self, scene: Scene) -> Tamper | None:
        held: list[bytes] = []
        count = 0

        def tamper(passing: Passing) -> Iterable[Item]:
            nonlocal count
            if passing.side is not self.side or not passing.messages:
                return (passing.payload,)
            count += 1
            if count == self.nth + 1:
                held.append(passing.payload)
                return ()
            late, held[:] = tuple(held), []
            return passing.payload, *late

        return tamper


@dataclass(frozen=True, slots=True)
class Delay(_Sided):
    """A message takes `seconds` longer, and others overtake it.

    Right: it is taken while it is less than 300 s old; after that a server says 16, and a client drops it.
    """

    seconds: float = number(40.0, least=0)

    def refusal(self, scene: Scene) -> str | None:
        is_possible = self.side is Side.SERVER or scene.pair is not None
        return None if is_possible else "only in a Pair a client's message can be delayed"

    def instead(self, passing: Passing) -> Iterable[Item]:
        passing.channel.send(passing.side, passing.payload, self.seconds)
        return ()


@dataclass(frozen=True, slots=True)
class Replay(_Sided):
    """A message comes a second time, `seconds` later: somebody has recorded it.

    Right: nothing changes, neither salt nor time nor what was seen.  It is a duplicate (C10, S7), or too old (C11,
    S3), and under a key or in a session that is over it is refused (C1, C8).
    """

    seconds: float = number(301.0, least=0)

    def refusal(self, scene: Scene) -> str | None:
        is_possible = self.side is Side.SERVER or scene.pair is not None
        return None if is_possible else "only in a Pair a client's message can be replayed"

    def instead(self, passing: Passing) -> Iterable[Item]:
        passing.channel.send(passing.side, passing.payload, self.seconds)
        return (passing.payload,)


@dataclass(frozen=True, slots=True)
class Reflect(MessageFault):
    """A message of the client's comes back to it.

    Right: its msg_key is not that of a server's message (C3): the client closes the connection.
    """

    is_the_servers: ClassVar[bool] = True

    def concerns(self, passing: Passing) -> bool:
        return passing.side is Side.CLIENT and bool(passing.messages)

    def instead(self, passing: Passing) -> Iterable[Item]:
        passing.channel.send(Side.SERVER, passing.payload)
        return (passing.payload,)


_IN_PAYLOAD = {
    "auth_key_id": (0, 8),
    "msg_key": (8, 24),
    "encrypted_data": (24, None),
    "padding": (-16, None),
}
_IN_FRAME = {"length": (0, 4), "seq": (4, 8), "crc": (-4, None)}


@dataclass(frozen=True, slots=True)
class FlipBit(_Sided):
    """A bit of a message is flipped: bit number `bit` of a field, in the order of the bytes, the lowest first.

    The fields are auth_key_id, msg_key, encrypted_data and padding (the last block of it), and those of the frame:
    length, and in the full framing seq and crc.

    Right: whoever gets it closes the connection, and no value ever comes of it.  A server says -404 first,
    whatever it was that did not fit.
    """

    field: str = "msg_key"
    bit: int = whole(0, least=0)
    errors: ClassVar[tuple[type[MTProtoError], ...]] = (AuthKeyLost,)

    def __post_init__(self) -> None:
        MessageFault.__post_init__(self)
        known = {**_IN_PAYLOAD, **_IN_FRAME}
        if self.field not in known:
            raise LocalProtocolError(
                f"FlipBit: no field is called {self.field!r}; known are: {', '.join(known)}"
            )
        start, stop = known[self.field]
        last = 191 if self.field == "encrypted_data" else 8 * ((stop or 0) - start) - 1
        if self.bit > last:  # there are at least three blocks
            raise LocalProtocolError(f"FlipBit: got bit {self.bit!r} of {self.field}, expected 0..{last}")

    def refusal(self, scene: Scene) -> str | None:
        if self.field in _IN_PAYLOAD:
            return None
        if self.side is Side.CLIENT and scene.pair is None:
            return "only in a Pair a client's frame can be changed"
        if self.field != "length" and scene.transport != "full":
            return f"{self.field} is a field of the full framing, not of {scene.transport or 'all of them'}"
        return None

    def instead(self, passing: Passing) -> Iterable[Item]:
        start, _ = {**_IN_PAYLOAD, **_IN_FRAME}[self.field]

        def flipped(data: bytes) -> bytes:
            changed = bytearray(data)
            changed[start + self.bit // 8] ^= 1 << self.bit % 8
            return bytes(changed)

        if self.field in _IN_FRAME:
            return (Altered(passing.payload, flipped),)
        return (flipped(passing.payload),)


@dataclass(frozen=True, slots=True)
class Truncate(MessageFault):
    """Of the frame of a server's message only `keep` bytes go out, and then the connection ends like this.

    Right: what has come of the frame is nothing.  The client comes back, and goes on where it was; nothing that was
    executed is executed again.
    """

    keep: int = whole(8, least=0)
    ending: Ending = Ending.FIN

    def __post_init__(self) -> None:
        MessageFault.__post_init__(self)
        if self.ending is Ending.SILENCE:
            raise LocalProtocolError(f"Truncate: got {self.ending!r:.60} for ending, expected FIN or RST")

    def concerns(self, passing: Passing) -> bool:
        return passing.side is Side.SERVER and bool(passing.messages)

    def instead(self, passing: Passing) -> Iterable[Item]:
        end = passing.channel.hang_up if self.ending is Ending.FIN else passing.channel.break_off
        end()
        return (Altered(passing.payload, lambda frame: frame[: self.keep]),)

    def begin(self, scene: Scene) -> Tamper | None:
        inner, ended = MessageFault.begin(self, scene), WeakSet[Channel]()

        def tamper(passing: Passing) -> Iterable[Item]:
            if passing.channel in ended and passing.side is Side.SERVER:
                return ()  # it would be taken for the rest of the frame
            items = tuple(inner(passing)) if inner is not None else (passing.payload,)
            if any(isinstance(item, Altered) for item in items):
                ended.add(passing.channel)
            return items

        return tamper
