"""The nodes that listen for one thing: what has to come, or nothing at all; `choosing` has those for several.

What peers say at any time (`CHATTER`: acknowledgements, pings and the like) is passed over unless it is what is
expected; a server's script answers pings and questions for salts, as whoever asks may wait for that.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from mtproto import service
from mtproto.errors import LocalProtocolError
from mtproto.side import Side
from mtproto.testing.hostile.bodies import Service, body_of
from mtproto.testing.hostile.fields import check_callable, check_names, names_of, takes_two
from mtproto.testing.hostile.happenings import (
    Closed,
    CodeHeard,
    Elapsed,
    Happening,
    Heard,
    QuickAckHeard,
)
from mtproto.testing.hostile.nodes import Listening, Node, failed, listen, seconds

if TYPE_CHECKING:
    from mtproto.testing.hostile.stage import Stage

__all__ = [
    "CHATTER",
    "Expect",
    "ExpectClose",
    "ExpectCode",
    "ExpectQuickAck",
    "Expectation",
    "Never",
    "Silence",
    "first_of",
    "is_chatter",
]

CHATTER = frozenset(
    {
        *("msgs_ack", "ping", "ping_delay_disconnect", "get_future_salts", "http_wait", "rpc_drop_answer"),
        *("msgs_state_req", "msg_resend_req", "msg_resend_ans_req", "msgs_state_info", "msgs_all_info"),
        *("new_session_created", "future_salts", "update", "destroy_session"),
    }
)
"""What may come at any time, and is passed over where it is not expected."""

Never: TypeAlias = Callable[[Heard], object]
"""Whether a message is one that must not come."""

_GENERAL = ("request", "update", "any")
_OWED = {"ping": "pong", "ping_delay_disconnect": "pong", "get_future_salts": "future_salts"}


class Expectation(Node):
    """A node that listens for one thing."""

    @abstractmethod
    def fits(self, happening: Happening, stage: Stage) -> bool:
        """Whether this is it."""

    def patience(self, stage: Stage) -> float:
        """How many seconds it listens."""
        return stage.patience

    def play(self, stage: Stage) -> Listening:
        yield from first_of([self], stage)


def first_of(
    expected: Sequence[Expectation], stage: Stage, never: Never | None = None
) -> Generator[float, Happening, Expectation]:
    """Listen for one of these; ConversationFailed where something else comes, nothing, or what `never` may."""
    silences = [e for e in expected if isinstance(e, Silence)]
    longest = max(e.patience(stage) for e in expected)
    start = stage.clock()
    until = start + min((e.patience(stage) for e in silences), default=longest)
    nevers = [n for n in (never, *(n for e in silences for n in e.nevers)) if n is not None]
    while True:
        happening = yield from listen(stage, until)
        banned = [ban for ban in nevers if isinstance(happening, Heard) and ban(happening)]
        if not banned:
            for expectation in expected:
                if expectation.fits(happening, stage):
                    return expectation
        if isinstance(happening, Elapsed):
            happening = Elapsed(round(stage.clock() - start, 3))
        if banned or not is_chatter(happening, stage):
            got = f"{happening}{_must_not(banned[0])}" if banned else str(happening)
            raise failed(stage, [str(e) for e in expected], got)


def _must_not(never: Never) -> str:
    """What is wrong with it, as far as the function's name tells."""
    name = getattr(never, "__name__", "").strip("_")
    return ", which must not come" + (f": {name.replace('_', ' ')}" if name.isidentifier() else "")


def is_chatter(happening: Happening, stage: Stage) -> bool:
    """Whether it is passed over; a client's questions are answered then."""
    if isinstance(happening, QuickAckHeard):
        return True
    if not isinstance(happening, Heard) or happening.is_plain or happening.name not in CHATTER:
        return False
    if stage.side is Side.SERVER and happening.name in _OWED:
        stage.send(body_of(Service(_OWED[happening.name]), stage), {}, (), answer=True)
    return True


