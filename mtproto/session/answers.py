"""The answers that a server has given: kept until the client has them, and given again when it asks again (S7)."""

from __future__ import annotations

__all__ = ["MAX_KEPT_ANSWERS", "MAX_KEPT_BYTES", "Answers"]

MAX_KEPT_ANSWERS = 1024
"""The most answers kept for a client that doesn't acknowledge them; the oldest are given up first."""
MAX_KEPT_BYTES = 16 * 1024 * 1024
"""The most bytes that they may have, together; the latest is kept in any case."""
_MAX_GIVEN_UP = 10_000


class Answers:
    """rpc_results by the msg_id of the request, and the messages that carried them."""

    __slots__ = ("_bodies", "_carried", "_carriers", "_given_up", "_size", "_waiting")

    def __init__(self) -> None:
        self._bodies: dict[int, bytes] = {}
        self._carried: dict[int, int] = {}
        self._carriers: dict[int, int] = {}
        self._size = 0
        self._waiting: set[int] = set()
        self._given_up: dict[int, None] = {}

    def __len__(self) -> int:
        return len(self._bodies)

    def __contains__(self, request: int) -> bool:
        return request in self._bodies

    def keep(self, request: int, body: bytes) -> None:
        """`body` is the rpc_result that answers `request`."""
        self._bodies[request] = body
        self._size += len(body)
        while len(self._bodies) > MAX_KEPT_ANSWERS or (self._size > MAX_KEPT_BYTES and len(self._bodies) > 1):
            self._give_up(next(iter(self._bodies)))

    def _give_up(self, request: int) -> None:
        self.drop(request)
        self._given_up[request] = None
        while len(self._given_up) > _MAX_GIVEN_UP:
            del self._given_up[next(iter(self._given_up))]

    def is_given_up(self, request: int) -> bool:
        """Whether there was an answer, not acknowledged, for which there was no room any more."""
        return request in self._given_up

    def body(self, request: int) -> bytes:
        """The answer to `request`, which has to be kept."""
        return self._bodies[request]

    def drop(self, request: int) -> int | None:
        """Keep the answer to `request` no longer; return its size, None where there is none."""
        body = self._bodies.pop(request, None)
        if body is None:
            return None
        self._size -= len(body)
        return len(body)

    # What is on its way

    def is_waiting(self, request: int) -> bool:
        """Whether the answer to `request` is queued and has not been sent."""
        return request in self._waiting

    def wait(self, request: int) -> None:
        """The answer is queued."""
        self._waiting.add(request)

    def withdraw(self, request: int) -> None:
        """The answer is not to be sent, if it still waits."""
        self._waiting.discard(request)

    def was_sent(self, request: int, msg_id: int) -> None:
        """The answer went out as message `msg_id`."""
        self._waiting.discard(request)
        self._carried[msg_id] = request
        self._carriers[request] = msg_id
        while len(self._carried) > 2 * MAX_KEPT_ANSWERS:
            self._forget(next(iter(self._carried)))

    def _forget(self, msg_id: int) -> int | None:
        request = self._carried.pop(msg_id, None)
        if request is not None and self._carriers.get(request) == msg_id:
            del self._carriers[request]
        return request

    def request_of(self, msg_id: int) -> int | None:
        """The request that message `msg_id` answers."""
        return self._carried.get(msg_id)

    def carrier(self, request: int) -> int | None:
        """The latest message that carried the answer to `request`."""
        return self._carriers.get(request)

    def acknowledge(self, msg_id: int) -> None:
        """The client has the message `msg_id`: what it carried is kept no longer."""
        request = self._forget(msg_id)
        if request is not None:
            self.drop(request)
            self._given_up.pop(request, None)
