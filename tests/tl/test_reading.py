"""Lenient reading: nothing is raised, nothing is lost, and what is found is what a strict reading refuses."""

from __future__ import annotations

import random
import struct
from itertools import pairwise
from types import ModuleType
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import tl
from mtproto import api, service
from tests.samples import plan
from tests.tl.helpers import load_package
from tests.tl.test_rare_types import SCHEMA as RARE
from tl import strategies
from tl.inspection import DEEPEST
from tl.registry import Registry
from tl.spans import CONSTRUCTOR_ID, OPAQUE, TRAILING

OLD = tl.load(
    """
    // LAYER 5
    named#11111111 id:int = Thing;
    lots#12121212 ids:Vector<int> = Thing;
    """,
    "old",
)
NEW = tl.load(
    """
    thing#33333333 = Thing;
    other#44444444 = Other;
    has#1 a:Thing b:int c:Other = Has;
    text#2 flags:# on:flags.0?true n:flags.1?int s:string raw:flags.2?bytes ok:Bool = Text;
    list#3 things:Vector<Thing> n:int = List;
    deep#4 inner:Deep = Deep;
    end#5 = Deep;
    ints#6 ints:Vector<int> after:int = Ints;
    empty#7 items:vector<true> n:int = Empty;
    asked#8 flags:# who:flags.0?Thing when:flags.1?int where:flags.2?Other = Asked;
    message#5bb8e511 msg_id:long seqno:int bytes:int body:Object = Message;
    container#73f1f8dc messages:vector<%Message> = Container;
    wrap#9 body:Object = Wrap;
    """,
    "new",
)
VECTOR = 0x1CB5C415


def words(*numbers: int) -> bytes:
    return b"".join(struct.pack("<I", number & 0xFFFFFFFF) for number in numbers)


def read(data: bytes, as_type: object = None) -> tl.Reading:
    return tl.read(data, NEW, as_type, mode="lenient", others=[OLD])


def found(reading: tl.Reading) -> list[tuple[str, int, str]]:
    return [(finding.name, finding.offset, finding.path) for finding in reading.findings]


def check(data: bytes, schema: Registry, as_type: object = None) -> tl.Reading:
    """All that holds for any bytes."""
    reading = tl.read(data, schema, as_type, mode="lenient", others=[OLD])
    assert bytes(reading) == data
    assert reading.encode() == data
    leaves = list(reading.span.leaves())
    assert [leaves[0].start, leaves[-1].end] == [0, len(data)]
    assert all(before.end == after.start for before, after in pairwise(leaves))
    assert [f.name == "TrailingBytes" for f in reading.findings].count(True) == bool(reading.trailing)
    if reading.findings:
        with pytest.raises(tl.DecodeError) as caught:
            tl.read(data, schema, as_type, others=[])
        first, error = reading.findings[0], caught.value
        assert first.name == type(error).__name__
        assert (first.offset, first.path, first.message) == (error.offset, error.path, error.message)
        assert (first.got, first.expected) == (error.got, error.expected)
    else:
        strict = tl.read(data, schema, as_type, others=[])
        assert (bytes(strict), strict.findings, strict.trailing) == (data, (), b"")
        assert strict.span == reading.span
    return reading


