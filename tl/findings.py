"""What a lenient reading finds: each deviation that a strict one refuses, with its name and its place.

A `Finding` is a refusal that was not raised; its name is that of the error.  The `Observer` is the reader that
notes instead of raising, wherever what deviates can be read all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tl.errors import DecodeError
from tl.limits import Budget, Limits
from tl.wire import Reader

__all__ = ["Finding", "Observer"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One deviation.

    `name` is that of the error that a strict reading raises (``NonZeroPadding``, ``UnknownConstructor``); its
    `offset`, `path`, `expected`, `got` and `message` are this one's.  `candidates` say what an unknown
    constructor is elsewhere: ``auth.sentCode of layer 133``.
    """

    name: str
    offset: int
    path: str
    expected: object
    got: object
    message: str
    candidates: tuple[str, ...] = ()

    @classmethod
    def of(cls, error: DecodeError, candidates: Sequence[str] = ()) -> Finding:
        """The finding that an error would have been."""
        return cls(
            name=type(error).__name__,
            offset=error.offset,
            path=error.path,
            expected=error.expected,
            got=error.got,
            message=error.message,
            candidates=tuple(candidates),
        )

    def __str__(self) -> str:
        place = f"{self.name} at {self.offset}{f', {self.path}' if self.path else ''}"
        known = f"; 0x{self.got:08x} is {', '.join(self.candidates)}" if self.candidates else ""
        return f"{place}: {self.message}{known}"


class Observer(Reader):
    """A reader that notes what it can do without refusing, under the strictest rules there are."""

    __slots__ = ("findings",)

    def __init__(self, data: bytes, limits: Limits | Budget) -> None:
        super().__init__(data, canonical=True, strict_flags=True, limits=limits)
        self.findings: list[Finding] = []

    def deviates(
        self, error: type[DecodeError], message: str, *, offset: int, got: object, expected: object
    ) -> None:
        self.note(self.fail(error, message, offset=offset, got=got, expected=expected))

    def note(self, error: DecodeError, candidates: Sequence[str] = ()) -> None:
        """Keep a refusal as a finding."""
        self.findings.append(Finding.of(error, candidates))
