"""Acknowledgements that are owed: which messages, and until when they may wait for company.

Specification: core.telegram.org/mtproto/service_messages_about_messages#acknowledgment-of-receipt.
"""

from __future__ import annotations

__all__ = ["ACK_BATCH", "ACK_DELAY", "MAX_ACKS", "MAX_OWED", "OwedAcks"]

ACK_BATCH = 16
"""So many acknowledgements don't wait any longer."""
ACK_DELAY = 1.0
"""Seconds that an acknowledgement waits for a message to travel with; the specification allows 60."""
MAX_ACKS = 8192
"""The most msg_ids in one msgs_ack."""
MAX_OWED = 100_000
"""The most that are owed at a time; the oldest are given up first, and their messages will come again (C23)."""


class OwedAcks:
    """The msg_ids that we have to acknowledge, in order of arrival, each once."""

    def __init__(self) -> None:
        self._owed: dict[int, None] = {}
        self._since: float | None = None

    def __len__(self) -> int:
        return len(self._owed)

    def add(self, msg_id: int, now: float) -> None:
        """`msg_id` was received and is content-related."""
        if not self._owed:
            self._since = now
        self._owed[msg_id] = None
        if len(self._owed) > MAX_OWED:
            del self._owed[next(iter(self._owed))]

    def discard(self, msg_id: int) -> None:
        """`msg_id` needs no acknowledgement any more: its answer is one."""
        self._owed.pop(msg_id, None)

    def deadline(self) -> float | None:
        """When they have to be sent at the latest; None where nothing is owed."""
        return self._since + ACK_DELAY if self._owed and self._since is not None else None

    def are_due(self, now: float) -> bool:
        """Whether they should be sent even with no message to travel with."""
        deadline = self.deadline()
        return deadline is not None and (len(self._owed) >= ACK_BATCH or now >= deadline)

    def take(self, now: float) -> list[int]:
        """The msg_ids for one msgs_ack; they are owed no more."""
        taken = list(self._owed)[:MAX_ACKS]
        for msg_id in taken:
            del self._owed[msg_id]
        self._since = now
        return taken