@pytest.fixture(scope="module")
def rare(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return load_package(RARE, tmp_path_factory.mktemp("reading"), "rare")


# Whatever the bytes are


def damaged(rng: random.Random, data: bytes, schema: Registry) -> bytes:
    """The data with a few words, bytes or bits changed, left out or put in."""
    changed = bytearray(data)
    known = [number for number, _, _ in schema.declared.values()]
    for _ in range(rng.choice((0, 1, 1, 2, 4))):
        if not changed:
            break
        at = rng.randrange(len(changed))
        word = at & ~3
        match rng.randrange(6):
            case 0:
                changed[at] = rng.choice((0, 1, 254, 255, rng.randrange(256)))
            case 1:
                changed[at] ^= 1 << rng.randrange(8)
            case 2:
                del changed[word : word + 4]
            case 3:
                changed[word:word] = rng.choice((bytes(4), words(VECTOR), rng.randbytes(4)))
            case 4:
                changed[word : word + 4] = words(rng.choice(known))
            case _:
                del changed[at:]
    return bytes(changed)


@pytest.mark.parametrize("name", ["api", "service", "rare", "new"])
def test_damaged_bytes_are_read_and_written_again(name: str, rare: ModuleType) -> None:
    schema: Registry = {"api": api, "service": service, "rare": rare, "new": NEW}[name].SCHEMA
    seen = set()
    for seed in range(400):
        rng = random.Random(f"{name} {seed}")
        cls = schema.by_name[rng.choice(sorted(schema.declared))]
        data = damaged(rng, bytes(plan(rng, cls, 3).build(schema)), schema)
        for as_type in (None, cls, cls.TYPE if hasattr(cls, "TYPE") else cls):
            try:
                seen |= {finding.name for finding in check(data, schema, as_type).findings}
            except Exception as error:
                error.add_note(f"{name}, seed {seed}, {cls.TL_NAME}: {data.hex()}")
                raise
    assert len(seen) >= 5


@settings(max_examples=300)
@given(st.binary(max_size=64), st.sampled_from(sorted(NEW.SCHEMA.declared)), st.booleans())
@example(b"", "thing", False)
def test_any_bytes_are_read_and_written_again(data: bytes, name: str, has_id: bool) -> None:
    cls = NEW.SCHEMA.by_name[name]
    check(words(cls.CONSTRUCTOR_ID) + data if has_id else data, NEW.SCHEMA)
    for as_type in ("Thing", "Vector<Thing>", "vector<int>", "%Message", "Bool", "string", "int", "true"):
        check(data, NEW.SCHEMA, as_type)


@given(st.data())
def test_what_is_in_order_is_read_as_always(data: st.DataObject) -> None:
    value = data.draw(strategies.values(api))
    for mode in ("strict", "lenient"):
        reading = tl.read(bytes(value), api, mode=mode)
        assert (reading.value, reading.findings, reading.trailing) == (value, (), b"")


# Each deviation by its name

TEXT = words(2, 0) + b"\3abc" + words(0x997275B5)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (words(2, 0) + b"\3abc" + words(0x997275B5), []),
        (words(2, 0xF0) + b"\3abc" + words(0x997275B5), [("UnknownFlags", 4, "flags")]),
        (words(2, 0) + b"\xfe\3\0\0abc\0" + words(0x997275B5), [("NonMinimalLength", 8, "s")]),
        (words(2, 0) + b"\2abc" + words(0x997275B5), [("NonZeroPadding", 11, "s")]),
        (words(2, 0) + b"\xff\3\0\0\0\0\0\0abc\0" + words(0x997275B5), [("ReservedLength", 8, "s")]),
        (words(2, 0) + b"\3a\xffc" + words(0x997275B5), [("InvalidUtf8", 8, "s")]),
        (words(2, 0) + b"\3abc" + words(0x997275B6), [("WrongType", 12, "ok")]),
        (words(2, 0) + b"\3abc" + words(0x997275B5, 7), [("TrailingBytes", 16, "")]),
        (words(2, 0) + b"\7abc", [("UnexpectedEnd", 9, "s")]),
        (words(2, 0) + b"\3abc", [("UnexpectedEnd", 12, "ok")]),
        (words(2) + b"\0", [("UnexpectedEnd", 4, "flags")]),
        (words(1, 0x99999999, 7, 0x44444444), [("UnknownConstructor", 4, "a")]),
        (words(1, 0x44444444, 7, 0x44444444), [("WrongType", 4, "a")]),
        (words(1, 0x33333333, 7, 0x33333333), [("WrongType", 12, "c")]),
        (words(3, VECTOR, -1, 7), [("InvalidCount", 8, "things")]),
        (words(3, VECTOR, 2, 0x33333333), [("InvalidCount", 8, "things")]),
        (words(3, VECTOR + 1, 0, 7), [("WrongType", 4, "things")]),
        (words(7, 5000, 1), [("LimitExceeded", 4, "items")]),
        (words(*[4] * 70, 5), [("LimitExceeded", 260, ".".join(["inner"] * 64))]),
        (words(0x99999999), [("UnknownConstructor", 0, "")]),
        (words(VECTOR, 0), [("WrongType", 0, "")]),
        (b"", [("UnexpectedEnd", 0, "")]),
    ],
)
def test_each_deviation_has_a_name_and_a_place(data: bytes, expected: list[tuple[str, int, str]]) -> None:
    reading = check(data, NEW.SCHEMA)
    assert found(reading) == expected
    for finding in reading.findings:
        assert issubclass(getattr(tl, finding.name), tl.DecodeError)
        assert str(finding).startswith(f"{finding.name} at {finding.offset}")


