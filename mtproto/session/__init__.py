"""Sessions: requests, answers and the service messages between them, for both sides, without any I/O.

Specification: core.telegram.org/mtproto/service_messages,
core.telegram.org/mtproto/service_messages_about_messages.
"""

from __future__ import annotations

from mtproto.session.bad_message import BadCode, BadMessage
from mtproto.session.client import ClientSession
from mtproto.session.server import ServerSession
from mtproto.session.table import TABLE

__all__ = ["TABLE", "BadCode", "BadMessage", "ClientSession", "ServerSession"]
