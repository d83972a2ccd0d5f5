"""What the first key exchange of a process would otherwise stop for: classes of messages, made on first use.

All of them take some 15 ms, each a fraction of one.  They are made in the loop, one a turn: a thread would have the
interpreter for longer at a time.
"""

from __future__ import annotations

import asyncio

from mtproto import service
from tl import reference as _needed_by_every_exchange  # noqa: F401 - it is imported late otherwise

__all__ = ["warm_up"]


async def warm_up() -> None:
    """Make the classes of all service messages that are not there yet; the loop goes on between any two."""
    schema = service.SCHEMA
    for name in schema.by_name:
        if not schema.is_made(name):
            schema.table(schema.make(name))
            await asyncio.sleep(0)
