"""How a socket is closed for certain: politely first, then at once."""

from __future__ import annotations

import asyncio

__all__ = ["close_writer"]


async def close_writer(writer: asyncio.StreamWriter, patience: float) -> None:
    """Close `writer`; what it still holds has `patience` seconds to get out, then the connection is cut.

    Without that a peer that has stopped to read would keep us waiting for ever.
    """
    writer.close()
    # A task of its own, never cancelled: the stream has one future for all who wait for its end.
    closed = asyncio.ensure_future(writer.wait_closed())
    try:
        await asyncio.wait([closed], timeout=patience)
    finally:
        writer.transport.abort()
        await asyncio.wait([closed], timeout=patience)
        if closed.done() and not closed.cancelled():
            closed.exception()  # how it ended no longer matters
