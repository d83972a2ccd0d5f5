"""The tokens of a schema as a parser takes them: the next one, a few behind it, doc comments aside."""

from __future__ import annotations

from collections import deque

from tl.errors import SchemaError
from tl.lexer import Lexer, Source, Token, shown

__all__ = ["TokenStream"]


class TokenStream:
    """What a parser is made on: `token` is the next one, `docs` the doc comments that were in front of it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.lexer = Lexer(source)
        self.docs: list[str] = []
        self._tokens = self.lexer.tokens()
        self._ahead: deque[Token] = deque()
        self.token = self._read()

    def _read(self) -> Token:
        token = next(self._tokens)
        while token.kind == "doc":
            self.docs.append(token.text)
            token = next(self._tokens)
        return token

    def peek(self, distance: int) -> Token:
        """The token so far behind the next one."""
        while len(self._ahead) < distance:
            self._ahead.append(self._read())
        return self._ahead[distance - 1]

    def take(self) -> Token:
        token = self.token
        self.token = self._ahead.popleft() if self._ahead else self._read()
        return token

    def accept(self, text: str) -> bool:
        if self.token.text == text:
            self.take()
            return True
        return False

    def expect(self, text: str, why: str = "") -> Token:
        if self.token.text != text:
            raise self.unexpected(f"{text!r}{why}")
        return self.take()

    def expect_kind(self, kind: str, what: str) -> Token:
        if self.token.kind != kind:
            raise self.unexpected(what)
        return self.take()

    def expect_end(self) -> None:
        if self.token.kind != "end":
            raise self.unexpected("the end")

    def unexpected(self, expected: str) -> SchemaError:
        token = self.token
        if token.text == "/*":
            return self.source.error("this comment is never closed: expected '*/'", token.start)
        got = "the end of the text" if token.kind == "end" else shown(token.text)
        return self.source.error(f"got {got}, expected {expected}", token.start)

    def skip_declaration(self) -> None:
        """Go on behind the next ``;``, or at the end of the text."""
        self._ahead.clear()
        self.lexer.skip_declaration(self.token.start)
        self.token = self._read()
