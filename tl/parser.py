"""Schema text → combinators: a recursive-descent parser of the TL language.

The grammar is that of core.telegram.org/mtproto/TL-formal and TL-combinators, as far as any schema of
Telegram's uses it; what is left out (``New``, ``Final`` and ``Empty`` declarations, partial applications, type
arithmetic, types that depend on numbers, conditions on a whole number) gets an error that says so.  After an
error the parser goes on behind the next ``;``, so that one run reports all that is wrong with a schema.  It
resolves nothing: `tl.schema` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tl.ast import Combinator, Parameter, TypeExpr, TypeRef
from tl.doc_comments import read_docs
from tl.errors import SchemaError
from tl.lexer import Source, Token, shown
from tl.type_parser import MAX_NESTING, TypeParser, parse_type

__all__ = ["MAX_NESTING", "ParsedSchema", "parse", "parse_source", "parse_type"]

_MAX_ERRORS = 50
_MOST_DIGITS = 9
_ID = re.compile("#[0-9A-Fa-f]{1,8}")
_DECLARATIONS = {"New", "Final", "Empty"}


@dataclass(frozen=True, slots=True)
class ParsedSchema:
    """What a schema's text says: its combinators in order, and the layer if the text names one.

    `layers` are those that the text marks (``===144===``), in ascending order; `combinators` are then those of
    one of them.  `type_docs` maps types to their descriptions.
    """

    combinators: tuple[Combinator, ...]
    layer: int | None
    layers: tuple[int, ...] = ()
    type_docs: dict[str, str] = field(default_factory=dict, compare=False)


def parse(text: str, *, layer: int | None = None) -> ParsedSchema:
    """Parse a schema; raise SchemaError (with every error found, see its `errors`) where it is not TL.

    `layer` picks one of several that the text marks; the last is the default.
    """
    return parse_source(Source(text), layer=layer)


def parse_source(source: Source, *, layer: int | None = None) -> ParsedSchema:
    """Parse a schema whose `Source` the caller keeps, to tell the place of what it finds wrong later."""
    parser = _Parser(source)
    marked = list(parser.schema())
    if parser.errors:
        raise SchemaError.of(parser.errors)
    layers = tuple(sorted(parser.layers))
    chosen = _chosen_layer(layer, layers, source.layer)
    combinators = _of_layer(marked, chosen) if layers and chosen is not None else [c for _, c in marked]
    return ParsedSchema(tuple(combinators), chosen, layers, parser.type_docs)


def _chosen_layer(layer: int | None, layers: tuple[int, ...], told: int | None) -> int | None:
    if layer is None:
        return layers[-1] if layers else told
    if layers:
        if layer < layers[0]:
            raise SchemaError(f"the schema has no layer {layer}: its first is {layers[0]}")
    elif told is None:
        raise SchemaError(f"the schema has no layer {layer}: no line such as '==={layer}===' marks one")
    elif told != layer:
        raise SchemaError(f"the schema is of layer {told}, not {layer}")
    return layer


def _of_layer(marked: list[tuple[int, Combinator]], layer: int) -> Iterator[Combinator]:
    """What a layer has: of each name the declarations under the last mark that is not behind the layer."""
    marks: dict[str, int] = {}
    for mark, combinator in marked:
        if mark <= layer:
            marks[combinator.name] = max(mark, marks.get(combinator.name, 0))
    return (combinator for mark, combinator in marked if marks.get(combinator.name) == mark)


class _Parser(TypeParser):
    """One pass over a schema; `errors` are collected, one for each declaration that is none."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.errors: list[SchemaError] = []
        self.layers: set[int] = set()
        self.type_docs: dict[str, str] = {}

    def schema(self) -> Iterator[tuple[int, Combinator]]:
        """The combinators, each with the layer that is marked in front of it, or 0."""
        is_function, layer = False, 0
        while self.token.kind != "end" and len(self.errors) < _MAX_ERRORS:
            try:
                if self.token.kind == "section":
                    is_function = self.section()
                elif self.token.kind == "layer":
                    layer = self.layer()
                else:
                    yield layer, self.combinator(is_function)
            except SchemaError as error:
                self.errors.append(error)
                self.skip_declaration()

    def section(self) -> bool:
        self.docs.clear()
        token = self.take()
        name = token.text.strip("- \t")
        if name not in ("types", "functions"):
            # The declarations behind it may be sound: nothing is skipped.
            expected = "'---types---' or '---functions---'"
            self.errors.append(
                self.source.error(f"got section {shown(name)}, expected {expected}", token.start)
            )
        return name == "functions"

    def layer(self) -> int:
        self.docs.clear()
        token = self.take()
        digits = token.text.strip("= \t")
        if len(digits) > _MOST_DIGITS:
            raise self.source.error(f"layer {shown(digits)} is out of range", token.start)
        self.layers.add(int(digits))
        return int(digits)

    def combinator(self, is_function: bool) -> Combinator:
        name = self.combinator_name()
        docs, self.docs = self.docs, []
        constructor_id = self.constructor_id(name)
        is_builtin = self.accept("?")
        implicit = list(self.implicit_parameters()) if not is_builtin else []
        parameters = list(self.parameters("=")) if not is_builtin else []
        self.expect("=", " before the result type")
        result = self.result_type()
        self.expect(";", " at the end of a declaration")
        if is_function and not implicit and any(_is_query(p.type, result) for p in parameters):
            # Old layers are handed down without braces: `query:!X = X` can only mean this.
            implicit = [Parameter(result.name, TypeRef("Type"))]
        doc, type_docs = read_docs(docs, {p.name for p in parameters} if docs else (), result.name)
        self.type_docs.update(type_docs)
        return Combinator(
            name=name.text,
            id=constructor_id,
            implicit=tuple(implicit),
            parameters=tuple(parameters),
            result=result,
            is_function=is_function,
            is_builtin=is_builtin,
            line=self.source.line(name.start),
            doc=doc,
            start=name.start,
        )

    def combinator_name(self) -> Token:
        token = self.token
        if token.kind == "name" and token.text not in _DECLARATIONS:
            return self.take()
        if token.text in _DECLARATIONS:
            message = f"{token.text!r} declarations are not supported: MTProto has none"
        elif token.text == "_" and token.kind == "symbol":
            message = "a combinator without a name ('_') is not supported: MTProto has none"
        elif token.text == "@":
            message = "modifiers of a declaration ('@…') are not supported: MTProto has none"
        else:
            raise self.unexpected("the name of a combinator, or a section such as '---functions---'")
        raise self.source.error(message, token.start)

    def constructor_id(self, name: Token) -> int | None:
        token = self.token
        if token.text == "#" and token.start == name.start + len(name.text):
            raise self.source.error("got '#' without an id, expected 1 to 8 hex digits", token.start)
        if token.kind != "id":
            return None
        self.take()
        if not _ID.fullmatch(token.text):
            raise self.source.error(f"got id {shown(token.text)}, expected 1 to 8 hex digits", token.start)
        return int(token.text[1:], 16)


def _is_query(kind: TypeExpr, result: TypeRef) -> bool:
    return isinstance(kind, TypeRef) and kind.generic and kind.name == result.name and not result.arguments
