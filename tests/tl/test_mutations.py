"""Mutations: what each operator makes, and that a strict decoder takes the legal ones and refuses the others."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase, assume, given, seed, settings
from hypothesis import strategies as st

import tl
from mtproto import api, service
from tests.tl.test_inspection import ANSWER, REQUEST
from tests.tl.test_mutation_operators import CASES, SMALL
from tests.tl.test_rare_types import SCHEMA as RARE_TYPES
from tl.limits import DEFAULT_LIMITS, Limits
from tl.mutations import OPERATORS, Mutation, mutate, random_mutation
from tl.reference import reference_decode
from tl.registry import registry_of
from tl.strategies import mutations, wire
from tl.wire import Reader

RARE = tl.load(RARE_TYPES, "rare")
# What makes a verdict hard: limits that two values exceed and one does not, depth beside the value, layouts that
# differ in a flag alone, a word that is both flags and a count.
HARD = tl.load(
    f"""\
full#1 flags:# x:flags.0?600*[ true ] y:flags.0?600*[ true ] z:flags.1?2000*[ true ] = Full;
deep#2 flags:# next:flags.0?Deep pair:flags.1?Pair = Deep;
pair#3 a:Tall b:Tall = Pair;
tall#4 a:Lower = Tall; lower#5 a:Low = Lower; low#6 any:Vector<Object> = Low;
node#7 next:Node beside:Pair = Node; end#8 = Node;
one#9 flags:# a:flags.0?int = Flagged; two#a flags:# a:flags.1?int = Flagged;
both#b flags:# c:flags.1?true rows:flags.0?flags*[ int ] = Both;
crowd#c flags:# n:# {" ".join(f"r{i}:flags.0?n*[ true ]" for i in range(20))} = Crowd;
throng#e flags:# {" ".join(f"r{i}:flags.0?60*[ true ]" for i in range(20))} = Throng;
order#d flags:# a:flags.0?Low b:flags.0?int c:flags.0?string = Order;
""",
    "hard",
)
SCHEMAS = {"api": api, "service": service, "rare": RARE, "small": SMALL, "hard": HARD}

Decoder = Callable[[Any, bytes, Any], object]
DECODERS: tuple[Decoder, ...] = (tl.decode, reference_decode)


def breaks(decode: Decoder, schema: object, as_type: object, mutation: Mutation) -> str:
    """What a decoder does with a mutation that it must not; "" if all is well."""
    try:
        decode(registry_of(schema), mutation.data, as_type)
    except tl.DecodeError as error:
        if mutation.legal:
            return f"refused what is legal: {error!r}"
        return "" if error.offset >= mutation.offset else f"refused too early: {error!r}"
    return "" if mutation.legal else "accepted what is illegal"


def is_decoded(data: bytes, schema: object) -> bool:
    try:
        reference_decode(registry_of(schema), data)
    except tl.DecodeError:
        return False
    return True


def check(schema: object, as_type: object, mutation: Mutation) -> None:
    for decode in DECODERS:
        assert not breaks(decode, schema, as_type, mutation), (mutation, mutation.original.hex(" ", -4))


# The property


@pytest.mark.parametrize("name", SCHEMAS)
@settings(max_examples=120)
@given(data=st.data())
def test_legal_ones_are_accepted_and_illegal_ones_refused_behind_the_offset(
    name: str, data: st.DataObject
) -> None:
    check(SCHEMAS[name], None, data.draw(mutations(SCHEMAS[name])))


@pytest.mark.parametrize("name", SCHEMAS)
@settings(max_examples=6)
@given(data=st.data())
def test_so_are_all_of_one_encoding(name: str, data: st.DataObject) -> None:
    schema = SCHEMAS[name]
    encoded, value = data.draw(wire(schema, size=6))
    as_type = data.draw(st.sampled_from([None, type(value)]))
    assume(is_decoded(encoded, schema))  # a fixed number of rows can be more than a decoder takes
    for mutation in mutate(encoded, schema, as_type):
        check(schema, as_type, mutation)
        assert mutation.data != mutation.original == encoded
        assert 0 <= mutation.offset <= len(encoded)


KINDS: tuple[object, ...] = (
    *("Leaf", "Vector<Leaf>", "vector<Vector<string>>", "2*[ int ]", "2*[ flags:# a:flags.0?Leaf ]", "Bool"),
    *("double", "int256", "string", "%Salt", "Vector<Object>", "Vector<2*[ int ]>", SMALL.Other | SMALL.Same),
)


@pytest.mark.parametrize("as_type", KINDS)
def test_so_are_those_of_every_kind_of_type(as_type: Any) -> None:
    @settings(max_examples=15)
    @given(mutations(SMALL, as_type))
    def holds(mutation: Mutation) -> None:
        check(SMALL, as_type, mutation)

    holds()


PAIR = f"03000000 {'04000000 05000000 06000000 15c4b51c 00000000' * 2}"


def nested(depth: int) -> bytes:
    value: Any = api.JsonNull()
    for _ in range(depth):
        value = api.JsonArray(value=[value])
    return bytes(value)


def chain(depth: int) -> bytes:
    value: Any = HARD.Deep()
    for _ in range(depth - 1):
        value = HARD.Deep(next=value)
    return bytes(value)


AT_LIMITS = {
    "as deep as can be, with room for more": (HARD, chain(DEFAULT_LIMITS.depth)),
    "deep, with room for more": (HARD, chain(DEFAULT_LIMITS.depth - 3)),
    "too much for one more": (HARD, bytes(HARD.Full())),
    "too much for all at once": (HARD, bytes(HARD.Crowd(n=60))),
    "a count that is flags": (HARD, bytes(HARD.Both(c=True, flags=12))),
    "deep beside": (HARD, bytes(HARD.Node(next=HARD.End(), beside=HARD.decode(bytes.fromhex(PAIR))))),
    "nothing in order": (HARD, bytes(HARD.Order())),
    "flags that differ": (HARD, bytes(HARD.One(a=7))),
    "as deep as can be": (api, nested(DEFAULT_LIMITS.depth)),
    "nearly as deep": (api, nested(DEFAULT_LIMITS.depth - 1)),
    "as many elements of no bytes as can be": (SMALL, bytes(SMALL.Empty(v=[True] * 1024))),
    "nearly as many": (SMALL, bytes(SMALL.Empty(v=[True] * 1023))),
    "half as many": (SMALL, bytes(SMALL.Empty(v=[True] * 512))),
    "long strings": (SMALL, bytes(SMALL.Tree(name="x" * 70_000, children=[]))),
    "many elements": (SMALL, bytes(SMALL.Lists(v=list(range(3000)), b=[]))),
}


@pytest.mark.parametrize("name", AT_LIMITS)
def test_so_are_those_of_what_a_decoder_just_takes(name: str) -> None:
    schema, encoded = AT_LIMITS[name]
    operators = set(OPERATORS) - {"truncate_at_field", "truncate_in_field"}
    found = list(mutate(encoded, schema, operators=operators))
    for mutation in found[:: len(found) // 400 + 1]:
        check(schema, None, mutation)


# What is known of them

UNSURE = {
    *("missing_padding", "length_plus_one", "length_minus_one", "count_plus_one", "count_minus_one"),
    *("flip_flag", "flip_unknown_flag", "drop_field", "duplicate_field", "swap_fields"),
    *("sibling_constructor", "missing_constructor_id", "needless_constructor_id"),
}


@pytest.mark.parametrize("data", [REQUEST, ANSWER], ids=["request", "answer"])
def test_most_verdicts_do_not_need_a_decoder(data: bytes) -> None:
    for mutation in mutate(data, api):
        assert mutation.decided == "construction" or mutation.operator in UNSURE, mutation


def test_the_order_is_fixed_and_nothing_is_made_before_it_is_asked_for() -> None:
    assert list(mutate(REQUEST, api)) == list(mutate(bytearray(REQUEST), api.SCHEMA))
    names = list(dict.fromkeys(mutation.operator for mutation in mutate(REQUEST, api)))
    assert names == [name for name in OPERATORS if name in names]
    large = bytes(SMALL.Tree(name="x" * 60_000, children=[SMALL.Tree(name="", children=[])] * 2000))
    assert next(mutate(large, SMALL)).operator == "truncate_at_field"
    assert sum(1 for _ in mutate(large, SMALL, operators=["dirty_padding", "negative_count"])) < 200


def test_values_of_other_encodings_are_spliced_in() -> None:
    other = bytes(api.auth.SentCode(type=api.auth.SentCodeTypeApp(length=9), phone_code_hash="abc"))
    found = list(mutate(ANSWER, api, operators=["splice_value"], others=[other]))
    spliced = {m.path: m.data for m in found}
    assert spliced["phone_code_hash"] == ANSWER[:16] + b"\3abc" + ANSWER[36:]
    assert spliced["type"] == ANSWER[:8] + bytes.fromhex("8659bb3d09000000") + ANSWER[16:]
    assert all(m.legal for m in found)
    with pytest.raises(tl.UnexpectedEnd):
        mutate(ANSWER, api, others=[other[:-1]])


@pytest.mark.parametrize(
    ("data", "schema", "as_type", "operators", "error", "message"),
    [
        (REQUEST[:-1], api, None, None, tl.UnexpectedEnd, "takes 19 bytes, 18 are left"),
        (REQUEST + b"\0", api, None, None, tl.TrailingBytes, "1 byte is left over"),
        (REQUEST, api, "auth.SentCode", None, tl.WrongType, "expected auth.SentCode"),
        (REQUEST, api, "auth.SentCod", None, tl.SchemaError, "no type 'auth.SentCod'"),
        (REQUEST, api, 5, None, TypeError, "as_type: got 5"),
        (REQUEST, "api", None, None, TypeError, "schema: got 'api'"),
        (REQUEST, api, None, ["dirty_paddin"], ValueError, "operators: got 'dirty_paddin', expected some of"),
        (REQUEST, api, None, [], ValueError, "operators: got none, expected some of"),
        (REQUEST, api, None, "dirty_padding", TypeError, "operators: got 'dirty_padding', expected names in"),
    ],
)
def test_what_can_not_be_mutated_is_refused(
    data: bytes, schema: object, as_type: object, operators: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        mutate(data, schema, as_type, operators=operators)
    with pytest.raises(error, match=message):
        random_mutation(data, schema, as_type, random.Random(1), operators=operators)


def test_what_can_not_be_decided_by_itself_is_read() -> None:
    def decided(data: bytes, operator: str) -> list[tuple[str, str, bool]]:
        return [(m.path, m.decided, m.legal) for m in mutate(data, HARD, operators=[operator])]

    assert decided(bytes(HARD.Full()), "add_field") == [("x", "reading", False)]
    assert decided(bytes(HARD.Crowd(n=60)), "add_field") == [("r0", "reading", False)]
    assert decided(bytes(HARD.Throng()), "add_field") == [("r0", "reading", False)]
    assert decided(bytes(HARD.Crowd(n=5)), "add_field") == [("r0", "reading", True)]
    assert decided(bytes(HARD.Both(c=True, flags=12)), "add_field") == [("rows", "construction", True)]
    assert decided(bytes(HARD.One(a=7)), "sibling_constructor")[-1] == ("", "reading", False)
    assert ("next" + ".next" * 62 + ".next", "reading", False) in decided(chain(64), "add_field")


def test_types_without_values_are_left_alone() -> None:
    maybe = bytes(SMALL.Maybe())
    found = list(mutate(maybe, SMALL))
    assert "add_field" not in {m.operator for m in found}
    assert "flip_flag" in {m.operator for m in found}
    for mutation in found:
        check(SMALL, None, mutation)


# One at random


def test_random_ones_are_decided_by_the_generator() -> None:
    def drawn(seed: int) -> list[Mutation | None]:
        rng = random.Random(seed)
        return [random_mutation(REQUEST, api, None, rng) for _ in range(50)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_random_ones_are_of_every_operator_and_hold() -> None:
    rng = random.Random(5)
    found: set[str] = set()
    for case in CASES:
        drawn = [random_mutation(case.data, case.schema, None, rng) for _ in range(10)]
        drawn.append(random_mutation(case.data, case.schema, None, rng, operators=[case.operator]))
        for mutation in drawn:
            assert mutation is not None
            check(case.schema, None, mutation)
        found |= {mutation.operator for mutation in drawn[:-1] if mutation is not None}
        assert mutation is not None
        assert mutation.operator == case.operator
    assert len(found) > 0.9 * len(OPERATORS)


def test_random_ones_reach_the_middle_of_long_vectors() -> None:
    data = bytes(SMALL.Lists(v=list(range(100)), b=[]))
    rng = random.Random(3)
    drawn = [random_mutation(data, SMALL, None, rng, operators=["other_number"]) for _ in range(400)]
    assert len({m.path for m in drawn if m is not None}) > 90


def test_there_may_be_no_random_one() -> None:
    rng = random.Random(1)
    assert random_mutation(ANSWER, api, None, rng, operators=["bad_bool", "needless_vector_id"]) is None


# The strategy


def test_the_strategy_takes_what_values_takes() -> None:
    with pytest.raises(tl.SchemaError, match="no type 'Usre'"):
        mutations(api, "Usre")
    with pytest.raises(tl.SchemaError, match="never has no values"):
        mutations(SMALL, "never")
    with pytest.raises(ValueError, match="operators: got 'nope'"):
        mutations(api, operators=["nope"])
    with pytest.raises(ValueError, match="size: got -1"):
        mutations(api, size=-1)


@settings(max_examples=30)
@given(mutations(api, "codeSettings", operators=["dirty_padding", "negative_count"]))
def test_the_strategy_keeps_to_its_operators(mutation: Mutation) -> None:
    assert mutation.operator in ("dirty_padding", "negative_count")
    check(api, api.CodeSettings, mutation)


@pytest.mark.parametrize("number", [1, 2])
def test_a_broken_decoder_is_found_and_the_example_is_small(number: int) -> None:
    def lax(schema: Any, data: bytes, as_type: Any) -> object:
        return tl.decode(schema, data, as_type, canonical=False)

    @seed(number)
    @settings(max_examples=2000, database=None, phases=[Phase.generate, Phase.shrink])
    @given(mutations(SMALL, "Tree"))
    def holds(mutation: Mutation) -> None:
        assert not breaks(lax, SMALL, "Tree", mutation), mutation.original.hex()

    with pytest.raises(AssertionError) as caught:
        holds()
    original = bytes.fromhex(str(caught.value).split("\n")[0])
    assert len(original) <= 24  # 16 is the least


# A decoder with a check left out is found


class LaxReader(Reader):
    """A reader that lets one thing through."""

    __slots__ = ("ignored",)

    def __init__(self, data: bytes, ignored: type[tl.DecodeError], limits: Limits = DEFAULT_LIMITS) -> None:
        super().__init__(data, limits=limits)
        self.ignored = ignored

    def deviates(
        self, error: type[tl.DecodeError], message: str, *, offset: int, got: object, expected: object
    ) -> None:
        if error is not self.ignored:
            raise self.fail(error, message, offset=offset, got=got, expected=expected)


def ignoring(error: type[tl.DecodeError], limits: Limits = DEFAULT_LIMITS) -> Decoder:
    def decode(schema: Any, data: bytes, as_type: Any) -> object:
        reader = LaxReader(data, error, limits)
        value: object = schema.wire_type(as_type).read(reader)
        if reader.left and error is not tl.TrailingBytes:
            raise tl.TrailingBytes("", offset=reader.pos)
        return value

    return decode


def of_any_type(schema: Any, data: bytes, as_type: Any) -> object:
    return tl.decode(schema, data)


def strict_about_flags(schema: Any, data: bytes, as_type: Any) -> object:
    return tl.decode(schema, data, as_type, strict_flags=True)


def without_places(schema: Any, data: bytes, as_type: Any) -> object:
    try:
        return tl.decode(schema, data, as_type)
    except tl.DecodeError as error:
        raise tl.DecodeError(error.message, offset=0) from None


@pytest.mark.parametrize(
    ("broken", "operators"),
    [
        (ignoring(tl.NonZeroPadding), {"dirty_padding", "length_minus_one"}),
        (ignoring(tl.NonMinimalLength), {"nonminimal_length"}),
        (ignoring(tl.ReservedLength), {"reserved_length"}),
        (ignoring(tl.InvalidUtf8), {"invalid_utf8"}),
        (ignoring(tl.TrailingBytes), {"trailing_bytes", "count_minus_one", "duplicate_field"}),
        (ignoring(tl.DecodeError, Limits(depth=100)), {"wrap_beyond_limit"}),
        (of_any_type, {"foreign_constructor", "foreign_value"}),
        (strict_about_flags, {"flip_unknown_flag"}),
    ],
)
def test_a_missing_check_is_found(broken: Decoder, operators: set[str]) -> None:
    tree = bytes(SMALL.Tree(name="it", children=[SMALL.Tree(name="ab", children=[])] * 2))
    two = bytes(SMALL.Two(e=1))
    found = {m.operator for m in mutate(tree, SMALL, "Tree") if breaks(broken, SMALL, "Tree", m)}
    found |= {m.operator for m in mutate(two, SMALL, "Two") if breaks(broken, SMALL, "Two", m)}
    assert found == operators


def test_a_place_too_early_is_found() -> None:
    wrong = [m for m in mutate(REQUEST, api) if breaks(without_places, api, None, m)]
    assert {"dirty_padding", "negative_count", "trailing_bytes"} <= {m.operator for m in wrong}
    assert all(m.offset > 0 for m in wrong)
