"""What a client must not take, or has to live with, in a session: checks C14 to C18, C22, T."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from struct import pack

from mtproto import service
from mtproto.crypto.auth_key import AuthKey
from mtproto.testing.hostile.bodies import Answer, Container, Gzip, Part, Service
from mtproto.testing.hostile.choosing import AnyOf, Serve
from mtproto.testing.hostile.conversation import Conversation
from mtproto.testing.hostile.expecting import Expect, ExpectClose, Silence
from mtproto.testing.hostile.happenings import Heard
from mtproto.testing.hostile.library.probes import (
    BAD_SALT,
    OPENING,
    PROBE,
    has_bad_salt,
    ignored,
    is_another,
    refused,
    shifted,
    zeros,
)
from mtproto.testing.hostile.nodes import Code, End, Node, Repeat, Send, Wait
from mtproto.testing.hostile.stage import Stage

__all__ = ["CONVERSATIONS", "FIRST", "LAST"]

FIRST, LAST = (
    Conversation(
        [*OPENING, Send("new_session_created"), Send(Answer()), Serve()],
        name=f"sanity, {when}",
        right="agrees on a key, makes a request, takes its answer",
    )
    for when in ("first", "last")
)
_OTHER_KEY = AuthKey(bytes(range(256)))
_STATE = Service("msgs_state_req")
_RESENDS = 32
_SALT = 77
_SHIFTS = {16: 20, 17: -200}
"""Seconds: such messages are to be taken (C11), and who sets its clock by them has another time."""
_SLACK = 15
_STEP = 16
"""A seq_no that jumps so far was moved on purpose."""
_TOO_LOW = Send("bad_msg_notification", error_code=16)
_NEW_SALT = Send("bad_server_salt", new_server_salt=_SALT)


# Messages about messages


def _notices() -> Iterable[Conversation]:
    salt = Send("bad_server_salt", bad_msg_id=4, new_server_salt=BAD_SALT)
    yield _unmoved("bad_server_salt about no message of its", "C14", salt, then=_TOO_LOW)
    for code in (16, 17, 32, 33, 48, 64):
        notice = Service("bad_msg_notification", bad_msg_id=4, error_code=code)
        sent = Send(notice, msg_id=shifted(_SHIFTS.get(code, 0)))
        yield _unmoved(f"bad_msg_notification {code} about no message of its", "C15", sent, then=_NEW_SALT)
    for code in (16, 17, 32, 33):
        yield Conversation(
            [
                *OPENING,
                Send("bad_msg_notification", error_code=code),
                Expect("request", where=is_another, what="under another msg_id"),
                Serve(),
            ],
            name=f"bad_msg_notification {code}",
            check="C15",
            right="sends the request again under another msg_id",
        )
    yield Conversation(
        [
            *OPENING,
            Send("bad_server_salt", new_server_salt=77),
            Expect("request", where=lambda heard: heard.salt == 77, what="with the new salt"),
            Serve(),
        ],
        name="bad_server_salt",
        check="C15",
        right="sends the request again with the new salt",
    )
    yield Conversation(
        [
            *OPENING,
            Repeat(
                _RESENDS,
                Send("bad_server_salt", new_server_salt=lambda salt: salt + 1),
                AnyOf(Expect("request"), [ExpectClose(), End()], [Silence(), End()]),
            ),
            Send("bad_server_salt", new_server_salt=lambda salt: salt + 1),
            AnyOf(ExpectClose(), Silence()),
        ],
        name="bad_server_salt for ever",
        check="C15",
        right=f"gives up before it has sent a request {_RESENDS} times",
    )
    yield ignored("rpc_result of no request", "C16", Send(Answer(b"\x37\x97\x79\xbc" * 2, req_msg_id=4)))
    yield ignored("a pong that nobody has asked for", "C16", Send(Service("pong", msg_id=4, ping_id=5)))
    salts = [service.FutureSalt(valid_since=0, valid_until=2**31 - 1, salt=BAD_SALT)]
    unasked = Send("future_salts", req_msg_id=4, salts=salts)
    yield _unmoved("salts that nobody has asked for", "C14", unasked, Wait(2), then=_TOO_LOW)
    yield ignored(
        "states that nobody has asked for", "C16", Send("msgs_state_info", req_msg_id=4, info=b"\1")
    )


def _unmoved(name: str, check: str, *nodes: Node, then: Send) -> Conversation:
    """Something that the client must ignore: its request, which it has to send again `then`, shows that it has."""
    return Conversation(
        [
            *OPENING,
            *nodes,
            Silence(but=["msgs_state_info"], never=has_bad_salt),
            then,
            Expect(
                "request", where=_is_unmoved, what="in the same session, with salt, seq_no and time as before"
            ),
            Send(Answer()),
            Serve(never=has_bad_salt),
        ],
        name=name,
        check=check,
        right="ignores it, and goes on",
    )


def _is_unmoved(heard: Heard, stage: Stage) -> bool:
    first = next(h for h in stage.heard if h.name == "request")
    return (
        heard.session_id == first.session_id
        and not has_bad_salt(heard)
        and 0 <= heard.seq_no - first.seq_no < _STEP
        and -_SLACK < (heard.msg_id - first.msg_id) / 2**32 < stage.quiet + _SLACK
    )


# Containers, gzip_packed and their like


def _containers() -> Iterable[Conversation]:
    cases: dict[str, Container] = {
        "with a count of 1025": Container(Part(PROBE), count=1025),
        "with a count of -1": Container(Part(PROBE), count=-1),
        "with a count that is too small": Container(Part(PROBE), Part("pong"), count=1),
        "of 1025 messages": Container(Part(PROBE), *[Part("pong")] * 1024),
        "with a message in it that is too long": Container(Part(PROBE), Part("pong", length=2**30)),
        "with a message in it of -4 bytes": Container(Part(PROBE), Part("pong", length=-4)),
        "with a message in it of no bytes": Container(Part(PROBE), Part(b"")),
        "with a length in it that is no multiple of 4": Container(Part(PROBE), Part("pong", length=19)),
        "with a message in it that is not older": Container(Part(PROBE, msg_id=lambda i: i + 2**34)),
        "with bytes behind": Container(Part(PROBE), trailing=b"leftover"),
        "in a container": Container(Container(PROBE)),
    }
    for what, body in cases.items():
        yield refused(f"a container {what}", "C17", body)
    yield Conversation(
        [
            *OPENING,
            Send(Container(*[Part("pong")] * 1023, Part(PROBE))),
            Expect("request", where=has_bad_salt, what="again, since the last message in it said so"),
            Serve(),
        ],
        name="a container of 1024 messages",
        check="C17",
        right="takes it",
    )
    yield ignored("a container of nothing", "C17", Send(Container()))


def _packed() -> Iterable[Conversation]:
    yield refused("a container in gzip_packed", "C18", Gzip(Container(PROBE)))
    yield refused("a container in gzip_packed in a container", "C18", Container(Gzip(Container(PROBE))))
    yield refused("gzip_packed in gzip_packed", "C18", Gzip(Gzip(PROBE)))
    yield refused(
        "gzip_packed with a wrong CRC", "C18", Gzip(PROBE, packed_data=lambda d: d[:-8] + bytes(4) + d[-4:])
    )
    yield refused(
        "gzip_packed with a wrong size", "C18", Gzip(PROBE, packed_data=lambda d: d[:-4] + bytes(4))
    )
    yield refused("gzip_packed that is cut off", "C18", Gzip(PROBE, packed_data=lambda d: d[:-8]))
    yield refused(
        "gzip_packed of two members",
        "C18",
        Gzip(PROBE, packed_data=lambda d: d + gzip.compress(b"", mtime=0)),
    )
    yield refused("gzip_packed with something behind", "C18", Gzip(PROBE, packed_data=lambda d: d + b"more"))
    yield refused("gzip_packed whose length byte is 255", "T5", _reserved_length)
    yield refused("msg_copy", "C18", _msg_copy)
    yield Conversation(
        [
            *OPENING,
            Send(Answer(Gzip(zeros))),
            Send(_STATE),
            AnyOf(ExpectClose(), Expect("msgs_state_info"), Expect("request"), Silence()),
        ],
        name="an answer that unpacks to 64 MiB",
        check="C18",
        right="fails that request, or closes; no memory is used up",
    )


def _reserved_length(stage: Stage) -> bytes:
    packed = gzip.compress(bytes(PROBE.make(stage)), mtime=0)
    head = pack("<IB", service.GzipPacked.CONSTRUCTOR_ID, 255) + len(packed).to_bytes(3, "little")
    return head + packed + bytes(-len(packed) % 4)


def _msg_copy(stage: Stage) -> bytes:
    body = bytes(PROBE.make(stage))
    inner = pack("<qii", stage.ids.next(), 1, len(body)) + body
    return pack("<II", service.MsgCopy.CONSTRUCTOR_ID, service.Message.CONSTRUCTOR_ID) + inner


def _bodies() -> Iterable[Conversation]:
    yield ignored("a message that nobody knows", "T8", Send(pack("<II", 0x0BADF00D, 1)))
    yield refused("bad_server_salt cut by 8 bytes", "T1", _cut_probe)
    yield refused("bad_server_salt with 4 bytes behind", "T9", _long_probe)
    yield Conversation(
        [
            *OPENING,
            Send(pack("<III", service.MsgsAck.CONSTRUCTOR_ID, 0x1CB5C415, 2**31 - 1)),
            AnyOf(ExpectClose(), [Silence(), Send(Answer()), Serve()]),
        ],
        name="msgs_ack that says 2^31 - 1 msg_ids",
        check="T2",
        right="closes, or ignores it",
    )
    for name in ("ping", "rpc_error", "future_salt", "http_wait", "destroy_session"):
        yield ignored(f"{name}, which no server says", "T8", Send(name))


def _cut_probe(stage: Stage) -> bytes:
    return bytes(PROBE.make(stage))[:-8]


def _long_probe(stage: Stage) -> bytes:
    return bytes(PROBE.make(stage)) + bytes(4)


# Transport errors


def _codes() -> Iterable[Conversation]:
    for code in (-404, -429):
        yield Conversation(
            [*OPENING, Code(code), AnyOf(ExpectClose(), Silence(but=["req_pq_multi", "req_pq", "request"]))],
            name=f"transport error {code} in a session",
            check="C22",
            right="closes; it agrees on no new key by itself in this connection",
        )


CONVERSATIONS: tuple[Conversation, ...] = (
    *_notices(),
    *_containers(),
    *_packed(),
    *_bodies(),
    *_codes(),
)