class Expect(Expectation):
    """A message of one of these TL names; "request" and "update" are the API's, "any" is any.

    `where` says of it (and, if it takes two arguments, of the stage) whether it is right, `what` says so in
    words; `within` is in seconds.  Other keywords are fields of the object, with a value or a function of it
    that says whether it is right; a message of the API's that has no such field is another one.
    """

    def __init__(
        self,
        *names: str,
        where: Callable[..., object] | None = None,
        what: str = "",
        within: float | None = None,
        **fields: Any,
    ) -> None:
        if not names:
            raise LocalProtocolError("Expect: got no names; any message is Expect('any')")
        _message_names("Expect", names)
        for name in names:
            if name not in _GENERAL:
                check_names(f"Expect: {name}", fields, _fields_of(name))
        check_callable("Expect: where", where)
        self.side = Side.SERVER if "request" in names else Side.CLIENT if "update" in names else None
        self.names = names
        self.where = where
        self.what = what
        self.fields = fields
        self.within = None if within is None else seconds(within, "Expect")

    def patience(self, stage: Stage) -> float:
        return stage.patience if self.within is None else self.within

    def fits(self, happening: Happening, stage: Stage) -> bool:
        if not isinstance(happening, Heard) or not {happening.name, "any"} & set(self.names):
            return False
        for name, wanted in self.fields.items():
            if not hasattr(happening.value, name):
                return False
            got = getattr(happening.value, name)
            if not (wanted(got) if callable(wanted) else got == wanted):
                return False
        return self.where is None or bool(_asked(self.where, happening, stage))

    def __str__(self) -> str:
        fields = ", ".join(f"{n} {'right' if callable(v) else f'{v!r:.40}'}" for n, v in self.fields.items())
        about = " ".join(part for part in (self.what, f"with {fields}" if fields else "") if part)
        return f"← {' or '.join(self.names)}{' ' if about else ''}{about}"


def _message_names(what: str, names: Iterable[Any]) -> frozenset[str]:
    """The names; LocalProtocolError for one that no message has."""
    found = tuple(names)
    for name in found:
        if not isinstance(name, str) or (name not in _GENERAL and name not in service.SCHEMA.declared):
            raise LocalProtocolError(f"{what}: no message is called {name!r:.60}")
    return frozenset(found)


def _fields_of(name: str) -> tuple[str, ...]:
    cls = service.SCHEMA.find(service.SCHEMA.declared[name][0])
    return () if cls is None else names_of(cls)


def _asked(where: Callable[..., object], heard: Heard, stage: Stage) -> object:
    return where(heard, stage) if takes_two(where) else where(heard)


class ExpectClose(Expectation):
    """The peer closes the connection."""

    def fits(self, happening: Happening, stage: Stage) -> bool:
        return isinstance(happening, Closed)

    def __str__(self) -> str:
        return "← the end of the connection"


class ExpectCode(Expectation):
    """A transport error: one of these codes, any if there are none."""

    side = Side.CLIENT

    def __init__(self, *codes: int) -> None:
        for code in codes:
            if type(code) is not int:
                raise LocalProtocolError(f"ExpectCode: got {code!r:.60}, expected an int")
        self.codes = codes

    def fits(self, happening: Happening, stage: Stage) -> bool:
        return isinstance(happening, CodeHeard) and (not self.codes or happening.code in self.codes)

    def __str__(self) -> str:
        return f"← transport error {' or '.join(map(str, self.codes))}".rstrip()


class ExpectQuickAck(Expectation):
    """A quick ack with this `token`; None: that of the last message that was sent."""

    side = Side.CLIENT

    def __init__(self, token: bytes | None = None) -> None:
        given: Any = token
        if token is not None and not (isinstance(given, bytes) and len(given) == 4):
            raise LocalProtocolError(f"ExpectQuickAck: got {token!r:.60} for a token, expected 4 bytes")
        self.token = token

    def fits(self, happening: Happening, stage: Stage) -> bool:
        if not isinstance(happening, QuickAckHeard):
            return False
        return happening.token == (stage.last_token if self.token is None else self.token)

    def __str__(self) -> str:
        return f"← a quick ack{' of that message' if self.token is None else f' {self.token.hex()}'}"


class Silence(Expectation):
    """Nothing but chatter for so many seconds, the script's `quiet` if None.

    `but` are names of messages that must not come, although they are chatter elsewhere; no message may be one of
    which `never` says so.
    """

    def __init__(
        self, time: float | None = None, *, but: Iterable[str] = (), never: Never | None = None
    ) -> None:
        names: Any = but
        if isinstance(names, str) or not isinstance(names, Iterable):
            raise LocalProtocolError(f"Silence: got {but!r:.60} for but, expected a list of names")
        self.time = None if time is None else seconds(time, "Silence")
        self.but = _message_names("Silence", but)
        check_callable("Silence: never", never)
        self.nevers: list[Never] = [lambda heard: heard.name in self.but, *([never] if never else [])]
        """Each says whether a message must not come."""

    def patience(self, stage: Stage) -> float:
        return stage.quiet if self.time is None else self.time

    def fits(self, happening: Happening, stage: Stage) -> bool:
        return isinstance(happening, Elapsed)

    def __str__(self) -> str:
        but = f", and no {' or '.join(sorted(self.but))}" if self.but else ""
        return f"silence{'' if self.time is None else f' for {self.time:g} s'}{but}"
