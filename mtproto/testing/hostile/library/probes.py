"""How it shows that a client has taken a message which it must not take.

A bad_server_salt about its request makes any client send that again, with the new salt: who does not, has not
taken it.  What is exempt from the check of msg_ids' time by good reason is not a probe for that: there
msgs_state_req is, which most clients answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mtproto.errors import LocalProtocolError
from mtproto.testing.hostile.bodies import Answer, Body, Service
from mtproto.testing.hostile.choosing import Refuses, Serve
from mtproto.testing.hostile.conversation import Conversation
from mtproto.testing.hostile.expecting import Expect, Silence
from mtproto.testing.hostile.happenings import Heard
from mtproto.testing.hostile.key_exchange import KeyExchange
from mtproto.testing.hostile.nodes import Node, Send
from mtproto.testing.hostile.stage import Stage

__all__ = [
    "BAD_SALT",
    "OPENING",
    "PROBE",
    "cut",
    "flipped_at",
    "has_bad_salt",
    "ignored",
    "is_another",
    "refused",
    "shifted",
    "too_long_a_frame",
    "zero_frame",
    "zeros",
]

BAD_SALT = 0x0BAD_5A17_0BAD_5A17
"""A salt that nobody may take."""
PROBE = Service("bad_server_salt", new_server_salt=BAD_SALT)
"""What a client that takes it acts upon."""
OPENING: tuple[Node, ...] = (KeyExchange(), Expect("request"))
"""A session with a request that waits for its answer."""


def has_bad_salt(heard: Heard) -> bool:
    """Whether the client uses the forged salt."""
    return not heard.is_plain and heard.salt == BAD_SALT


def is_another(heard: Heard, stage: Stage) -> bool:
    """Whether no message before had its msg_id."""
    return [h.msg_id for h in stage.heard if not h.is_plain].count(heard.msg_id) == 1


def refused(
    name: str, check: str, body: Body = PROBE, *, before: Iterable[Node] = OPENING, **fields: Any
) -> Conversation:
    """A message that the client must not take; whether the connection survives that is up to it."""
    return Conversation(
        [*before, Send(body, **fields), Refuses("msgs_state_info", never=has_bad_salt)],
        name=name,
        check=check,
        right="closes, or ignores the message",
    )


def ignored(name: str, check: str, *nodes: Node, before: Iterable[Node] = OPENING) -> Conversation:
    """Something that the client must ignore, and go on: it gets its answer afterwards."""
    silence = Silence(but=["msgs_state_info"], never=has_bad_salt)
    return Conversation(
        [*before, *nodes, silence, Send(Answer()), Serve(never=has_bad_salt)],
        name=name,
        check=check,
        right="ignores it, and goes on",
    )


def zeros(stage: Any) -> bytes:
    """64 MiB of zeros."""
    return bytes(64 * 2**20)


def flipped_at(position: int) -> Callable[[bytes], bytes]:
    """A function that flips a bit of some bytes."""

    def flip(data: bytes) -> bytes:
        at = position % len(data)
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    return flip


def cut(count: int) -> Callable[[bytes], bytes]:
    """A function that takes so many bytes off the end."""
    return lambda data: data[:-count]


def shifted(seconds: float) -> Callable[[int], int]:
    """A function that moves a msg_id in time; what kind of message it is stays."""
    return lambda msg_id: msg_id + (int(seconds * 2**32) & ~3)


_HEADS = {
    "intermediate": (b"\0\0\0\0", b"\0\0\0\x7f"),
    "padded": (b"\0\0\0\0", b"\0\0\0\x7f"),
    "abridged": (b"\0", b"\x7f\xff\xff\xff"),
    "full": (b"\0\0\0\0", b"\0\0\0\x7f"),
}


def _head(stage: Any, which: int) -> bytes:
    name = stage.wire.name.removeprefix("obfuscated ")
    if name not in _HEADS:
        raise LocalProtocolError(f"no bad frames are known for the transport {name}")
    return _HEADS[name][which]


def zero_frame(frame: bytes, stage: Any) -> bytes:
    """A header that says 0 bytes, in place of a frame."""
    return _head(stage, 0) + bytes(12)


def too_long_a_frame(frame: bytes, stage: Any) -> bytes:
    """A header that says 64 MiB at least, and some of that."""
    return _head(stage, 1) + bytes(1024)