def test_all_that_is_wrong_with_one_message() -> None:
    data = words(2, 0x84) + b"\xfe\3\0\0ab\xff\1" + b"\1x\0\1" + words(0x11) + b"more"
    reading = check(data, NEW.SCHEMA)
    assert found(reading) == [
        ("UnknownFlags", 4, "flags"),
        ("NonMinimalLength", 8, "s"),
        ("NonZeroPadding", 15, "s"),
        ("InvalidUtf8", 8, "s"),
        ("NonZeroPadding", 18, "raw"),
        ("WrongType", 20, "ok"),
        ("TrailingBytes", 24, ""),
    ]
    value = reading.value
    assert (value.flags, value.on, value.n) == (0x80, False, None)
    assert value.s == tl.Raw(b"\xfe\3\0\0ab\xff\1")
    assert (value.s.value, value.raw.value, value.ok) == (b"ab\xff", b"x", tl.Raw(words(0x11)))
    assert reading.trailing == b"more"
    assert [leaf.tl_type for leaf in reading.span.leaves()][-1] == TRAILING
    first = reading.findings[0]
    assert (first.got, first.expected, first.message) == (
        0x80,
        "only bits of 0x00000007",
        "got flag bits 0x00000080, which no field uses",
    )


# Going on behind what is unknown


@pytest.mark.parametrize(
    ("data", "value"),
    [
        # The last field takes the rest.
        (words(9, 0x99999999, 1, 2, 3), NEW.Wrap(body=tl.Raw(words(0x99999999, 1, 2, 3)))),
        # What follows has one length, whatever is in it.
        (
            words(1, 0x99999999, 8, 9, 7, 0x44444444),
            NEW.Has(a=tl.Raw(words(0x99999999, 8, 9)), b=7, c=NEW.Other()),
        ),
        (
            words(8, 7, 0x99999999, 1, 7, 0x44444444),
            NEW.Asked(who=tl.Raw(words(0x99999999, 1)), when=7, where=NEW.Other()),
        ),
        (
            words(3, VECTOR, 2, 0x33333333, 0x99999999, 1, 2, 3),
            NEW.List(things=[NEW.Thing(), tl.Raw(words(0x99999999, 1, 2))], n=3),
        ),
        # A message says its length.
        (
            words(0x73F1F8DC, 2, 1, 0, 1, 12, 0x99999999, 1, 2, 2, 0, 2, 4, 0x33333333),
            NEW.Container(
                messages=[
                    NEW.Message(msg_id=1, seqno=1, bytes=12, body=tl.Raw(words(0x99999999, 1, 2))),
                    NEW.Message(msg_id=2, seqno=2, bytes=4, body=NEW.Thing()),
                ]
            ),
        ),
        (
            words(0x73F1F8DC, 2, 1, 0, 1, 12, 9, 0x99999999, 1, 2, 0, 2, 4, 0x33333333),
            NEW.Container(
                messages=[
                    NEW.Message(
                        msg_id=1, seqno=1, bytes=12, body=NEW.Wrap(body=tl.Raw(words(0x99999999, 1)))
                    ),
                    NEW.Message(msg_id=2, seqno=2, bytes=4, body=NEW.Thing()),
                ]
            ),
        ),
        # Nothing is known of it: it takes all, and nothing is left for the others.
        (
            words(1, 0x99999999, 7),
            NEW.Has(a=tl.Raw(words(0x99999999, 7)), b=tl.Raw(b""), c=tl.Raw(b"")),
        ),
    ],
)
def test_unknown_constructors(data: bytes, value: object) -> None:
    reading = check(data, NEW.SCHEMA)
    assert reading.value == value
    assert [finding.name for finding in reading.findings] == ["UnknownConstructor"]
    assert any(leaf.note == "unknown" for leaf in reading.span.leaves())


def test_a_constructor_of_another_layer_is_named_and_read() -> None:
    data = words(1, 0x12121212, VECTOR, 2, 5, 6, 7, 0x44444444)
    reading = check(data, NEW.SCHEMA)
    assert reading.findings[0].candidates == ("lots of layer 5",)
    assert str(reading.findings[0]) == (
        "UnknownConstructor at 4, a: got constructor 0x12121212, unknown to new, expected Thing (thing); "
        "0x12121212 is lots of layer 5"
    )
    assert reading.value.a == tl.Raw(data[4:24])
    assert reading.value.a.value == OLD.Lots(ids=[5, 6])
    assert (reading.value.b, reading.value.c) == (7, NEW.Other())
    assert [leaf.path for leaf in reading.span.leaves()][-4:] == ["a.ids[0]", "a.ids[1]", "b", "c"]

    cut = check(words(9, 0x12121212, VECTOR, 2, 5), NEW.SCHEMA)  # known, but not whole: as far as it goes
    assert cut.findings[0].candidates == ("lots of layer 5",)
    assert cut.value.body == tl.Raw(words(0x12121212, VECTOR, 2, 5))
    assert cut.value.body.value.ids.value == [5]
    assert [leaf.tl_type for leaf in check(words(9, 7), NEW.SCHEMA).span.leaves()][-1] == CONSTRUCTOR_ID
    assert [leaf.tl_type for leaf in check(words(9, 70, 7), NEW.SCHEMA).span.leaves()][-1] == OPAQUE


