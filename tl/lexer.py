"""Schema text → tokens, each with the line and column it starts at; comments become data, not tokens.

Doc comments (``//@…``, continued by ``//-…``) are kept for the combinator that follows them, and
``// LAYER 228`` anywhere gives the layer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tl.errors import SchemaError

__all__ = ["Source", "Token", "tokenize"]

_TOKEN = re.compile(
    r"""
      (?P<space>[ \t\r\n\f\v]+)
    | (?P<comment>//[^\n]*|/\*.*?\*/)
    | (?P<section>---[ \t]*[A-Za-z]+[ \t]*---)
    | (?P<name>[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*)
    | (?P<id>(?<=[A-Za-z0-9_])\#[A-Za-z0-9_]+)
    | (?P<number>[0-9]+)
    | (?P<symbol>[#.:?=;{}()\[\]<>,!%*+-])
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_LAYER = re.compile(r"//\s*LAYER\s+([0-9]{1,9})\s*$")


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its kind (``name``, ``id``, ``number``, ``symbol``, ``section``, ``doc``,
    ``stray``, ``end``), its text, and the position it starts at."""

    kind: str
    text: str
    start: int


class Source:
    """The text of a schema, which knows the line and column of every position in it.

    A byte order mark in front, as some editors write it, is no part of the text.
    """

    def __init__(self, text: str) -> None:
        self.text = text = text.removeprefix("\ufeff")
        self.layer: int | None = None
        self._starts = [0, *(m.end() for m in re.finditer("\n", text))]

    def line(self, position: int) -> int:
        """The line (from 1) that the character at `position` stands on."""
        low, high = 0, len(self._starts)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._starts[middle] <= position else (low, middle)
        return low + 1

    def error(self, message: str, position: int) -> SchemaError:
        """A `SchemaError` at `position`, with its line."""
        line = self.line(position)
        start = self._starts[line - 1]
        text = self.text[start:].split("\n", 1)[0].rstrip("\r")
        return SchemaError(message, line=line, column=position - start + 1, text=text)


def tokenize(source: Source) -> Iterator[Token]:
    """Yield the tokens of `source`, a last one of kind ``end``; any other character is ``stray``."""
    position, text = 0, source.text
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            # Not an error yet: the parser says what it expected here, and goes on behind it.
            unclosed = text.startswith("/*", position)
            yield Token("stray", "/*" if unclosed else text[position], position)
            position = len(text) if unclosed else position + 1
            continue
        kind = str(match.lastgroup)
        if kind == "comment":
            yield from _comment(source, match[0], position)
        elif kind != "space":
            yield Token(kind, match[0], position)
        position = match.end()
    yield Token("end", "", len(text))


def _comment(source: Source, text: str, position: int) -> Iterator[Token]:
    layer = _LAYER.match(text)
    if layer:
        source.layer = int(layer[1])
    elif text.startswith(("//@", "//-")):
        yield Token("doc", text[2:].rstrip(), position)
