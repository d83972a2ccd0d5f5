"""What a handler may know of a request beside its fields, and what is remembered of a session for that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import tl
from mtproto import api
from mtproto.events import SessionId
from mtproto.testing.order import Order

__all__ = ["Memory", "RequestContext"]


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Where a request comes from, and what it was wrapped in.

    `peer` is host and port of the client.  `layer` is that of invokeWithLayer and `init` the initConnection, whose
    `query` is empty, of this request or of the last one of its session that had any.  `without_updates`, and the
    msg_ids in `after`, are this request's own.  `wrappers` are all of its own, the outermost first, without
    what is inside.
    """

    session: SessionId
    msg_id: int
    peer: str
    layer: int | None = None
    init: api.InitConnection[Any] | None = None
    without_updates: bool = False
    after: tuple[int, ...] = ()
    wrappers: tuple[tl.TLFunction[Any], ...] = ()


@dataclass(slots=True)
class Memory:
    """What is remembered of one session: who the client says it is, and what became of its requests."""

    layer: int | None = None
    init: api.InitConnection[Any] | None = None
    order: Order = field(default_factory=Order)

    def context(
        self, session: SessionId, msg_id: int, peer: str, wrappers: tuple[tl.TLFunction[Any], ...]
    ) -> RequestContext:
        """The context of a request in these wrappers; what they say of the client is remembered."""
        without_updates = False
        after: list[int] = []
        for wrapper in wrappers:
            match wrapper:
                case api.InvokeWithLayer():
                    self.layer = wrapper.layer
                case api.InitConnection():
                    self.init = wrapper
                case api.InvokeWithoutUpdates():
                    without_updates = True
                case api.InvokeAfterMsg():
                    after.append(wrapper.msg_id)
                case api.InvokeAfterMsgs():
                    after += wrapper.msg_ids
        return RequestContext(
            session, msg_id, peer, self.layer, self.init, without_updates, tuple(after), wrappers
        )
