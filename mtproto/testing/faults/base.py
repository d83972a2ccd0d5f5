"""What a fault is, and what it may do to those between whom it happens.

A fault is a frozen value.  Installed on a scene, a `Pair` or a loopback server, it may watch every payload that
passes, put others in its place, and let things happen at other times.

    sealed payload ─▶ tampers, one after the other ─▶ none, one or more payloads ─▶ framed, sent
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from enum import Enum
from functools import cached_property, partial
from itertools import count
from math import inf
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeAlias

import tl
from mtproto import service
from mtproto.connection import ServerState
from mtproto.envelope import PLAIN_AUTH_KEY_ID, Cipher, Envelope, decode_plain
from mtproto.errors import LocalProtocolError, MTProtoError, RemoteProtocolError
from mtproto.events import SessionId
from mtproto.message import Message, pack_container
from mtproto.side import Side
from mtproto.testing.arguments import check_kind, check_number, check_whole
from mtproto.testing.ledger import Ledger, Said

if TYPE_CHECKING:
    from mtproto.testing.pair import Pair

__all__ = [
    "Altered",
    "Channel",
    "Fault",
    "Item",
    "MessageFault",
    "Passing",
    "Scene",
    "Tamper",
    "install",
    "items_of",
    "number",
    "one_of",
    "turns",
    "whole",
]


class Channel(Protocol):
    """One connection on a scene."""

    @property
    def transport(self) -> str:
        """What the framing in use is called."""

    def send(self, side: Side, payload: bytes, after: float = 0.0) -> None:
        """Let a payload go out as if `side` had sent it, so many seconds later; nothing if it is closed by then."""

    def hang_up(self) -> None:
        """The server closes the connection, once it has sent what is to be sent."""

    def break_off(self) -> None:
        """The connection breaks; what is on its way is lost, in both directions."""

    def send_quick_ack(self, token: bytes) -> None:
        """Let a quick ack go out, now; nothing where the transport has none."""

    def new_nonce(self, server_nonce: bytes) -> bytes | None:
        """The secret nonce of the key exchange under way, if it is the one with this `server_nonce`."""


class Scene(ABC):
    """Where faults happen: whose server it is, and what can be done there."""

    def __init__(self) -> None:
        self.retries: list[Callable[[], bool]] = []
        """Asked before each dh_gen_ok: whether it is to be dh_gen_retry."""
        self.failures: list[Callable[[], bool]] = []
        """Asked before these: whether it is to be dh_gen_fail."""

    def is_taken(self, key_id: bytes) -> bool:
        """What a server's `is_taken` says here: whether the client has to try another key."""
        return sum(asked() for asked in self.retries) > 0 or key_id in self.state.keys

    def is_refused(self, key_id: bytes) -> bool:
        """What a server's `is_refused` says here: whether the key exchange fails."""
        return sum(asked() for asked in self.failures) > 0  # each is asked, for each counts

    @property
    def exchanges_keys(self) -> bool:
        """Whether auth_keys are agreed on here."""
        return True

    @property
    @abstractmethod
    def state(self) -> ServerState:
        """The server's state."""

    @property
    def pair(self) -> Pair | None:
        """The Pair that it is; None on a server whose clients are not ours, and whose time is everyone's."""
        return None

    @property
    @abstractmethod
    def transport(self) -> str | None:
        """The transport that is spoken, None where that is for each client to say."""

    @abstractmethod
    def later(self, seconds: float, do: Callable[[], None]) -> None:
        """Let something happen in so many seconds, at the earliest after what happens now."""

    @abstractmethod
    def restart(self) -> None:
        """The server crashes, and starts again without sessions."""

    @abstractmethod
    def flush(self) -> None:
        """Let the server send what it has to."""

    def seal(
        self,
        side: Side,
        session: SessionId,
        messages: Sequence[Message],
        salt: int = 0,
        *,
        container: int | None = None,
    ) -> bytes:
        """A payload of this side with these messages, in a `container` if there is a msg_id for one."""
        message = messages[0]
        if container is not None:
            seq_no = 2 * ((messages[-1].seq_no + 1) // 2)
            message = Message(container, seq_no, pack_container(messages))
        envelope = Envelope(salt, session.session_id, message.msg_id, message.seq_no, message.body)
        return Cipher(self.state.keys[session.auth_key_id], side).seal(envelope, self.state.rng)

    def forge(self, session: SessionId, body: bytes, *, msg_id: int | None = None) -> bytes:
        """A payload that the server never sealed, in this session: its next msg_id, an even seq_no, `body`."""
        if msg_id is None:
            msg_id = self.state.sessions[session].ids.next(answer=True)
        return self.seal(Side.SERVER, session, [Message(msg_id, 0, body)])


@dataclass(frozen=True, slots=True)
class Altered:
    """A payload whose frame is changed on the way: `change` maps the frame's bytes to those that go out."""

    payload: bytes
    change: Callable[[bytes], bytes]


Item: TypeAlias = bytes | Altered
Tamper: TypeAlias = "Callable[[Passing], Iterable[Item]]"


class Passing:
    """A payload on its way, sent by `side` in the connection `channel`."""

    def __init__(self, scene: Scene, channel: Channel, side: Side, payload: bytes) -> None:
        self.scene = scene
        self.channel = channel
        self.side = side
        self.payload = payload

    @cached_property
    def messages(self) -> tuple[Said, ...]:
        """What is in it; nothing where it is plain, or can't be opened."""
        return Ledger(self.scene.state).open(self.side, self.payload, 0.0)

    @cached_property
    def plain(self) -> tl.TLObject | None:
        """What it says, where it is a plain message: one of the key exchange."""
        if self.payload[:8] != PLAIN_AUTH_KEY_ID:
            return None
        try:
            return service.decode(decode_plain(self.payload).body)
        except (RemoteProtocolError, tl.DecodeError):
            return None

    @property
    def session(self) -> SessionId | None:
        """The session that it belongs to."""
        return self.messages[0].session if self.messages else None

    def holds(self, *names: str) -> bool:
        """Whether one of these is in it: TL names of service messages, "request" or "update"."""
        return any(said.name in names for said in self.messages)


@dataclass(frozen=True, slots=True)
class Fault(ABC):
    """Something that goes wrong, and what is right then: the docstring of each says both.

    `errors` are those with which calls may end because of it, beside their answers.  Values that are not of the
    classes of their fields, or out of bounds (`whole`, `number`), raise LocalProtocolError.
    """

    errors: ClassVar[tuple[type[MTProtoError], ...]] = ()
    is_the_servers: ClassVar[bool] = False
    """Whether a client's messages concern it as they arrive, and not as they are sent."""

    def __post_init__(self) -> None:
        for each in fields(self):
            check = each.metadata.get("check") or _usual_check(each.default)
            if check is None:
                continue
            try:
                check(each.name, getattr(self, each.name))
            except LocalProtocolError as error:
                raise LocalProtocolError(f"{type(self).__name__}: {error}") from None

    def refusal(self, scene: Scene) -> str | None:
        """Why the fault makes no sense on this scene; None where it does."""
        return None

    @abstractmethod
    def begin(self, scene: Scene) -> Tamper | None:
        """Let it happen from now on; what it returns is asked about every payload."""


def whole(default: int, *, least: int, most: int | None = None) -> int:
    """A field of a fault: an int within these bounds."""
    return field(default=default, metadata={"check": partial(check_whole, least=least, most=most)})


def number(default: float, *, least: float = -inf, above: float = -inf, below: float = inf) -> float:
    """A field of a fault: a finite number within these bounds."""
    check = partial(check_number, least=least, above=above, below=below)
    return field(default=default, metadata={"check": check})


def _usual_check(default: object) -> Callable[[str, object], None] | None:
    """What a field has to be that says nothing of it: like its default, where that tells."""
    if isinstance(default, float):
        return check_number
    return partial(check_kind, kind=type(default)) if isinstance(default, bool | str | bytes | Enum) else None


def install(fault: Fault, scene: Scene) -> Tamper | None:
    """Let a fault happen on a scene; LocalProtocolError for what is none, or does not fit there."""
    if not isinstance(fault, Fault):
        raise LocalProtocolError(
            f"got {fault!r:.60} among the faults, expected objects of mtproto.testing.faults"
        )
    refusal = fault.refusal(scene)
    if refusal is not None:
        raise LocalProtocolError(f"{fault!r} does not fit here: {refusal}")
    return fault.begin(scene)


def items_of(
    tampers: Sequence[Tamper], scene: Scene, channel: Channel, side: Side, payload: bytes
) -> Iterator[Item]:
    """What goes out in place of a payload, once all tampers have been asked."""
    items: list[Item] = [payload]
    for tamper in tampers:
        items = [
            out
            for item in items
            for out in (tamper(Passing(scene, channel, side, item)) if isinstance(item, bytes) else (item,))
        ]
    yield from items


@dataclass(frozen=True, slots=True)
class MessageFault(Fault):
    """A fault that happens to messages: to the `nth` of those that it `concerns`, and to `times` in a row.

    They are counted from 0, from when the fault is installed.
    """

    nth: int = whole(0, least=0)
    times: int = whole(1, least=1)

    @abstractmethod
    def concerns(self, passing: Passing) -> bool:
        """Whether this is such a message."""

    @abstractmethod
    def instead(self, passing: Passing) -> Iterable[Item]:
        """What goes out in place of it."""

    def begin(self, scene: Scene) -> Tamper | None:
        is_due = turns(self.nth, self.times)

        def tamper(passing: Passing) -> Iterable[Item]:
            return self.instead(passing) if self.concerns(passing) and is_due() else (passing.payload,)

        return tamper


def turns(nth: int, times: int) -> Callable[[], bool]:
    """A function that is True when it is called for the `nth` time, counted from 0, and for so many `times`."""
    numbers = count()
    return lambda: nth <= next(numbers) < nth + times


def one_of(fault: Fault, kind: str, kinds: Iterable[str]) -> None:
    """Raise LocalProtocolError unless that is a kind of the fault's."""
    if kind not in kinds:
        what = type(fault).__name__
        raise LocalProtocolError(f"{what}: no kind is called {kind!r}; known are: {', '.join(kinds)}")
