"""Clients of a Pair's server that are nobody's: they begin to say something, and that is all."""

from __future__ import annotations

from random import Random
from typing import Any

from mtproto.connection import ClientConnection, ServerConnection
from mtproto.errors import MTProtoError
from mtproto.side import Side
from mtproto.testing.line import Carried, End, Line
from mtproto.testing.network import Ending, Network
from mtproto.testing.timeline import Timeline

__all__ = ["Crowd"]


class Crowd:
    """Those that are there, each with a line of its own; they are told nothing, and their answers get lost.

    `open` are the lines that the server has not closed yet, `endings` why it has closed the others.
    """

    skew = 0.0

    def __init__(self, timeline: Timeline, random: Random) -> None:
        self.open: list[Line] = []
        self.endings: list[MTProtoError] = []
        self._timeline = timeline
        self._random = random
        self._queries: dict[Line, int] = {}

    def join(
        self,
        client: ClientConnection,
        server: ServerConnection,
        *,
        network: Network,
        silence: float | None,
        queries: int,
    ) -> None:
        """One more: after so many queries, each of which is a piece of the stream, it is silent."""
        number = len(self.open) + len(self.endings)
        timeline, random = self._timeline, self._random
        line = Line(
            number, self, client, server, network=network, timeline=timeline, random=random, silence=silence
        )
        self.open.append(line)
        self._queries[line] = queries
        if queries == 0:
            line.cut(Side.CLIENT, 0, Ending.SILENCE)
        line.pump()

    # What becomes of them

    def heard(self, end: End, events: list[Any]) -> None:
        """Nobody wants to know."""

    def wrote(self, end: End, data: bytes) -> None:
        """After its last query nothing of a client's arrives, nor what is said to it."""
        if end.side is Side.SERVER or end.line not in self._queries:
            return
        self._queries[end.line] -= 1
        if self._queries[end.line] == 0:
            del self._queries[end.line]
            for link, size in ((end.link, len(data)), (end.peer.link, 0)):
                link.cut(link.sent + size, Ending.SILENCE)

    def arrived(self, carried: Carried) -> None:
        """None of them has a session."""

    def doubted(self, carried: Carried) -> None:
        """None of them has a session."""

    def ended(self, end: End, reason: MTProtoError) -> None:
        """The server has closed a connection: the client is gone with it."""
        if end.side is Side.SERVER:
            self.endings.append(reason)
            self.open.remove(end.line)
            self._queries.pop(end.line, None)
            end.line.client.abandon()
            for link in end.line.links.values():
                link.drop()
            end.peer.pump()
