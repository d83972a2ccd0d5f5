"""An encoding as a tree of places at which it can be changed: a `Site` for each of its values.

    data ──▶ tl.walker ──▶ Span tree ──▶ Encoding ──▶ Site, Site, …

A site knows what its span does not: the fields of an object by their place in its table, the rows of a
repetition, what stands around it.  Encodings may be malformed; then a site has what could be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, TypeVar

from tl.errors import LimitExceeded
from tl.fields import Flags, Repetition, Table
from tl.findings import Observer
from tl.limits import DEFAULT_LIMITS
from tl.mutations.facts import Facts
from tl.mutations.pieces import Piece, type_key
from tl.objects import AnyObject, Bare, Boxed
from tl.primitives import Bytes, Vector
from tl.raw import Raw
from tl.spans import Span
from tl.walker import Walker
from tl.wire import WireType

__all__ = ["Encoding", "Site", "edges", "pool_key"]

_EDGE = 3
"""Of many things, so many at each end are looked at, and the one in the middle."""
_POOL = 8
"""Of each type, so many values at each end of an encoding can stand for each other."""
_COUNTED = ("objects", "elements", "empty_elements", "string_bytes")

_NO_FIELDS = Table()

T = TypeVar("T")


def edges(items: Sequence[T], ends: int = _EDGE) -> Sequence[T]:
    """All of a few; of many the first, the middle and the last."""
    if len(items) <= 2 * ends + 1:
        return items
    return [*items[:ends], items[len(items) // 2], *items[-ends:]]


class Site:
    """A value in an encoding, or a row of a repetition (its `kind` is None).

    `fields` are the sites of an object's or a row's fields, None where there are no bytes for one; `elements`
    those of a vector, or the rows of a repetition.  `depth` is how many objects that count for the depth limit
    stand around it.
    """

    __slots__ = (
        *("cls", "depth", "elements", "encoding", "fields", "kind"),
        *("parent", "place", "span", "table", "words"),
    )

    def __init__(self, encoding: Encoding, span: Span, parent: Site | None, place: int, depth: int) -> None:
        self.encoding = encoding
        self.span = span
        self.parent = parent
        self.place = place
        """Its place among the parent's fields, or elements."""
        self.depth = depth
        self.kind: WireType | None = span.kind
        self.cls: Any = None
        """The class of an object; None for anything else, and for one that could not be read."""
        self.table: Table = _NO_FIELDS
        self.fields: list[Site | None] = []
        self.elements: list[Site] = []
        self.words: dict[int, Site] = {}
        """The flag words of an object or row, by their place in the table."""

    def __repr__(self) -> str:
        return f"<site {self.span.path or '.'} {self.start}..{self.end}>"

    @property
    def start(self) -> int:
        return self.span.start

    @property
    def end(self) -> int:
        return self.span.end

    @property
    def path(self) -> str:
        return self.span.path

    @property
    def data(self) -> bytes:
        """Its bytes."""
        return self.encoding.data[self.span.start : self.span.end]

    @property
    def value(self) -> Any:
        """The decoded value, as far as it is known."""
        value = self.span.value
        return value.value if isinstance(value, Raw) else value

    def part(self, tl_type: str) -> Span | None:
        """The part of this kind (`CONSTRUCTOR_ID`, `COUNT`, …) that is the value's own, if there is one."""
        return next((c for c in self.span.children if c.kind is None and c.tl_type == tl_type), None)

    def leaves(self) -> list[Span]:
        """The spans of its bytes that are of no other site."""
        children = self.span.children
        return [c for c in children if c.kind is None] if children else [self.span]

    def inner(self) -> list[Site]:
        """The sites right inside of it."""
        return [site for site in self.fields if site is not None] or self.elements

    def counted_by(self, index: int) -> list[int]:
        """The fields that are repeated as often as the field at `index` says, by their place in the table."""
        name = self.table[index].name
        kinds = [field.type for field in self.table]
        return [i for i, kind in enumerate(kinds) if isinstance(kind, Repetition) and kind.count == name]

    def height(self) -> int:
        """How many objects that count for the depth limit are nested in it, itself included."""
        deepest = self.depth
        todo = [self]
        while todo:
            site = todo.pop()
            deepest = max(deepest, site.depth + site.nests)
            todo += site.inner()
        return deepest - self.depth

    @property
    def nests(self) -> bool:
        """Whether it is an object that counts for the depth limit."""
        return self.cls is not None and self.table.nests

    def has_room(self, piece: Piece, *, inside: bool = False) -> bool:
        """Whether a decoder's limits certainly leave room for the piece in its place, or right inside of it."""
        depth = self.depth + (self.nests if inside else 0)
        return piece.is_small and depth + piece.depth <= DEFAULT_LIMITS.depth


