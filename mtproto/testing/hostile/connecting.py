"""Nodes about connections: another one, one that has to be of some transport, and what was said in those before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mtproto.errors import LocalProtocolError
from mtproto.side import Side
from mtproto.testing.hostile.fields import check_values, checked_value, settled
from mtproto.testing.hostile.happenings import Connected, Elapsed
from mtproto.testing.hostile.nodes import Ended, Listening, Node, failed, seconds
from mtproto.transport import FRAMINGS

if TYPE_CHECKING:
    from mtproto.testing.hostile.stage import Stage

__all__ = ["Again", "Over", "QuickAck", "Reconnect"]

_OBFUSCATED = "obfuscated"


class Reconnect(Node):
    """The connection ends, and the conversation goes on in the next one: with the key and the numbers that it had.

    A server's script waits for its client `within` so many seconds, the script's `patience` if None; if it is
    `optional` and nobody comes, all is well.  A client's may go on in a `new_session`.
    """

    def __init__(
        self, *, optional: bool = False, new_session: bool = False, within: float | None = None
    ) -> None:
        self.optional = optional
        self.new_session = new_session
        self.within = None if within is None else seconds(within, "Reconnect")
        self.side = Side.CLIENT if new_session else None

    def play(self, stage: Stage) -> Listening:
        if not stage.is_closed:
            stage.note("→ the end of the connection")
            stage.is_closed = True
        stage.pushed.clear()
        stage.awaits_connection = True
        until = stage.clock() + (stage.patience if self.within is None else self.within)
        while not isinstance(happening := (yield until), Connected):
            if isinstance(happening, Elapsed):
                stage.awaits_connection = False
                if self.optional:
                    stage.note("nobody comes back")
                    raise Ended
                raise failed(stage, ["← a new connection"], "none")
        if self.new_session:
            stage.new_session()

    def __str__(self) -> str:
        told = (
            *(("in a new session",) if self.new_session else ()),
            *(("or all is well",) if self.optional else ()),
        )
        return ", ".join(["the end of the connection, and a new one", *told])


class Again(Node):
    """Send an encrypted message of before once more, to the letter: 0 is the first that was sent, -1 the last."""

    def __init__(self, index: int = -1) -> None:
        if type(index) is not int:
            raise LocalProtocolError(f"Again: got {index!r:.40} for an index, expected an int")
        self.index = index

    def play(self, stage: Stage) -> Listening:
        stage.send_again(self.index)
        yield from ()

    def __str__(self) -> str:
        return f"→ the encrypted message {self.index} again, to the letter"


class QuickAck(Node):
    """Send a quick ack, a server's step; `token` is that of the last message, where it is None.

    Nothing is sent over a transport that has no quick acks.
    """

    side = Side.SERVER

    def __init__(self, token: Any = None) -> None:
        check_values("QuickAck", {"token": token})
        if isinstance(token, bytes) and len(token) != 4:
            raise LocalProtocolError(f"QuickAck: got a token of {len(token)} bytes, expected 4")
        self.token = token

    def play(self, stage: Stage) -> Listening:
        token = checked_value("QuickAck", "token", settled(self.token, stage.last_token, stage))
        if stage.wire.has_quick_acks:
            stage.send_quick_ack(token)
        yield from ()

    def __str__(self) -> str:
        return f"→ a quick ack{'' if self.token is None else ', token given'}"


class Over(Node):
    """Only over these transports: over another the conversation is over here, and all is well.

    They are names of framings, and "obfuscated".  Of a client that is known once it has said something.
    """

    def __init__(self, *transports: str) -> None:
        for name in transports:
            if name not in (*FRAMINGS, _OBFUSCATED):
                raise LocalProtocolError(
                    f"Over: got {name!r:.40}, expected {', '.join(FRAMINGS)} or {_OBFUSCATED}"
                )
        if not transports:
            raise LocalProtocolError("Over: got no transports")
        self.transports = transports

    def play(self, stage: Stage) -> Listening:
        if not {*stage.wire.name.split()} & {*self.transports}:
            stage.note(f"the transport is {stage.wire.name}: there is no more to it")
            raise Ended
        yield from ()

    def __str__(self) -> str:
        return f"only over {' or '.join(self.transports)}"
