"""Valid encodings with one thing changed, by operators that know the schema: what a decoder has to be tried with.

    from tl import mutations

    for mutation in mutations.mutate(data, api):
        mutation.operator, mutation.path      # 'dirty_padding', 'phone_number'
        mutation.legal, mutation.offset       # False, 17: must be refused, with an error there or behind it
        mutation.data

`mutate` gives all of them, in a fixed order; `random_mutation` gives one at little cost.  `Mutator` is the custom
mutator of a fuzzer, `tl.strategies.mutations` a strategy of Hypothesis.

    data ──▶ sites, by the schema ──▶ operators ──▶ drafts: edits, legal or not ──▶ mutations, with their place
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tl.mutations.applied import OPERATORS, Mutation, chosen_operators, mutations_of, random_mutation_of
from tl.mutations.facts import facts_of
from tl.mutations.mutator import Mutator
from tl.mutations.operators import Operator
from tl.mutations.sites import Encoding
from tl.reference import reference_decode
from tl.registry import registry_of

if TYPE_CHECKING:
    import random

__all__ = ["OPERATORS", "Mutation", "Mutator", "Operator", "mutate", "random_mutation"]


def mutate(
    data: bytes | bytearray | memoryview,
    schema: object,
    as_type: object = None,
    *,
    operators: Iterable[str] | None = None,
    others: Iterable[bytes | bytearray | memoryview] = (),
) -> Iterator[Mutation]:
    """All mutations of a valid encoding, in a fixed order, made one after the other.

    `schema` is a generated package, what `tl.load` gives, or their registry; `as_type` is as for `tl.decode`.
    `operators` are the names of those to apply, by default all of `OPERATORS`.  `others` are more encodings of
    the same type: values of theirs are spliced in, too.  Of long vectors, and of objects with many fields, only
    the elements and fields at the edges are changed.

    Raise DecodeError where `data`, or one of `others`, is not valid; SchemaError or TypeError for a `schema` or
    an `as_type` that is none; ValueError for an operator that there is not.
    """
    chosen = chosen_operators(operators)
    return mutations_of(_encoding(data, schema, as_type, others), chosen)


def random_mutation(
    data: bytes | bytearray | memoryview,
    schema: object,
    as_type: object,
    rng: random.Random,
    *,
    operators: Iterable[str] | None = None,
    others: Iterable[bytes | bytearray | memoryview] = (),
) -> Mutation | None:
    """One mutation of a valid encoding; None where the operators have none for it.

    First an operator is drawn, then a place for it, so that rare ones are as frequent as others; elements in the
    middle of long vectors are changed, too.  All else is as for `mutate`.
    """
    chosen = chosen_operators(operators)
    return random_mutation_of(_encoding(data, schema, as_type, others), chosen, rng)


def _encoding(
    data: bytes | bytearray | memoryview,
    schema: object,
    as_type: object,
    others: Iterable[bytes | bytearray | memoryview],
) -> Encoding:
    """The encoding taken apart; raise as `mutate` does."""
    registry = registry_of(schema)
    kind, facts = registry.wire_type(as_type), facts_of(registry)
    found = []
    for each in (*others, data):
        each = bytes(memoryview(each))
        reference_decode(registry, each, as_type)
        found.append(each)
    more = [Encoding(each, facts, kind) for each in found[:-1]]
    return Encoding(found[-1], facts, kind, more)
