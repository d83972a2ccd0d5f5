"""What a server must not take in a session, and what it has to answer: checks S4 to S8, C18, T."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from struct import pack

from mtproto import api, service
from mtproto.message import unpack_rpc_result
from mtproto.side import Side
from mtproto.testing.hostile.bodies import Body, Container, Gzip, Part, Request, Service
from mtproto.testing.hostile.choosing import AnyOf
from mtproto.testing.hostile.conversation import Conversation
from mtproto.testing.hostile.expecting import Expect, ExpectClose, Silence
from mtproto.testing.hostile.happenings import Heard
from mtproto.testing.hostile.key_exchange import KeyExchange
from mtproto.testing.hostile.library.probes import zeros
from mtproto.testing.hostile.library.sessions import ALIVE, ANSWERED, GONE, SESSION, bad, error, in_session
from mtproto.testing.hostile.nodes import Send
from mtproto.testing.hostile.stage import Stage

__all__ = ["CONVERSATIONS"]

_UNKNOWN = pack("<Ii", 0x0BADF00D, 1)


# Containers and gzip_packed


def _containers() -> Iterable[Conversation]:
    cases: dict[str, Container] = {
        "with a count of 1025": Container(Request(), count=1025),
        "with a count of -1": Container(Request(), count=-1),
        "with a count that is too small": Container(Request(), "ping", count=1),
        "of 1025 messages": Container(Request(), *["ping"] * 1024),
        "with a message in it that is too long": Container(Request(), Part("ping", length=2**30)),
        "with a message in it of -4 bytes": Container(Request(), Part("ping", length=-4)),
        "with a message in it of no bytes": Container(Request(), b""),
        "with a length in it that is no multiple of 4": Container(Request(), Part("ping", length=11)),
        "with a message in it that is not older": Container(Part(Request(), msg_id=lambda i: i + 2**34)),
        "with bytes behind": Container(Request(), trailing=b"leftover"),
        "in a container": Container(Container(Request())),
    }
    for what, body in cases.items():
        yield Conversation(
            [*SESSION, Send(body), AnyOf([bad(64), *ALIVE], *GONE)],
            name=f"a container {what}",
            check="S6",
            right="bad_msg_notification 64, or the end of the connection",
            examines=Side.SERVER,
        )
    yield in_session(
        "a container of 1020 messages",
        "S6",
        "takes it",
        Send(Container(*["msgs_ack"] * 1019, Request())),
        Expect(
            "rpc_result", where=lambda heard, stage: unpack_rpc_result(heard.body)[0] == stage.sent_ids[-2]
        ),
    )
    yield in_session("a container of nothing", "S6", "ignores it", Send(Container()), Silence())
    yield in_session(
        "a container in gzip_packed",
        "C18",
        "refuses it",
        Send(Gzip(Container("ping"))),
        AnyOf(error(), bad(64), Silence(but=["pong"])),
    )


def _packed() -> Iterable[Conversation]:
    yield in_session(
        "a request in gzip_packed",
        "C18",
        "answers it",
        Send(Gzip(Request())),
        ANSWERED,
    )
    cases: dict[str, Body] = {
        "in gzip_packed": Gzip(Gzip(Request())),
        "with a wrong CRC": Gzip(Request(), packed_data=lambda d: d[:-8] + bytes(4) + d[-4:]),
        "that is cut off": Gzip(Request(), packed_data=lambda d: d[:-8]),
        "with something behind": Gzip(Request(), packed_data=lambda d: d + b"more"),
        "that unpacks to 64 MiB": Gzip(zeros),
    }
    for what, body in cases.items():
        yield Conversation(
            [*SESSION, Send(body), AnyOf([error(), *ALIVE], *GONE)],
            name=f"gzip_packed {what}",
            check="C18",
            right="an rpc_error, or the end of the connection",
            examines=Side.SERVER,
        )


# Service messages and requests


def _answers() -> Iterable[Conversation]:
    yield Conversation(
        [
            KeyExchange(),
            Send(Request()),
            Expect("new_session_created", where=_is_created, what="with first_msg_id"),
        ],
        name="a new session",
        check="S8",
        right="new_session_created",
        examines=Side.SERVER,
    )
    yield in_session(
        "a ping in a container",
        "S8",
        "a pong with the ping's own msg_id",
        Send(Container("ping")),
        Expect("pong", where=_is_pong, what="of that ping"),
    )
    yield in_session(
        "get_future_salts",
        "S4",
        "future_salts",
        Send("get_future_salts"),
        Expect("future_salts", req_msg_id=lambda i: i != 0),
    )
    yield in_session(
        "msgs_state_req",
        "S7",
        "says that it was received",
        Send("msgs_state_req"),
        Expect("msgs_state_info", info=lambda info: len(info) == 1 and info[0] & 7 == 4),
    )
    yield in_session(
        "msg_resend_ans_req",
        "S7",
        "gives the answer, or tells the state",
        Send("msg_resend_ans_req"),
        Expect("rpc_result", "msgs_state_info"),
    )
    yield in_session(
        "destroy_session of no session",
        "S8",
        "destroy_session_none",
        Send("destroy_session"),
        Expect("destroy_session_none"),
    )
    yield in_session("rpc_drop_answer", "S7", "an rpc_result", Send("rpc_drop_answer"), ANSWERED)
    yield in_session("a request that nobody knows", "T8", "an rpc_error", Send(_UNKNOWN), error())
    yield in_session("a request that is cut off", "T1", "an rpc_error", Send(_cut_ping), error())
    yield in_session(
        "a ping with bytes behind",
        "T9",
        "an rpc_error",
        Send(_long_ping),
        AnyOf(error(), Silence(but=["pong"])),
    )
    count = pack("<III", service.MsgsStateReq.CONSTRUCTOR_ID, 0x1CB5C415, 2**31 - 1)
    yield Conversation(
        [*SESSION, Send(count), AnyOf([error(), *ALIVE], [Silence(), *ALIVE], *GONE)],
        name="msgs_state_req that says 2^31 - 1 msg_ids",
        check="T2",
        right="an rpc_error, or the end of the connection",
        examines=Side.SERVER,
    )
    yield Conversation(
        [
            *SESSION,
            Send(Service("msgs_state_req", msg_ids=list(range(8193)))),
            AnyOf([error(), *ALIVE], *GONE),
        ],
        name="msgs_state_req of 8193 msg_ids",
        check="S6",
        right="transport error -429",
        examines=Side.SERVER,
    )
    yield Conversation(
        [*SESSION, Send(_deep), AnyOf([error(), *ALIVE], [ANSWERED, *ALIVE], *GONE)],
        name="a request in 10000 wrappers",
        check="T4",
        right="an rpc_error, or the end of the connection",
        examines=Side.SERVER,
    )
    yield Conversation(
        [*SESSION, Send(_reserved_length), AnyOf([error(), *ALIVE], *GONE)],
        name="gzip_packed whose length byte is 255",
        check="T5",
        right="an rpc_error, or the end of the connection",
        examines=Side.SERVER,
    )
    for name in ("pong", "bad_server_salt", "new_session_created", "future_salts", "resPQ", "http_wait"):
        yield in_session(
            f"{name}, which no client says",
            "T8",
            "an rpc_error, or ignores it",
            Send(name),
            AnyOf(error(), Silence()),
        )
    yield in_session(
        "ping_delay_disconnect",
        "S8",
        "closes so many seconds later",
        Send(Service("ping_delay_disconnect", disconnect_delay=1)),
        Expect("pong"),
        ExpectClose(),
        alive=False,
    )


def _is_created(heard: Heard, stage: Stage) -> bool:
    created = heard.value
    return isinstance(created, service.NewSessionCreated) and created.first_msg_id == stage.sent_ids[0]


def _is_pong(heard: Heard, stage: Stage) -> bool:
    return isinstance(heard.value, service.Pong) and heard.value.msg_id == stage.sent_ids[-2]


def _deep(stage: Stage) -> bytes:
    head = pack("<Ii", api.InvokeWithLayer.CONSTRUCTOR_ID, 158)
    return head * 10_000 + stage.request_body


def _reserved_length(stage: Stage) -> bytes:
    packed = gzip.compress(stage.request_body, mtime=0)
    head = pack("<IB", service.GzipPacked.CONSTRUCTOR_ID, 255) + len(packed).to_bytes(3, "little")
    return head + packed + bytes(-len(packed) % 4)


def _cut_ping(stage: Stage) -> bytes:
    return bytes(service.Ping(ping_id=5))[:-4]


def _long_ping(stage: Stage) -> bytes:
    return bytes(service.Ping(ping_id=5)) + bytes(4)


CONVERSATIONS: tuple[Conversation, ...] = (
    *_containers(),
    *_packed(),
    *_answers(),
)
