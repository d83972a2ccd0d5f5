"""A strategy for mutations: an operator, a valid encoding, one of the changes that the operator has for it.

An example shrinks towards the first operators, small encodings, and the changes at their beginning.  Where an
operator has nothing for an encoding, the next one that has takes its place.
"""

from __future__ import annotations

from typing import Any

from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tl.mutations import Mutation, Operator
from tl.mutations.applied import drafts_of, is_accepted, mutation_of
from tl.mutations.facts import facts_of
from tl.mutations.sites import Encoding
from tl.registry import Registry
from tl.wire import WireType

__all__ = ["mutated"]


@st.composite
def mutated(
    draw: DrawFn,
    encodings: SearchStrategy[tuple[bytes, Any]],
    schema: Registry,
    kind: WireType,
    operators: tuple[Operator, ...],
) -> Mutation:
    """Mutations of encodings of a type; `encodings` gives them with their values."""
    first = draw(st.integers(0, len(operators) - 1))
    data, _ = draw(encodings)
    if not is_accepted(kind, data):
        reject()  # more than a decoder's limits allow
    encoding = Encoding(data, facts_of(schema), kind)
    for operator in (*operators[first:], *operators[:first]):
        drafts = list(drafts_of(encoding, operator))
        if drafts:
            start = draw(st.integers(0, len(drafts) - 1))
            for draft in (*drafts[start:], *drafts[:start]):
                mutation = mutation_of(encoding, operator, draft)
                if mutation is not None:
                    return mutation
    return reject()