class Encoding:
    """An encoding of a type of a schema, taken apart.  `others` are more of them, to take values from."""

    def __init__(self, data: bytes, facts: Facts, kind: WireType, others: Sequence[Encoding] = ()) -> None:
        """Raise LimitExceeded where the caller's own stack is too full to go into the encoding."""
        self.data = data
        self.facts = facts
        self.kind = kind
        self.others = others
        observer = Observer(data, DEFAULT_LIMITS)
        try:
            span = Walker(observer, facts.schema).value(kind)
        except RecursionError:
            raise LimitExceeded("objects are nested deeper than the interpreter allows", offset=0) from None
        full, left = DEFAULT_LIMITS, observer.budget
        self.is_roomy: bool = all(
            4 * getattr(left, name) >= 3 * getattr(full, name) for name in _COUNTED
        ) and all(other.is_roomy for other in others)
        """Whether most of what a decoder's limits allow is left: then nothing small or copied exceeds them."""
        self.root = Site(self, span, None, 0, 0)
        self.sites = list(_grown(self.root))
        """All sites, each before those inside of it, in the order of the bytes."""
        self._chosen: dict[object, list[Site]] = {}

    def edge_sites(self) -> Iterator[Site]:
        """The same, but of long vectors and repetitions only the elements at the edges."""
        todo = [self.root]
        while todo:
            site = todo.pop()
            yield site
            todo += reversed(edges(site.elements) if site.elements else site.inner())

    def sites_where(self, condition: Callable[[Site], bool]) -> list[Site]:
        """The sites for which it holds."""
        if condition not in self._chosen:
            self._chosen[condition] = [site for site in self.sites if condition(site)]
        return self._chosen[condition]

    @cached_property
    def deepest(self) -> int:
        """How many objects that count for the depth limit are nested in each other; in the others, too."""
        own = max(site.depth + site.nests for site in self.sites)
        return max(own, *(other.deepest for other in self.others), 0)

    @cached_property
    def pool(self) -> dict[object, list[bytes]]:
        """By type, different values of it, in their encoding: of many, some from each end."""
        found: dict[object, list[Site]] = {}
        for encoding in (self, *self.others):
            for site in encoding.sites:
                for key in _pool_keys(site):
                    found.setdefault(key, []).append(site)
        return {key: list({site.data: None for site in edges(sites, _POOL)}) for key, sites in found.items()}


def pool_key(kind: WireType | None) -> object:
    """What values are told apart by that can stand for each other; None for those that are not worth it."""
    if isinstance(kind, AnyObject):
        return AnyObject, "!X" if kind.name.startswith("!") else "Object"
    return type_key(kind) if isinstance(kind, Boxed | Bare | Vector | Bytes) else None


def _pool_keys(site: Site) -> Iterator[object]:
    """The types of which a site's value is one: its own, and that of any object, or function."""
    key = pool_key(site.kind)
    if isinstance(site.kind, Boxed):
        if site.cls is None:
            return
        schema, number = site.encoding.facts.schema, site.cls.CONSTRUCTOR_ID
        for name in ("Object", "!X"):
            if schema.find(number, name) is site.cls:
                yield AnyObject, name
    if key is not None and not isinstance(site.kind, AnyObject):
        yield key


def _grown(root: Site) -> Iterator[Site]:
    """The site and all that are inside of it, each complete."""
    todo = [root]
    while todo:
        site = todo.pop()
        _fill(site)
        yield site
        todo += reversed(site.inner())


def _fill(site: Site) -> None:
    """Find what is right inside of a site."""
    span, kind = site.span, site.kind
    if kind is None:
        return  # a row is filled when it is made
    values = iter([child for child in span.children if child.kind is not None])
    if isinstance(kind, Repetition):
        _fill_rows(site, kind, values)
    elif isinstance(kind, Vector):
        site.elements = [Site(site.encoding, v, site, i, site.depth) for i, v in enumerate(values)]
    elif isinstance(kind, Boxed | Bare):
        cls: Any = type(site.value)
        if hasattr(cls, "FIELDS"):
            site.cls, site.table = cls, cls.FIELDS
            _fill_fields(site, values, site.depth + site.nests)


def _fill_fields(site: Site, values: Iterator[Span], depth: int) -> None:
    """Find the field that each value is of."""
    for index, field in enumerate(site.table):
        word = site.words.get(field.flag[0]) if field.flag else None
        is_there = not field.flag or (word is not None and word.value >> field.flag[1] & 1)
        span = next(values, None) if is_there and not field.is_true_flag else None
        if span is None:
            site.fields.append(None)
            continue
        found = Site(site.encoding, span, site, index, depth)
        site.fields.append(found)
        if isinstance(field.type, Flags) and isinstance(span.value, int):
            site.words[index] = found


def _fill_rows(site: Site, kind: Repetition, values: Iterator[Span]) -> None:
    """Find the rows that the values are of."""
    rows = site.value if isinstance(site.value, list) else []
    start = site.start
    for index in range(len(rows)):
        row = Site(
            site.encoding, Span(start, start, f"{site.path}[{index}]", "row", None), site, index, site.depth
        )
        row.table = kind.items
        _fill_fields(row, values, site.depth)
        spans = [field.span for field in row.fields if field is not None]
        start = spans[-1].end if spans else start
        row.span = Span(row.start, start, row.path, "row", rows[index], tuple(spans))
        site.elements.append(row)
