"""Schema text → combinators: a recursive-descent parser of the TL language.

The grammar is that of core.telegram.org/mtproto/TL-formal, as far as any schema of Telegram's uses it;
what is left out (``New``, ``Final`` and ``Empty`` declarations, type arithmetic, conditions on a whole
number) gets an error that says so.  After an error the parser goes on behind the next ``;``, so that one run
reports all that is wrong with a schema.  It resolves nothing: `tl.schema` does.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from tl.ast import Combinator, Doc, FlagRef, Multiplicity, Parameter, TypeExpr, TypeRef
from tl.errors import SchemaError
from tl.lexer import Source, Token, tokenize

__all__ = ["MAX_NESTING", "ParsedSchema", "parse", "parse_type"]

MAX_NESTING = 64
"""How deep type expressions may nest: a bound of this parser's, far above any real schema's."""

_MAX_ERRORS = 50
_ID = re.compile("#[0-9A-Fa-f]{1,8}")
_ERROR_CODE = re.compile("[0-9]{1,9}")
_DECLARATIONS = {"New", "Final", "Empty"}


@dataclass(frozen=True, slots=True)
class ParsedSchema:
    """What a schema's text says: its combinators in order, and the layer if a comment names one."""

    combinators: tuple[Combinator, ...]
    layer: int | None


def parse(text: str) -> ParsedSchema:
    """Parse a schema; raise SchemaError (with every error found, see its `errors`) where it is not TL."""
    source = Source(text)
    parser = _Parser(source, tokenize(source))
    combinators = tuple(parser.schema())
    if parser.errors:
        raise SchemaError.of(parser.errors)
    return ParsedSchema(combinators, source.layer)


def parse_type(text: str) -> TypeExpr:
    """Parse one type expression, such as ``Vector<User>``; raise SchemaError where it is not one."""
    source = Source(text)
    parser = _Parser(source, tokenize(source))
    result = parser.type_expression()
    parser.expect_end()
    return result


