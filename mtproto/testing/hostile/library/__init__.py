"""The conversations that are ready: with clients, with servers; each begins and ends with a sane one.

client_keys, server_keys            key exchanges
client_envelopes, server_envelopes  encryption and numbers of messages
client_messages, server_messages    sessions
client_connections, server_connections    several connections, transports, quick acks
probes                              how it shows that a client has taken what it must not take
"""

from __future__ import annotations

from mtproto.testing.hostile.conversation import Conversation
from mtproto.testing.hostile.library import (
    client_connections,
    client_envelopes,
    client_keys,
    client_messages,
    server_connections,
    server_envelopes,
    server_keys,
    server_messages,
    sessions,
)

__all__ = ["CLIENT_CONVERSATIONS", "SERVER_CONVERSATIONS"]

CLIENT_CONVERSATIONS: tuple[Conversation, ...] = (
    client_messages.FIRST,
    *client_keys.CONVERSATIONS,
    *client_envelopes.CONVERSATIONS,
    *client_messages.CONVERSATIONS,
    *client_connections.CONVERSATIONS,
    client_messages.LAST,
)
"""Conversations that a hostile server has with a client."""

SERVER_CONVERSATIONS: tuple[Conversation, ...] = (
    sessions.FIRST,
    *server_keys.CONVERSATIONS,
    *server_envelopes.CONVERSATIONS,
    *server_messages.CONVERSATIONS,
    *server_connections.CONVERSATIONS,
    sessions.LAST,
)
"""Conversations that a hostile client has with a server."""
