"""Which requests of a session are done, for those that come after them: invokeAfterMsg, invokeAfterMsgs.

A request may wait for those with lower msg_ids only, so no two can wait for each other.

Source: core.telegram.org/api/invoking
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

__all__ = ["MAX_OUTCOMES", "Order"]

MAX_OUTCOMES = 1024
"""Of so many requests of a session it is remembered what became of them."""


class Order:
    """What became of the requests of one session, by msg_id, or that they are still at work."""

    def __init__(self) -> None:
        self._running: dict[int, asyncio.Future[bool]] = {}
        self._ended: dict[int, bool] = {}

    def begin(self, msg_id: int) -> None:
        """The request `msg_id` has come; `end` has to follow."""
        self._running[msg_id] = asyncio.get_running_loop().create_future()

    def end(self, msg_id: int, *, is_success: bool) -> None:
        """The request `msg_id` has its answer, or will have none; whoever waits for it goes on."""
        self._ended[msg_id] = is_success
        while len(self._ended) > MAX_OUTCOMES:
            del self._ended[next(iter(self._ended))]
        running = self._running.pop(msg_id, None)
        if running is not None and not running.done():
            running.set_result(is_success)

    def verdict(self, msg_id: int, after: Sequence[int]) -> bool | None:
        """Whether the request `msg_id` may be executed now; False: never, None: when others have ended."""
        outcomes = {self._outcome(msg_id, earlier) for earlier in after}
        return False if False in outcomes else None if None in outcomes else True

    def _outcome(self, msg_id: int, earlier: int) -> bool | None:
        if earlier in self._running and earlier < msg_id:
            return None
        return self._ended.get(earlier, False)

    async def wait(self, msg_id: int, after: Sequence[int]) -> bool:
        """Wait until the request `msg_id` may be executed; whether it ever may."""
        if self.verdict(msg_id, after) is False:
            return False
        for running in [self._running[earlier] for earlier in after if earlier in self._running]:
            await asyncio.wait([running])  # which does not cancel it, if we are
            if not running.result():
                return False
        return True
