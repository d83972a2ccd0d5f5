"""The two codecs: known bytes, and what holds for every class of both schemas."""

from __future__ import annotations

from array import array
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtproto import api, service
from tests.strategies import values_of
from tl import (
    DecodeError,
    EncodeError,
    NonCanonical,
    TLObject,
    TrailingBytes,
    decode,
    decode_prefix,
    encode,
    load,
)
from tl.fast import Unfit
from tl.reference import reference_decode, reference_encode
from tl.registry import Registry

# What straight-line code does in one step, in every mixture: runs of fixed size (with ids and true flags among
# them), fields under one bit in a row and not, few and many conditional fields, strings and vectors between.
MIXTURES = load(
    """\
boolTrue = Bool;
boolFalse = Bool;
none#1 = Kind;
some#2 x:int = Kind;
nothing#3 = Nothing;
end#4 = Row;
run#10 i:int b:Bool n:int128 q:long m:int256 d:double k:Kind c:Bool s:string e:Bool o:Nothing = Row;
vectors#11 i:int v:Vector<bytes> j:int w:Vector<string> b:Bool x:Vector<Kind> l:int y:Vector<Bool> q:long = Row;
down#12 i:int next:Row = Row;
downs#13 i:int next:Vector<Row> j:int = Row;
perhaps#14 flags:# next:flags.0?Row = Row;
both#15 left:Row right:Kind = Row;
inRow#16 flags:# a:flags.0?string b:flags.0?Bool c:flags.0?int d:flags.0?long e:flags.1?bytes f:flags.1?Kind
    g:flags.1?int128 = Row;
fixedRow#17 flags:# i:flags.0?int b:flags.0?Bool n:flags.0?int128 k:flags.0?Kind s:flags.0?string q:flags.0?long
    = Row;
notInRow#18 flags:# a:flags.0?int yes:flags.0?true b:flags.1?string c:flags.0?string d:flags.1?true
    e:flags.1?true = Row;
among#19 flags:# a:flags.0?true n:int b:flags.1?true c:flags.2?true k:Kind d:flags.3?true e:flags.4?true s:string
    f:flags.5?int g:flags.6?true h:flags.5?int = Row;
words#1a one:# a:one.0?true s:one.1?string two:# b:two.0?true c:one.2?true d:two.1?Kind n:long e:two.31?true
    f:one.31?int = Row;
late#1b s:string flags:# a:flags.0?string n:int b:flags.1?int t:string = Row;
manyWords#20 one:# a:one.0?string b:one.1?bytes n:int two:# c:two.0?string d:two.1?int e:one.2?Kind m:long
    f:two.2?string s:string g:one.3?int = Row;
sameBit#21 one:# two:# a:one.3?string b:two.3?string c:two.3?int d:one.3?int = Row;
few#1c flags:# s:string a:flags.0?string b:flags.1?bytes c:flags.2?Vector<Kind> n:int d:flags.3?int128 = Row;
many#1d flags:# a:flags.0?string b:flags.1?bytes n:int c:flags.2?Vector<Kind> d:flags.3?Kind e:flags.4?Bool
    f:flags.5?double s:string = Row;
manyTrue#1e one:# a:one.0?true b:one.1?true c:one.2?true d:one.3?true two:# e:two.30?true f:two.31?true
    g:two.1?true h:two.2?true i:two.3?true j:one.31?true = Row;
aFieldWithALongName#1f a_field_with_a_long_name:int another_field_with_a_long_name:int128
    yet_another_field_with_a_long_name:long and_the_last_field_with_a_long_name:Kind = Row;
""",
    "mixtures",
)
CLASSES = [
    pytest.param(cls, id=f"{schema.name}.{name}")
    for schema in (service.SCHEMA, api.SCHEMA, MIXTURES.SCHEMA)
    for name, cls in schema.by_name.items()
]
every_class = pytest.mark.parametrize("cls", CLASSES)

# Known bytes: Telethon, Kurigram, GramJS and mtcute write the very same

REQUEST = bytes.fromhex(
    "f956a3a50c2b3132303235353530313233000000783d25ad7300000015c4b51c01000000"
    "1361726269747261727920646174612068657265"
)
ANSWER = bytes.fromhex(
    "0225005e06000000a2bb00c0050000001230313233343536373839616263646566303100e3d31c743c000000"
)


