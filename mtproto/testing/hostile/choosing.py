"""The nodes that listen for one of several things, whichever the peer chooses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mtproto.errors import LocalProtocolError
from mtproto.side import Side
from mtproto.testing.hostile.bodies import Answer, body_of
from mtproto.testing.hostile.expecting import (
    Expect,
    Expectation,
    ExpectClose,
    ExpectCode,
    Never,
    Silence,
    first_of,
    is_chatter,
)
from mtproto.testing.hostile.fields import check_callable
from mtproto.testing.hostile.happenings import Elapsed
from mtproto.testing.hostile.nodes import Listening, Node, checked_nodes, listen, played, seconds

if TYPE_CHECKING:
    from mtproto.testing.hostile.stage import Stage

__all__ = ["AnyOf", "Optional", "Refuses", "Rejects", "Serve"]


class AnyOf(Node):
    """One of these, whichever the peer chooses: nodes, or lists that begin with one that listens."""

    def __init__(self, *alternatives: Node | Sequence[Node]) -> None:
        if not alternatives:
            raise LocalProtocolError("AnyOf has no alternatives")
        self.alternatives = tuple(
            checked_nodes([a] if isinstance(a, Node) else a, f"alternative {i} of AnyOf")
            for i, a in enumerate(alternatives, 1)
        )
        self._leads = [(lead, rest) for rest in self.alternatives for lead in _leads(rest[0])]

    def play(self, stage: Stage) -> Listening:
        chosen = yield from first_of([lead for lead, _ in self._leads], stage)
        nodes = next(nodes for lead, nodes in self._leads if lead is chosen)
        yield from played(nodes[1:], stage)

    def inner(self) -> tuple[tuple[Node, ...], ...]:
        return self.alternatives

    def __str__(self) -> str:
        return "one of"


def _leads(node: Node) -> tuple[Expectation, ...]:
    """What an alternative may begin with."""
    if isinstance(node, Expectation):
        return (node,)
    if isinstance(node, Refuses):
        return node.leads
    if isinstance(node, Rejects):
        raise LocalProtocolError(
            "Rejects is no alternative: write [ExpectCode(), ExpectClose()] and ExpectClose()"
        )
    raise LocalProtocolError(f"an alternative has to begin with something that is expected, got {node}")


class Refuses(Node):
    """What a client does that does not take what it was told: it closes, begins another key exchange, or is silent.

    `but` and `never` are those of `Silence`.
    """

    side = Side.SERVER

    def __init__(self, *but: str, never: Never | None = None) -> None:
        self.leads: tuple[Expectation, ...] = (
            ExpectClose(),
            Expect("req_pq_multi", "req_pq"),
            Silence(but=but, never=never),
        )

    def play(self, stage: Stage) -> Listening:
        yield from first_of(self.leads, stage)

    def __str__(self) -> str:
        return "is refused: " + ", or ".join(map(str, self.leads))


class Optional(Node):
    """The nodes, if what they begin with comes `within` so many seconds (`quiet` if None); else nothing."""

    def __init__(self, *nodes: Node, within: float | None = None) -> None:
        self.nodes = checked_nodes(nodes, "Optional")
        self._leads = _leads(self.nodes[0])
        self.within = None if within is None else seconds(within, "Optional")

    def play(self, stage: Stage) -> Listening:
        until = stage.clock() + (stage.quiet if self.within is None else self.within)
        while True:
            happening = yield from listen(stage, until)
            if any(lead.fits(happening, stage) for lead in self._leads):
                yield from played(self.nodes[1:], stage)
                return
            if isinstance(happening, Elapsed):
                return
            if not is_chatter(happening, stage):
                stage.pushed.appendleft(happening)
                return

    def inner(self) -> tuple[tuple[Node, ...], ...]:
        return (self.nodes,)

    def __str__(self) -> str:
        return "if that comes"


class Rejects(Node):
    """What a server does that can't take a message: transport error -404 and the end of the connection.

    The end alone will do, and so will another code; to go on will not.
    """

    side = Side.CLIENT

    def __init__(self) -> None:
        self.leads: tuple[Expectation, ...] = (ExpectCode(), ExpectClose())

    def play(self, stage: Stage) -> Listening:
        if (yield from first_of(self.leads, stage)) is self.leads[0]:
            yield from first_of(self.leads[1:], stage)

    def __str__(self) -> str:
        return "is rejected: ← a transport error and the end of the connection, or the end alone"


class Serve(Node):
    """Answer requests honestly until the client closes or is silent; at least `least` of them have to come.

    No message may come of which `never` says so.
    """

    side = Side.SERVER

    def __init__(self, least: int = 0, *, never: Never | None = None) -> None:
        if type(least) is not int or least < 0:
            raise LocalProtocolError(f"Serve: got least={least!r:.40}, expected an int from 0")
        check_callable("Serve: never", never)
        self.least = least
        self.never = never

    def play(self, stage: Stage) -> Listening:
        count = 0
        leads = [Expect("request"), ExpectClose(), Silence()]
        while True:
            wanted = leads if count >= self.least else leads[:1]
            if (yield from first_of(wanted, stage, self.never)) is not leads[0]:
                return
            count += 1
            stage.send(body_of(Answer(), stage), {}, (), answer=True)

    def __str__(self) -> str:
        return f"requests are answered{f', {self.least} at least' if self.least else ''}"
