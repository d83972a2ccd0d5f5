"""Doc comments → `Doc`: what ``//@…`` comments say of the combinator behind them.

    //@description Sends a code            goes on in the next line:
    //- to the number given.
    //@param phone_number In international form
    //@error 400 PHONE_NUMBER_INVALID The number is none

TDLib's own form is read too: several tags in a comment, fields by their names (``//@id The user's number``),
``@param_x`` for a field that is called like a tag, and ``//@class T @description …`` for a type.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from tl.ast import Doc

__all__ = ["read_docs"]

_ERROR_CODE = re.compile("[0-9]{1,9}")
_TAG = re.compile(r"(?:^| )@(\w+)", re.ASCII)
_TAGS = frozenset({"description", "error", "param"})
# Words of other generators for a description, and for the description of the result type.
_DESCRIPTIONS = frozenset({"constructor", "enum", "method"})
_TYPES = frozenset({"class", "type"})


def read_docs(comments: Iterable[str], fields: Collection[str], result: str) -> tuple[Doc, dict[str, str]]:
    """What `comments` say of a combinator with these `fields`, and of types: type → description.

    `comments` are without their ``//``; `result` is the type that a description of "the type" means.
    """
    description: list[str] = []
    parameters: list[tuple[str, str]] = []
    errors: list[tuple[int, str, str]] = []
    types: dict[str, str] = {}
    of_class = ""
    for tag, text, opens in _entries(comments, fields):
        of_class = "" if opens else of_class
        words = text.split(maxsplit=2 if tag == "error" else 1)
        if tag == "error":
            if len(words) >= 2 and _ERROR_CODE.fullmatch(words[0]):
                errors.append((int(words[0]), words[1], words[2] if len(words) > 2 else ""))
        elif tag == "param":
            if words:
                parameters.append((words[0], words[1] if len(words) > 1 else ""))
        elif tag == "class" and opens:
            of_class = words[0] if words else result
        elif tag == "description" and of_class:
            types[of_class] = text
        elif tag == "description" or (tag in _DESCRIPTIONS and tag not in fields):
            description.append(text)
        elif tag in _TYPES and tag not in fields:
            types[result] = text
        else:
            parameters.append((_field(tag, fields), text))
    return Doc(" ".join(description), tuple(parameters), tuple(errors)), types


def _entries(comments: Iterable[str], fields: Collection[str]) -> Iterator[tuple[str, str, bool]]:
    """Tag, text, and whether a comment begins with it; lines that go on are one with what they go on from."""
    joined: list[list[str]] = []
    for comment in comments:
        if not comment.startswith("-"):
            joined.append([comment])
        elif joined:
            joined[-1].append(comment[1:].strip())
    for lines in joined:
        for index, (tag, text) in enumerate(_split(" ".join(filter(None, lines)), fields)):
            yield tag, text.strip(), not index


def _split(comment: str, fields: Collection[str]) -> Iterator[tuple[str, str]]:
    """The tags of one comment and what follows each; an ``@name`` that is no tag is part of the text."""
    starts = [
        match
        for match in _TAG.finditer(comment)
        if not match.start() or match[1] in _TAGS or _field(match[1], fields) in fields
    ]
    ends = [*(match.start() for match in starts[1:]), len(comment)] if starts else []
    for match, end in zip(starts, ends, strict=True):
        yield match[1], comment[match.end() : end]


def _field(tag: str, fields: Collection[str]) -> str:
    """The field that a tag means: ``@param_type`` is ``type``, where no field has the longer name."""
    return tag if tag in fields else tag.removeprefix("param_")