def test_all_loaded_schemas_are_asked_by_default() -> None:
    third = tl.load("// LAYER 77\nunheard#7a7a7a7a = Thing;", "third")
    data = words(0x7A7A7A7A)
    assert tl.read(data, NEW, mode="lenient").findings[0].candidates == ("unheard of layer 77",)
    assert tl.read(data, NEW, mode="lenient", others=[]).findings[0].candidates == ()
    assert tl.read(data, third, mode="lenient").findings == ()


def test_what_a_value_of_the_wrong_type_is() -> None:
    reading = check(words(1, 0x44444444, 7, 0x44444444), NEW.SCHEMA)
    assert reading.value.a.value == NEW.Other()
    whole = check(words(1, 0x33333333, 7, 0x44444444), NEW.SCHEMA, "Thing")
    assert whole.value.value == NEW.Has(a=NEW.Thing(), b=7, c=NEW.Other())
    cut = check(words(1, 0x33333333, 7), NEW.SCHEMA, "Thing")  # wrong, and not whole: as far as it goes
    assert cut.value.value == NEW.Has(a=NEW.Thing(), b=7, c=tl.Raw(b""))


def test_a_count_that_is_wrong_leaves_what_can_be_read() -> None:
    more = check(words(6, VECTOR, 9, 1, 2), NEW.SCHEMA).value
    assert (more.ints.value, more.after) == ([1, 2], tl.Raw(b""))
    less = check(words(6, VECTOR, -1, 5), NEW.SCHEMA).value
    assert (less.ints, less.ints.value, less.after) == (tl.Raw(words(VECTOR, -1)), [], 5)
    part = check(words(6, VECTOR, 9, 1) + b"\2\0", NEW.SCHEMA)
    assert (part.value.ints.value, found(part)) == (
        [1, tl.Raw(b"\2\0")],
        [("InvalidCount", 8, "ints"), ("UnexpectedEnd", 16, "ints[1]")],
    )


# Raw values, also without reading


def test_raw_values_are_written_as_they_are() -> None:
    settings = api.CodeSettings(logout_tokens=tl.Raw(words(VECTOR, -1)), flags=tl.Raw(words(0xFFFFFFFF)))  # type: ignore[arg-type]
    request = api.account.SendVerifyPhoneCode(phone_number=tl.Raw(b"\xff"), settings=settings)  # type: ignore[arg-type]
    expected = "f956a3a5 ff 783d25ad ffffffff 15c4b51c ffffffff"
    assert bytes(request) == tl.encode(request) == bytes.fromhex(expected)
    assert bytes(NEW.List(things=[tl.Raw(b"ab"), NEW.Thing(), tl.Raw(b"")], n=1)) == (
        words(3, VECTOR, 3) + b"ab" + words(0x33333333, 1)
    )
    with pytest.raises(tl.EncodeError, match=r"^flags|^on: got Raw"):
        bytes(NEW.Text(on=tl.Raw(b""), s="", ok=True))  # it has no bytes that could be other ones
    with pytest.raises(TypeError, match="encoded: got str, expected bytes"):
        tl.Raw("no bytes")  # type: ignore[arg-type]
    assert repr(tl.Raw(b"a")) == "Raw(b'a')"
    assert repr(tl.Raw(b"\1a\0\0", "a")) == "Raw(b'\\x01a\\x00\\x00', value='a')"


@pytest.mark.parametrize("package", [api, service], ids=["api", "service"])
def test_every_field_of_every_class_takes_a_raw_value(package: Any) -> None:
    """Straight-line code has to notice each of them, and leave it to the reference codec."""
    for name in package.SCHEMA.by_name:
        whole = plan(random.Random(name), package.SCHEMA.by_name[name], 2).build(package.SCHEMA)
        span = tl.inspect(bytes(whole), package)
        for field in type(whole).FIELDS:
            part = next((s for s in span.children if s.path == field.tl_name), None)
            if part is None or field.is_true_flag:
                continue
            raw = b"\xee" * (part.end - part.start + 1)
            values = {f.name: getattr(whole, f.name) for f in type(whole).FIELDS}
            changed = type(whole)(**values | {field.name: tl.Raw(raw)})
            expected = bytes(whole)[: part.start] + raw + bytes(whole)[part.end :]
            assert bytes(changed) == expected, f"{name}, {field.name}"


