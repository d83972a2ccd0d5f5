"""The fields and types of a declaration: tokens → `Parameter`, `TypeRef`, `Multiplicity`.

The grammar is that of core.telegram.org/mtproto/TL-combinators and TL-formal; what a codec for MTProto can't
have (type arithmetic, types that depend on numbers, conditions on a whole number) gets an error that says so.
"""

from __future__ import annotations

from collections.abc import Iterator

from tl.ast import FlagRef, Multiplicity, Parameter, TypeExpr, TypeRef
from tl.errors import SchemaError
from tl.lexer import Source, Token, shown
from tl.token_stream import TokenStream

__all__ = ["MAX_NESTING", "TypeParser", "parse_type"]

MAX_NESTING = 64
"""How deep type expressions may nest: a bound of this parser's, far above any real schema's."""

_MOST_DIGITS = 9
_TERM_SYMBOLS = frozenset("#(!%[")


def parse_type(text: str) -> TypeExpr:
    """Parse one type expression, such as ``Vector<User>``; raise SchemaError where it is not one."""
    parser = TypeParser(Source(text))
    result = parser.type_expression()
    parser.expect_end()
    return result


class TypeParser(TokenStream):
    """Parses what stands between the name of a combinator and its ``;``."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._depth = 0

    def skip_declaration(self) -> None:
        self._depth = 0
        super().skip_declaration()

    # Fields

    def implicit_parameters(self) -> Iterator[Parameter]:
        while self.accept("{"):
            names = [self.expect_kind("name", "the name of a type variable")]
            while self.token.text != ":":
                names.append(self.expect_kind("name", "':' or another type variable"))
            self.take()
            kind = self.type_expression()
            self.expect("}")
            yield from (Parameter(name.text, kind, None, name.start) for name in names)

    def parameters(self, end: str) -> Iterator[Parameter]:
        while self.token.text != end:
            if self.token.kind == "end":
                raise self.unexpected(f"a field, or {end!r}")
            if self.token.text == ";":
                why = ": MTProto has no partial applications" if end == "=" else ""
                raise self.unexpected(f"a field, or {end!r}{why}")
            if self.token.text == "{":
                raise self.unexpected(f"a field, or {end!r}: type variables stand before all fields")
            yield from self.parameter()

    def parameter(self) -> Iterator[Parameter]:
        token = self.token
        if (token.kind == "name" or token.text == "_") and self.peek(1).text == ":":
            self.take()
            self.take()
            yield self.named(self.field_name(token))
        elif token.text == "(" and self.lexer.opens_group(token.start):
            self.take()
            names = [self.take()]
            while not self.accept(":"):
                names.append(self.take())
            kind = self.type_expression()
            self.expect(")")
            yield from (Parameter(self.field_name(name).text, kind, None, name.start) for name in names)
        else:
            yield Parameter("", self.term(), None, token.start)

    def field_name(self, token: Token) -> Token:
        if token.text == "_":  # what TL calls a field without a name
            return Token("name", "", token.start)
        if "." in token.text:
            raise self.source.error(
                f"got field name {shown(token.text)}, expected one without a dot", token.start
            )
        return token

    def named(self, name: Token) -> Parameter:
        """A field from behind its ``:`` on; the condition may stand in parentheses with the type."""
        if self.token.text == "(" and self.peek(1).kind == "name" and self.peek(2).text in (".", "?"):
            self.take()
            flag, kind = self.flag(), self.type_expression()
            self.expect(")")
        else:
            flag, kind = self.flag(), self.term()
        return Parameter(name.text, kind, flag, name.start)

    def flag(self) -> FlagRef | None:
        if self.token.kind != "name":
            return None
        behind = self.peek(1).text
        if behind == "?":
            raise self.source.error("a condition needs a bit, such as 'flags.0?'", self.token.start)
        if behind != ".":
            return None
        name = self.take().text
        self.take()
        number = self.expect_kind("number", "the number of a flag bit")
        self.expect("?", " after the flag bit")
        bit = int(number.text) if len(number.text) < 4 else 1000
        if bit > 31:
            raise self.source.error(
                f"got flag bit {shown(number.text)[1:-1]}, expected 0 to 31", number.start
            )
        return FlagRef(name, bit)

    # Types

    def type_expression(self) -> TypeExpr:
        """A term, or a type applied to the terms behind it: ``Vector t``."""
        start = self.token.start
        head = self.term()
        arguments: list[TypeExpr] = []
        while self.at_term():
            arguments.append(self.term())
        if not arguments:
            return head
        if not isinstance(head, TypeRef) or head.arguments or head.generic or head.name == "#":
            raise self.source.error("only a type's name can be applied to arguments", start)
        return TypeRef(head.name, tuple(arguments), head.bare, head.generic, start)

    def result_type(self) -> TypeRef:
        start = self.token.start
        result = self.type_expression()
        if not isinstance(result, TypeRef):
            raise self.source.error("the result is a type, not a repetition", start)
        return result

    def at_term(self) -> bool:
        kind = self.token.kind
        return kind == "name" or kind == "number" or self.token.text in _TERM_SYMBOLS

    def term(self) -> TypeExpr:
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise self.source.error(f"types nest deeper than {MAX_NESTING}", self.token.start)
        result = self._term()
        self._depth -= 1
        if self.token.text == "+":
            raise self.arithmetic()
        return result

    def arithmetic(self) -> SchemaError:
        return self.source.error("type arithmetic is not supported: MTProto has none", self.token.start)

    def _term(self) -> TypeExpr:
        token = self.token
        if token.kind == "name":
            return self.multiplicity() if self.peek(1).text == "*" else self.named_type()
        if token.kind == "number" or token.text == "[":
            return self.multiplicity()
        if self.accept("#"):
            if self.token.text == "*":
                raise self.unexpected("a number or a field's name before '*'")
            return TypeRef("#", start=token.start)
        if self.accept("("):
            inner = self.type_expression()
            self.expect(")")
            return inner
        if self.accept("%"):
            inner = self.term()
            if not isinstance(inner, TypeRef):
                raise self.source.error("'%' makes a type bare, not a repetition", token.start)
            return TypeRef(inner.name, inner.arguments, True, inner.generic, token.start)
        if self.accept("!"):
            name = self.expect_kind("name", "a type variable after '!'").text
            return TypeRef(name, generic=True, start=token.start)
        raise self.unexpected("a type")

    def named_type(self) -> TypeRef:
        name = self.take()
        arguments: list[TypeExpr] = []
        if self.accept("<"):
            arguments.append(self.type_expression())
            while self.accept(","):
                arguments.append(self.type_expression())
            self.expect(">")
        elif name.text in ("Vector", "vector") and self.at_term() and self.peek(1).text != ":":
            # `Vector int` without brackets: the one type that takes an argument everywhere.
            arguments.append(self.term())
        return TypeRef(name.text, tuple(arguments), start=name.start)

    def multiplicity(self) -> Multiplicity:
        start = self.token.start
        count: int | str | None = None
        if self.token.text != "[":
            count = self.count()
            self.expect("*", " between a repetition's count and its '['")
        opening = self.expect("[").start
        items = tuple(self.parameters("]"))
        self.take()
        if not items:
            raise self.source.error("a repetition of nothing", opening)
        return Multiplicity(count, items, start)

    def count(self) -> int | str:
        token = self.take()
        if token.kind != "number":
            return token.text
        if self.token.text == "+":
            raise self.arithmetic()
        if self.token.text != "*":
            raise self.source.error(
                f"got the number {shown(token.text)[1:-1]}, expected a type: "
                "MTProto has no types that depend on numbers",
                token.start,
            )
        if len(token.text) > _MOST_DIGITS:
            raise self.source.error(f"a repetition of {shown(token.text)[1:-1]} is out of range", token.start)
        return int(token.text)
