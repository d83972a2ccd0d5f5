"""Envelopes that a server must not take, numbers it has to complain about: checks S1 to S7, C2 to C7."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mtproto import service
from mtproto.crypto.auth_key import AuthKey
from mtproto.side import Side
from mtproto.testing.hostile.bodies import Request
from mtproto.testing.hostile.choosing import AnyOf
from mtproto.testing.hostile.conversation import Conversation
from mtproto.testing.hostile.expecting import Expect, Silence
from mtproto.testing.hostile.happenings import Heard
from mtproto.testing.hostile.library.probes import cut, flipped_at, shifted
from mtproto.testing.hostile.library.sessions import ANSWERED, bad, in_session, rejected
from mtproto.testing.hostile.nodes import Send, Wait
from mtproto.testing.hostile.stage import Stage

__all__ = ["CONVERSATIONS"]

_OTHER_KEY = AuthKey(bytes(range(256)))


# The envelope


def _envelopes() -> Iterable[Conversation]:
    yield rejected("a message under an unknown auth_key_id", "S1", auth_key_id=b"hostile!")
    yield rejected("a message under an unknown auth_key", "S1", auth_key=_OTHER_KEY)
    yield rejected(
        "another auth_key, under a known auth_key_id", "C3", auth_key=_OTHER_KEY, auth_key_id=_own_id
    )
    yield rejected("encrypted data cut by 4 bytes", "C2", payload=cut(4))
    yield rejected("encrypted data cut by a block", "C3", payload=cut(16))
    yield rejected("no encrypted data", "C2", payload=lambda p: p[:24])
    yield rejected("msg_key that is not that of the plaintext", "C3", msg_key=flipped_at(0))
    yield rejected("a bit flipped in msg_key", "C3", payload=flipped_at(8))
    yield rejected("a bit flipped in the first block", "C3", payload=flipped_at(24))
    yield rejected("a bit flipped in the last block", "C3", payload=flipped_at(-1))
    yield rejected("a server's message, reflected", "C3", direction=Side.SERVER)
    for length in (-4, 2**31 - 4, 4096):
        yield rejected(f"length {length}", "C5", length=length)
    yield rejected("a length that is no multiple of 4", "C6", length=lambda n: n + 1)
    yield rejected("4 bytes of padding", "C7", padding=4)
    yield rejected("1028 bytes of padding", "C7", padding=1028)


def _own_id(computed: bytes, stage: Stage) -> bytes:
    return stage.known_key().key_id


# Numbers


def _numbers() -> Iterable[Conversation]:
    for low in (1, 2, 3):
        yield in_session(
            f"msg_id {low} modulo 4",
            "S3",
            "bad_msg_notification 18",
            Send(Request(), msg_id=_low(low)),
            bad(18),
        )
    cases = {"310 s old": (-310, 16), "40 s ahead": (40, 17)}
    for what, (shift, code) in cases.items():
        old = Send(Request(), msg_id=shifted(shift))
        yield in_session(f"a message that is {what}", "S3", f"bad_msg_notification {code}", old, bad(code))
    yield in_session(
        "a wrong salt",
        "S4",
        "bad_server_salt with the right one; the request is answered with that",
        Send(Request(), salt=lambda salt: salt ^ 1),
        Expect("bad_server_salt", error_code=48, where=_is_about_last, what="about that message"),
        Send(Request()),
        ANSWERED,
    )
    yield in_session(
        "salt 0",
        "S4",
        "bad_server_salt with the right one",
        Send(Request(), salt=0),
        Expect("bad_server_salt"),
    )
    yield in_session(
        "an even seq_no for a request",
        "S5",
        "answers, or bad_msg_notification 35",
        Send(Request(), seq_no=lambda n: n & ~1),
        AnyOf(ANSWERED, bad(35)),
    )
    yield in_session(
        "a request twice, to the letter",
        "S7",
        "gives the same answer, or word of it, or says nothing",
        Wait(2),  # the time is in the answer, and in that of a second execution
        Send(Request(), msg_id=_same_id, seq_no=1),
        AnyOf(
            Expect("rpc_result", where=_is_the_same, what="as before"),
            Expect("msg_detailed_info"),
            Silence(),
        ),
    )


def _low(low: int) -> Any:
    return lambda msg_id: msg_id | low


def _same_id(computed: int, stage: Stage) -> int:
    return stage.sent_ids[0]


def _is_about_last(heard: Heard, stage: Stage) -> bool:
    notice = heard.value
    return isinstance(notice, service.BadServerSalt) and notice.bad_msg_id == stage.last_sent


def _is_the_same(heard: Heard, stage: Stage) -> bool:
    return [h.body for h in stage.heard].count(heard.body) == 2


CONVERSATIONS: tuple[Conversation, ...] = (*_envelopes(), *_numbers())
