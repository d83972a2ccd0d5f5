"""Functions that wrap another, read without it: what is inside may be of any schema."""

from __future__ import annotations

import pytest

import tl
from mtproto import api, service

SCHEMA = tl.load(
    """\
pair#1 a:int b:string = Pair;
---functions---
plain#10 x:int = Pair;
empty#11 = Pair;
bare#20 {X:Type} query:!X = X;
rich#21 {X:Type} flags:# note:flags.0?string pairs:Vector<Pair> pair:flags.1?Pair query:!X = X;
sometimes#22 {X:Type} flags:# query:flags.0?!X = X;
first#23 {X:Type} query:!X x:int = X;
""",
    name="wrapping",
).SCHEMA
INSIDE = bytes.fromhex("efbeadde 01 02 03")  # no whole object of any schema


def test_which_functions_are_wrappers() -> None:
    wrappers = {name for name, cls in SCHEMA.by_name.items() if tl.is_wrapper(cls)}
    assert wrappers == {"bare", "rich"}
    assert {name for name, cls in api.SCHEMA.by_name.items() if tl.is_wrapper(cls)} == {
        "initConnection",
        "invokeAfterMsg",
        "invokeAfterMsgs",
        "invokeWithLayer",
        "invokeWithMessagesRange",
        "invokeWithTakeout",
        "invokeWithoutUpdates",
    }
    assert not tl.is_wrapper(service.GzipPacked)
    assert not tl.is_wrapper(int)


@pytest.mark.parametrize(
    ("head", "fields"),
    [
        ("20000000", {}),
        ("21000000 00000000 15c4b51c 00000000", {"note": None, "pairs": [], "pair": None}),
        (
            "21000000 07000000 01610000 15c4b51c 01000000 01000000 05000000 00000000 01000000 06000000 01620000",
            {
                "flags": 4,
                "note": "a",
                "pairs": [SCHEMA.by_name["pair"](a=5, b="")],
                "pair": SCHEMA.by_name["pair"](a=6, b="b"),
            },
        ),
    ],
)
@pytest.mark.parametrize("inside", [b"", INSIDE, bytes(1000)], ids=len)
def test_its_own_fields_and_the_bytes_behind_them(
    head: str, fields: dict[str, object], inside: bytes
) -> None:
    data = bytes.fromhex(head) + inside
    for buffer in (data, bytearray(data), memoryview(data)):
        wrapper = tl.decode_wrapper(SCHEMA, buffer)
        assert {name: getattr(wrapper, name) for name in fields} == fields
        assert wrapper.query == tl.Raw(inside)
        assert bytes(wrapper) == data


@pytest.mark.parametrize("head", ["20000000", "21000000 01000000 01610000 15c4b51c 00000000"])
def test_a_wrapper_that_ends_too_early(head: str) -> None:
    data = bytes.fromhex(head)
    for size in range(len(data)):
        with pytest.raises(tl.DecodeError):
            tl.decode_wrapper(SCHEMA, data[:size])


@pytest.mark.parametrize("number", ["10000000", "11000000", "01000000", "22000000", "23000000", "efbeadde"])
def test_what_is_no_wrapper(number: str) -> None:
    with pytest.raises(tl.UnexpectedConstructor, match=r"expected a function of .* that wraps another"):
        tl.decode_wrapper(SCHEMA, bytes.fromhex(number) + bytes(40))


def test_rules_and_limits_hold_for_its_own_fields() -> None:
    odd = bytes.fromhex("21000000 01000000 01610001 15c4b51c 00000000")
    with pytest.raises(tl.NonCanonical):
        tl.decode_wrapper(SCHEMA, odd)
    assert tl.decode_wrapper(SCHEMA, odd, canonical=False).note == "a"
    with pytest.raises(tl.UnknownFlags):
        tl.decode_wrapper(SCHEMA, bytes.fromhex("21000000 04000000 15c4b51c 00000000"), strict_flags=True)
    budget = tl.Limits(objects=2).budget()
    for _ in range(2):
        tl.decode_wrapper(SCHEMA, bytes.fromhex("20000000"), limits=budget)
    with pytest.raises(tl.LimitExceeded):
        tl.decode_wrapper(SCHEMA, bytes.fromhex("20000000"), limits=budget)


def test_nested_as_deep_as_one_likes() -> None:
    """A level at a time, so nothing recurses."""
    head = bytes(api.InvokeWithLayer(layer=0, query=api.help.GetConfig()))[:4]
    data = b"".join(head + n.to_bytes(4, "little") for n in range(10_000)) + INSIDE
    for layer in range(200):
        wrapper = tl.decode_wrapper(api.SCHEMA, data)
        assert wrapper.layer == layer
        data = bytes(wrapper.query)