# Limits, and arguments


def test_limits_hold_and_cost_is_bounded() -> None:
    limits = tl.Limits(depth=3, elements=10)
    deep = tl.read(words(4, 4, 4, 4, 5), NEW, mode="lenient", limits=limits)
    assert found(deep) == [("LimitExceeded", 16, "inner.inner.inner")]
    assert bytes(deep) == words(4, 4, 4, 4, 5)
    many = tl.read(words(6, VECTOR, 11, *range(11), 7), NEW, mode="lenient", limits=limits)
    assert found(many) == [("LimitExceeded", 8, "ints")]
    assert (many.value.ints, many.value.after) == (tl.Raw(words(VECTOR, 11, *range(11))), 7)
    with pytest.raises(ValueError, match=f"got a depth of {DEEPEST + 1}, expected at most {DEEPEST}"):
        tl.read(b"", NEW, limits=tl.Limits(depth=DEEPEST + 1))
    at_most = tl.read(words(*[4] * DEEPEST, 5), NEW, mode="lenient", limits=tl.Limits(depth=DEEPEST))
    assert (at_most.findings, bytes(at_most)) == ((), words(*[4] * DEEPEST, 5))


def test_reading_ahead_again_and_again_ends() -> None:
    """Each message begins an object of another layer that claims to reach to the end."""
    body = words(0x12121212, VECTOR, 100_000)
    message = words(1, 0, 1, len(body)) + body
    data = words(0x73F1F8DC, 20_000) + message * 20_000
    reading = read(data)  # in a second or two; reading each of them to the end would take hours
    assert bytes(reading) == data
    assert len(reading.value.messages) == 20_000
    assert reading.value.messages[-1].body == tl.Raw(body)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"mode": "loose"}, ValueError, "mode: got 'loose', expected 'strict' or 'lenient'"),
        ({"as_type": "Nope"}, tl.SchemaError, "new has no type 'Nope'"),
        ({"as_type": 5}, TypeError, "as_type: got 5"),
        ({"schema": "x.tl"}, TypeError, "schema: got 'x.tl', expected a generated package"),
        ({"data": "00"}, TypeError, "a bytes-like object is required"),
        ({"others": [5]}, TypeError, "schema: got 5"),
    ],
)
def test_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        tl.read(**({"data": b"", "schema": NEW, "mode": "lenient"} | arguments))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("word", "note"),
    [
        (0x1, "on"),
        (0x7, "on, n, raw"),
        (0x10, "bit 4"),
        (0x31, "on, bits 4–5"),
        (0xFFFFFFF8, "bits 3–31"),
        (0x80000050, "bit 4, bit 6, bit 31"),
    ],
)
def test_the_bits_of_a_flag_word_are_named(word: int, note: str) -> None:
    span = read(words(2, word) + bytes(40)).span
    assert next(leaf.note for leaf in span.leaves() if leaf.path == "flags") == note


def test_what_the_interpreter_has_no_room_for_is_one_finding() -> None:
    shapes = tl.load("list#1 items:Vector<Vector<Vector<Vector<List>>>> = List;", "shapes")
    value = shapes.List(items=[])
    for _ in range(60):
        value = shapes.List(items=[[[[value]]]])
    data = bytes(value)
    assert shapes.decode(data) == value
    for look in (lambda: tl.inspect(data, shapes), lambda: tl.read(data, shapes)):
        with pytest.raises(tl.LimitExceeded, match="deeper than the interpreter allows"):
            look()
    reading = tl.read(data, shapes, mode="lenient")
    assert (found(reading), bytes(reading)) == ([("LimitExceeded", 0, "")], data)


def test_what_is_lost_is_not_listed_where_the_bytes_are_kept() -> None:
    shapes = tl.load("list#1 items:Vector<List> = List;", "shapes")
    data = words(*[1, VECTOR, 40] * 30)
    reading = tl.read(data, shapes, mode="lenient")
    assert bytes(reading) == data
    assert len(tl.to_json(reading.value)) < 10_000  # not 30 lists of 40


def test_a_count_that_is_a_flag_word_too_has_no_unknown_bits() -> None:
    both = tl.load("both#1 n:# a:n.0?int b:n*[ int ] = Both;", "both")
    data = bytes(both.Both(n=2, b=[1, 2]))
    assert tl.read(data, both).value == both.decode(data, strict_flags=True) == both.Both(n=2, b=[1, 2])
    assert check(data, both.SCHEMA).findings == ()
