"""Envelopes and numbers that a client must not take, and those that it gives: checks C1 to C14, C19 to C21."""

from __future__ import annotations

from collections.abc import Iterable

from mtproto.crypto.aes import ige_decrypt, ige_encrypt
from mtproto.crypto.auth_key import AuthKey
from mtproto.crypto.kdf import derive, msg_key
from mtproto.message import is_content_related
from mtproto.side import Side
from mtproto.testing.hostile.bodies import Answer, Service
from mtproto.testing.hostile.choosing import AnyOf, Serve
from mtproto.testing.hostile.conversation import Conversation
from mtproto.testing.hostile.expecting import Expect, ExpectClose, Silence
from mtproto.testing.hostile.happenings import Heard
from mtproto.testing.hostile.key_exchange import KeyExchange
from mtproto.testing.hostile.library.probes import (
    BAD_SALT,
    OPENING,
    PROBE,
    cut,
    flipped_at,
    has_bad_salt,
    ignored,
    is_another,
    refused,
    shifted,
)
from mtproto.testing.hostile.nodes import End, Repeat, Send
from mtproto.testing.hostile.stage import Stage

__all__ = ["CONVERSATIONS"]

_OTHER_KEY = AuthKey(bytes(range(256)))
_STATE = Service("msgs_state_req")
_SALT = 77


# The envelope


def _envelopes() -> Iterable[Conversation]:
    yield refused("a message under another auth_key_id", "C1", auth_key_id=b"hostile!")
    yield refused("a message under another auth_key", "C1", auth_key=_OTHER_KEY)
    yield refused(
        "another auth_key, under the auth_key_id in use", "C3", auth_key=_OTHER_KEY, auth_key_id=_own_id
    )
    yield refused("encrypted data cut by 4 bytes", "C2", payload=cut(4))
    yield refused("encrypted data cut by a block", "C3", payload=cut(16))
    yield refused("no encrypted data", "C2", payload=lambda p: p[:24])
    yield refused("msg_key that is not that of the plaintext", "C3", msg_key=flipped_at(0))
    yield refused("msg_key that leaves the padding out", "C3", payload=_unpadded_key)
    yield refused("a bit flipped in msg_key", "C3", payload=flipped_at(8))
    yield refused("a bit flipped in the last block", "C3", payload=flipped_at(-1))
    yield refused("a client's message, reflected", "C3", direction=Side.CLIENT)
    for length in (-4, 2**31 - 4, 4096):
        yield refused(f"length {length}", "C5", length=length)
    yield refused("a length that goes into the padding by 12 bytes", "C7", length=lambda n: n + 12)
    yield refused("a length that is no multiple of 4", "C6", length=lambda n: n + 1)
    yield refused("4 bytes of padding", "C7", padding=4)
    yield refused("1028 bytes of padding", "C7", padding=1028)
    yield refused("a message of another session", "C8", session_id=lambda s: s ^ 1)


def _own_id(computed: bytes, stage: Stage) -> bytes:
    return stage.known_key().key_id


def _unpadded_key(payload: bytes, stage: Stage) -> bytes:
    """The message encrypted again under the msg_key of its first 60 bytes alone: 28 are its body."""
    key = stage.known_key().data
    plaintext = ige_decrypt(payload[24:], *derive(key, payload[8:24], 8))
    short = msg_key(key, plaintext[:60], 8)
    return payload[:8] + short + ige_encrypt(plaintext, *derive(key, short, 8))


# Numbers


def _numbers() -> Iterable[Conversation]:
    yield refused("msg_id divisible by 4", "C9", msg_id=lambda i: i & ~3)
    yield refused("msg_id 2 modulo 4", "C9", msg_id=lambda i: (i & ~3) | 2)
    yield refused("a message that is 310 s old", "C11", _STATE, msg_id=shifted(-310))
    yield refused("a message that is 40 s ahead", "C11", _STATE, msg_id=shifted(40))
    yield ignored(
        "the msg_id of the message before",
        "C10",
        Send("bad_server_salt", new_server_salt=1),
        Expect("request"),
        Send(PROBE, msg_id=lambda _, stage: stage.last_sent),
    )
    acknowledged = Expect("msgs_ack", where=_acknowledges, what="for it", within=70)
    over = [[acknowledged, End()], [ExpectClose(), End()]]
    yield Conversation(
        [
            *OPENING,
            Send(Answer()),
            Repeat(8, AnyOf(*over, [Expect("request"), Send(Answer())])),
            AnyOf(*over),
        ],
        name="an answer is acknowledged",
        check="C19",
        right="acknowledges it within a minute, unless it closes before",
    )
    yield Conversation(
        [
            KeyExchange(),
            Expect("request", where=_is_timely, what="with a msg_id of this time, divisible by 4"),
            Send("bad_server_salt", new_server_salt=_SALT),
            Expect("request", where=_is_later, what="under another msg_id of this time"),
            Serve(never=_is_odd),
        ],
        name="msg_ids of a client",
        check="C20",
        right="its msg_ids are divisible by 4, tell the time, and none comes twice",
    )
    yield Conversation(
        [
            KeyExchange(),
            Expect("request", where=lambda heard: not _has_bad_parity(heard), what="with an odd seq_no"),
            Serve(never=_has_bad_parity),
        ],
        name="seq_nos of a client",
        check="C21",
        right="odd for what has to be acknowledged, even for the rest",
    )
    yield Conversation(
        [
            *OPENING,
            Send("new_session_created"),
            Expect("msgs_ack", where=_acknowledges, what="for it", within=70),
        ],
        name="new_session_created is acknowledged",
        check="C13",
        right="acknowledges it within a minute: its seq_no is odd",
    )
    yield Conversation(
        [
            *OPENING,
            Send("bad_server_salt", new_server_salt=_SALT, session_id=lambda s: s ^ 1),
            AnyOf(
                [ExpectClose(), End()],
                [Expect("req_pq_multi", "req_pq"), End()],
                Silence(never=_has_good_salt),
            ),
            Send("bad_server_salt", new_server_salt=_SALT, msg_id=lambda _, stage: stage.last_sent),
            Expect("request", where=_has_good_salt, what="with the new salt"),
            Serve(),
        ],
        name="the msg_id of a message that was refused",
        check="C12",
        right="takes it, unless it has closed: what was refused is not recorded",
    )
    yield Conversation(
        [*OPENING, Send(Answer(), salt=BAD_SALT), Serve(never=has_bad_salt)],
        name="an answer with another salt of its own",
        check="C14",
        right="does not use that salt",
    )


def _acknowledges(heard: Heard, stage: Stage) -> bool:
    return stage.sent_ids[0] in stage.acked


def _is_timely(heard: Heard, stage: Stage) -> bool:
    return abs(heard.msg_id / 2**32 - stage.clock()) < 30 and not _is_odd(heard)


def _is_later(heard: Heard, stage: Stage) -> bool:
    return _is_timely(heard, stage) and is_another(heard, stage)


def _is_odd(heard: Heard) -> bool:
    return bool(heard.msg_id & 3)


def _has_bad_parity(heard: Heard) -> bool:
    return heard.name != "gzip_packed" and heard.seq_no & 1 != is_content_related(heard.body)


def _has_good_salt(heard: Heard) -> bool:
    return heard.salt == _SALT


CONVERSATIONS: tuple[Conversation, ...] = (*_envelopes(), *_numbers())
