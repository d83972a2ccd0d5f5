"""What the book says of a client's seq_nos; real clients are not that exact, so only a strict server asks (S5).

Specification: core.telegram.org/mtproto/service_messages_about_messages#notice-of-ignored-error-message,
core.telegram.org/mtproto/description#message-sequence-number-msg-seqno.
"""

from __future__ import annotations

from bisect import bisect_left

from mtproto import service
from mtproto.message import Message, constructor_id, is_content_related
from mtproto.session.bad_message import BadCode

__all__ = ["SequenceWatch"]

_REMEMBERED = 1000


class SequenceWatch:
    """The seq_nos of the last 1000 messages that were taken, in order of their msg_ids."""

    def __init__(self) -> None:
        self._taken: list[tuple[int, int]] = []

    def fault(self, message: Message) -> BadCode | None:
        """The code of what is wrong with the message's seq_no, None where nothing is."""
        return self._parity(message) or self._order(message.msg_id, message.seq_no)

    @staticmethod
    def _parity(message: Message) -> BadCode | None:
        number = constructor_id(message.body)
        if number == service.GzipPacked.CONSTRUCTOR_ID:
            return None  # it is what it holds: clients differ, and so do the documents
        if is_content_related(message.body) == bool(message.seq_no & 1):
            return None
        return BadCode.SEQ_NO_NOT_EVEN if message.seq_no & 1 else BadCode.SEQ_NO_NOT_ODD

    def _order(self, msg_id: int, seq_no: int) -> BadCode | None:
        """Below it only lower seq_nos, above it only higher ones; even ones may be equal."""
        place = bisect_left(self._taken, (msg_id, -(2**31)))
        least = 1 if seq_no & 1 else 0
        if any(before > seq_no - least for _, before in self._taken[:place]):
            return BadCode.SEQ_NO_TOO_LOW
        if any(after < seq_no + least for _, after in self._taken[place:]):
            return BadCode.SEQ_NO_TOO_HIGH
        return None

    def take(self, message: Message) -> None:
        """`message` was taken: others are compared with it."""
        place = bisect_left(self._taken, (message.msg_id, -(2**31)))
        if place < len(self._taken) and self._taken[place][0] == message.msg_id:
            return
        self._taken.insert(place, (message.msg_id, message.seq_no))
        if len(self._taken) > _REMEMBERED:
            del self._taken[0]
