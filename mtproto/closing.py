"""How a socket is closed for certain: politely first, then at once."""

from __future__ import annotations

import asyncio
import contextlib

__all__ = ["close_writer"]


async def close_writer(writer: asyncio.StreamWriter, patience: float) -> None:
    """Close `writer`; what it still holds has `patience` seconds to get out, then the connection is cut.

    Without that a peer that has stopped to read would keep us waiting for ever.
    """
    writer.close()
    try:
        async with asyncio.timeout(patience):
            with contextlib.suppress(OSError):
                await writer.wait_closed()
    except TimeoutError:
        pass
    finally:
        writer.transport.abort()
