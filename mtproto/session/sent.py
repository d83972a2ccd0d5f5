"""What a session has sent: which msg_ids are its own, and the messages that the peer has not acknowledged.

A message that is sent again under its own msg_id is the same to the last byte, seq_no included, and travels in
a container: nothing is ever encrypted twice under one msg_id with another content (C20).

Specification: core.telegram.org/mtproto/service_messages_about_messages.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from mtproto.message import Message

__all__ = ["MAX_KEPT", "MAX_KEPT_BYTES", "SentMessages"]

MAX_KEPT = 1024
"""The most messages kept for a peer that does not acknowledge them; the oldest are given up first."""
MAX_KEPT_BYTES = 16 * 1024 * 1024
"""The most bytes of their bodies, together."""


class SentMessages:
    """The latest `max_known` msg_ids of a session, and the messages that still wait for an acknowledgement."""

    __slots__ = ("_containers", "_kept", "_kept_bytes", "_known", "_max_known", "_overdue")

    def __init__(self, max_known: int = 10_000) -> None:
        self._max_known = max_known
        self._known: dict[int, None] = {}
        self._containers: dict[int, tuple[int, ...]] = {}
        self._kept: dict[int, tuple[Message, float]] = {}
        self._kept_bytes = 0
        self._overdue: deque[tuple[float, int]] = deque()  # in the order of sending; old entries are skipped

    def __contains__(self, msg_id: int) -> bool:
        """Whether this is the msg_id of a message, or a container, that was sent lately."""
        return msg_id in self._known or msg_id in self._containers

    def add(self, message: Message, now: float) -> None:
        """`message` is sent, at `now`; it is kept until it is acknowledged, if that is to be expected."""
        self._know(message.msg_id)
        if message.seq_no & 1:
            self.acknowledge(message.msg_id)  # sent again: from now on it is the youngest
            self._kept[message.msg_id] = message, now
            self._overdue.append((now, message.msg_id))
            if len(self._overdue) > 2 * MAX_KEPT:
                self._forget_old_entries()
            self._kept_bytes += len(message.body)
            while len(self._kept) > MAX_KEPT or self._kept_bytes > MAX_KEPT_BYTES:
                self.acknowledge(next(iter(self._kept)))

    def _forget_old_entries(self) -> None:
        kept = ((sent_at, msg_id) for msg_id, (_, sent_at) in self._kept.items())
        still = set(self._overdue)
        self._overdue = deque(entry for entry in kept if entry in still)

    def add_container(self, msg_id: int, messages: Iterable[Message]) -> None:
        """A container with these messages is sent as `msg_id`."""
        self._know(msg_id)
        self._containers[msg_id] = tuple(message.msg_id for message in messages)
        while len(self._containers) > self._max_known:
            del self._containers[next(iter(self._containers))]

    def _know(self, msg_id: int) -> None:
        self._known[msg_id] = None
        while len(self._known) > self._max_known:
            del self._known[next(iter(self._known))]

    def parts(self, msg_id: int) -> tuple[int, ...]:
        """The messages that were sent as `msg_id`: those of a container, or the one itself."""
        return self._containers.get(msg_id, (msg_id,))

    def acknowledge(self, msg_id: int) -> None:
        """The peer has the message `msg_id`, or nobody cares any more: it is kept no longer."""
        kept = self._kept.pop(msg_id, None)
        if kept is not None:
            self._kept_bytes -= len(kept[0].body)

    def find(self, msg_id: int) -> Message | None:
        """The message `msg_id`, if it is still kept."""
        kept = self._kept.get(msg_id)
        return None if kept is None else kept[0]

    def unacknowledged(self) -> list[Message]:
        """The messages kept, in the order in which they were last sent."""
        return [message for message, _ in self._kept.values()]

    def oldest(self) -> float | None:
        """When the first of those was sent that are kept, and that `take_overdue` has not given yet."""
        while self._overdue:
            sent_at, msg_id = self._overdue[0]
            kept = self._kept.get(msg_id)
            if kept is not None and kept[1] == sent_at:
                return sent_at
            self._overdue.popleft()
        return None

    def take_overdue(self, until: float) -> list[Message]:
        """The messages kept that were sent at `until` or before; once for each time that they are sent."""
        overdue = []
        while (sent_at := self.oldest()) is not None and sent_at <= until:
            overdue.append(self._kept[self._overdue.popleft()[1]][0])
        return overdue
