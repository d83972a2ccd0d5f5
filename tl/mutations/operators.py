"""What an operator is: a function from a site to drafts, each a few edits and what is known of the result.

    @operator(is_string)
    def dirty_padding(site): ...
        yield illegal(site.path, (at, at + 1, b"\\1"))

An operator says `legal` or `illegal` only of what follows from the rules of TL, whatever decodes it; `unsure`
leaves the verdict to the reference codec.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from tl.mutations.sites import Site
from tl.objects import Bare, Boxed
from tl.primitives import Bytes, Vector
from tl.spans import CONSTRUCTOR_ID, COUNT, LENGTH
from tl.wire import WireType

__all__ = [
    "Draft",
    "Edit",
    "Operator",
    "edited",
    "illegal",
    "is_bare",
    "is_boxed",
    "is_object",
    "is_record",
    "is_root",
    "is_string",
    "is_value",
    "is_vector",
    "legal",
    "legal_if",
    "operator",
    "unsure",
]

Edit = tuple[int, int, bytes]
"""Where bytes are taken out, from and to, and what comes in their place."""


class Draft(NamedTuple):
    """A change of an encoding: edits in the order of the bytes; `legal` is None where the operator can't tell."""

    path: str
    legal: bool | None
    edits: tuple[Edit, ...]


def legal(path: str, *edits: Edit) -> Draft:
    """What a strict decoder must accept, if its limits allow."""
    return Draft(path, True, edits)


def legal_if(condition: bool, path: str, *edits: Edit) -> Draft:
    """The same where the condition holds; else the verdict is left open."""
    return Draft(path, True if condition else None, edits)


def illegal(path: str, *edits: Edit) -> Draft:
    """What a strict decoder must refuse."""
    return Draft(path, False, edits)


def unsure(path: str, *edits: Edit) -> Draft:
    """What may be one or the other."""
    return Draft(path, None, edits)


def edited(data: bytes, edits: tuple[Edit, ...]) -> bytes:
    """The data with the edits made, which are in the order of the bytes."""
    parts = []
    position = 0
    for start, end, new in edits:
        parts += [data[position:start], new]
        position = end
    return b"".join([*parts, data[position:]])


@dataclass(frozen=True, slots=True)
class Operator:
    """A way to change an encoding.

    `about` says what it does, in a line.  `where` are the sites that it may have something for, `drafts` what
    it has there.
    """

    name: str
    about: str
    where: Callable[[Site], bool]
    drafts: Callable[[Site], Iterator[Draft]]

    def __repr__(self) -> str:
        return f"<operator {self.name}: {self.about}>"


def operator(
    where: Callable[[Site], bool],
) -> Callable[[Callable[[Site], Iterator[Draft]]], Operator]:
    """Make an operator of a function, by its name and docstring, for the sites where `where` holds."""

    def of(drafts: Callable[[Site], Iterator[Draft]]) -> Operator:
        return Operator(drafts.__name__, (drafts.__doc__ or "").strip(), where, drafts)

    return of


# Where operators apply


def is_root(site: Site) -> bool:
    """The whole encoding."""
    return site.parent is None


def is_value(site: Site) -> bool:
    """Anything but a row."""
    return site.kind is not None


def is_object(site: Site) -> bool:
    """An object, boxed or bare."""
    return site.cls is not None


def is_boxed(site: Site) -> bool:
    """An object behind its id."""
    return isinstance(site.kind, Boxed) and site.cls is not None and site.part(CONSTRUCTOR_ID) is not None


def is_bare(site: Site) -> bool:
    """An object without an id."""
    return isinstance(site.kind, Bare) and site.cls is not None


def is_record(site: Site) -> bool:
    """What has fields with bytes: an object, or a row."""
    return any(site.fields)


def is_vector(site: Site) -> bool:
    """A vector with a count."""
    return isinstance(site.kind, Vector) and site.part(COUNT) is not None


def is_string(site: Site) -> bool:
    """A string, or bytes."""
    return isinstance(site.kind, Bytes) and site.part(LENGTH) is not None


def is_scalar(site: Site, *kinds: type[WireType]) -> bool:
    """A value of one of these types of fixed size, all of whose bytes are there."""
    kind = site.kind
    return isinstance(kind, kinds) and site.end - site.start == kind.size
