"""What a server does in the next connection, with transports, quick acks, temporary keys: S7 to S9, H15, X."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from mtproto import api, service
from mtproto.side import Side
from mtproto.testing.hostile.bodies import Request
from mtproto.testing.hostile.choosing import AnyOf, Optional, Rejects
from mtproto.testing.hostile.client_steps import ReqDHParams, ReqPq
from mtproto.testing.hostile.connecting import Again, Over, Reconnect
from mtproto.testing.hostile.conversation import Conversation
from mtproto.testing.hostile.expecting import Expect, ExpectClose, ExpectQuickAck, Silence
from mtproto.testing.hostile.happenings import Heard
from mtproto.testing.hostile.key_exchange import KeyExchange
from mtproto.testing.hostile.library.client_connections import padded_by, renumbered, short_full
from mtproto.testing.hostile.library.probes import flipped_at, too_long_a_frame, zero_frame
from mtproto.testing.hostile.library.sessions import ANSWERED, error, in_session
from mtproto.testing.hostile.nodes import Node, Raw, Send, Wait
from mtproto.testing.hostile.stage import Stage

__all__ = ["CONVERSATIONS"]

_CLOSES = "closes at once"
_TLS_HELLO = bytes.fromhex("1603010200010001fc0303") + bytes(506)


def _is_as_before(heard: Heard, stage: Stage) -> bool:
    return [h.body for h in stage.heard].count(heard.body) > 1


def _is_no_new_session(heard: Heard, stage: Stage) -> bool:
    return len([h for h in stage.heard if h.name == "new_session_created"]) <= 1


def _is_created(heard: Heard, stage: Stage) -> bool:
    created = heard.value
    return isinstance(created, service.NewSessionCreated) and created.first_msg_id == stage.last_sent


def _connections() -> Iterable[Conversation]:
    as_before = Expect("rpc_result", where=_is_as_before, what="as before")
    yield in_session(
        "a session that goes on in another connection",
        "S8",
        "goes on: there is no other new_session_created",
        Send("msgs_ack"),
        Reconnect(),
        Send("ping"),
        Expect("pong", where=_is_no_new_session, what="and no new_session_created before it"),
    )
    yield in_session(
        "another session in another connection",
        "S8",
        "new_session_created, and the answer",
        Reconnect(new_session=True),
        Send(Request()),
        Expect("new_session_created", where=_is_created, what="about that message"),
        ANSWERED,
    )
    yield in_session(
        "a request once more in another connection, to the letter",
        "S7",
        "gives the same answer, or word of it, or says nothing",
        Wait(2),  # as in "a request twice, to the letter"
        Reconnect(),
        Again(0),
        AnyOf(
            as_before,
            Expect("msg_detailed_info"),
            Silence(),
        ),
        Optional(as_before),  # once for the connection, once for the copy
    )
    yield Conversation(
        [ReqPq(), Expect("resPQ"), Reconnect(), ReqDHParams(), Rejects()],
        name="a key exchange that goes on in another connection",
        check="S9",
        right="transport error -404 and the end of the connection",
    )


def _quick_acks() -> Iterable[Conversation]:
    yield in_session(
        "a ping that asks for a quick ack",
        "X9",
        "a quick ack with the right token",
        Over("abridged", "intermediate", "padded"),
        Send("ping", quick_ack=True),
        ExpectQuickAck(),
        Expect("pong"),
    )


def _bind(stage: Stage) -> api.auth.BindTempAuthKey:
    """A binding whose inside is none."""
    now = int(stage.clock())
    return api.auth.BindTempAuthKey(
        perm_auth_key_id=1, nonce=1, expires_at=now + 3600, encrypted_message=bytes(104)
    )


def _temporary_keys() -> Iterable[Conversation]:
    start: tuple[Node, ...] = (KeyExchange(form="temp_dc"),)
    yield Conversation(
        [*start, Send(api.users.GetUsers(id=[api.InputUserSelf()])), error()],
        name="users.getUsers under a temporary key that is bound to no other",
        check="H15",
        right="an rpc_error",
    )
    yield Conversation(
        [*start, Send(_bind), error()],
        name="auth.bindTempAuthKey with nothing in it",
        check="H15",
        right="an rpc_error",
    )


def _noise(stage: Stage) -> bytes:
    """The first bytes of an obfuscated connection, of a framing that there is not."""
    return b"".join(sha256(f"{stage.seed}/{i}".encode()).digest() for i in range(4))


def _replayed(stage: Stage) -> bytes:
    return stage.openings[0]


def _transports() -> Iterable[Conversation]:
    for name, frame, check in (
        ("of no bytes", zero_frame, "X2"),
        ("of 64 MiB and more", too_long_a_frame, "X1"),
    ):
        yield Conversation(
            [ReqPq(), Expect("resPQ"), ReqPq(frame=frame), ExpectClose()],
            name=f"a frame {name}",
            check=check,
            right=_CLOSES,
        )
    full = {
        "with a wrong CRC-32": flipped_at(-1),
        "with the number of the next": renumbered,
        "of 8 bytes": short_full,
    }
    for what, change in full.items():
        yield Conversation(
            [ReqPq(), Expect("resPQ"), Over("full"), ReqPq(frame=change), ExpectClose()],
            name=f"a full frame {what}",
            check="X6",
            right=_CLOSES,
        )
    yield in_session(
        "a padded frame with 15 bytes behind the message",
        "X5",
        "takes it",
        Over("padded"),
        Send(Request(), frame=lambda f: padded_by(15, f)),
        ANSWERED,
    )
    strangers = {
        "an HTTP request": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "a TLS hello": _TLS_HELLO,
    }
    for what, data in strangers.items():
        yield Conversation(
            [Raw(data), ExpectClose()], name=what, check="X11", right=_CLOSES, examines=Side.SERVER
        )
    yield Conversation(
        [Raw(_noise), ExpectClose()],
        name="an obfuscated connection with an unknown tag",
        check="X7",
        right=_CLOSES,
        examines=Side.SERVER,
    )
    yield Conversation(
        [ReqPq(), Expect("resPQ"), Over("obfuscated"), Reconnect(), Raw(_replayed), ExpectClose()],
        name="an obfuscated connection that was recorded",
        check="X7",
        right="closes without a word",
    )


CONVERSATIONS: tuple[Conversation, ...] = (
    *_connections(),
    *_quick_acks(),
    *_temporary_keys(),
    *_transports(),
)
