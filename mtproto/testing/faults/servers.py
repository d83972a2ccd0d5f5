"""What happens to a server: its salts change, it forgets keys and sessions, it refuses to go on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from mtproto.errors import AuthKeyLost, FateUnknown, MTProtoError, TransportCodeReceived
from mtproto.session import BadMessage
from mtproto.side import Side
from mtproto.testing.faults.base import Fault, Item, MessageFault, Passing, Scene, Tamper, whole

__all__ = ["KeyLoss", "SaltRotation", "SaltStorm", "ServerRestart", "TransportError"]


class _OfRequests(MessageFault):
    """A fault that happens when a request comes."""

    __slots__ = ()
    is_the_servers = True

    def concerns(self, passing: Passing) -> bool:
        return passing.side is Side.CLIENT and passing.holds("request")


@dataclass(frozen=True, slots=True)
class SaltRotation(Fault):
    """The server_salt changes once `pending` requests wait for their answers, or have come in one message.

    The one before is good for half an hour more only with `keep_previous`.

    Right: what was refused for its salt is sent again with the new one, once; nothing is executed twice.
    """

    is_the_servers: ClassVar[bool] = True
    pending: int = whole(0, least=0)
    keep_previous: bool = False

    def begin(self, scene: Scene) -> Tamper | None:
        done = False

        def tamper(passing: Passing) -> Iterable[Item]:
            nonlocal done
            if not done and passing.side is Side.CLIENT and passing.messages:
                coming = sum(said.name == "request" for said in passing.messages)
                waiting = sum(len(session.open_requests) for session in scene.state.sessions.values())
                if coming + waiting >= self.pending:
                    done = True
                    _rotate(scene, self.keep_previous)
            return (passing.payload,)

        return tamper


@dataclass(frozen=True, slots=True)
class SaltStorm(_OfRequests):
    """With each of `times` messages with a request the server_salt is another one, and the one before is no good.

    Right: each bad_server_salt makes the client send again, though not for ever: after five times the call fails.
    """

    errors: ClassVar[tuple[type[MTProtoError], ...]] = (BadMessage,)

    def instead(self, passing: Passing) -> Iterable[Item]:
        _rotate(passing.scene, False)
        return (passing.payload,)


def _rotate(scene: Scene, keep_previous: bool) -> None:
    for key_id in tuple(scene.state.salts):
        scene.state.rotate_salt(key_id, keep_previous=keep_previous)


@dataclass(frozen=True, slots=True)
class KeyLoss(_OfRequests):
    """The server forgets all auth keys, with their sessions, before it looks at a request.

    Right: it answers -404, and every call ends at once with AuthKeyLost; no new key is made in silence.
    """

    errors: ClassVar[tuple[type[MTProtoError], ...]] = (AuthKeyLost,)

    def instead(self, passing: Passing) -> Iterable[Item]:
        for key_id in tuple(passing.scene.state.keys):
            passing.scene.state.forget_key(key_id)
        return (passing.payload,)


@dataclass(frozen=True, slots=True)
class TransportError(_OfRequests):
    """In place of looking at a request the server sends a transport error, such as -429, and hangs up.

    Right: the client takes its time to come back, longer each time, and says so if that leads nowhere; -404 means
    that the key is lost, and -444 that it is the wrong data centre.
    """

    code: int = whole(-429, least=-(2**31), most=-1)
    errors: ClassVar[tuple[type[MTProtoError], ...]] = (TransportCodeReceived, FateUnknown)

    def instead(self, passing: Passing) -> Iterable[Item]:
        passing.channel.send(Side.SERVER, self.code.to_bytes(4, "little", signed=True))
        passing.channel.hang_up()
        return ()


@dataclass(frozen=True, slots=True)
class ServerRestart(_OfRequests):
    """The server crashes when a request has come, and starts again without sessions.

    Right: in the new session nobody knows what became of what was asked in the old one: FateUnknown, or sent again
    where it may be executed twice; what is asked after that is answered.
    """

    errors: ClassVar[tuple[type[MTProtoError], ...]] = (FateUnknown,)

    def instead(self, passing: Passing) -> Iterable[Item]:
        passing.scene.later(0.0, passing.scene.restart)
        return (passing.payload,)
