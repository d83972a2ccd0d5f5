"""A conversation: a list of nodes, what it is called, which rule it tests, and what a right peer does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from mtproto.errors import LocalProtocolError
from mtproto.side import Side
from mtproto.testing.hostile.failure import ConversationFailed, NeverEnds, ScriptWrong
from mtproto.testing.hostile.nodes import Ended, Listening, Node, checked_nodes, played, walk
from mtproto.testing.hostile.stage import Stage

__all__ = ["Conversation"]


class Conversation:
    """What is said to a peer and expected of it, in order; it prints as a specification.

    `check` is the id of the rule that it tests, `right` what a right peer does.  It `examines` a client or a
    server; that is told by the nodes, or has to be said.  Raise LocalProtocolError for what makes no sense.
    """

    def __init__(
        self,
        nodes: Iterable[Node],
        *,
        name: str = "a conversation",
        check: str = "",
        right: str = "",
        examines: Side | None = None,
    ) -> None:
        side: Any = examines
        if side is not None and not isinstance(side, Side):
            raise LocalProtocolError(
                f"{name!r:.60}: got examines={side!r:.60}, expected Side.CLIENT or SERVER"
            )
        self.name = name
        self.check = check
        self.right = right
        self.nodes = checked_nodes(nodes, repr(name))
        sides = {node.side for node in walk(self.nodes)} - {None}
        if examines is not None:
            sides.add(examines.peer)
        if len(sides) != 1:
            what = (
                "either side could say this" if not sides else "some nodes are a client's, others a server's"
            )
            raise LocalProtocolError(f"{name!r}: {what}; say which side it examines=Side.CLIENT or SERVER")
        self.side = sides.pop() or Side.SERVER
        """The side that the script plays."""

    @property
    def examines(self) -> Side:
        """The side that the peer plays."""
        return self.side.peer

    @property
    def needs_ready_key(self) -> bool:
        """Whether it begins in a session: without a key exchange."""
        return not any(node.exchanges_keys for node in walk(self.nodes))

    def play(self, stage: Stage) -> Listening:
        """The nodes one after the other.

        Raise ConversationFailed where the peer does something else, NeverEnds where there is no end, ScriptWrong
        where a function or a value of the script raises something.
        """
        try:
            yield from played(self.nodes, stage)
        except Ended:
            return
        except ConversationFailed as error:
            error.name, error.check, error.node = self.name, self.check, self.text_of(error.node)
            error.args = ("\n".join(error.lines()),)
            raise error from None
        except NeverEnds as error:
            raise NeverEnds(error.why, self.text_of(error.node), repr(self.name)) from None
        except ScriptWrong as error:
            raise ScriptWrong(error.error, self.text_of(error.node), repr(self.name)) from error.error

    def text_of(self, place: str) -> str:
        """The number of a node with its text, as far as it is one of ours: some nodes have nodes of their own."""
        nodes, text = self.nodes, ""
        for index in map(int, filter(None, place.split("."))):
            if index > len(nodes):
                break
            text = str(nodes[index - 1])
            lists = nodes[index - 1].inner()
            nodes = lists[0] if len(lists) == 1 else ()
        return f"{place}: {text}" if text else place

    def __repr__(self) -> str:
        return f"<Conversation {self.name!r}, {len(self.nodes)} nodes>"

    def __str__(self) -> str:
        head = f"{self.name}{f' [{self.check}]' if self.check else ''}"
        right = [f"  right: {self.right}"] if self.right else []
        return "\n".join([head, *right, *(f"  {line}" for line in _lines(self.nodes, ""))])


def _lines(nodes: Iterable[Node], before: str) -> Iterator[str]:
    for index, node in enumerate(nodes, 1):
        number = f"{before}{index}"
        yield f"{number:<6}{node}"
        for place, inner in enumerate(node.inner()):
            choice = f"{number}{_letters(place)}." if len(node.inner()) > 1 else f"{number}."
            yield from _lines(inner, choice)


def _letters(place: int) -> str:
    """a to z, aa, ab and so on."""
    more, last = divmod(place, 26)
    return (_letters(more - 1) if more else "") + "abcdefghijklmnopqrstuvwxyz"[last]
