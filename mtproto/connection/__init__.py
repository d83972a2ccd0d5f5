"""Connections: the stages chained, from the bytes of a socket to events and back; no socket in sight.

    bytes → framing → payload → key exchange | session → events
    requests and answers → session → payloads → framing → bytes

Feed what arrives to `receive_data`, which returns events; send what `data_to_send` returns; call
`handle_timer` when `next_timer` has passed.  `clock` is unix time in seconds, `rng` gives random bytes.

**Damage.**  As in `mtproto.transport`: `receive_data` returns the events that came before the damage, and
raises only when there are none; `failure` is set, the connection is closed, and every later call raises it
again.  What a server owes a peer that broke the rules (a transport error) is still in `data_to_send`.
"""

from __future__ import annotations

from mtproto.connection.client import ClientConnection
from mtproto.connection.deadlines import Deadlines
from mtproto.connection.keep_alive import KeepAlive
from mtproto.connection.server import ServerConnection
from mtproto.connection.state import ServerState
from mtproto.message import MAX_BODY

__all__ = ["MAX_BODY", "ClientConnection", "Deadlines", "KeepAlive", "ServerConnection", "ServerState"]
