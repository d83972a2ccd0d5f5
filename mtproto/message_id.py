"""Numbers of messages: msg_id, which is also the time of sending, and seq_no; made for those we send, and
judged for those we receive.

A msg_id is unix time * 2**32, its two lowest bits telling who sent it; ids of one sender only ever increase.
`MessageIdGenerator` and `SequenceNumbers` make the numbers of one session, `ReceivedWindow` keeps the
replays and the strays of the peer away.

Specification: core.telegram.org/mtproto/description#message-identifier-msg-id,
#message-sequence-number-msg-seqno; core.telegram.org/mtproto/security_guidelines#checking-msg-id
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from heapq import heappush, heappushpop
from math import isfinite
from typing import Final

from mtproto.errors import LocalProtocolError
from mtproto.side import Side

__all__ = [
    "MAX_AGE",
    "MAX_AHEAD",
    "MAX_SERVER_TIME",
    "MessageIdGenerator",
    "ReceivedWindow",
    "SequenceNumbers",
    "Verdict",
    "unix_time",
]

MAX_AGE: Final = 300
"""A message is refused this many seconds after it was created."""
MAX_AHEAD: Final = 30
"""A message is refused if it was created more than this many seconds in the future."""

MAX_SERVER_TIME: Final = 2**31 - 366 * 86_400
"""A server's clock is believed below this: our messages and temporary keys can tell such a time, and a year on."""

_SECOND = 2**32
_LOW = _SECOND - 1


def unix_time(msg_id: int) -> float:
    """When the message was created, in seconds of unix time, by the clock of its sender."""
    return msg_id / _SECOND


class MessageIdGenerator:
    """The msg_ids of what one side sends in one session: strictly increasing whatever the clock does.

    `clock` gives unix time in seconds as the machine knows it; `time_offset` seconds are added to it to get
    the server's time.  On the server the offset stays 0.
    """

    def __init__(self, side: Side, clock: Callable[[], float]) -> None:
        self.side = side
        self.time_offset = 0.0
        self._clock = clock
        self._last = 0

    def now(self) -> float:
        """The server's time as best known, in seconds of unix time."""
        return self._clock() + self.time_offset

    def synchronise(self, server_time: float) -> None:
        """Take `server_time`, in seconds of unix time, as what the server's clock shows now.

        Turning the clock back does not make ids decrease: they stay ahead of the time, only just growing,
        until it has caught up.  If that is too far ahead for the server, see `reset`.
        """
        self.time_offset = server_time - self._clock()

    def reset(self) -> None:
        """Forget the last id, so that the next is made of the time alone, even if it is lower than others.

        Only right along with a new session_id: within a session ids have to increase.
        """
        self._last = 0

    def next(self, *, answer: bool = False) -> int:
        """A msg_id for a message created now.

        A client's is divisible by 4; a server's is 1 modulo 4 for an `answer` to a message of the client and
        3 otherwise (a client does not make the distinction).  Its lower 32 bits are never all zero.  Raises
        LocalProtocolError if the time cannot be told by a msg_id, which ends in January 2038.
        """
        now = self.now()
        if not isfinite(now * _SECOND):
            raise LocalProtocolError(f"no msg_id can be made: the clock shows {now}")
        residue = 0 if self.side is Side.CLIENT else 1 if answer else 3
        msg_id = int(now * _SECOND) & ~3 | residue
        if msg_id <= self._last:
            msg_id = (self._last & ~3) + 4 | residue
        if not msg_id & _LOW:
            # A whole second: without a fraction of one, a server takes a msg_id for a forged one.
            msg_id += 4
        if msg_id >= 2**63:
            raise LocalProtocolError(
                f"no msg_id can be made: {msg_id} is no 64-bit number, the clock shows {now}"
            )
        self._last = msg_id
        return msg_id


class SequenceNumbers:
    """The seq_nos of what one side sends in one session.

    Twice the number of content-related messages sent before, plus one for a content-related message (one
    that the peer must acknowledge: requests and most answers; not msgs_ack, containers and gzip_packed).
    `content_related` is how many of those the session has sent already.
    """

    def __init__(self, content_related: int = 0) -> None:
        self._content_related = content_related

    def next(self, content_related: bool) -> int:
        """The seq_no of the next message, from 0 to 2**31 - 1; only content-related messages count.

        Raises LocalProtocolError when the numbers are used up, and a new session is due.
        """
        seq_no = 2 * self._content_related
        if seq_no >= 2**31:
            raise LocalProtocolError(f"no seq_no is left after {self._content_related} messages in a session")
        if content_related:
            self._content_related += 1
            seq_no += 1
        return seq_no


class Verdict(Enum):
    """What to think of a received msg_id; all but OK mean that the message is to be ignored."""

    OK = "ok"
    DUPLICATE = "duplicate"
    """Received before, which is normal after a resend: acknowledge it again, and do nothing else (C10)."""
    TOO_OLD_WINDOW = "too_old_window"
    """Lower than all that are remembered, so it cannot be told from a duplicate (C10)."""
    TOO_OLD_TIME = "too_old_time"
    """Created more than `MAX_AGE` seconds ago (C11)."""
    TOO_NEW_TIME = "too_new_time"
    """Created more than `MAX_AHEAD` seconds in the future (C11)."""
    PARITY = "parity"
    """Its two lowest bits are not those of the peer's messages: a reflected message, or a bug (C9)."""


class ReceivedWindow:
    """The last msg_ids that `side` has received in one session: the `size` highest are remembered.

    `check` changes nothing and `record` judges nothing: a msg_id is to be recorded only when its message has
    passed every other check too, or else who cannot even make a valid message could fill the window (C12).
    """

    def __init__(self, side: Side, size: int = 1000) -> None:
        if size < 1:
            raise LocalProtocolError(f"a window of {size} msg_ids remembers nothing; expected at least 1")
        self.side = side
        self.size = size
        self._known: set[int] = set()
        self._lowest: list[int] = []  # the same ids as a heap: the lowest is the first to be forgotten

    def __contains__(self, msg_id: int) -> bool:
        return msg_id in self._known

    def __len__(self) -> int:
        return len(self._known)

    def check(self, msg_id: int, now: float | None) -> Verdict:
        """The first rule that `msg_id` breaks, in the order parity, duplicate, window, time; or OK.

        `now` is the server's time in seconds, None while it is not trusted.  The time comes last so that
        who exempts a message from it, as a client must a bad_msg_notification that corrects its clock,
        still knows that all else is right.
        """
        if not self._parity_fits(msg_id):
            return Verdict.PARITY
        if msg_id in self._known:
            return Verdict.DUPLICATE
        if len(self._lowest) == self.size and msg_id < self._lowest[0]:
            return Verdict.TOO_OLD_WINDOW
        if now is not None:
            if msg_id < (now - MAX_AGE) * _SECOND:
                return Verdict.TOO_OLD_TIME
            if msg_id > (now + MAX_AHEAD) * _SECOND:
                return Verdict.TOO_NEW_TIME
        return Verdict.OK

    def _parity_fits(self, msg_id: int) -> bool:
        return msg_id & 1 == 1 if self.side is Side.CLIENT else msg_id & 3 == 0

    def record(self, msg_id: int) -> None:
        """Remember `msg_id`; if that is one too many, forget the lowest."""
        if msg_id in self._known:
            return
        self._known.add(msg_id)
        if len(self._lowest) < self.size:
            heappush(self._lowest, msg_id)
        else:
            self._known.remove(heappushpop(self._lowest, msg_id))
