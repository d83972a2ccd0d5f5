"""What became of each combinator and field, told for people and for programs; grades are in `test_grades`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given

from tests.schemas import schemas
from tl.ast import Parameter
from tl.diff.changes import CombinatorChange, SchemaDiff, diff
from tl.diff.field_pairs import pair_fields
from tl.diff.grades import Grade
from tl.diff.text import diff_json, diff_text, summary
from tl.parser import parse
from tl.schema import Schema

FULL_SCHEMAS = Path(__file__).parents[2].parent / "shared" / "schemas"

OLD = """\
same#1 x:int = T;
gone#2 x:T = T;
user#3 flags:# id:int name:flags.0?string = User;
oldName#4 x:int y:bytes = T;
moving#5 = T;
was.thing#6 = was.Thing;
rights#7 flags:# a:flags.0?true = Rights;
//@description One.
told#8 = Told;
---functions---
get#11 x:int = T;
send#12 x:int y:int = T;
drop#13 = T;
undeclared = Bool;
// LAYER 5
"""
NEW = """\
user#a3 flags:# id:long name:flags.0?string photo:flags.1?Photo = User;
same#1 x:int = T;
newName#a4 x:int y:bytes = T;
moving#5 = Fresh;
is.thing#6 = was.Thing;
rights#7 flags:# a:flags.0?true b:flags.1?true = Rights;
//@description Two.
told#8 = Told;
photo#9 data:bytes = Photo;
---functions---
get#11 x:int = Vector<T>;
send#12 y:int x:int = T;
auth.check#14 code:string = T;
// LAYER 6
"""
TEXT = """\
layer 5 → 6: 1 constructor and 1 function added, 1 constructor and 2 functions removed, 7 changed (4 breaking, \
1 old reads new, 1 readable, 1 same), 1 documented otherwise

type Fresh, a new type
~ old reads new  moving#00000005; was of type T

type Photo, a new type
+ new reads old  photo#00000009 data:bytes

type Rights
~ readable       rights#00000007
                   + b:flags.1?true

type T
- old reads new  gone#00000002 x:T
~ breaking       oldName#00000004 → newName#000000a4

type User
~ breaking       user#00000003 → #000000a3
                   ~ id:int → id:long
                   + photo:flags.1?Photo

type was.Thing
~ same           was.thing#00000006 → is.thing#00000006

functions
- old reads new  drop#00000013 = T
- old reads new  undeclared#5db7cc1f = Bool
~ breaking       get#00000011; answers T → Vector<T>
~ breaking       send#00000012
                   ~ x:int (in another place)

