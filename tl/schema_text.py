"""A schema → its text with doc comments, in the form that `schema/api.tl` has.

`str(schema)` is the declarations alone, one a line; here stands above each what it is documented with, as
far as `tl.doc_comments` has read it, and `Schema.parse` reads the same schema and the same docs back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from tl.ast import Combinator, Doc
from tl.schema import Schema

__all__ = ["schema_text"]

_WIDTH = 110
# Only a lone space may become the end of a line: two of them would come back as one.
_BREAK = re.compile(r"(?<=\S) (?=\S)")


def schema_text(schema: Schema, *, width: int = _WIDTH) -> str:
    """The whole text of `schema`, doc comments broken after `width` columns, the layer on the last line.

    Ids are without leading zeros, as in Telegram's own schema.  Where nothing is documented there are no
    empty lines between declarations either.
    """
    documented = bool(schema.type_docs) or any(c.doc for c in schema.declarations)
    types = _Types(schema)
    paragraphs: list[str] = []
    for is_function, section in groupby(schema.declarations, key=lambda c: c.is_function):
        paragraphs.append(f"---{'functions' if is_function else 'types'}---")
        texts = ["\n".join((*types.comments(c, width), *_comments(c.doc, width), _text(c))) for c in section]
        paragraphs.append(("\n\n" if documented else "\n").join(texts))
    if schema.layer is not None:
        paragraphs.append(f"// LAYER {schema.layer}")
    return "\n\n".join(paragraphs) + "\n" * bool(paragraphs)


def _text(combinator: Combinator) -> str:
    text = str(combinator)
    if combinator.id is None:
        return text
    return text.replace(f"#{combinator.id:08x}", f"#{combinator.id:x}", 1)


class _Types:
    """The descriptions of types: each stands with the first declaration of its type, or else with the first."""

    def __init__(self, schema: Schema) -> None:
        declared = {c.result.name for c in schema.declarations}
        self.homeless = [name for name in schema.type_docs if name not in declared]
        self.left = dict(schema.type_docs)

    def comments(self, combinator: Combinator, width: int) -> Iterator[str]:
        for name in (*self.homeless, combinator.result.name):
            if name in self.left:
                yield from _wrapped(f"@class {name} @description", self.left.pop(name), width)
        self.homeless = []


def _comments(doc: Doc, width: int) -> Iterator[str]:
    if doc.description:
        yield from _wrapped("@description", doc.description, width)
    for name, text in doc.parameters:
        yield from _wrapped(f"@param {name}", text, width)
    for code, error, text in doc.errors:
        yield from _wrapped(f"@error {code} {error}", text, width)


def _wrapped(head: str, text: str, width: int) -> Iterator[str]:
    """The lines of one doc comment."""
    line = f"//{head}"
    for word in _BREAK.split(text.replace("\n", " ").strip()):
        if word and len(line) + 1 + len(word) > width:
            yield line
            line = "//-"
        line += f" {word}" if word else ""
    yield line
