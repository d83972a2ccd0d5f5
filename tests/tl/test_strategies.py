"""Strategies: what is drawn fits and reaches the edges, shrinks to what can be read, and ends."""

from __future__ import annotations

import math
import random
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, find, given, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import tl
from mtproto import api, service
from tests.tl.test_ids import FULL_SCHEMAS, needs_full_schemas
from tests.tl.test_rare_types import SCHEMA as RARE_TYPES
from tl.objects import Boxed
from tl.reference import reference_decode, reference_encode_as
from tl.registry import Registry
from tl.smallest import Smallest
from tl.strategies import values, wire

ROOT = Path(__file__).parents[2]
RARE = tl.load(RARE_TYPES, "rare")
NODES = tl.load(
    """\
end#1 = Node;
node#2 next:Node = Node;
pair#3 left:Node right:Node = Node;
tree#4 flags:# name:string children:Vector<Node> parent:flags.0?Node root:flags.0?Node = Node;
holder#5 any:Object = Holder;
rows#6 n:# rows:n*[ a:Node b:Node ] = Rows;
fixed#7 rows:20*[ a:Node b:int ] = Fixed;
---functions---
ask#8 {X:Type} query:!X = X;
answer#9 = Node;
""",
    "nodes",
)
EDGES = tl.load(
    f"""\
many#1 {" ".join(f"s{i}:string b{i}:bytes" for i in range(8))} = Many;
numbers#2 i:int l:long n:# d:double = Numbers;
flags#3 flags:# a:flags.0?true b:flags.1?int c:flags.1?string d:flags.2?Vector<int> e:flags.31?Bool = Flags;
two#4 one:# x:one.0?int two:# y:two.0?int z:one.1?int = Two;
one#5 = Kind; other#6 = Kind; third#7 x:int = Kind; fourth#8 x:int y:Vector<Kind> = Kind;
counts#9 flags:# x:flags.0?int rows:flags*[ int ] = Counts;
""",
    "edges",
)