functions auth
+ new reads old  auth.check#00000014 code:string = T
"""


def of(old: str, new: str) -> SchemaDiff:
    return diff(Schema.parse(old), Schema.parse(new))


def the_change(old: str, new: str) -> CombinatorChange:
    (change,) = of(old, new).changes
    return change


# Combinators


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("", "a#1 = A;", "added"),
        ("a#1 = A;", "", "removed"),
        ("a#1 = A;", "b#1 = A;", "renamed"),
        ("a#1 x:int = A;", "b#2 x:int = A;", "renamed id"),
        ("thing#1 = A;", "things#2 = A;", "renamed id"),
        ("a#1 = A;", "a#2 = A;", "id"),
        ("a#1 = A;", "a#1 = B;", "moved"),
        ("a#1 x:int = A;", "a#1 y:int = A;", "fields"),
        ("a#1 x:int = A;", "b#1 x:long = B;", "renamed moved fields"),
        ("a#1 x:int = A;", "a#2 x:long = B;", "id moved fields"),
        ("---functions--- f#1 = Bool;", "---functions--- f#1 = int;", "answer"),
        ("//@description x\na#1 = A;", "a#1 = A;", "docs"),
        ("//@description x\na#1 = A;", "//@description y\na#2 x:int = A;", "id fields docs"),
    ],
)
def test_what_became_of_a_combinator(old: str, new: str, what: str) -> None:
    assert the_change(old, new).what == tuple(what.split())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a = A; b = A;", "b = A; a = A;"),
        ("a x:int = A;", "int ? = Int; a x:int = A;"),
        ("a#1 x:int53 = A;", "a#1 x:long = A;"),
        ("a x:Vector<int> = A;", "a#{} x:(Vector int) = A;"),
    ],
)
def test_what_is_no_change(old: str, new: str) -> None:
    before = Schema.parse(old)
    after = Schema.parse(new.format(f"{before.combinators[0].constructor_id:08x}"))
    assert not diff(before, after)
    assert not diff(after, before)


def test_a_layer_is_a_change() -> None:
    changes = of("// LAYER 1", "// LAYER 2")
    assert (changes.old_layer, changes.new_layer, changes.changes) == (1, 2, ())
    assert changes
    assert changes.grade is Grade.SAME


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a#1 = A;", "b#2 = A;"),  # nothing to know it by
        ("a#1 x:int = A; b#2 x:int = A;", "c#3 x:int = A;"),  # which of them?
        ("a#1 x:int = A;", "b#2 x:int = B;"),
        ("a#1 x:int = A;", "b#2 y:int = A;"),
        ("a#1 x:int = A;", "---functions--- a#1 x:int = Bool;"),
    ],
)
def test_what_is_not_the_same_combinator(old: str, new: str) -> None:
    assert {change.what for change in of(old, new).changes} == {("added",), ("removed",)}


def test_ids_come_before_names() -> None:
    changes = of("a#1 x:int = A; b#2 = A;", "a#2 = A; b#1 x:int = A; c#3 = A;")
    assert [(c.old and c.old.name, c.new and c.new.name) for c in changes.changes] == [
        ("b", "a"),
        ("a", "b"),
        (None, "c"),
    ]


def test_functions_that_share_an_id_are_told_apart_by_name() -> None:
    pair = "---functions--- a#1 = Bool; b#1 x:int = Bool;"
    assert not of(pair, pair)
    assert the_change(pair, pair.replace("x:int", "y:int")).name == "b"


def test_types() -> None:
    changes = of("a#1 = A; b#2 = B;", "b#2 = B; c#3 = C;")
    assert (changes.types_added, changes.types_removed) == (("C",), ("A",))


@given(schemas())
def test_a_schema_is_no_different_from_itself(schema: Schema) -> None:
    changes = diff(schema, schema)
    assert not changes
    assert summary(changes).endswith("nothing changed")


@given(schemas(), schemas())
def test_every_combinator_is_told_of_once(old: Schema, new: Schema) -> None:
    changes = diff(old, new).changes
    before = [c.old.name for c in changes if c.old]
    after = [c.new.name for c in changes if c.new]
    assert len(set(before)) == len(before)
    assert len(set(after)) == len(after)
    unchanged = {c.name for c in old.combinators} - set(before)
    assert unchanged == {c.name for c in new.combinators} - set(after)
    for name in unchanged:
        assert old.by_name[name].parameters == new.by_name[name].parameters
        assert old.by_name[name].constructor_id == new.by_name[name].constructor_id


@given(schemas(), schemas())
def test_a_diff_back_is_the_reverse(old: Schema, new: Schema) -> None:
    forwards, backwards = diff(old, new), diff(new, old)
    found = {(c.new, c.old): (c.grade.old_reads_new, c.grade.new_reads_old) for c in backwards.changes}
    assert found == {(c.old, c.new): (c.grade.new_reads_old, c.grade.old_reads_new) for c in forwards.changes}
    assert diff_text(forwards, width=60)
    assert json.loads(json.dumps(diff_json(forwards)))


# Fields


def fields(text: str) -> tuple[Parameter, ...]:
    return parse(f"a {text} = A;").combinators[0].parameters


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("x:int", "x:int y:int", "+y:int"),
        ("x:int y:int", "y:int", "-x:int"),
        ("x:int y:long", "z:int y:long", "renamed x:int z:int"),
        ("x:int", "x:long", "type x:int x:long"),
        ("f:# x:int", "f:# x:f.0?int", "flag x:int x:f.0?int"),
        ("f:# x:f.0?int", "f:# x:f.1?long", "type,flag x:f.0?int x:f.1?long"),
        ("f:# x:f.0?int", "g:# x:g.0?int", "renamed f:# g:#"),
        ("f:# x:f.0?int", "g:# y:g.0?int", "renamed f:# g:#, renamed x:f.0?int y:g.0?int"),
        ("n:# x:n*[ int ]", "m:# x:m*[ int ]", "renamed n:# m:#"),
        ("n:# x:n*[ int ]", "n:# x:[ int ]", ""),
        ("x:int y:int z:int", "y:int z:int x:int", "order x:int x:int"),
        ("x:int y:int", "y:int x:long", "type,order x:int x:long"),
        ("x:int y:int", "a:int b:int", "renamed x:int a:int, renamed y:int b:int"),
        ("x:int y:long z:int", "y:long a:int", "-x:int, renamed z:int a:int"),
        ("f:# a:f.1?true x:int", "f:# x:int b:f.1?true", "renamed,order a:f.1?true b:f.1?true"),
        ("int long", "long", "-int"),
        ("int long", "int int long", "+int"),
        ("x:int", "x:int", ""),
    ],
)
def test_what_became_of_fields(old: str, new: str, expected: str) -> None:
    found = []
    before, after = fields(old), fields(new)
    for pair in pair_fields(before, after):
        texts = [
            str(side[place]) for side, place in ((before, pair.old), (after, pair.new)) if place is not None
        ]
        if pair.what:
            sign = {"added": "+", "removed": "-"}.get(pair.what[0], ",".join(pair.what) + " ")
            found.append(sign + " ".join(texts))
    assert ", ".join(found) == expected


def test_removed_fields_stand_where_they_were() -> None:
    pairs = pair_fields(fields("a:int b:long c:string d:bytes"), fields("b:long e:double d:bytes f:int"))
    assert [(p.old, p.new) for p in pairs] == [(0, None), (1, 0), (2, None), (None, 1), (3, 2), (None, 3)]


# Text and JSON


def test_text() -> None:
    assert diff_text(of(OLD, NEW)) == TEXT


def test_lines_are_broken_between_words() -> None:
    lines = diff_text(
        of("", "a#1 first:int second:int third:int fourth:Vector<A> = A;"), width=50
    ).splitlines()
    assert lines[2:] == [
        "type A, a new type",
        "+ new reads old  a#00000001 first:int second:int",
        "                     third:int fourth:Vector<A>",
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("a#1 = A;", "a#1 = A;", "nothing changed"),
        ("// LAYER 3", "// LAYER 3", "layer 3: nothing changed"),
        ("// LAYER 3", "", "layer 3 → ?: nothing changed"),
        ("", "a#1 = A; b#2 = A;", "2 constructors added"),
        ("---functions--- f#1 = Bool;", "", "1 function removed"),
        ("a#1 = A;", "a#2 = A;", "1 changed (1 breaking)"),
        ("//@description a\na#1 = A;", "a#1 = A;", "1 documented otherwise"),
    ],
)
def test_summaries(old: str, new: str, expected: str) -> None:
    assert summary(of(old, new)) == expected


def test_json() -> None:
    found = diff_json(of(OLD, NEW))
    assert found["layer"] == {"old": 5, "new": 6}
    assert found["grade"] == "breaking"
    assert found["summary"] == TEXT.splitlines()[0]
    assert found["counts"] == {
        "added": 2,
        "removed": 3,
        "changed": 8,
        "grades": {"same": 2, "readable": 1, "new reads old": 2, "old reads new": 4, "breaking": 4},
    }
    assert found["types"] == {"added": ["Fresh", "Photo"], "removed": []}
    by_name = {change["name"]: change for change in found["changes"]}
    assert by_name["user"] == {
        "name": "user",
        "kind": "constructor",
        "what": ["id", "fields"],
        "grade": "breaking",
        "fields_grade": "breaking",
        "new_reads_old": False,
        "old_reads_new": False,
        "old": {
            "name": "user",
            "id": "00000003",
            "type": "User",
            "text": "user#00000003 flags:# id:int name:flags.0?string = User;",
            "line": 3,
        },
        "new": {
            "name": "user",
            "id": "000000a3",
            "type": "User",
            "text": "user#000000a3 flags:# id:long name:flags.0?string photo:flags.1?Photo = User;",
            "line": 1,
        },
        "fields": [
            {
                "what": ["type"],
                "old": {"name": "id", "type": "int", "flag": None, "text": "id:int"},
                "new": {"name": "id", "type": "long", "flag": None, "text": "id:long"},
            },
            {
                "what": ["added"],
                "old": None,
                "new": {
                    "name": "photo",
                    "type": "Photo",
                    "flag": {"field": "flags", "bit": 1},
                    "text": "photo:flags.1?Photo",
                },
            },
        ],
    }
    assert by_name["drop"]["new"] is None
    assert by_name["auth.check"]["kind"] == "function"
    assert json.loads(json.dumps(found)) == found


# Whole layers


@pytest.mark.skipif(not FULL_SCHEMAS.is_dir(), reason=f"the full schemas are not at {FULL_SCHEMAS}")
def test_layers_222_and_228() -> None:
    start = process_time()
    old, new = Schema.read(FULL_SCHEMAS / "api_222.tl"), Schema.read(FULL_SCHEMAS / "api.tl")
    changes = diff(old, new)
    text = diff_text(changes, width=130)
    assert process_time() - start < 3  # it takes 0.3 s
    assert text.splitlines()[0] == (
        "layer 222 → 228: 102 constructors and 54 functions added, 2 functions removed, "
        "68 changed (59 breaking, 9 readable)"
    )
    assert {c.name for c in changes.having("removed")} == old.by_name.keys() - new.by_name.keys()
    assert {c.name for c in changes.having("added")} == new.by_name.keys() - old.by_name.keys()
    both = old.by_name.keys() & new.by_name.keys()
    assert {c.name for c in changes.having("id")} == {
        name for name in both if old.by_name[name].id != new.by_name[name].id
    }
    # What kept its id got `true` fields, which have no part in it.
    for change in changes.changes:
        if change.grade is Grade.READABLE:
            assert {f.what for f in change.fields} == {("added",)}
            assert all(re.fullmatch(r"\w+:flags\.\d+\?true", str(f.new)) for f in change.fields)
    assert (
        "type Chat\n"
        "~ breaking       channel#1c32b11c → #d49f34c6; fields alone: new reads old\n"
        "                   + linked_community_id:flags2.20?long\n"
        "+ new reads old  communityForbidden#fd3cdab8 flags:# id:long access_hash:flags.13?long title:string\n"
    ) in text
    assert (
        "~ breaking       messages.importChatInvite#6c50051c → #de91436e; "
        "answers Updates → messages.ChatInviteJoinResult\n"
    ) in text
