"""The asyncio client: a `ClientConnection` on a TCP socket, and requests that are awaited.

    async with mtproto.connect(host, port, keys=[key]) as client:
        answer = await client.invoke(request)

Everything that MTProto is happens in `mtproto.connection`; this module moves bytes, keeps one future for each
request, and makes sure that each of them is done exactly once, whatever becomes of the connection.
"""

from __future__ import annotations

from mtproto.client.backoff import Backoff
from mtproto.client.calls import Call
from mtproto.client.client import MAX_PENDING, MAX_PENDING_BYTES, Client
from mtproto.client.connecting import Connecting, connect
from mtproto.client.feed import Disconnected, EventsLost, Feed, Notice, Reconnected

__all__ = [
    "MAX_PENDING",
    "MAX_PENDING_BYTES",
    "Backoff",
    "Call",
    "Client",
    "Connecting",
    "Disconnected",
    "EventsLost",
    "Feed",
    "Notice",
    "Reconnected",
    "connect",
]
