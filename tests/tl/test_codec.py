"""The two codecs: known bytes, and what holds for every class of both schemas."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtproto import api, service
from tests.strategies import values_of
from tl import DecodeError, TLObject, TrailingBytes, decode, decode_prefix, encode
from tl.reference import reference_decode, reference_encode
from tl.registry import Registry

CLASSES = [
    pytest.param(cls, id=f"{schema.name}.{name}")
    for schema in (service.SCHEMA, api.SCHEMA)
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