class _Parser:
    """One pass over the tokens, with one token of look-ahead (two where a name may be a field's)."""

    def __init__(self, source: Source, tokens: Iterator[Token]) -> None:
        self.source = source
        self.errors: list[SchemaError] = []
        self._tokens = tokens
        self._ahead: deque[Token] = deque()
        self._docs: list[Token] = []
        self._depth = 0

    # Tokens

    def peek(self, distance: int = 0) -> Token:
        while len(self._ahead) <= distance:
            token = next(self._tokens)
            if token.kind == "doc":
                self._docs.append(token)
            else:
                self._ahead.append(token)
                if token.kind == "end":
                    self._tokens = iter([token] * 4)
        return self._ahead[distance]

    def take(self) -> Token:
        self.peek()
        return self._ahead.popleft()

    def at(self, text: str, distance: int = 0) -> bool:
        token = self.peek(distance)
        return token.kind == "symbol" and token.text == text

    def accept(self, text: str) -> bool:
        if self.at(text):
            self.take()
            return True
        return False

    def expect(self, text: str, why: str = "") -> Token:
        if not self.at(text):
            raise self.unexpected(f"{text!r}{why}")
        return self.take()

    def expect_kind(self, kind: str, what: str) -> Token:
        if self.peek().kind != kind:
            raise self.unexpected(what)
        return self.take()

    def expect_end(self) -> None:
        if self.peek().kind != "end":
            raise self.unexpected("the end")

    def unexpected(self, expected: str) -> SchemaError:
        token = self.peek()
        if token.text == "/*":
            return self.source.error("this comment is never closed: expected '*/'", token.start)
        got = "the end of the text" if token.kind == "end" else repr(token.text)
        return self.source.error(f"got {got}, expected {expected}", token.start)

    # Declarations

    def schema(self) -> Iterator[Combinator]:
        is_function = False
        while True:
            try:
                token = self.peek()
                if token.kind == "end":
                    return
                if token.kind == "section":
                    is_function = self.section()
                    self._docs.clear()
                else:
                    yield self.combinator(is_function)
            except SchemaError as error:
                self.errors.append(error)
                if len(self.errors) >= _MAX_ERRORS or not self.skip_declaration():
                    return

    def skip_declaration(self) -> bool:
        """Go on behind the next ``;``; False where the text ends before one."""
        self._depth = 0
        self._docs.clear()
        while not self.at(";"):
            if self.peek().kind == "end":
                return False
            self.take()
        self.take()
        return True

    def section(self) -> bool:
        token = self.take()
        name = token.text.strip("- \t")
        if name not in ("types", "functions"):
            raise self.source.error(
                f"got section {name!r}, expected '---types---' or '---functions---'", token.start
            )
        return name == "functions"

    def combinator(self, is_function: bool) -> Combinator:
        name = self.expect_kind("name", "the name of a combinator, or a section such as '---functions---'")
        docs, self._docs = self._docs, []
        if name.text in _DECLARATIONS:
            raise self.source.error(
                f"{name.text!r} declarations are not supported: MTProto has none", name.start
            )
        constructor_id = self.constructor_id(name)
        is_builtin = self.accept("?")
        implicit = list(self.implicit_parameters()) if not is_builtin else []
        parameters = list(self.parameters("=")) if not is_builtin else []
        self.expect("=", " before the result type")
        result = self.result_type()
        self.expect(";", " at the end of a declaration")
        return Combinator(
            name=name.text,
            id=constructor_id,
            implicit=tuple(implicit),
            parameters=tuple(parameters),
            result=result,
            is_function=is_function,
            is_builtin=is_builtin,
            line=self.source.line(name.start),
            doc=self.doc(docs),
        )

    def constructor_id(self, name: Token) -> int | None:
        token = self.peek()
        if self.at("#") and token.start == name.start + len(name.text):
            raise self.source.error("got '#' without an id, expected 1 to 8 hex digits", token.start)
        if token.kind != "id":
            return None
        token = self.take()
        if not _ID.fullmatch(token.text):
            raise self.source.error(f"got id {token.text!r}, expected 1 to 8 hex digits", token.start)
        return int(token.text[1:], 16)

    def implicit_parameters(self) -> Iterator[Parameter]:
        while self.accept("{"):
            names = [self.expect_kind("name", "the name of a type variable").text]
            while not self.at(":"):
                names.append(self.expect_kind("name", "':' or another type variable").text)
            self.take()
            kind = self.term()
            self.expect("}")
            yield from (Parameter(name, kind) for name in names)

    def parameters(self, end: str) -> Iterator[Parameter]:
        while not self.at(end):
            if self.peek().kind == "end" or self.at(";"):
                raise self.unexpected(f"a field, or {end!r}")
            if self.at("{"):
                raise self.unexpected(f"a field, or {end!r}: type variables stand before all fields")
            yield from self.parameter()

    def parameter(self) -> Iterator[Parameter]:
        if self.at("(") and self.peek(1).kind == "name" and self.named_group():
            self.take()
            names = [self.take().text]
            while not self.accept(":"):
                names.append(self.expect_kind("name", "':' or another field name").text)
            kind = self.term()
            self.expect(")")
            yield from (Parameter(name, kind) for name in names)
        elif self.peek().kind == "name" and self.at(":", 1):
            name = self.take()
            self.take()
            if "." in name.text:
                raise self.source.error(
                    f"got field name {name.text!r}, expected one without a dot", name.start
                )
            flag = self.flag()
            yield Parameter(name.text, self.term(), flag)
        else:
            yield Parameter("", self.term())

    def named_group(self) -> bool:
        """Whether the parenthesis ahead is ``(a b:int)``, fields of one type, and not a type."""
        distance = 1
        while self.peek(distance).kind == "name":
            distance += 1
        return self.at(":", distance)

    def flag(self) -> FlagRef | None:
        if self.peek().kind != "name":
            return None
        if self.at("?", 1):
            raise self.source.error("a condition needs a bit, such as 'flags.0?'", self.peek().start)
        if not self.at(".", 1):
            return None
        name = self.take().text
        self.take()
        number = self.expect_kind("number", "the number of a flag bit")
        self.expect("?", " after the flag bit")
        bit = int(number.text) if len(number.text) < 4 else 1000
        if bit > 31:
            raise self.source.error(f"got flag bit {number.text}, expected 0 to 31", number.start)
        return FlagRef(name, bit)

    # Types

    def type_expression(self) -> TypeExpr:
        """A term, or a type applied to the terms behind it: ``Vector t``."""
        start = self.peek().start
        head = self.term()
        arguments: list[TypeExpr] = []
        while self.at_term():
            arguments.append(self.term())
        if not arguments:
            return head
        if not isinstance(head, TypeRef) or head.arguments or head.generic or head.name == "#":
            raise self.source.error("only a type's name can be applied to arguments", start)
        return TypeRef(head.name, tuple(arguments), head.bare, head.generic)

    def result_type(self) -> TypeRef:
        start = self.peek().start
        result = self.type_expression()
        if not isinstance(result, TypeRef):
            raise self.source.error("the result is a type, not a repetition", start)
        return result

    def at_term(self) -> bool:
        token = self.peek()
        return token.kind in ("name", "number") or (token.kind == "symbol" and token.text in "#(!%[")

    def term(self) -> TypeExpr:
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise self.source.error(f"types nest deeper than {MAX_NESTING}", self.peek().start)
        result = self._term()
        self._depth -= 1
        if self.at("+"):
            raise self.source.error("type arithmetic is not supported: MTProto has none", self.peek().start)
        return result

    def _term(self) -> TypeExpr:
        token = self.peek()
        if token.kind == "number" or self.at("[") or (token.kind == "name" and self.at("*", 1)):
            return self.multiplicity()
        if self.at("#"):
            self.take()
            if self.at("*"):
                raise self.unexpected("a number or a field's name before '*'")
            return TypeRef("#")
        if self.accept("("):
            inner = self.type_expression()
            self.expect(")")
            return inner
        if self.accept("%"):
            inner = self.term()
            if not isinstance(inner, TypeRef):
                raise self.source.error("'%' makes a type bare, not a repetition", token.start)
            return TypeRef(inner.name, inner.arguments, True, inner.generic)
        if self.accept("!"):
            return TypeRef(self.expect_kind("name", "a type variable after '!'").text, generic=True)
        return self.named_type()

    def named_type(self) -> TypeRef:
        name = self.expect_kind("name", "a type").text
        arguments: list[TypeExpr] = []
        if self.accept("<"):
            arguments.append(self.type_expression())
            while self.accept(","):
                arguments.append(self.type_expression())
            self.expect(">")
        elif name in ("Vector", "vector") and self.at_term() and not self.at(":", 1):
            # `Vector int` without brackets: the one type that takes an argument everywhere.
            arguments.append(self.term())
        return TypeRef(name, tuple(arguments))

    def multiplicity(self) -> Multiplicity:
        count: int | str | None = None
        if not self.at("["):
            token = self.take()
            if token.kind == "number" and len(token.text) > 9:
                raise self.source.error(f"a repetition of {token.text} is out of range", token.start)
            count = int(token.text) if token.kind == "number" else token.text
            self.expect("*", " between a repetition's count and its '['")
        start = self.expect("[").start
        items = tuple(self.parameters("]"))
        self.take()
        if not items:
            raise self.source.error("a repetition of nothing", start)
        return Multiplicity(count, items)

    # Doc comments

    def doc(self, tokens: list[Token]) -> Doc:
        entries: list[str] = []
        for token in tokens:
            if token.text.startswith("@"):
                entries.extend(f"@{part}" for part in token.text[1:].split(" @"))
            elif entries:
                entries[-1] += " " + token.text[1:].strip()
        description: list[str] = []
        parameters: list[tuple[str, str]] = []
        errors: list[tuple[int, str, str]] = []
        for entry in entries:
            tag, _, rest = entry[1:].partition(" ")
            words = rest.split(maxsplit=2 if tag == "error" else 1)
            if tag == "description":
                description.append(rest.strip())
            elif tag == "error" and len(words) >= 2 and _ERROR_CODE.fullmatch(words[0]):
                errors.append((int(words[0]), words[1], words[2] if len(words) > 2 else ""))
            elif tag == "param" and words:
                parameters.append((words[0], words[1] if len(words) > 1 else ""))
            elif tag != "error":
                parameters.append((tag, rest.strip()))  # TDLib's form: `//@name text`
        return Doc(" ".join(description), tuple(parameters), tuple(errors))
