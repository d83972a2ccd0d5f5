"""The nodes of a conversation that send, wait and order others; `expecting` has those that listen.

A node is a generator while it is played: it yields until when it wants to listen, and is sent what it hears.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import islice
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeAlias

import tl
from mtproto.errors import LocalProtocolError, RemoteProtocolError
from mtproto.side import Side
from mtproto.testing.hostile.bodies import Body, Template, body_of, parted, template, text_of
from mtproto.testing.hostile.failure import ConversationFailed, ScriptWrong
from mtproto.testing.hostile.fields import check_names, check_values, checked_value, given
from mtproto.testing.hostile.happenings import Closed, Elapsed, Happening
from mtproto.testing.hostile.sealing import ENVELOPE, PLAIN

if TYPE_CHECKING:
    from mtproto.testing.hostile.stage import Stage

__all__ = [
    "MAX_NODES",
    "MAX_REPEATS",
    "MAX_SECONDS",
    "Close",
    "Code",
    "End",
    "Ended",
    "Listening",
    "Node",
    "Plain",
    "Raw",
    "Repeat",
    "Send",
    "Wait",
    "checked_nodes",
    "failed",
    "listen",
    "played",
    "seconds",
]

MAX_NODES = 1000
"""How many nodes a list of them may have."""
MAX_REPEATS = 2000
"""How often nodes may be repeated."""
MAX_SECONDS = 86_400
"""How long a node may wait."""

Listening: TypeAlias = Generator[float, Happening, None]
"""A node at work: it yields the time until which it listens."""


class Ended(Exception):
    """The conversation is over, and all was well."""


class Node(ABC):
    """One step of a conversation."""

    side: Side | None = None
    """Whose step it is, None for either."""
    exchanges_keys = False
    """Whether it belongs to a key exchange."""

    @abstractmethod
    def play(self, stage: Stage) -> Listening:
        """Do it."""

    @abstractmethod
    def __str__(self) -> str: ...

    def inner(self) -> tuple[tuple[Node, ...], ...]:
        """The lists of nodes in it."""
        return ()


def checked_nodes(nodes: Iterable[Node], what: str) -> tuple[Node, ...]:
    """The nodes; LocalProtocolError for what is none, and for a list of them that has no end."""
    found = tuple(islice(nodes, MAX_NODES + 1))
    if len(found) > MAX_NODES:
        raise LocalProtocolError(f"{what} never ends: it has more than {MAX_NODES} nodes; use Repeat")
    if not found:
        raise LocalProtocolError(f"{what} has no nodes")
    for index, node in enumerate(found, 1):
        if not isinstance(node, Node):
            raise LocalProtocolError(
                f"{what}: got {node!r:.60} as node {index}, expected Send, Expect and the like"
            )
    return found


def played(nodes: Iterable[Node], stage: Stage) -> Listening:
    """One node after the other, each in its place."""
    around = stage.place
    try:
        for index, node in enumerate(nodes, 1):
            stage.place = (*around, index)
            stage.count_step()
            try:
                yield from node.play(stage)
            except (Ended, ConversationFailed, LocalProtocolError):
                raise
            except (RemoteProtocolError, tl.DecodeError) as error:  # a function could not read what was heard
                raise failed(stage, [str(node)], f"something unreadable: {error}") from error
            except Exception as error:
                raise ScriptWrong(error, stage.place_text) from error
    finally:
        stage.place = around


def failed(stage: Stage, expected: Sequence[str], got: str) -> ConversationFailed:
    """The error; the conversation adds its name and the text of the node."""
    return ConversationFailed(
        "",
        "",
        node=stage.place_text,
        expected=expected,
        got=got,
        transcript=stage.transcript,
        seed=stage.seed,
    )


def listen(stage: Stage, until: float) -> Generator[float, Happening, Happening]:
    """What is heard next, or was heard before and left."""
    stage.count_step()
    if stage.pushed:
        return stage.pushed.popleft()
    return (yield until)


def seconds(value: Any, what: str, *, most: int = MAX_SECONDS) -> float:
    """The number; LocalProtocolError where it is none that one can wait."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not isfinite(value) or not 0 <= value <= most:
        raise LocalProtocolError(
            f"{what}: got {value!r:.40} seconds, expected a number from 0 to {most}: a script has to end"
        )
    return float(value)


def with_fields(text: str, fields: Iterable[str]) -> str:
    """What a node sends, and what of it is given."""
    names = ", ".join(fields)
    return f"→ {text}, {names} given" if names else f"→ {text}"


