"""Schema text → tokens, each with the place it starts at; comments become data, not tokens.

Doc comments (``//@…``, continued by ``//-…``) are kept for the combinator that follows them,
``// LAYER 228`` anywhere gives the layer, and a line ``===144===`` (in a comment too) says from which layer on
a schema has what follows, as the end-to-end schema does.

All is done in one pass and in time proportional to the text, whatever the text.
Source: core.telegram.org/mtproto/TL-formal#tokens
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tl.errors import SchemaError

__all__ = ["Lexer", "Source", "Token", "shown"]

_TOKEN = re.compile(
    r"""
    [ \t\r\n\f\v]*+
    (?: (?P<name>[A-Za-z][A-Za-z0-9_]*+(?:\.[A-Za-z][A-Za-z0-9_]*+)*+)
      | (?P<comment>//[^\n]*+|/\*.*?\*/)
      | (?P<layer>===[ \t]*+[0-9]++[ \t]*+===)
      | (?P<section>---[ \t]*+[A-Za-z]++[ \t]*+---)
      | (?P<id>(?<=[A-Za-z0-9_])\#[A-Za-z0-9_]++)
      | (?P<number>[0-9]++)
      | (?P<symbol>_(?![A-Za-z0-9_])|[#.:?=;{}()\[\]<>,!%*+-])
      | (?P<end>\Z)
    )
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_SPACE = re.compile(r"[ \t\r\n\f\v]*+")
# What stands between one declaration and the next: everything up to a `;` that is in no comment.
_DECLARATION = re.compile(r"(?:[^;/]++|//[^\n]*+|/\*.*?\*/|/(?!\*))*+;", re.DOTALL)
# `(a b:` opens a group of fields, `(A b)` is a type.
_GAP = r"(?:[ \t\r\n\f\v]++|//[^\n]*+|/\*.*?\*/)"
_NAME = r"(?:[A-Za-z][A-Za-z0-9_]*+|_)"
_GROUP = re.compile(rf"\({_GAP}*+{_NAME}(?:{_GAP}++{_NAME})*+{_GAP}*+:", re.DOTALL)
_LAYER = re.compile(r"//\s*LAYER\s+([0-9]{1,9})\s*$")
_LAYER_MARK = re.compile(r"//\s*(===[ \t]*[0-9]+[ \t]*===)\s*$")
_DOC = re.compile(r"//(@|-|\s*@(?:description|param|error|class|type|constructor|enum|method)\b)")
_SHOWN = 60


class Token(NamedTuple):
    """One token: its kind (``name``, ``id``, ``number``, ``symbol``, ``section``, ``layer``, ``doc``,
    ``stray``, ``end``), its text, and the position it starts at."""

    kind: str
    text: str
    start: int


def shown(text: str) -> str:
    """`text` as errors quote it: cut off where it is long."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


class Source:
    """The text of a schema, which knows the line and column of every position in it.

    A byte order mark in front, as some editors write it, is no part of the text.
    """

    def __init__(self, text: str) -> None:
        self.text = text.removeprefix("\ufeff")
        self.layer: int | None = None
        # Where lines were counted last: positions are asked for in order, or nearly so.
        self._line = 1
        self._counted = 0
        self._start, self._end, self._shown = 0, -1, ""

    def line(self, position: int) -> int:
        """The line (from 1) that the character at `position` stands on."""
        if position >= self._counted:
            self._line += self.text.count("\n", self._counted, position)
        else:
            self._line -= self.text.count("\n", position, self._counted)
        self._counted = position
        return self._line

    def error(self, message: str, position: int) -> SchemaError:
        """A `SchemaError` at `position`, with its line."""
        if not self._start <= position <= self._end:
            self._start = self.text.rfind("\n", 0, position) + 1
            end = self.text.find("\n", position)
            self._end = len(self.text) if end < 0 else end
            self._shown = self.text[self._start : self._end].rstrip("\r")
        column = position - self._start + 1
        return SchemaError(message, line=self.line(position), column=column, text=self._shown)


class Lexer:
    """The tokens of `source`, one after the other, and what a parser looks up ahead of them."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._text = source.text
        self._position = 0

    def tokens(self) -> Iterator[Token]:
        """Yield the tokens, then one of kind ``end`` without end; any other character is ``stray``."""
        text = self._text
        match_token, new = _TOKEN.match, tuple.__new__
        while True:
            match = match_token(text, self._position)
            if match is None:
                yield self._stray()
                continue
            kind = match.lastgroup or ""
            self._position = match.end()
            if kind == "comment":
                yield from self._comment(match[kind], match.start(kind))
            else:
                yield new(Token, (kind, match[kind], match.start(kind)))

    def _stray(self) -> Token:
        # Not an error yet: the parser says what it expected here, and goes on behind it.
        match = _SPACE.match(self._text, self._position)
        start = match.end() if match else self._position
        self._position = start + 1
        return Token("stray", "/*" if self._text.startswith("/*", start) else self._text[start], start)

    def _comment(self, text: str, start: int) -> Iterator[Token]:
        if _DOC.match(text):
            yield Token("doc", text[2:].strip(), start)
        elif text.startswith("//") and "LAYER" in text:
            layer = _LAYER.match(text)
            if layer:
                self.source.layer = int(layer[1])
        elif text.startswith("//") and "===" in text:
            mark = _LAYER_MARK.match(text)
            if mark:
                yield Token("layer", mark[1], start)

    def skip_declaration(self, position: int) -> None:
        """Go on behind the next ``;`` from `position` on, or at the end of the text."""
        match = _DECLARATION.match(self._text, position)
        self._position = match.end() if match else len(self._text)

    def opens_group(self, position: int) -> bool:
        """Whether the parenthesis at `position` is that of ``(a b:int)``, fields of one type, and no type's."""
        return _GROUP.match(self._text, position) is not None
