"""The grade of each kind of change, held against bytes: one side writes, the other reads (see `grading`)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

import tl
from tests.tl.grading import directions, observed, verdicts
from tests.tl.schema_edits import edited_schemas
from tl.diff.changes import CombinatorChange, diff
from tl.diff.grades import Grade
from tl.errors import DecodeError
from tl.schema import Schema

# Ids that follow from no text show what a change does that keeps them.
pytestmark = pytest.mark.filterwarnings("ignore::tl.errors.IdMismatchWarning")

SAME, READABLE, BREAKING = Grade.SAME, Grade.READABLE, Grade.BREAKING
NEW, OLD = Grade.NEW_READS_OLD, Grade.OLD_READS_NEW

REST = """\
one#1 x:int = T; two#2 s:string = T; only#3 x:int = Only;
boolTrue = Bool; boolFalse = Bool; far.one#4 = far.T;
"""


def changed(old: str, new: str, name: str, rest: str = REST) -> tuple[Schema, Schema, CombinatorChange]:
    before, after = Schema.parse(f"{rest}{old}"), Schema.parse(f"{rest}{new}")
    (found,) = (c for c in diff(before, after).changes if c.name == name)
    return before, after, found


def check(old: str, new: str, name: str, grade: Grade, fields_grade: Grade, rest: str = REST) -> None:
    before, after, change = changed(old, new, name, rest)
    assert (change.grade, change.fields_grade) == (grade, fields_grade)
    assert observed(before, after, diff(before, after), change) == (grade, fields_grade)


# Fields, the id kept

FIELDS = [
    # names are not on the wire
    ("x:int", "y:int", SAME),
    ("flags:# x:flags.0?int", "f:# y:f.0?int", SAME),
    ("x:T y:T", "z:T y:T", SAME),
    ("x:T y:T", "y:T z:T", BREAKING),
    ("flags:# x:flags.3?true", "flags:# y:flags.3?true", SAME),
    ("flags:# x:flags.3?true a:int", "flags:# a:int y:flags.3?true", SAME),
    # true has no bytes
    ("flags:# x:int", "flags:# y:flags.0?true x:int", READABLE),
    ("flags:# y:flags.0?true x:int", "flags:# x:int", READABLE),
    ("flags:# y:flags.0?true z:flags.1?int", "flags:# y:flags.0?true x:flags.2?true z:flags.1?int", READABLE),
    ("flags:# x:flags.0?true", "flags:# x:flags.1?true", BREAKING),
    ("flags:# x:flags.0?true y:flags.1?true", "flags:# y:flags.0?true x:flags.1?true", BREAKING),
    ("flags:# x:flags.0?true", "flags:# x:flags.0?int", BREAKING),
    ("flags:# x:flags.0?int", "flags:# x:flags.0?true", BREAKING),
    ("flags:# x:flags.0?int", "flags:# x:flags.0?int y:flags.0?true", SAME),
    ("x:true", "", SAME),
    ("x:true y:int", "y:int x:true", SAME),
    ("flags:# x:true", "flags:# x:flags.0?true", BREAKING),
    ("flags:# a:flags.0?true", "flags:# b:flags.1?true", READABLE),
    # under a flag that the other side never sets
    ("flags:# x:int", "flags:# x:int y:flags.0?int", NEW),
    ("flags:# x:int", "flags:# y:flags.0?T x:int", NEW),
    ("flags:# x:int y:flags.0?T", "flags:# x:int", OLD),
    ("flags:# x:flags.0?int", "flags:# x:flags.0?int y:flags.0?int", BREAKING),
    ("flags:# x:flags.0?true", "flags:# x:flags.0?true y:flags.0?int", BREAKING),
    ("flags:# x:flags.0?int", "flags:# x:flags.1?int", BREAKING),
    ("flags:# x:flags.0?int y:flags.1?int", "flags:# y:flags.1?int x:flags.0?int", BREAKING),
    ("flags:# x:flags.0?int", "flags:# y:flags.1?int", BREAKING),
    ("flags:# x:flags.0?int", "flags:# x:int", BREAKING),
    ("flags:# x:int", "flags:# x:flags.0?int", BREAKING),
    ("flags:# flags2:# x:flags.0?int", "flags:# flags2:# x:flags2.0?int", BREAKING),
    (
        "flags:# a:flags.0?true flags2:# x:flags2.0?int",
        "flags:# a:flags.0?true flags2:# x:flags2.0?int y:flags2.1?int",
        NEW,
    ),
    ("n:# x:int", "n:# x:int y:n.0?int", BREAKING),
    ("n:# x:int", "n:# x:int y:n.0?true", READABLE),
    # always there
    ("x:int", "x:int y:int", BREAKING),
    ("x:int", "", BREAKING),
    ("x:int y:int", "y:int x:int", BREAKING),
    ("x:int y:string", "y:string x:int", BREAKING),
    ("x:int", "flags:# x:int", BREAKING),
    ("flags:# x:flags.0?int", "x:int", BREAKING),
    # types
    ("x:int", "x:long", BREAKING),
    ("x:int", "x:#", BREAKING),
    ("x:int", "y:#", BREAKING),
    ("x:int", "y:only", BREAKING),
    ("x:int y:true", "y:true z:int", BREAKING),
    ("x:string", "x:bytes", NEW),
    ("x:bytes", "x:string", OLD),
    ("x:string", "y:bytes", BREAKING),
    ("x:Vector<string>", "x:Vector<bytes>", NEW),
    ("x:Vector<string>", "x:vector<string>", BREAKING),
    ("x:vector<string>", "x:vector<bytes>", NEW),
    ("x:Vector<int>", "x:Vector<long>", BREAKING),
    ("x:Vector<int>", "x:int", BREAKING),
    ("x:int128", "x:int256", BREAKING),
    ("x:T", "x:Object", NEW),
    ("x:Object", "x:T", OLD),
    ("x:Vector<Only>", "x:Vector<Object>", NEW),
    ("x:Bool", "x:Object", BREAKING),
    ("x:int", "x:Object", BREAKING),
    ("x:Only", "x:T", BREAKING),
    ("x:far.T", "x:T", BREAKING),
    ("x:Only", "x:%Only", BREAKING),
    ("x:only", "x:%Only", SAME),
    ("x:one", "x:two", BREAKING),
    ("x:one", "x:only", BREAKING),
    ("x:Bool", "x:T", BREAKING),
    ("x:true y:int", "x:Bool y:int", BREAKING),
    # repetitions
    ("2*[ int ]", "3*[ int ]", BREAKING),
    ("x:2*[ a:int b:long ]", "x:2*[ c:int d:long ]", SAME),
    ("x:2*[ a:int b:long ]", "x:2*[ b:long a:int ]", BREAKING),
    ("x:2*[ a:string ]", "x:2*[ a:bytes ]", NEW),
    ("n:# x:n*[ int ]", "m:# x:m*[ int ]", SAME),
    ("n:# x:n*[ int ]", "n:# # [ int ]", BREAKING),
    ("n:# x:n*[ int ]", "n:# [ int ]", SAME),
    ("n:# m:# x:n*[ int ]", "n:# m:# x:m*[ int ]", BREAKING),
    ("n:# m:# x:[ int ]", "n:# m:# y:m*[ int ]", SAME),
    ("x:2*[ int ]", "x:Vector<int>", BREAKING),
    ("n:# x:2*[ int ]", "n:# x:n*[ int ]", BREAKING),
    ("x:0*[ int ] y:int", "y:int", SAME),
]


@pytest.mark.parametrize(("old", "new", "grade"), FIELDS, ids=[f"{a} → {b}" for a, b, _ in FIELDS])
def test_fields(old: str, new: str, grade: Grade) -> None:
    check(f"a#a {old} = A;", f"a#a {new} = A;", "a", grade, grade)
    check(f"a#a {old} = A;", f"a#b {new} = A;", "a", BREAKING, grade)
    functions = "---functions---"
    check(f"{functions} a#a {old} = Bool;", f"{functions} a#a {new} = Bool;", "a", grade, grade)


# All else

CHANGES = [
    ("a#a x:int = A;", "b#a x:int = A;", "b", SAME, SAME),
    ("a#a x:int = A;", "b#b x:int = A;", "b", BREAKING, SAME),
    ("a#a x:int = A;", "a#b x:int = A;", "a", BREAKING, SAME),
    ("a#a x:int = A;", "", "a", OLD, OLD),
    ("", "a#a x:int = A;", "a", NEW, NEW),
    ("", "a#a x:int = T;", "a", NEW, NEW),
    ("a#a = T;", "", "a", OLD, OLD),
    ("", "---functions--- f#f x:T = T;", "f", NEW, NEW),
    ("---functions--- f#f x:T = T;", "", "f", OLD, OLD),
    # ids swapped: it is the names that changed
    ("a#a x:int = A; b#b y:string = A;", "a#b y:string = A; b#a x:int = A;", "b", SAME, SAME),
    # an old form lives on under another name
    ("a#a x:int = A;", "a_old#a x:int = A; a#b x:int y:int = A;", "a_old", SAME, SAME),
    ("a#a x:int = A;", "a_old#a x:int = A; a#b x:int y:int = A;", "a", NEW, NEW),
    # moved to another type
    ("a#a x:int = T;", "a#a x:int = Only; ", "a", BREAKING, SAME),
    ("a#a x:int = A;", "a#a x:int = B;", "a", SAME, SAME),
    ("a#a x:int = A; b#b x:A = B;", "a#a x:int = C; b#b x:C = B;", "b", SAME, SAME),
    ("a#a x:int = A; b#b x:A = B;", "a#a x:int = C; b#b x:C = B;", "a", SAME, SAME),
    ("a#a x:int = A; c#c x:A = C;", "a#a x:int = T; c#c x:T = C;", "a", NEW, SAME),
    ("a#a x:int = A; c#c x:A = C;", "a#a x:int = T; c#c x:T = C;", "c", NEW, NEW),
    ("a#a x:int = T; c#c x:T = C;", "a#a x:int = A; c#c x:A = C;", "a", OLD, SAME),
    ("a#a x:int = T; c#c x:T = C;", "a#a x:int = A; c#c x:A = C;", "c", OLD, OLD),
    ("o#b = Object; a#a = Object;", "o#b = Object; a#a = T;", "a", NEW, SAME),
    # what functions answer
    ("---functions--- f#f = T;", "---functions--- f#f = far.T;", "f", BREAKING, SAME),
    ("---functions--- f#f = T;", "---functions--- f#f = Vector<T>;", "f", BREAKING, SAME),
    ("---functions--- f#f = Bool;", "---functions--- f#f = T;", "f", BREAKING, SAME),
    ("---functions--- f#f = T;", "---functions--- f#f = Object;", "f", NEW, SAME),
    ("---functions--- f#f = Vector<Object>;", "---functions--- f#f = Vector<T>;", "f", OLD, SAME),
    ("---functions--- f#f = T;", "---functions--- g#f = T;", "g", SAME, SAME),
    (
        "a#a = A; ---functions--- f#f x:string = A;",
        "a#a = B; ---functions--- f#f x:bytes = B;",
        "f",
        NEW,
        NEW,
    ),
    # any function
    (
        "---functions--- f#f {X:Type} x:!X = X; g = T;",
        "---functions--- f#f {Y:Type} x:!Y = Y; g = T;",
        "f",
        SAME,
        SAME,
    ),
    (
        "---functions--- f#f {X:Type} x:!X = T; g = T;",
        "---functions--- f#f x:Object = T; g = T;",
        "f",
        NEW,
        NEW,
    ),
    (
        "---functions--- f#f {X:Type} x:!X = T; g = T;",
        "---functions--- f#f x:T = T; g = T;",
        "f",
        BREAKING,
        BREAKING,
    ),
    # bare constructors
    ("a#a = A; c#c x:a y:int = C;", "a#a = A; c#c y:int = C;", "c", SAME, SAME),
    ("a#a y:int = A; c#c x:%A = C;", "b#a y:int = B; c#c x:b = C;", "c", SAME, SAME),
]


@pytest.mark.parametrize(("old", "new", "name", "grade", "fields_grade"), CHANGES)
def test_changes(old: str, new: str, name: str, grade: Grade, fields_grade: Grade) -> None:
    check(old, new, name, grade, fields_grade)


def test_a_count_that_is_flags_as_well() -> None:
    """The count is what the flags leave of it, so a new flag takes a bit of the count."""
    old, new, change = changed("a#a n:# x:n*[ int ] = A;", "a#a n:# b:n.1?true x:n*[ int ] = A;", "a")
    assert change.grade is BREAKING
    before, after = tl.load(old), tl.load(new)
    with pytest.raises(DecodeError):
        after.decode(bytes(before.A(n=2, x=[7, 8])))
    with pytest.raises(DecodeError):
        before.decode(bytes(after.A(n=0, b=True, x=[])))


# Any edits


@settings(max_examples=25, deadline=None)
@given(edited_schemas())
def test_grades_tell_what_is_read(pair: tuple[Schema, Schema]) -> None:
    old, new = pair
    for direction in directions(old, new, diff(old, new)):
        for name in direction.written.by_name:
            if name.startswith("bool"):
                continue  # True and False have no fields
            found = list(verdicts(direction, name))
            change = direction.changes.get(name)
            body = change is None or direction.allows(change.grade)
            fields = change is None or direction.allows(change.fields_grade)
            told = [verdict for verdict in found if verdict[2]]
            assert not body or all(was_read for was_read, _, _ in told), (name, change)
            assert not fields or all(was_read for _, was_read, _ in told)
            if len(told) == len(found):
                assert body or not all(was_read for was_read, _, _ in found), (name, change)
                assert fields or not all(was_read for _, was_read, _ in found), (name, change)