def request() -> api.account.SendVerifyPhoneCode:
    return api.account.SendVerifyPhoneCode(
        phone_number="+12025550123",
        settings=api.CodeSettings(
            allow_flashcall=True,
            current_number=True,
            allow_app_hash=True,
            allow_missed_call=True,
            logout_tokens=[b"arbitrary data here"],
        ),
    )


def answer() -> api.auth.SentCode:
    return api.auth.SentCode(
        type=api.auth.SentCodeTypeSms(length=5),
        phone_code_hash="0123456789abcdef01",
        next_type=api.auth.CodeTypeCall(),
        timeout=60,
    )


@pytest.mark.parametrize(
    ("value", "data"), [(request(), REQUEST), (answer(), ANSWER)], ids=["request", "answer"]
)
def test_known_bytes(value: TLObject, data: bytes) -> None:
    assert bytes(value) == data
    assert encode(value) == data
    assert reference_encode(value) == data
    assert api.decode(data) == value
    assert api.decode(data, type(value)) == value
    assert reference_decode(api.SCHEMA, data) == value


@pytest.mark.parametrize("make", [bytearray, memoryview])
def test_any_buffer_is_decoded(make: type[bytearray] | type[memoryview]) -> None:
    decoded = api.decode(make(REQUEST), api.account.SendVerifyPhoneCode)
    assert decoded == request()
    assert decoded.settings.logout_tokens is not None
    assert type(decoded.settings.logout_tokens[0]) is bytes


@pytest.mark.parametrize("data", [4, "0225005e", [2, 37, 0, 94], None])
def test_nothing_else_is_decoded(data: Any) -> None:
    with pytest.raises(TypeError):
        api.decode(data)


def test_objects_are_what_they_show() -> None:
    value = answer()
    assert value == answer()
    assert value != request()
    assert value != bytes(value)
    value.timeout = 61
    assert value != answer()
    assert repr(value) == (
        "auth.SentCode(type=auth.SentCodeTypeSms(length=5), phone_code_hash='0123456789abcdef01', "
        "next_type=auth.CodeTypeCall(), timeout=61)"
    )
    assert repr(api.CodeSettings(flags=1 << 30, allow_flashcall=True)) == (
        "CodeSettings(flags=1073741824, allow_flashcall=True)"
    )
    with pytest.raises(TypeError, match="unhashable"):
        hash(value)
    with pytest.raises(AttributeError):
        value.no_such_field = 1  # type: ignore[attr-defined]


# Properties of every class


def straight_read(cls: Any, data: bytes) -> object:
    """What straight-line code makes of `data`; any exception where it gives up."""
    value, position = cls._read(data, 4, 64)
    assert position == len(data)
    return value


@every_class
@settings(max_examples=25)
@given(data=st.data())
def test_round_trip(cls: Any, data: st.DataObject) -> None:
    value = data.draw(values_of(cls))
    encoded = bytes(value)
    assert reference_encode(value) == encoded
    for decoded in (
        decode(cls.SCHEMA, encoded),
        decode(cls.SCHEMA, encoded, cls),
        reference_decode(cls.SCHEMA, encoded),
        decode_prefix(cls.SCHEMA, encoded)[0],
    ):
        assert type(decoded) is cls
        assert decoded == value
        assert bytes(decoded) == encoded
        assert repr(decoded) == repr(value)


class Text(str):
    """A str of the user's own."""


class Octets(bytes):
    """Bytes of the user's own."""


class Number(int):
    """An int of the user's own."""


ODD: tuple[object, ...] = (
    *(
        None,
        False,
        True,
        0,
        1,
        -1,
        2**31,
        2**32,
        2**63,
        0.5,
        Number(7),
        "",
        "x" * 254,
        "\ud800",
        Text("text"),
    ),
    *(b"", b"x" * 16, b"x" * 254, Octets(b"x" * 16), bytearray(b"x" * 16), memoryview(b"x" * 32)),
    *([], [None], [1], [True], ["x"], [b"x"], [bytearray(b"x")], [Octets(b"x")], [[]], (), (1,), ("x",), {}),
    *(api.InputUserSelf(), api.DataJSON(data=""), MIXTURES.None_(), [MIXTURES.None_()], MIXTURES.Some(x=1)),
    *(api.InputUserSelf, object()),
)


