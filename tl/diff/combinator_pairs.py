"""The combinators of two schemas → which became which."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from difflib import SequenceMatcher

from tl.ast import Combinator
from tl.schema import Schema

__all__ = ["pair_combinators"]

_ALIKE = 0.6
_LONGEST_COMPARED = 200


def pair_combinators(old: Schema, new: Schema) -> dict[str, str]:
    """Old name → new name, for each combinator of `old` that is one of `new`, too.

    The id comes first, as it does on the wire, unless several functions share it; then the name.  What is left
    may have been renamed: where just one that is gone and one that is new have the same fields and the same
    type; without fields, names have to be alike, too.
    """
    pairs: dict[str, str] = {}
    for key, is_certain in _KEYS:
        taken = set(pairs.values())
        olds = _unique((c for c in old.combinators if c.name not in pairs), key)
        news = _unique((c for c in new.combinators if c.name not in taken), key)
        for value, combinator in olds.items():
            partner = news.get(value)
            if partner is not None and (
                is_certain or combinator.parameters or _is_alike(combinator, partner)
            ):
                pairs[combinator.name] = partner.name
    return pairs


def _unique(
    combinators: Iterable[Combinator], key: Callable[[Combinator], Hashable]
) -> dict[Hashable, Combinator]:
    """The combinators by key, without those that share it with another."""
    found: defaultdict[Hashable, list[Combinator]] = defaultdict(list)
    for combinator in combinators:
        found[key(combinator)].append(combinator)
    return {value: several[0] for value, several in found.items() if len(several) == 1}


_KEYS: tuple[tuple[Callable[[Combinator], Hashable], bool], ...] = (
    (lambda c: (c.is_function, c.constructor_id), True),
    (lambda c: (c.is_function, c.name), True),
    (lambda c: (c.is_function, c.implicit, c.parameters, c.result), False),
)


def _is_alike(old: Combinator, new: Combinator) -> bool:
    names = old.name[:_LONGEST_COMPARED], new.name[:_LONGEST_COMPARED]
    return SequenceMatcher(None, *names, autojunk=False).ratio() >= _ALIKE
