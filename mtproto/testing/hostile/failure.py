"""How a conversation fails: what was expected where, what came instead, and all that was said before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mtproto.errors import LocalProtocolError

__all__ = ["ConversationFailed", "NeverEnds", "NobodyCame", "ScriptWrong", "Transcript"]


class Transcript:
    """What was said so far, line by line; times are seconds from the beginning."""

    def __init__(self, start: float) -> None:
        self._start = start
        self.lines: list[str] = []

    def note(self, now: float, what: str) -> None:
        """Add a line."""
        self.lines.append(f"{now - self._start:8.3f}  {what}")

    def __str__(self) -> str:
        return "\n".join(self.lines)


class NeverEnds(LocalProtocolError):
    """A script that has no end: `why` says so, `node` is the number (and the text) of the node that it was at."""

    def __init__(self, why: str, node: str, name: str = "the script") -> None:
        self.why = why
        self.node = node
        super().__init__(f"{name} never ends: {why}, the last at node {node}")


class ScriptWrong(LocalProtocolError):
    """A function or a value in a script has raised `error`, which is the cause of this; `node` as in NeverEnds."""

    def __init__(self, error: Exception, node: str, name: str = "the script") -> None:
        self.error = error
        self.node = node
        super().__init__(f"{name} is wrong at node {node}: {type(error).__name__}: {error}")


class NobodyCame(AssertionError):
    """There was no conversation: the client has not connected, or has said nothing."""


class ConversationFailed(AssertionError):
    """The peer did not do what the conversation expects.

    `name` is that of the conversation, `check` the rule it tests, `node` the number and text of the node at which
    it failed, `expected` the alternatives there, `got` what came; `seed` replays it.
    """

    def __init__(
        self,
        name: str,
        check: str,
        *,
        node: str,
        expected: Sequence[str],
        got: str,
        transcript: Transcript,
        seed: int,
    ) -> None:
        self.name = name
        self.check = check
        self.node = node
        self.expected = tuple(expected)
        self.got = got
        self.transcript = tuple(transcript.lines)
        self.seed = seed
        super().__init__("\n".join(self.lines()))

    @property
    def has_heard(self) -> bool:
        """Whether the peer has done anything at all."""
        return any("←" in line for line in self.transcript)

    def lines(self) -> Iterable[str]:
        """The text, line by line."""
        yield f"{self.name or 'the conversation'} fails{f' [{self.check}]' if self.check else ''}, seed={self.seed}"
        yield f"  at node   {self.node}"
        for index, alternative in enumerate(self.expected):
            yield f"  {'       or ' if index else 'expected  '}{alternative}"
        yield f"  got       {self.got}"
        yield "  so far:"
        yield from (f"    {line}" for line in self.transcript or ("nothing",))