def drawn(strategy: SearchStrategy[Any], count: int, number: int = 0, runs: int = 1) -> list[Any]:
    """Examples of a strategy, the same ones for the same `number`, of so many runs: one tends to repeat itself."""
    if runs > 1:
        return [v for run in range(runs) for v in drawn(strategy, count // runs, number + run)]
    found = []

    @seed(number)
    @settings(max_examples=count, database=None, phases=[Phase.generate])
    @given(strategy)
    def collect(value: Any) -> None:
        found.append(value)

    collect()
    return found


def objects_in(value: object) -> Iterator[Any]:
    """All objects in a value, itself included."""
    if isinstance(value, list | tuple):
        for item in value:
            yield from objects_in(item)
    elif isinstance(value, tl.TLObject):
        yield value
        for field in type(value).FIELDS:
            yield from objects_in(getattr(value, field.name))


def depth_of(value: object) -> int:
    """How many objects are nested in each other."""
    if isinstance(value, list | tuple):
        return max(map(depth_of, value), default=0)
    if not isinstance(value, tl.TLObject):
        return 0
    return 1 + max((depth_of(getattr(value, f.name)) for f in type(value).FIELDS), default=0)


# What is asked for


@pytest.mark.parametrize(
    ("schema", "what", "as_type"),
    [
        (api, "auth.SentCode", "auth.SentCode"),
        (api.SCHEMA, "auth.SentCode", "auth.SentCode"),
        (api, "auth.sentCode", api.auth.SentCode),
        (api, "account.sendVerifyPhoneCode", api.account.SendVerifyPhoneCode),
        (api, api.CodeSettings, api.CodeSettings),
        (api, api.auth.TypeSentCode, api.auth.TypeSentCode),
        (api, api.CodeSettings | api.help.GetConfig, api.CodeSettings | api.help.GetConfig),
        (api, "Vector<User>", "Vector<User>"),
        (api, "vector<%CodeSettings>", "vector<%CodeSettings>"),
        (api, "codeSettings", api.CodeSettings),
        (api, "%CodeSettings", "%CodeSettings"),
        (api, "Vector<Vector<long>>", "Vector<Vector<long>>"),
        (api, "int256", "int256"),
        (api, "double", "double"),
        (api, "Bool", "Bool"),
        (api, "boolTrue", api.BoolTrue),
        (api, api.True_, api.True_),
        (api, "true", "true"),
        (api, "True", "True"),
        (api, "invokeWithLayer", api.InvokeWithLayer),
        (api, None, None),
        (service, None, None),
        (RARE, None, None),
        (RARE.SCHEMA, "%Salts", "%Salts"),
        (RARE, "3*[ 2*[ int ] ]", "3*[ 2*[ int ] ]"),
        (NODES, "Vector<Object>", "Vector<Object>"),
    ],
)
def test_what_is_asked_for_is_drawn(schema: Any, what: object, as_type: object) -> None:
    registry = getattr(schema, "SCHEMA", schema)
    kind = registry.wire_type(as_type)

    @settings(max_examples=30)
    @given(values(schema, what), wire(schema, what, unknown_flags=True))
    def check(value: object, pair: tuple[bytes, object]) -> None:
        assert reference_decode(registry, reference_encode_as(registry, value, as_type), as_type) == value
        data, encoded = pair
        assert reference_decode(registry, data, as_type) == encoded
        assert tl.decode(registry, data, as_type) == encoded
        if isinstance(kind, Boxed):
            assert isinstance(encoded, tl.TLObject)
            assert bytes(encoded) == data

    check()


def test_every_type_of_the_api_has_values() -> None:
    for name in set(api.SCHEMA.type_names()) - {"Bool"}:
        types = Counter(type(value) for value in drawn(values(api, name), 60))
        assert types.keys() <= set(api.SCHEMA.classes(name)), name
        if len(api.SCHEMA.classes(name)) < 8:
            assert types.keys() == set(api.SCHEMA.classes(name)), name


def test_a_name_means_the_type_where_a_constructor_has_it_too() -> None:
    same = tl.load("Same#1 = Same; other#2 = Same;", "same")
    assert {type(value) for value in drawn(values(same, "Same"), 30)} == {same.Same, same.Other}


def test_what_shares_an_id_is_drawn_only_where_it_is_read_again() -> None:
    shared = tl.load(
        "a#1 = A; b#2 = A; ---functions--- f#1 = A; g#3 = A; h#3 x:int = A; w#4 {X:Type} query:!X = X;",
        "shared",
    )
    assert {type(value) for value in drawn(values(shared), 60)} == {shared.F, shared.B, shared.H, shared.W}
    queries = {type(value.query) for value in drawn(values(shared, "w"), 60)}
    assert queries == {shared.F, shared.H, shared.W}
    assert {type(value) for value in drawn(values(shared, "A"), 60)} == {shared.A, shared.B}
    assert all(tl.decode(shared.SCHEMA, data) == value for data, value in drawn(wire(shared), 60))


def test_classes_are_made_when_they_are_needed() -> None:
    loaded = tl.load(ROOT / "schema" / "api.tl", "api")
    assert drawn(values(loaded, "auth.CodeType"), 5)
    made = [x for m in (loaded, loaded.auth) for x in vars(m).values() if isinstance(x, type(tl.TLObject))]
    assert {cls.TYPE for cls in made} == {"auth.CodeType"}
    functions = tl.load("a#1 = A; ---functions--- f#2 {X:Type} query:!X = X; g#3 = A;", "functions")
    assert {type(value.query).__name__ for value in drawn(values(functions, "f"), 30)} == {"F", "G"}
    assert "A" not in vars(functions)


@pytest.mark.parametrize(
    ("schema", "what", "error", "message"),
    [
        (
            5,
            None,
            TypeError,
            "schema: got 5, expected a generated package, what tl.load gives, or ",
        ),
        (tl, "User", TypeError, "expected a generated package"),
        ("schema/api.tl", "User", TypeError, "got 'schema/api.tl', expected a generated package"),
        (api.User, None, TypeError, "expected .* or a registry; give a class as `what`"),
        (
            api,
            5,
            TypeError,
            "what: got 5, expected a class or union of api, a name, a TL type's text, or None",
        ),
        (api, int, TypeError, "what: got <class 'int'>, expected a class or union of api"),
        (api, int | str, TypeError, r"what: got int \| str, expected a class or union of api"),
        (api, tl.TLObject, TypeError, "what: got .*TLObject.*, expected a class or union of api"),
        (api, service.Ping, TypeError, "what: got .*service.*Ping.*, expected a class or union of api"),
        (
            api,
            api.User | service.Ping,
            TypeError,
            "what: got .*service.*Ping.*, expected a class or union of api",
        ),
        (api, "Usre", tl.SchemaError, "api has no type 'Usre'"),
        (api, "auth.nope", tl.SchemaError, "api has no constructor 'auth.nope'"),
        (api, "Vector<Usre>", tl.SchemaError, "api has no type 'Usre'"),
        (api, "Vector", tl.SchemaError, r"Vector takes 1 argument\(s\), got 0"),
        (api, "", tl.SchemaError, "got the end of the text, expected a type"),
    ],
)
def test_what_is_no_type_is_refused(
    schema: object, what: object, error: type[Exception], message: str
) -> None:
    for strategy in (values, wire):
        with pytest.raises(error, match=message):
            strategy(schema, what)


def test_a_size_is_a_number() -> None:
    with pytest.raises(ValueError, match="size: got -1, expected 0 or more"):
        values(api, size=-1)
    for size in (True, 1.5, "1"):
        with pytest.raises(TypeError, match=r"size: got .*, expected an int"):
            values(api, size=size)  # type: ignore[arg-type]


# What has no values

NONE = tl.load(
    """\
loop#1 next:Loop = Loop; more#2 left:Loop right:Half = Loop;
half#3 x:Loop = Half; whole#4 = Half;
ring#5 x:Gnir = Ring; gnir#6 x:Ring = Gnir;
fixed#7 rows:2*[ x:Loop ] = Fixed; huge#8 rows:2000000*[ int ] = Huge;
squared#9 rows:2000*[ 2000*[ true ] ] = Squared;
maybe#a flags:# x:flags.0?Loop y:flags.0?int z:flags.1?int v:Vector<Loop> n:# rows:n*[ x:Loop ] zero:0*[ x:Loop ]
    any:Object = Maybe;
""",
    "none",
)


@pytest.mark.parametrize(
    "what",
    [
        *("Loop", "loop", "more", "half", "Ring", "%Ring", "gnir", "Fixed", "2*[ Loop ]", "Huge", "squared"),
        *("3000000*[ true ]", NONE.Loop, NONE.TypeLoop),
    ],
)
def test_a_type_without_values_is_refused(what: object) -> None:
    name = what if isinstance(what, str) else "loop"
    with pytest.raises(tl.SchemaError) as caught:
        values(NONE, what)
    assert str(caught.value).startswith(f"none: {name}")
    assert " has no values of up to 1000 objects, nested up to 64 deep" in str(caught.value)


def test_a_schema_without_values_is_refused() -> None:
    loop = tl.load("loop#1 next:Loop = Loop; ---functions--- f#2 {X:Type} query:!X = X;", "loop")
    for what, name in ((None, "the whole schema"), ("Object", "Object"), ("f", "f")):
        with pytest.raises(tl.SchemaError, match=f"loop: {name} has no values"):
            values(loop, what)


def test_a_part_without_values_is_left_out() -> None:
    assert {type(value) for value in drawn(values(NONE, "Half"), 20)} == {NONE.Whole}
    assert {type(value) for value in drawn(values(NONE), 100)} == {NONE.Whole, NONE.Maybe}
    maybes = drawn(values(NONE, "Maybe"), 100)
    assert all(m.x is m.y is None and m.v == m.rows == m.zero == [] and m.n == 0 for m in maybes)
    assert {m.z is None for m in maybes} == {False, True}


@pytest.mark.parametrize(("depth", "is_drawn"), [(63, True), (64, False)])
def test_what_nests_too_deep_is_refused(depth: int, is_drawn: bool) -> None:
    links = "".join(f"t{i} x:T{i + 1} = T{i};" for i in range(depth))
    chain = tl.load(f"{links} t{depth} = T{depth};", "chain", strict_ids=True)
    if is_drawn:
        data, value = find(wire(chain, "T0"), lambda _: True)
        assert depth_of(value) == depth + 1
        assert chain.decode(data) == value
    else:
        with pytest.raises(tl.SchemaError, match="T0 has no values of up to 1000 objects, nested up to 64"):
            values(chain, "T0")


@pytest.mark.parametrize("rows", ["1025*[ true ]", "2*[ 600*[ true ] ]", "1048577*[ int ]"])
def test_rows_that_no_decoder_takes_are_not_drawn(rows: str) -> None:
    shapes = tl.load(f"many#1 rows:{rows} = Shape; few#2 rows:1024*[ true ] = Shape;", "shapes")
    with pytest.raises(tl.SchemaError, match="many has no values"):
        values(shapes, "many")
    for data, value in drawn(wire(shapes, "Shape"), 5):
        assert shapes.decode(data) == value


@pytest.mark.parametrize(("depth", "is_drawn"), [(8, True), (9, False), (60, False)])
def test_what_is_too_large_is_refused(depth: int, is_drawn: bool) -> None:
    doubles = "".join(f"t{i} x:T{i + 1} y:T{i + 1} = T{i};" for i in range(depth))
    tree = tl.load(f"{doubles} t{depth} = T{depth};", "tree", strict_ids=True)
    if is_drawn:
        assert len(list(objects_in(find(values(tree, "T0"), lambda _: True)))) == 2 ** (depth + 1) - 1
    else:
        with pytest.raises(tl.SchemaError, match="T0 has no values of up to 1000 objects"):
            values(tree, "T0")


# The least weights, counted by hand


def test_the_least_weights() -> None:
    def weights_of(schema: Registry) -> dict[str, float]:
        found = Smallest(schema).weights(schema.by_name.values())
        return {cls.TL_NAME: weight for cls, weight in found.items()}

    names = ("end", "node", "pair", "tree", "holder", "rows", "fixed", "ask", "answer")
    assert weights_of(NODES.SCHEMA) == dict(zip(names, (1, 2, 3, 1, 2, 1, 9, 2, 1), strict=True))
    of_none = weights_of(NONE.SCHEMA)
    assert (of_none.pop("whole"), of_none.pop("maybe")) == (1, 2)
    assert set(of_none.values()) == {math.inf}


def test_weights_do_not_depend_on_what_was_asked_first() -> None:
    classes = list(NODES.SCHEMA.by_name.values())
    expected = Smallest(NODES.SCHEMA).weights(classes)
    for number in range(20):
        random.Random(number).shuffle(classes)
        smallest = Smallest(NODES.SCHEMA)
        assert {cls: smallest.weights([cls])[cls] for cls in classes} == expected


# Edges


def test_lengths_at_which_an_encoding_changes_are_favoured() -> None:
    lengths: Counter[tuple[str, int]] = Counter()
    for value in drawn(values(EDGES, "Many"), 400, runs=5):
        for i in range(8):
            lengths["string", len(getattr(value, f"s{i}").encode())] += 1
            lengths["bytes", len(getattr(value, f"b{i}"))] += 1
    for kind in ("string", "bytes"):
        for size in (0, 1):
            assert lengths[kind, size] > 170, (kind, size)
        for size in (2, 3, 4, 253, 254, 255, 256):
            assert lengths[kind, size] > 20, (kind, size)
        assert sum(size > 4 and size not in range(253, 257) for kind, size in lengths.elements()) > 1000
    assert 1 <= lengths["string", 65536] + lengths["bytes", 65536] <= 100
    assert max(size for _, size in lengths) == 65536


def test_strings_are_of_all_characters() -> None:
    found = [value.s0 for value in drawn(values(EDGES, "Many"), 150)]
    characters = set("".join(found))
    assert max(characters) > "\uffff"
    assert min(characters) < " "
    # Its length in characters is another than in bytes where that matters, too.
    assert any(len(text.encode()) in (253, 254, 255, 256) and len(text) < 200 for text in found)


def test_numbers_reach_their_limits() -> None:
    numbers = drawn(values(EDGES, "Numbers"), 800, runs=4)
    for name, low, high in (("i", -(2**31), 2**31 - 1), ("l", -(2**63), 2**63 - 1), ("n", 0, 2**32 - 1)):
        found = [getattr(value, name) for value in numbers]
        assert {low, high, 0} <= set(found), name
        assert len(set(found)) > 15
    doubles = {value.d for value in numbers}
    assert {math.inf, -math.inf} & doubles
    assert not any(map(math.isnan, doubles))


def test_flags_are_absent_and_all_there_and_anything_between() -> None:
    found = drawn(values(EDGES, "Flags"), 200, runs=2)
    shapes = Counter((v.a, v.b is not None, v.c is not None, v.d is not None, v.e is not None) for v in found)
    assert shapes[False, False, False, False, False] > 20
    assert shapes[True, True, True, True, True] > 10
    assert len(shapes) > 10
    assert all(has_b == has_c for _, has_b, has_c, _, _ in shapes)  # they share a bit
    assert {v.d == [] for v in found if v.d is not None} == {False, True}
    assert all(v.flags == 0 for v in found)
    of_user = [f.name for f in api.User.FIELDS if f.flag]
    users = drawn(values(api, api.User), 240, runs=4)
    assert any(all(getattr(user, name) not in (None, False) for name in of_user) for user in users)


def test_two_flag_words_are_told_apart() -> None:
    shapes = {(v.x is None, v.y is None, v.z is None) for v in drawn(values(EDGES, "Two"), 100)}
    assert len(shapes) == 8


def test_unknown_flags_are_set_when_asked_for() -> None:
    known = 0b111 | 1 << 31
    words = {v.flags for v in drawn(values(EDGES, "Flags", unknown_flags=True), 100)}
    assert {0, 0xFFFFFFFF & ~known} < words
    assert len(words) > 4
    assert not any(word & known for word in words)


def test_a_flag_word_can_count() -> None:
    assert {len(v.rows) for v in drawn(values(EDGES, "Counts"), 50)} == {0}
    assert {len(v.rows) for v in drawn(values(EDGES, "Counts", unknown_flags=True), 50)} == {0, 2}


def test_nans_are_drawn_when_asked_for() -> None:
    assert any(math.isnan(v.d) for v in drawn(values(EDGES, "Numbers", allow_nan=True), 100))
    pairs = drawn(wire(EDGES, "Numbers", allow_nan=True), 100)
    assert len({data[-8:] for data, v in pairs if math.isnan(v.d)}) == 3
    assert all(bytes(EDGES.decode(data)) == data for data, _ in pairs)


def test_every_constructor_is_drawn_deep_inside_too() -> None:
    inside = Counter(
        type(o).__name__
        for value in drawn(values(EDGES, EDGES.Fourth), 200)
        for child in value.y
        for o in objects_in(child)
    )
    assert inside.keys() == {"One", "Other", "Third", "Fourth"}


def test_many_constructors_are_drawn_alike() -> None:
    large = tl.load("".join(f"c{i}#{i + 1:x} = Large;" for i in range(150)), "large")
    numbers = [value.CONSTRUCTOR_ID for value in drawn(values(large, "Large"), 150)]
    assert len(set(numbers)) > 60
    assert sum(number > 75 for number in numbers) > 40
    assert max(numbers) <= 150


def test_repetitions_of_many_rows() -> None:
    rows = drawn(values(NODES, "Fixed"), 50)
    assert {len(value.rows) for value in rows} == {20}
    assert max(len({repr(row) for row in value.rows}) for value in rows) > 4
    for grid in drawn(values(NODES, "300*[ 100*[ int ] ]"), 3):
        assert (len(grid), {len(row) for row in grid}) == (300, {100})


# Size


@pytest.mark.parametrize(
    ("size", "least", "most", "deepest"),
    [(0, 1, 1, 1), (1, 1, 1, 1), (2, 2, 4, 2), (24, 9, 80, 24), (200, 30, 400, 40)],
)
def test_recursion_is_bounded(size: int, least: int, most: int, deepest: int) -> None:
    found = drawn(values(NODES, "Node", size=size), 200)
    counts = [len(list(objects_in(value))) for value in found]
    assert least <= max(counts) <= most
    assert max(map(depth_of, found)) <= deepest
    assert max(map(depth_of, found)) >= min(size, 6)


def test_the_room_is_divided_among_many() -> None:
    tree = tl.load("tree#1 left:Vector<Tree> right:Vector<Tree> = Tree;", "tree")
    counts = [len(list(objects_in(value))) for value in drawn(values(tree, "Tree"), 200)]
    assert 8 <= max(counts) <= 24


def test_a_large_size_does_not_make_values_too_deep_to_decode() -> None:
    links = "".join(f"link{i}#{i + 1:x} next:Chain = Chain;" for i in range(30))
    chain = tl.load(f"end#ff = Chain; {links}", "chain")
    found = drawn(wire(chain, "Chain", size=10_000), 60)
    assert 20 <= max(depth_of(value) for _, value in found) <= 45
    assert all(chain.decode(data) == value for data, value in found)


def test_without_room_there_is_the_least_that_there_can_be() -> None:
    ends = drawn(wire(NODES, "Node", size=0), 50)
    assert {type(value) for _, value in ends} == {NODES.End, NODES.Tree}
    assert all(len(list(objects_in(value))) == 1 for _, value in ends)
    for name, weight in (("node", 2), ("pair", 3), ("holder", 2), ("ask", 2), ("rows", 1)):
        counts = {len(list(objects_in(v))) for v in drawn(values(NODES, name, size=0), 100)}
        assert counts == {weight}, name


@needs_full_schemas
def test_a_whole_layer() -> None:
    layer = tl.load(FULL_SCHEMAS / "api.tl")
    used: set[str] = set()
    for data, value in drawn(wire(layer), 200):
        used |= {o.TL_NAME for o in objects_in(value)}
        assert layer.decode(data) == value
        assert len(list(objects_in(value))) <= 100
    assert len(used) > 80


# What a failing example shrinks to


def has(test: Callable[[Any], Any]) -> Callable[[Any], bool]:
    """Whether an object in a value passes a test."""
    return lambda value: any(test(o) for o in objects_in(value))


@pytest.mark.parametrize(
    ("schema", "what", "fails", "shown"),
    [
        (api, "InputUser", lambda v: True, ["InputUserEmpty()"]),
        (api, "UserStatus", lambda v: True, ["UserStatusEmpty()"]),
        (api, "CodeSettings", lambda v: True, ["CodeSettings()"]),
        (api, "CodeSettings", lambda v: v.allow_firebase, ["CodeSettings(allow_firebase=True)"]),
        (
            api,
            "CodeSettings",
            lambda v: v.current_number and v.logout_tokens,
            ["CodeSettings(current_number=True, logout_tokens=[b''])"],
        ),
        (
            api,
            "CodeSettings",
            lambda v: any(len(token) > 253 for token in v.logout_tokens or ()),
            [f"CodeSettings(logout_tokens=[{b'x' * 254!r}])"],
        ),
        (
            api,
            "auth.SentCode",
            lambda v: getattr(v, "timeout", None) is not None and v.timeout > 59,
            ["auth.SentCode(type=auth.SentCodeTypeApp(length=0), phone_code_hash='', timeout=60)"],
        ),
        (
            api,
            "auth.SentCode",
            has(lambda o: isinstance(o, api.auth.CodeTypeMissedCall)),
            [
                "auth.SentCode(type=auth.SentCodeTypeApp(length=0), phone_code_hash='', "
                "next_type=auth.CodeTypeMissedCall())"
            ],
        ),
        (EDGES, "Numbers", lambda v: v.i < -99, ["Numbers(i=-100, l=0, n=0, d=0.0)"]),
        (EDGES, "flags", lambda v: v.c, ["Flags(b=0, c='0')", "Flags(b=0, c='x')"]),
        (NODES, "Vector<Node>", lambda v: len(v) > 1, ["[End(), End()]"]),
        (
            NODES,
            "Node",
            lambda v: sum(isinstance(o, NODES.Node) for o in objects_in(v)) > 1,
            ["Node(next=Node(next=End()))"],
        ),
    ],
)
def test_failing_examples_are_readable(
    schema: Any, what: str, fails: Callable[[Any], Any], shown: list[str]
) -> None:
    minimal = find(
        values(schema, what),
        lambda v: bool(fails(v)),
        settings=settings(database=None, max_examples=2000),
        random=random.Random(0),
    )
    assert repr(minimal) in shown


# Hypothesis by itself


def test_from_type_knows_every_class() -> None:
    things: list[tuple[Any, set[type]]] = [
        (api.CodeSettings, {api.CodeSettings}),
        (api.help.GetConfig, {api.help.GetConfig}),
        (NODES.Tree, {NODES.Tree}),
        (api.auth.TypeCodeType, set(api.SCHEMA.classes("auth.CodeType"))),
    ]
    for thing, classes in things:
        found = drawn(st.from_type(thing), 40)
        assert {type(value) for value in found} == classes
        assert all(tl.decode(v.SCHEMA, bytes(v), type(v)) == v for v in found)
    lists = drawn(st.from_type(list[api.CodeSettings]), 40)
    assert any(lists)
    assert all(isinstance(v, api.CodeSettings) for found in lists for v in found)


def test_from_type_fills_in_arguments() -> None:
    @settings(max_examples=5)
    @given(value=...)
    def check(value: api.CodeSettings) -> None:
        assert isinstance(value, api.CodeSettings)

    check()


def test_from_type_gives_objects_of_a_users_subclass() -> None:
    class Mine(api.CodeSettings):
        __slots__ = ()

    assert {type(value) for value in drawn(st.from_type(Mine), 10)} == {Mine}
    assert {type(value) for value in drawn(st.from_type(api.CodeSettings), 10)} == {api.CodeSettings}


def test_a_users_own_registration_comes_first() -> None:
    loaded = tl.load("a#1 x:int = A;", "own")
    st.register_type_strategy(loaded.A, st.just(loaded.A(x=77)))
    assert drawn(st.from_type(loaded.A), 5) == [loaded.A(x=77)]


@pytest.mark.parametrize("base", [tl.TLObject, tl.TLFunction])
def test_from_type_needs_a_class_of_a_schema(base: Any) -> None:
    with pytest.raises(TypeError, match=f"got {base.__name__}, expected a class of a schema"):
        drawn(st.from_type(base), 1)


def test_from_type_of_anything_else_is_as_it_was() -> None:
    assert all(type(value) is int for value in drawn(st.from_type(int), 5))
    assert not any(isinstance(value, tl.TLObject) for value in drawn(st.from_type(object), 100))


def python(code: str, path: Path = ROOT, **environment: str) -> str:
    """What a fresh interpreter prints, which finds the packages in `path`, too."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": f"{path}:{ROOT}", "PYTHONHASHSEED": "0", **environment},
        cwd=path,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_an_installed_package_needs_no_import(tmp_path: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    installed = tmp_path / "mtwire_for_this_test-0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: mtwire-for-this-test\nVersion: 0\n", "utf-8"
    )
    lines = [f"{name} = {target}" for name, target in project["entry-points"]["hypothesis"].items()]
    (installed / "entry_points.txt").write_text("\n".join(["[hypothesis]", *lines]), "utf-8")
    code = """
import sys
from hypothesis import find, strategies as st
import tl
assert "tl.strategies" not in sys.modules
assert "tl.fields" not in sys.modules
a = tl.load("a#1 x:int = A;", "a", strict_ids=False)
print(find(st.from_type(a.A), lambda v: v.x > 4))
""".replace("a#1", "a")
    assert python(code, tmp_path) == "A(x=5)"
    # This module may just as well be what imports Hypothesis.
    assert python("import tl.strategies, sys; print('hypothesis' in sys.modules)", tmp_path) == "True"


def test_nothing_else_needs_hypothesis() -> None:
    code = "import sys, tl.__main__, tl.loader, tl.hypothesis_plugin, mtproto\nprint('hypothesis' in sys.modules)"
    assert python(code) == "False"


def test_without_hypothesis_there_is_a_clear_error() -> None:
    code = """
import sys
sys.path = [path for path in sys.path if "packages" not in path]
try:
    from tl import strategies
except ImportError as error:
    print(error.name, error)
"""
    assert python(code) == (
        "hypothesis tl.strategies needs Hypothesis, which is not installed: pip install 'mtwire[testing]'"
    )


# The same again

DIGEST = """
import zlib
from tests.tl.test_strategies import NODES, api, drawn, wire
print(zlib.crc32(repr([drawn(wire(schema), 60, 5) for schema in (api, NODES)]).encode()))
"""


def test_a_seed_gives_the_same_values() -> None:
    assert drawn(wire(api), 60, 5) == drawn(wire(api), 60, 5) != drawn(wire(api), 60, 6)
    assert python(DIGEST, PYTHONHASHSEED="1") == python(DIGEST, PYTHONHASHSEED="2")


def test_strategies_say_what_they_are() -> None:
    assert repr(values(api, "auth.SentCode")) == (
        "_values(drawing=<drawing of api>, kind=<Boxed auth.SentCode>, room=24)"
    )
    assert len(repr(wire(api))) < 200