def encoding(encoder: Any, value: object) -> object:
    """What a codec makes of `value`; EncodeError alone is caught."""
    try:
        return encoder(value)
    except EncodeError as error:
        return type(error), str(error)


@every_class
@settings(max_examples=12)
@given(data=st.data())
def test_odd_values_are_judged_alike(cls: Any, data: st.DataObject) -> None:
    value = data.draw(values_of(cls, 6))
    for _ in range(data.draw(st.integers(1, 2)) if cls.FIELDS else 0):
        odd = data.draw(st.sampled_from((None, False, True)) | st.sampled_from(ODD))
        setattr(value, data.draw(st.sampled_from(cls.FIELDS)).name, odd)
    expected = encoding(reference_encode, value)
    assert encoding(bytes, value) == expected
    try:
        straight = value._encode()
    except Exception:
        return
    assert straight == expected


@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize(
    "buffer", [bytearray(3), bytearray(300), memoryview(bytes(1200)).cast("I"), array("I", range(300))]
)
def test_other_buffers_are_left_to_the_reference_codec(buffer: Any, count: int) -> None:
    fields: dict[str, Any] = {"i": 1, "v": [], "j": 2, "w": [], "b": True, "x": [], "l": 3, "y": [], "q": 4}
    for value in (
        MIXTURES.InRow(e=buffer, f=MIXTURES.None_(), g=bytes(16)),
        MIXTURES.Vectors(**fields | {"v": [buffer] * count}),
    ):
        with pytest.raises(Unfit):
            value._encode()
        assert encoding(bytes, value) == encoding(reference_encode, value)


NOT_STRAIGHT = {"future_salts", "msg_container"}
HOLDS_ANYTHING = {"rpc_result", "message", "msg_copy"}


@every_class
@settings(max_examples=10)
@given(data=st.data())
def test_straight_line_code_does_the_work(cls: Any, data: st.DataObject) -> None:
    if cls.TL_NAME in NOT_STRAIGHT:
        assert "_read" not in vars(cls)
        assert "_encode" not in vars(cls)
    elif cls.TL_NAME not in HOLDS_ANYTHING:
        value = data.draw(values_of(cls))
        encoded = value._encode()
        assert encoded == reference_encode(value)
        assert straight_read(cls, encoded) == value


@every_class
@settings(max_examples=4)
@given(data=st.data())
def test_every_truncation_is_refused(cls: Any, data: st.DataObject) -> None:
    encoded = bytes(data.draw(values_of(cls)))
    sizes = range(len(encoded))
    for size in sizes if len(encoded) < 150 else data.draw(st.lists(st.sampled_from(sizes), min_size=50)):
        with pytest.raises(DecodeError) as caught:
            decode(cls.SCHEMA, encoded[:size])
        assert caught.value.offset <= size


@every_class
@settings(max_examples=10)
@given(data=st.data(), more=st.binary(min_size=1, max_size=9))
def test_every_byte_too_many_is_refused(cls: Any, data: st.DataObject, more: bytes) -> None:
    encoded = bytes(data.draw(values_of(cls)))
    with pytest.raises(TrailingBytes) as caught:
        decode(cls.SCHEMA, encoded + more)
    assert (caught.value.offset, caught.value.got) == (len(encoded), len(more))
    value, size = decode_prefix(cls.SCHEMA, encoded + more)
    assert (bytes(value), size) == (encoded, len(encoded))


def verdict(decoder: Any, schema: Registry, data: bytes) -> object:
    """What a codec makes of `data`, in a form that can be compared (a NaN can't); DecodeError alone is caught."""
    try:
        value = decoder(schema, data)
    except DecodeError as error:
        return type(error), error.offset, error.path, error.got, error.expected
    # What is read canonically has one encoding only: the bytes it was read from.
    assert bytes(value) == data
    assert reference_encode(value) == data
    return type(value), repr(value)


def judge(schema: Registry, data: bytes) -> None:
    """Assert that both codecs agree about `data`, and that straight-line code takes only what is right."""
    expected = verdict(reference_decode, schema, data)
    assert verdict(decode, schema, data) == expected


