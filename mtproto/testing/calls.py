"""Calls of a Pair: a request, and what became of it."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import tl
from mtproto.errors import LocalProtocolError, MTProtoError

__all__ = ["Call"]

R = TypeVar("R")


class Call(Generic[R]):
    """A request made with `Pair.invoke`; it is `done` once its answer has come, or an error in its place.

    `number` counts the calls of a Pair from 0.  `executed` is how often a handler got the request, `endings` how
    often the client has said what became of it: once, if all is right.
    """

    def __init__(
        self,
        number: int,
        request: tl.TLFunction[R] | bytes,
        after: tuple[Call[Any], ...],
        options: dict[str, bool],
    ) -> None:
        self.number = number
        self.request = request
        self.body = bytes(request)
        self.after = after
        self.options = options
        self.request_id: int | None = None
        self.answer: bytes | None = None
        self.error: MTProtoError | None = None
        self.executed = 0
        self.endings = 0
        self.is_cancelled = False

    def __repr__(self) -> str:
        return f"<Call {self.number}: {self.outcome}>"

    @property
    def done(self) -> bool:
        """Whether nothing more is to come."""
        return self.endings > 0 or self.is_cancelled

    @property
    def outcome(self) -> str:
        """What became of it, in a word."""
        if self.is_cancelled:
            return "cancelled"
        if self.error is not None:
            return type(self.error).__name__
        return "open" if self.answer is None else "answered"

    def result(self) -> R:
        """The answer; where there is none, the error is raised, and LocalProtocolError before the call is done.

        For a request given as bytes it is the boxed bytes of the answer.
        """
        if self.error is not None:
            raise self.error
        if self.answer is None:
            raise LocalProtocolError(f"call {self.number} is {self.outcome}: let the pair run")
        if isinstance(self.request, bytes):
            return self.answer  # type: ignore[return-value]
        return tl.decode_result(self.request, self.answer)

    def end(self, outcome: bytes | MTProtoError) -> None:
        """The client says what became of it."""
        self.endings += 1
        if self.endings > 1 or self.is_cancelled:
            return
        if isinstance(outcome, bytes):
            self.answer = outcome
        else:
            self.error = outcome
