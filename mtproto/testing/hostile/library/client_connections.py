"""What a client does in its next connection, and with transports and quick acks: checks C8, C10, C15, C16, C22, X.

A client that does not come back, or begins anew, is right as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import pack
from zlib import crc32

from mtproto.testing.hostile.bodies import Answer
from mtproto.testing.hostile.choosing import AnyOf, Optional, Serve
from mtproto.testing.hostile.connecting import Again, Over, QuickAck, Reconnect
from mtproto.testing.hostile.conversation import Conversation
from mtproto.testing.hostile.expecting import Expect, ExpectClose, Silence
from mtproto.testing.hostile.happenings import Heard
from mtproto.testing.hostile.library.probes import (
    OPENING,
    flipped_at,
    refused,
    too_long_a_frame,
    zero_frame,
)
from mtproto.testing.hostile.nodes import Code, End, Node, Send
from mtproto.testing.hostile.stage import Stage

__all__ = ["CONVERSATIONS", "padded_by", "renumbered", "short_full"]

_OLD_SALT, _NEW_SALT = 55, 77
_NEW_KEY = [Expect("req_pq_multi", "req_pq"), End()]
_ASKS = AnyOf(Expect("request"), [Expect("msgs_state_req"), Send("msgs_state_info")], _NEW_KEY)
"""It sends its request again, or asks what became of it; or all is well, for it has begun anew."""
_RETURNS: tuple[Node, ...] = (Reconnect(optional=True), _ASKS)
_MORE = Optional(Expect("request"))
"""Who comes back may have more to say at once, that waited meanwhile."""


def _last_heard(computed: int, stage: Stage) -> int:
    return stage.heard[-1].msg_id


def _uses_new_salt(heard: Heard) -> bool:
    return heard.salt == _NEW_SALT


def _is_unaware(heard: Heard) -> bool:
    return not _uses_new_salt(heard)


def _uses_old_salt(heard: Heard) -> bool:
    return not heard.is_plain and heard.salt == _OLD_SALT


def _is_another_request(heard: Heard, stage: Stage) -> bool:
    return heard.body not in [h.body for h in stage.heard[:-1] if h.name == "request"]


def _other_session(computed: int, stage: Stage) -> int:
    """That of the connection before; another one, where the client goes on in it."""
    return next((i for i in reversed(stage.session_ids) if i != computed), computed ^ 1)


def _connections() -> Iterable[Conversation]:
    yield Conversation(
        [
            *OPENING,
            *_RETURNS,
            Send(Answer()),
            AnyOf(ExpectClose(), Silence(), Expect("request", where=_is_another_request, what="for more")),
        ],
        name="an answer in the next connection",
        check="C16",
        right="asks again, or what became of its request, and takes the answer",
    )
    yield Conversation(
        [
            *OPENING,
            Send("new_session_created", server_salt=_OLD_SALT),
            Send("bad_server_salt", new_server_salt=_NEW_SALT),
            Expect("request", where=_uses_new_salt, what="with the new salt"),
            *_RETURNS,
            Again(0),
            Send(Answer()),
            Serve(never=_uses_old_salt),
        ],
        name="a message of the connection before, to the letter",
        check="C10",
        right="ignores it: the salt in it is not used again",
    )
    yield Conversation(
        [
            *OPENING,
            *_RETURNS,
            Send(Answer()),
            Again(-1),
            AnyOf(ExpectClose(), Silence(), Expect("request", where=_is_another_request, what="for more")),
        ],
        name="an answer twice in the next connection, to the letter",
        check="C10",
        right="takes it once, and goes on",
    )
    yield Conversation(
        [
            *OPENING,
            Reconnect(optional=True),
            AnyOf(Expect("request", "msgs_state_req"), _NEW_KEY),
            Send("bad_server_salt", bad_msg_id=_last_heard, new_server_salt=_NEW_SALT),
            Optional(Expect("request", where=_is_unaware)),
            AnyOf(
                Expect("request", where=_uses_new_salt, what="with the new salt"),
                [
                    Expect("msgs_state_req", where=_uses_new_salt, what="with the new salt"),
                    Send("msgs_state_info"),
                ],
            ),
            Send(Answer()),
            Serve(),
        ],
        name="a salt that has changed between two connections",
        check="C15",
        right="says with the new salt what was refused",
    )
    yield Conversation(
        [
            *OPENING,
            Reconnect(optional=True),
            AnyOf(Expect("request", "msgs_state_req"), _NEW_KEY),
            _MORE,
            Code(-404),
            AnyOf(ExpectClose(), Silence(but=["req_pq_multi", "req_pq", "request"])),
        ],
        name="transport error -404 in the next connection",
        check="C22",
        right="closes; it agrees on no new key by itself in this connection",
    )
    yield refused(
        "a message of another session in the next connection",
        "C8",
        before=(*OPENING, *_RETURNS, _MORE),
        session_id=_other_session,
    )


def _quick_acks() -> Iterable[Conversation]:
    quick = Over("abridged", "intermediate", "padded")
    goes_on = AnyOf(
        ExpectClose(),
        [Silence(), Send(Answer()), AnyOf(ExpectClose(), Silence(), Expect("request"))],
    )
    yield Conversation(
        [*OPENING, quick, QuickAck(bytes.fromhex("12345687")), goes_on],
        name="a quick ack of no message",
        check="X9",
        right="ignores it, or closes",
    )
    yield Conversation(
        [
            *OPENING,
            quick,
            Send("bad_server_salt", new_server_salt=_NEW_SALT),
            Expect("request", where=_uses_new_salt, what="with the new salt"),
            QuickAck(lambda token, stage: stage.tokens[0]),
            goes_on,
        ],
        name="the quick ack of a message that was refused",
        check="X9",
        right="ignores it, or closes",
    )
    yield Conversation(
        [*OPENING, quick, QuickAck(), *_RETURNS, Send(Answer()), Serve()],
        name="a quick ack, and no answer",
        check="X9",
        right="takes it for no answer: it asks again in the next connection, or does not come back",
    )


def renumbered(frame: bytes) -> bytes:
    """A full frame with the number of the one after it, and the CRC-32 that goes with that."""
    head = frame[:4] + pack("<I", int.from_bytes(frame[4:8], "little") + 1) + frame[8:-4]
    return head + pack("<I", crc32(head))


def short_full(frame: bytes) -> bytes:
    """A full frame that says 8 bytes, and has them."""
    return pack("<II", 8, int.from_bytes(frame[4:8], "little"))


def padded_by(count: int, frame: bytes) -> bytes:
    """A padded frame, of which so many bytes stand behind the encrypted message."""
    payload = frame[4 : len(frame) - (len(frame) - 4 - 24) % 16]
    return pack("<I", len(payload) + count) + payload + bytes(range(count))


def _transports() -> Iterable[Conversation]:
    over_full = (*OPENING, Over("full"))
    yield refused("a full frame with a wrong CRC-32", "X6", before=over_full, frame=flipped_at(-1))
    yield refused("a full frame with the number of the next", "X6", before=over_full, frame=renumbered)
    yield refused("a full frame of 8 bytes", "X6", before=over_full, frame=short_full)
    yield Conversation(
        [
            *OPENING,
            Over("padded"),
            Send("bad_server_salt", new_server_salt=_NEW_SALT, frame=lambda f: padded_by(15, f)),
            Expect("request", where=_uses_new_salt, what="with the new salt"),
            Serve(),
        ],
        name="a padded frame with 15 bytes behind the message",
        check="X5",
        right="takes it",
    )
    for name, frame, check in (
        ("of no bytes", zero_frame, "X2"),
        ("of 64 MiB and more", too_long_a_frame, "X1"),
    ):
        yield Conversation(
            [*OPENING, Send("pong", frame=frame), ExpectClose()],
            name=f"a frame {name}",
            check=check,
            right="closes at once",
        )


CONVERSATIONS: tuple[Conversation, ...] = (*_connections(), *_quick_acks(), *_transports())