@every_class
@settings(max_examples=25)
@given(data=st.data())
def test_damaged_bytes_are_judged_alike(cls: Any, data: st.DataObject) -> None:
    damaged = bytearray(bytes(data.draw(values_of(cls))))
    places = st.integers(4 if len(damaged) > 4 else 0, len(damaged) - 1)
    for place in data.draw(st.lists(places, min_size=1, max_size=3)):
        damaged[place] ^= data.draw(st.sampled_from((1, 2, 4, 8, 16, 32, 64, 128, 255)))
    judge(cls.SCHEMA, bytes(damaged))


@every_class
@settings(max_examples=25)
@given(body=st.binary(max_size=80))
def test_any_bytes_are_judged_alike(cls: Any, body: bytes) -> None:
    judge(cls.SCHEMA, cls.CONSTRUCTOR_ID.to_bytes(4, "little") + body)


@every_class
@settings(max_examples=15)
@given(data=st.data())
def test_likely_words_are_judged_alike(cls: Any, data: st.DataObject) -> None:
    ids = [c.CONSTRUCTOR_ID for c in cls.SCHEMA.by_name.values()]
    words = st.sampled_from(
        (0, 1, 2, 3, 254, 0xFFFFFFFF, 0x7FFFFFFF, 0x1CB5C415, 0x997275B5, 0xBC799737, *ids)
    )
    body = b"".join(word.to_bytes(4, "little") for word in data.draw(st.lists(words, max_size=30)))
    judge(cls.SCHEMA, cls.CONSTRUCTOR_ID.to_bytes(4, "little") + body)


@settings(max_examples=300)
@given(st.sampled_from((api.SCHEMA, service.SCHEMA)), st.binary(max_size=40))
def test_any_bytes_at_all_are_judged_alike(schema: Registry, data: bytes) -> None:
    judge(schema, data)


def test_objects_of_a_users_subclass_compare_by_their_fields() -> None:
    class Short(api.auth.SentCodeTypeSms):
        __slots__ = ()

    assert Short(length=4) == Short(length=4)
    assert Short(length=4) != Short(length=5)
    assert Short(length=4) != api.auth.SentCodeTypeSms(length=4)
    assert bytes(Short(length=4)) == bytes(api.auth.SentCodeTypeSms(length=4))


def test_objects_without_fields_are_shared_when_read() -> None:
    data = bytes(MIXTURES.Downs(i=1, next=[MIXTURES.End()] * 2, j=2))
    first, second = MIXTURES.decode(data, MIXTURES.Downs).next
    assert first is second
    assert type(first) is MIXTURES.End
    assert not hasattr(first, "__dict__")
    assert first == MIXTURES.End()
    assert bytes(first) == bytes(MIXTURES.End())


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 6, 255, 256, 257, 1000])
@pytest.mark.parametrize("size", [0, 1, 2, 3, 253, 254, 70_000])
def test_vectors_of_any_length(count: int, size: int) -> None:
    if count * size > 2_000_000:
        size //= 100
    value = MIXTURES.Vectors(
        i=1,
        v=[bytes([i & 255]) * size for i in range(count)],
        j=2,
        w=["é" * size] * count,
        b=True,
        x=[MIXTURES.Some(x=i) if i % 3 else MIXTURES.None_() for i in range(count)],
        l=3,
        y=[i % 2 == 0 for i in range(count)],
        q=4,
    )
    encoded = value._encode()
    assert encoded == reference_encode(value)
    assert straight_read(MIXTURES.Vectors, encoded) == value


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 6, 7, 250, 251, 252, 253, 254, 255, 256, 257])
def test_padding_has_to_be_zero(size: int) -> None:
    data = bytes(api.DataJSON(data="x" * size))
    assert straight_read(api.DataJSON, data) == api.DataJSON(data="x" * size)
    for place in range((5 if size < 254 else 8) + size, len(data)):
        damaged = bytearray(data)
        damaged[place] = 1
        with pytest.raises(Unfit):
            api.DataJSON._read(bytes(damaged), 4, 64)
        with pytest.raises(NonCanonical):
            api.decode(bytes(damaged))
