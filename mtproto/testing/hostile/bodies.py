"""Bodies of messages as scripts write them: named, with any field given, packed in ways that nobody packs.

A body is an object of a TL class, boxed bytes, a function of the stage that gives either, or one of these.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass, field
from struct import pack
from typing import TYPE_CHECKING, Any, TypeAlias

import tl
from mtproto import service
from mtproto.errors import LocalProtocolError
from mtproto.message import is_content_related
from mtproto.side import Side
from mtproto.testing.hostile.fields import (
    bent,
    check_names,
    check_values,
    checked_value,
    given,
    names_of,
    settled,
)
from mtproto.testing.hostile.honest import USUAL, usual

if TYPE_CHECKING:
    from mtproto.testing.hostile.stage import Stage

__all__ = [
    "Answer",
    "Body",
    "Container",
    "Gzip",
    "Part",
    "Request",
    "Service",
    "body_of",
    "parted",
    "text_of",
]


class Template:
    """What a body is made of, once it is known what was heard before."""

    side: Side | None = None
    """Whose body it is, None for either's."""
    is_answer = False
    """Whether it answers something, so that its msg_id says so."""

    needs_ack: bool | None = None
    """Whether it has to be acknowledged, None where its constructor tells."""

    def make(self, stage: Stage) -> tl.TLObject | bytes:
        """The body."""
        raise NotImplementedError

    @property
    def given(self) -> tuple[str, ...]:
        """Which fields were given."""
        return ()


Body: TypeAlias = "tl.TLObject | bytes | Template | str | Callable[[Stage], tl.TLObject | bytes]"
"""A string is the name of a service message, with its usual fields."""

_ANSWERS = frozenset(
    {
        *("pong", "future_salts", "bad_msg_notification", "bad_server_salt", "msgs_state_info"),
        *("destroy_session_ok", "destroy_session_none", "rpc_result"),
    }
)


class Service(Template):
    """The service message `name` with its usual fields, but for those given.

    Raise LocalProtocolError for a name or field that does not exist.
    """

    def __init__(self, name: str, **fields: Any) -> None:
        check_names(name, fields, names_of(type_of(name)))
        self.name = name
        self.fields = fields
        self.is_answer = name in _ANSWERS

    def make(self, stage: Stage) -> tl.TLObject:
        return bent(usual(self.name, stage), self.fields, stage)

    @property
    def given(self) -> tuple[str, ...]:
        return given(self.fields)

    def __str__(self) -> str:
        return self.name


class Request(Template):
    """The honest client's request: what the script was given for one, help.getConfig if nothing."""

    side = Side.CLIENT

    def make(self, stage: Stage) -> bytes:
        return stage.request_body

    def __str__(self) -> str:
        return "a request"


class Answer(Template):
    """The rpc_result of the last request; `result` (boxed, or a body) and `req_msg_id` are computed if None."""

    side = Side.SERVER
    is_answer = True

    def __init__(self, result: Any = None, *, req_msg_id: Any = None) -> None:
        if result is not None:
            template(result)
        check_values("Answer", {"msg_id": req_msg_id})
        self.result = result
        self.req_msg_id = req_msg_id

    def make(self, stage: Stage) -> bytes:
        request = stage.last("request")
        msg_id = settled(self.req_msg_id, request.msg_id, stage)
        is_body = isinstance(self.result, Template | str | tl.TLObject)
        honest = b"" if is_body or isinstance(self.result, bytes) else stage.answer(request.body)
        result = body_of(self.result, stage) if is_body else settled(self.result, honest, stage)
        checked_value("Answer", "msg_id", msg_id)
        return pack("<Iq", service.RpcResult.CONSTRUCTOR_ID, msg_id) + bytes(_made(result))

    @property
    def given(self) -> tuple[str, ...]:
        return given({"result": self.result, "req_msg_id": self.req_msg_id})

    def __str__(self) -> str:
        return "rpc_result"


class Gzip(Template):
    """gzip_packed of a body; `packed_data` may be given, or made of what was computed."""

    def __init__(self, body: Body, *, packed_data: Any = None) -> None:
        template(body)
        check_values("Gzip", {"packed_data": packed_data})
        self.body = body
        self.packed_data = packed_data
        self.is_answer = isinstance(body, Template) and body.is_answer
        self.needs_ack = True if isinstance(body, Request) else None

    def make(self, stage: Stage) -> tl.TLObject:
        packed = gzip.compress(bytes(body_of(self.body, stage)), mtime=0)
        return service.GzipPacked(packed_data=settled(self.packed_data, packed, stage))

    @property
    def given(self) -> tuple[str, ...]:
        return given({"packed_data": self.packed_data})

    def __str__(self) -> str:
        return f"gzip_packed of {text_of(self.body)}"