class Send(Node):
    """Send an encrypted message; `fields` are those of the envelope (`sealing.ENVELOPE`), None: computed.

    Where `body` is the name of a service message, its fields may be given too: Send("pong", ping_id=5).
    Raise LocalProtocolError for a field that does not exist.
    """

    def __init__(self, body: Body, **fields: Any) -> None:
        own, self.fields = parted(body, fields, ENVELOPE)
        check_names("an encrypted message", self.fields, ENVELOPE)
        check_values("an encrypted message", self.fields)
        self.body = template(own)
        self.side = self.body.side if isinstance(self.body, Template) else None

    def play(self, stage: Stage) -> Listening:
        body = body_of(self.body, stage)
        inside = self.body.given if isinstance(self.body, Template) else ()
        is_answer = isinstance(self.body, Template) and self.body.is_answer
        needs_ack = self.body.needs_ack if isinstance(self.body, Template) else None
        stage.send(body, self.fields, inside, answer=is_answer, needs_ack=needs_ack)
        yield from ()

    def __str__(self) -> str:
        inside = self.body.given if isinstance(self.body, Template) else ()
        return with_fields(text_of(self.body), (*inside, *given(self.fields)))


class Plain(Node):
    """Send a message that is not encrypted; `fields` are those of its envelope (`sealing.PLAIN`).

    Raise LocalProtocolError for a field that does not exist.
    """

    def __init__(self, body: Body, **fields: Any) -> None:
        check_names("a plain message", fields, PLAIN)
        check_values("a plain message", fields)
        self.body = template(body)
        self.fields = fields

    def play(self, stage: Stage) -> Listening:
        inside = self.body.given if isinstance(self.body, Template) else ()
        stage.send_plain(body_of(self.body, stage), self.fields, inside)
        yield from ()

    def __str__(self) -> str:
        inside = self.body.given if isinstance(self.body, Template) else ()
        return with_fields(f"{text_of(self.body)} in the clear", (*inside, *given(self.fields)))


class Code(Node):
    """Send a transport error, a server's step."""

    side = Side.SERVER

    def __init__(self, code: int) -> None:
        self.code: int = checked_value("Code", "code", code)

    def play(self, stage: Stage) -> Listening:
        stage.send_code(self.code)
        yield from ()

    def __str__(self) -> str:
        return f"→ transport error {self.code}"


class Raw(Node):
    """Send bytes in the stream as they are, without a frame and below any obfuscation.

    They may be a function of the stage.  A client's transport begins with its first frame: what is sent so before
    that takes its place.
    """

    def __init__(self, data: bytes | Callable[[Stage], bytes]) -> None:
        if not callable(data):
            checked_value("Raw", "data", data)
        self.data = data

    def play(self, stage: Stage) -> Listening:
        data: bytes = checked_value("Raw", "data", self.data(stage) if callable(self.data) else self.data)
        stage.note(f"→ {len(data)} raw bytes")
        stage.send_bytes(data)
        yield from ()

    def __str__(self) -> str:
        return "→ raw bytes" if callable(self.data) else f"→ {len(self.data)} raw bytes"


class Wait(Node):
    """Let so many seconds pass; what is heard meanwhile is for the nodes that follow."""

    def __init__(self, time: float) -> None:
        self.time = seconds(time, "Wait")

    def play(self, stage: Stage) -> Listening:
        until, kept = stage.clock() + self.time, list(stage.pushed)
        stage.pushed.clear()
        while not isinstance(happening := (yield until), Elapsed):
            kept.append(happening)
            if isinstance(happening, Closed):
                break
        stage.pushed.extend(kept)

    def __str__(self) -> str:
        return f"wait {self.time:g} s"


class Close(Node):
    """Close the connection."""

    def play(self, stage: Stage) -> Listening:
        stage.note("→ the end of the connection")
        stage.is_closed = True
        yield from ()

    def __str__(self) -> str:
        return "→ the end of the connection"


class End(Node):
    """The conversation is over here, and all is well: for alternatives."""

    def play(self, stage: Stage) -> Listening:
        yield from ()
        raise Ended

    def __str__(self) -> str:
        return "all is well"


class Repeat(Node):
    """The nodes so many times, at most `MAX_REPEATS`."""

    def __init__(self, times: int, *nodes: Node) -> None:
        if type(times) is not int or not 0 < times <= MAX_REPEATS:
            raise LocalProtocolError(
                f"Repeat: got {times!r:.40} times, expected an int from 1 to {MAX_REPEATS}: a script has to end"
            )
        self.times = times
        self.nodes = checked_nodes(nodes, "Repeat")

    def play(self, stage: Stage) -> Listening:
        for _ in range(self.times):
            yield from played(self.nodes, stage)

    def inner(self) -> tuple[tuple[Node, ...], ...]:
        return (self.nodes,)

    def __str__(self) -> str:
        return f"{self.times} times"


def walk(nodes: Iterable[Node]) -> Iterator[Node]:
    """All nodes, and those in them."""
    for node in nodes:
        yield node
        for inner in node.inner():
            yield from walk(inner)
