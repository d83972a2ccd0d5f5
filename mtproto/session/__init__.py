"""Sessions: requests, answers and the service messages between them, for both sides, without any I/O.

Specification: core.telegram.org/mtproto/service_messages,
core.telegram.org/mtproto/service_messages_about_messages.
"""

from __future__ import annotations

from mtproto.session.client import BadMessage, ClientSession
from mtproto.session.server import ServerSession

__all__ = ["BadMessage", "ClientSession", "ServerSession"]