@dataclass(frozen=True, slots=True)
class Part:
    """One message of a container; its numbers are computed unless they are given."""

    body: Body
    msg_id: Any = None
    seq_no: Any = None
    length: Any = field(default=None)

    def __post_init__(self) -> None:
        template(self.body)
        check_values("Part", {n: getattr(self, n) for n in ("msg_id", "seq_no", "length")})


class Container(Template):
    """A msg_container of bodies or `Part`s; `count` and `trailing`, bytes behind the last, may be given."""

    def __init__(self, *parts: Body | Part, count: Any = None, trailing: bytes = b"") -> None:
        check_values("Container", {"count": count, "trailing": trailing})
        self.parts = [part if isinstance(part, Part) else Part(part) for part in parts]
        self.count = count
        self.trailing = trailing

    def make(self, stage: Stage) -> bytes:
        count = checked_value("Container", "count", settled(self.count, len(self.parts), stage))
        head = pack("<Ii", service.MsgContainer.CONSTRUCTOR_ID, count)
        return head + b"".join(self._part(part, stage) for part in self.parts) + self.trailing

    @staticmethod
    def _part(part: Part, stage: Stage) -> bytes:
        body = bytes(body_of(part.body, stage))
        is_answer = isinstance(part.body, Template) and part.body.is_answer

        def value(name: str, computed: Any) -> Any:
            return checked_value("Part", name, settled(getattr(part, name), computed, stage))

        msg_id = value("msg_id", stage.ids.next(answer=is_answer))
        seq_no = value("seq_no", stage.sequence.next(is_content_related(body)))
        stage.sent_ids.append(msg_id)
        return pack("<qii", msg_id, seq_no, value("length", len(body))) + body

    @property
    def given(self) -> tuple[str, ...]:
        fields = {"count": self.count, "trailing": self.trailing or None}
        for part in self.parts[:8]:
            fields |= {n: v for n in ("msg_id", "seq_no", "length") if (v := getattr(part, n)) is not None}
        return given(fields)

    def __str__(self) -> str:
        shown = ", ".join(text_of(part.body) for part in self.parts[:3])
        return f"a container of {len(self.parts)}: {shown}{', …' if len(self.parts) > 3 else ''}"


def parted(body: Body, fields: dict[str, Any], envelope: tuple[str, ...]) -> tuple[Body, dict[str, Any]]:
    """A body, where it is the name of a service message with those `fields` that are its own, and the others.

    Raise LocalProtocolError for a field of both.
    """
    if not isinstance(body, str):
        return body, fields
    own = names_of(type_of(body))
    for name in fields:
        if name in own and name in envelope:
            raise LocalProtocolError(
                f"{name} is a field of {body} and of its envelope: write Send(Service({body!r}, {name}=…)) for"
                f" the one, Send(Service({body!r}), {name}=…) for the other"
            )
    inside = {name: value for name, value in fields.items() if name in own}
    return Service(body, **inside), {name: value for name, value in fields.items() if name not in own}


def type_of(name: str) -> type[tl.TLObject]:
    """The class of a service message; LocalProtocolError where there is none of that name."""
    cls = service.SCHEMA.find(service.SCHEMA.declared[name][0]) if name in USUAL else None
    if cls is None:
        raise LocalProtocolError(f"no service message is called {name!r}; there are: {', '.join(USUAL)}")
    found: type[tl.TLObject] = cls
    return found


def template(body: Body) -> Body:
    """The body, a name looked up; LocalProtocolError for what is none."""
    if isinstance(body, str):
        return Service(body)
    if not isinstance(body, Template | tl.TLObject | bytes) and not callable(body):
        raise LocalProtocolError(
            f"got {body!r:.60} for a body, expected a TL object, bytes, a service message's name, or a function"
        )
    return body


def body_of(body: Body, stage: Stage) -> tl.TLObject | bytes:
    """What goes out."""
    found: Any = template(body)
    if isinstance(found, Template):
        return found.make(stage)
    return _made(found if isinstance(found, tl.TLObject | bytes) else found(stage))


def _made(body: Any) -> tl.TLObject | bytes:
    """What a function has given; LocalProtocolError for what is no body."""
    if not isinstance(body, tl.TLObject | bytes):
        raise LocalProtocolError(f"got {body!r:.60} of a function for a body, expected a TL object or bytes")
    return body


def text_of(body: Body) -> str:
    """What it is, in a word."""
    if isinstance(body, str | Template):
        return str(body)
    if isinstance(body, tl.TLObject):
        return str(body.TL_NAME)
    return f"{len(body)} bytes" if isinstance(body, bytes) else "a message"
