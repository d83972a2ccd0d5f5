"""Containers, gzip_packed, rpc_result: what comes apart, what must not, and at what cost."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from hashlib import sha256
from struct import Struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtproto import api, service
from mtproto.errors import LocalProtocolError, RemoteProtocolError
from mtproto.message import (
    MAX_MESSAGES,
    Message,
    constructor_id,
    is_content_related,
    pack_container,
    pack_gzip,
    pack_rpc_result,
    unpack_container,
    unpack_gzip,
    unpack_rpc_result,
)
from tests.vectors import load
from tl import Budget, LimitExceeded, Limits

GZIP = load("gzip_packed")
CONTAINER = bytes.fromhex("dcf8f173")
GZIP_PACKED = bytes.fromhex("a1cf7230")
RPC_RESULT = bytes.fromhex("016d5cf3")
PONG = bytes(service.Pong(msg_id=1, ping_id=2))
DEFAULT = Limits()

int64 = st.integers(-(2**63), 2**63 - 1)
int32 = st.integers(-(2**31), 2**31 - 1)
bodies = st.integers(1, 40).flatmap(lambda n: st.binary(min_size=4 * n, max_size=4 * n))
plain_bodies = bodies.filter(lambda body: not body.startswith(CONTAINER))


def names(case: dict[str, Any]) -> str:
    return str(case["name"])


# Which bodies are content-related

NEVER = {"msgs_ack", "msg_container", "msg_copy", "gzip_packed"}
"""A server answers code 34 where these are marked (description#content-related-message)."""
NOT_ACKNOWLEDGED = {
    "bad_msg_notification",
    "bad_server_salt",
    "msgs_state_info",
    "msgs_all_info",
    "msg_detailed_info",
    "msg_new_detailed_info",
    "future_salts",
    "ping",
    "ping_delay_disconnect",
    "pong",
    "http_wait",
}
"""Of these their own paragraphs say that no acknowledgement is required."""
ANSWERED_AT_ONCE = {"msgs_state_req", "msg_resend_req", "msg_resend_ans_req"}
"""May be marked or not; they are asked again rather than acknowledged."""
ALWAYS = {"rpc_result", "new_session_created"}
"""Of these it says that they must be acknowledged."""


@pytest.mark.parametrize("name", service.SCHEMA.by_name)
def test_content_related(name: str) -> None:
    body = service.SCHEMA.by_name[name].CONSTRUCTOR_ID.to_bytes(4, "little") + bytes(8)
    assert is_content_related(body) == (name not in NEVER | NOT_ACKNOWLEDGED | ANSWERED_AT_ONCE)


def test_content_related_table_has_real_names() -> None:
    assert service.SCHEMA.by_name.keys() >= NEVER | NOT_ACKNOWLEDGED | ANSWERED_AT_ONCE | ALWAYS


def test_all_of_the_api_is_content_related() -> None:
    """A server answers code 35 where a query is not marked."""
    ids = [cls.CONSTRUCTOR_ID for cls in api.SCHEMA.by_name.values()]
    assert len(ids) > 50
    assert all(is_content_related(number.to_bytes(4, "little")) for number in ids)


@given(st.binary(max_size=12))
def test_constructor_id_is_the_first_four_bytes(body: bytes) -> None:
    expected = Struct("<I").unpack_from(body)[0] if len(body) >= 4 else 0
    assert constructor_id(body) == expected
    assert isinstance(is_content_related(body), bool)


# Containers


def container(*messages: Message, count: int | None = None) -> bytes:
    """The bytes of a container, by hand."""
    head = CONTAINER + Struct("<i").pack(len(messages) if count is None else count)
    return head + b"".join(entry(m.msg_id, m.seq_no, len(m.body), m.body) for m in messages)


def entry(msg_id: int, seq_no: int, length: int, body: bytes) -> bytes:
    return Struct("<qii").pack(msg_id, seq_no, length) + body


def refused(body: bytes, msg_id: int = 1000) -> RemoteProtocolError:
    with pytest.raises(RemoteProtocolError) as caught:
        unpack_container(body, msg_id)
    assert caught.value.check == "C17"
    return caught.value


def test_captured_container() -> None:
    """What a server sent: new_session_created and pong."""
    case = load("encrypted_messages")["good"][-1]
    plaintext = bytes.fromhex(case["plaintext"])
    _, _, outer_id, _, length = Struct("<qqqii").unpack_from(plaintext)
    body = plaintext[32 : 32 + length]
    messages = unpack_container(body, outer_id)
    assert [constructor_id(m.body) for m in messages] == [0x9EC20908, 0x347773C5]
    assert [m.seq_no for m in messages] == [1, 2]
    assert [len(m.body) for m in messages] == [28, 20]
    assert all(m.msg_id < outer_id for m in messages)
    assert pack_container(messages) == body


@given(st.lists(st.builds(Message, st.integers(-(2**63), 999), int32, plain_bodies), max_size=12))
def test_container_comes_back(messages: list[Message]) -> None:
    packed = pack_container(messages)
    assert packed == container(*messages)
    assert unpack_container(packed, 1000) == messages


@pytest.mark.parametrize("count", [0, 1, 2, 1020])
def test_container_of_every_size_comes_back(count: int) -> None:
    messages = [Message(4 * n, n, PONG) for n in range(count)]
    assert unpack_container(pack_container(messages), 4 * count) == messages


def test_empty_container_is_allowed() -> None:
    assert unpack_container(CONTAINER + bytes(4), 0) == []


def test_as_many_messages_are_accepted_as_the_specification_has() -> None:
    messages = [Message(n, 0, PONG) for n in range(1024)]
    assert MAX_MESSAGES == 1024
    assert unpack_container(container(*messages), 2000) == messages
    assert refused(container(*messages, Message(1024, 0, PONG)), 2000).got == 1025


GOOD = Message(8, 1, PONG)

MALFORMED = {
    "empty": b"",
    "no count": CONTAINER,
    "half a count": CONTAINER + bytes(3),
    "another constructor": container(GOOD).replace(CONTAINER, RPC_RESULT, 1),
    "count negative": container(GOOD, count=-1),
    "count too low": container(GOOD, GOOD, count=1),
    "count too high": container(GOOD, count=2),
    "count of 2**31 - 1": container(GOOD, count=2**31 - 1),
    "count of 1025 and nothing else": container(count=1025),
    "count of 1024 and nothing else": container(count=1024),
    "inner body empty": container(Message(8, 1, b"")),
    "inner length 0, body there": container(count=1) + entry(8, 1, 0, PONG),
    "inner length odd": container(count=1) + entry(8, 1, 19, PONG[:19]),
    "inner length 2 modulo 4": container(count=1) + entry(8, 1, 18, PONG[:18]),
    "inner length negative": container(count=1) + entry(8, 1, -4, PONG),
    "inner length beyond the end": container(count=1) + entry(8, 1, 24, PONG),
    "inner length of 2**31 - 4": container(count=1) + entry(8, 1, 2**31 - 4, PONG),
    "inner length reaches into the next": container(count=2) + entry(8, 1, 40, PONG) + entry(8, 1, 20, PONG),
    "inner length too short": container(count=1) + entry(8, 1, 16, PONG),
    "4 bytes left over": container(GOOD) + bytes(4),
    "1 byte left over": container(GOOD) + b"\0",
    "left over behind an empty one": container() + bytes(4),
    "nested": container(Message(8, 0, container(Message(4, 1, PONG)))),
    "nested, empty": container(GOOD, Message(8, 0, container())),
    "inner msg_id the same": container(Message(1000, 1, PONG)),
    "inner msg_id higher": container(GOOD, Message(1004, 1, PONG)),
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_malformed_container_is_refused_as_a_whole(body: bytes) -> None:
    refused(body)


def test_refusal_says_what_was_wrong() -> None:
    error = refused(MALFORMED["inner length beyond the end"])
    assert (error.got, error.expected) == (24, "4 * n, 4..20")
    assert "a message's length is wrong: got 24, expected 4 * n, 4..20 [C17]" in str(error)


def test_container_is_refused_wherever_it_ends_early() -> None:
    body = container(GOOD, Message(12, 3, PONG))
    assert len(unpack_container(body, 1000)) == 2
    for size in range(len(body)):
        refused(body[:size])


def test_inner_msg_id_is_compared_with_the_outer() -> None:
    body = container(Message(-8, 1, PONG), Message(12, 1, PONG))
    assert len(unpack_container(body, 13)) == 2
    assert refused(body, 12).got == 12


@given(
    st.binary(max_size=80)
    | st.binary(max_size=80).map(lambda rest: CONTAINER + rest)
    | st.builds(
        lambda count, rest: CONTAINER + count.to_bytes(4, "little") + rest,
        st.integers(0, 3),
        st.lists(st.builds(entry, st.integers(0, 9), int32, st.sampled_from([0, 4, 5, 8]), bodies)).map(
            b"".join
        ),
    ),
    int64,
)
@settings(max_examples=200)
def test_any_bytes_are_a_container_or_refused(body: bytes, msg_id: int) -> None:
    try:
        messages = unpack_container(body, msg_id)
    except RemoteProtocolError:
        refused(body, msg_id)
    else:
        assert container(*messages) == body
        assert all(m.msg_id < msg_id for m in messages)


def test_container_that_nobody_accepts_is_not_packed() -> None:
    with pytest.raises(LocalProtocolError, match="1021 messages"):
        pack_container([GOOD] * 1021)
    with pytest.raises(LocalProtocolError, match="container"):
        pack_container([GOOD, Message(12, 0, pack_container([]))])
    with pytest.raises(LocalProtocolError, match="does not fit"):
        pack_container([Message(2**63, 0, PONG)])
    with pytest.raises(LocalProtocolError, match="does not fit"):
        pack_container([Message(0, 2**31, PONG)])


# gzip_packed


def packed(data: bytes) -> bytes:
    return bytes(service.GzipPacked(packed_data=data))


def at_most(size: int, ratio: int = 256) -> Limits:
    return Limits(gunzipped_bytes=size, gunzip_ratio=ratio)


def gzip_refused(body: bytes, limits: Limits | Budget = DEFAULT) -> RemoteProtocolError:
    with pytest.raises(RemoteProtocolError) as caught:
        unpack_gzip(body, limits)
    assert caught.value.check == "C18"
    return caught.value


def zeros_packed(size: int) -> bytes:
    """A gzip_packed of so many zeros."""
    squeeze = zlib.compressobj(9, wbits=31)
    parts = [squeeze.compress(bytes(2**20)) for _ in range(size >> 20)]
    return packed(b"".join(parts) + squeeze.compress(bytes(size % 2**20)) + squeeze.flush())


@pytest.mark.parametrize("case", GZIP["good"], ids=names)
def test_published_gzip_packed(case: dict[str, Any]) -> None:
    body = bytes.fromhex(case["gzip_packed_object"])
    unpacked = unpack_gzip(body)
    assert (len(unpacked), sha256(unpacked).hexdigest()) == (case["plain_length"], case["plain_sha256"])
    assert unpack_gzip(body, at_most(case["plain_length"])) == unpacked
    assert "unpacks to too much" in str(gzip_refused(body, at_most(case["plain_length"] - 1)))


@pytest.mark.parametrize("case", GZIP["bad"][2:-1], ids=names)
def test_bad_gzip_packed_is_refused(case: dict[str, Any]) -> None:
    """From the third case on: those of many members and wrong formats too, which may be refused or not."""
    gzip_refused(bytes.fromhex(case["gzip_packed_object"]))


def test_a_zlib_stream_is_taken_for_gzip_as_a_whole_and_unharmed_only() -> None:
    body = bytes.fromhex(GZIP["bad"][-1]["gzip_packed_object"])
    assert GZIP["bad"][-1]["name"] == "zlib stream instead of gzip"
    assert unpack_gzip(body) == bytes(20)
    packed = zlib.compress(b"0123" * 16)
    assert unpack_gzip(bytes(service.GzipPacked(packed_data=packed))) == b"0123" * 16
    for damaged in (packed[:-1], packed + b"0", packed[:-1] + bytes([packed[-1] ^ 1])):
        gzip_refused(bytes(service.GzipPacked(packed_data=damaged)))


def test_bad_gzip_packed_are_all_there() -> None:
    assert len(GZIP["bad"]) == 11
    assert [names(case)[:4] for case in GZIP["bad"][:3]] == ["bomb", "bomb", "gzip"]


def test_bomb_of_1_mib() -> None:
    """As dense as one, and no larger than an honest part of a file."""
    body = bytes.fromhex(GZIP["bad"][0]["gzip_packed_object"])
    assert unpack_gzip(body) == bytes(2**20)
    assert unpack_gzip(body, at_most(2**20)) == bytes(2**20)
    error = gzip_refused(body, at_most(2**20 - 1))
    assert (error.got, error.expected) == ("> 1048575 bytes", "<= 1048575 bytes from 1051")


def test_bomb_of_10_mib() -> None:
    assert GZIP["bad"][1]["rule"] == "gzip.compress(bytes(10*2**20), 9)"
    body = packed(gzip.compress(bytes(10 * 2**20), 9))
    error = gzip_refused(body, Limits())
    size = len(service.decode(body, as_type=service.GzipPacked).packed_data)
    allowed = 256 * (size + 4096)
    assert (error.got, error.expected) == (f"> {allowed} bytes", f"<= {allowed} bytes from {size}")
    # With a ratio that lets anything through, the number of bytes counts alone.
    assert len(unpack_gzip(body, at_most(10 * 2**20, ratio=1032))) == 10 * 2**20
    gzip_refused(body, at_most(10 * 2**20 - 1, ratio=1032))
    gzip_refused(zeros_packed(10 * 2**20 + 1), at_most(10 * 2**20, ratio=1032))


@pytest.mark.parametrize(
    "limits",
    [
        at_most(2**16),
        at_most(2**40, ratio=1),
        Limits(gunzip_ratio=0),
        at_most(0),
        at_most(2**16, ratio=2**70),
    ],
)
def test_bomb_costs_no_more_than_its_limit(limits: Limits) -> None:
    body = zeros_packed(64 * 2**20)
    gzip_refused(body, limits)
    tracemalloc.start()
    try:
        gzip_refused(body, limits)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.parametrize("limit", [0, 1, 4, 16, 17])
def test_small_limits_hold(limit: int) -> None:
    for size in (0, 1, 4, 16, 17, 18):
        body = packed(gzip.compress(b"x" * size))
        if size <= limit:
            assert unpack_gzip(body, at_most(limit)) == b"x" * size
        else:
            gzip_refused(body, at_most(limit))


def member_of(data: bytes, size: int) -> bytes:
    """A gzip member of `data` that is `size` bytes long, because the name of a file in it is."""
    member = gzip.compress(data)
    name = b"x" * (size - len(member) - 1) + b"\0"
    return member[:3] + b"\x08" + member[4:10] + name + member[10:]


@pytest.mark.parametrize("ratio", [0, 1, 2, 100, 256])
def test_the_ratio_is_exact(ratio: int) -> None:
    """Each gzip_packed counts as 4096 bytes longer than it is."""
    limits = Limits(gunzip_ratio=ratio)
    most = ratio * (2000 + 4096)
    assert unpack_gzip(packed(member_of(bytes(most), 2000)), limits) == bytes(most)
    error = gzip_refused(packed(member_of(bytes(most + 1), 2000)), limits)
    assert (error.got, error.expected) == (f"> {most} bytes", f"<= {most} bytes from 2000")
    if ratio:
        error = gzip_refused(packed(member_of(bytes(most), 1999)), limits)
        assert error.expected == f"<= {most - ratio} bytes from 1999"


@pytest.mark.parametrize("size", [*range(0, 64, 3), 1000, 2**14, 2**17, 2**19, 2**20, 2**20 + 64])
def test_honest_data_is_dense_at_times(size: int) -> None:
    """A part of a file that is all zeros, a list of equal things: no sender knows of any ratio."""
    for pattern in (b"\0", b"\xb5\x75\x72\x99", b"\x68\x7b\x6d\x3f" * 3 + b"\1\0\0\0"):
        data = (pattern * (size // len(pattern) + 1))[:size]
        assert unpack_gzip(pack_gzip(data)) == data
        assert unpack_gzip(packed(gzip.compress(data, 1))) == data


# One budget


def test_unpacking_is_charged() -> None:
    budget = at_most(1000).budget()
    body = packed(gzip.compress(bytes(300)))
    for left in (700, 400, 100):
        assert unpack_gzip(body, budget) == bytes(300)
        assert budget.gunzipped_bytes == left
    error = gzip_refused(body, budget)
    assert (error.got, str(error.expected)[:12]) == ("> 100 bytes", "<= 100 bytes")
    # What failed has used up what was left: nothing more is unpacked for it.
    assert budget.gunzipped_bytes == 0
    assert gzip_refused(packed(gzip.compress(b"x")), budget).got == "> 0 bytes"
    assert unpack_gzip(packed(gzip.compress(b"")), budget) == b""


def test_limits_are_a_new_budget_each_time() -> None:
    limits = at_most(300)
    for _ in range(3):
        assert unpack_gzip(packed(gzip.compress(bytes(300))), limits) == bytes(300)


@pytest.mark.parametrize("left", [-1, -(10**9), 0])
def test_nothing_is_unpacked_for_a_budget_that_is_used_up(left: int) -> None:
    budget = Limits().budget()
    budget.gunzipped_bytes = left
    assert gzip_refused(packed(gzip.compress(b"x")), budget).got == "> 0 bytes"
    assert gzip_refused(zeros_packed(2**20), budget).got == "> 0 bytes"
    assert unpack_gzip(packed(gzip.compress(b"")), budget) == b""
    assert budget.gunzipped_bytes == left


def test_what_fails_is_charged_by_the_most_it_can_have_cost() -> None:
    good = gzip.compress(bytes(5000))
    for body, cost in (
        (packed(good[:-3]), len(good[:-3]) * 1032),
        (packed(good[:-8] + bytes(8)), len(good) * 1032),
        (packed(good + b"more"), len(good + b"more") * 1032),
        (packed(b"no gzip"), 7 * 1032),
        (GZIP_PACKED, 0),  # is not even taken apart
        (packed(gzip.compress(GZIP_PACKED + bytes(96))), 100),  # unpacked, then refused for what it is
    ):
        budget = Limits().budget()
        gzip_refused(body, budget)
        assert 10 * 2**20 - budget.gunzipped_bytes == cost
        budget = at_most(50).budget()
        gzip_refused(body, budget)
        assert budget.gunzipped_bytes == max(0, 50 - cost)


def test_one_budget_from_the_gzip_to_what_is_in_it() -> None:
    """Enough is left for one answer, then for unpacking another but not for reading it, then for nothing."""
    answer = api.DataJSON(data="[]" * 1000)
    body = pack_gzip(bytes(answer))
    budget = Limits(gunzipped_bytes=5000, string_bytes=3000).budget()
    assert api.decode(unpack_gzip(body, budget), api.DataJSON, limits=budget) == answer
    assert (budget.gunzipped_bytes, budget.string_bytes) == (5000 - 2008, 1000)
    unpacked = unpack_gzip(body, budget)
    with pytest.raises(LimitExceeded) as caught:
        api.decode(unpacked, api.DataJSON, limits=budget)
    error = caught.value
    assert (error.offset, error.path, error.got, error.expected) == (4, "data", 4000, 3000)
    assert "unpacks to too much" in str(gzip_refused(body, budget))
    assert api.decode(unpacked, api.DataJSON) == answer


@pytest.mark.parametrize("inner", [CONTAINER + bytes(4), container(GOOD), pack_gzip(PONG), GZIP_PACKED])
def test_containers_and_gzip_packed_are_not_unpacked_from_one(inner: bytes) -> None:
    gzip_refused(packed(gzip.compress(inner)))


def test_gzip_is_refused_wherever_it_ends_early() -> None:
    member = gzip.compress(PONG)
    assert unpack_gzip(packed(member)) == PONG
    for size in range(len(member)):
        gzip_refused(packed(member[:size]))


def test_flipped_bits_of_a_gzip_never_change_what_it_holds() -> None:
    member = gzip.compress(PONG, mtime=0)
    outcomes = set()
    for bit in range(8 * len(member)):
        flipped = (int.from_bytes(member, "little") ^ 1 << bit).to_bytes(len(member), "little")
        try:
            outcomes.add(unpack_gzip(packed(flipped)))
        except RemoteProtocolError:
            gzip_refused(packed(flipped))
    assert outcomes == {PONG}  # those of the time, and others that mean nothing


@pytest.mark.parametrize("more", [b"\0", b"\0\0\0\0", gzip.compress(b""), gzip.compress(PONG)])
def test_nothing_may_follow_the_gzip(more: bytes) -> None:
    assert "follows" in str(gzip_refused(packed(gzip.compress(PONG) + more)))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        GZIP_PACKED[:3],
        GZIP_PACKED,
        pack_gzip(PONG)[:-1],
        pack_gzip(PONG) + bytes(4),
        RPC_RESULT + pack_gzip(PONG)[4:],
        pack_gzip(PONG)[:-1] + b"\1",  # in the padding of the string
        GZIP_PACKED + b"\xfe\xff\xff\xff",
    ],
)
def test_what_is_no_gzip_packed_is_refused(body: bytes) -> None:
    gzip_refused(body)


@given(st.binary(max_size=600).filter(lambda b: constructor_id(b) not in (0x73F1F8DC, 0x3072CFA1)))
def test_gzip_comes_back(body: bytes) -> None:
    once = pack_gzip(body)
    member = service.decode(once, as_type=service.GzipPacked).packed_data
    assert member[4:8] == bytes(4)  # no time in it: the same bytes every time
    assert gzip.decompress(member) == body
    assert unpack_gzip(once, at_most(len(body))) == body


@given(
    st.binary(max_size=60)
    | st.binary(max_size=60).map(packed)
    | st.binary(max_size=60).map(lambda rest: packed(gzip.compress(b"")[:10] + rest))
)
@settings(max_examples=200)
def test_any_bytes_are_a_gzip_packed_or_refused(body: bytes) -> None:
    try:
        unpacked = unpack_gzip(body, at_most(100))
    except RemoteProtocolError:
        gzip_refused(body, at_most(100))
    else:
        assert unpacked == gzip.decompress(service.decode(body, as_type=service.GzipPacked).packed_data)


# rpc_result


@given(int64, bodies)
def test_rpc_result_comes_back(req_msg_id: int, result: bytes) -> None:
    body = pack_rpc_result(req_msg_id, result)
    assert body == RPC_RESULT + req_msg_id.to_bytes(8, "little", signed=True) + result
    assert unpack_rpc_result(body) == (req_msg_id, result)


def test_rpc_result_is_that_of_the_schema() -> None:
    error = service.RpcError(error_code=420, error_message="FLOOD_WAIT_5")
    body = pack_rpc_result(77, bytes(error))
    assert service.decode(body) == service.RpcResult(req_msg_id=77, result=error)


@pytest.mark.parametrize(
    "body", [(RPC_RESULT + bytes(12))[:size] for size in range(16)] + [CONTAINER + bytes(12), bytes(16)]
)
def test_short_or_strange_rpc_result_is_refused(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        unpack_rpc_result(body)
    assert caught.value.check == "C16"


def test_rpc_result_of_an_impossible_request_is_not_packed() -> None:
    with pytest.raises(LocalProtocolError, match="does not fit"):
        pack_rpc_result(2**63, PONG)


@given(st.binary(max_size=40))
def test_any_bytes_are_an_rpc_result_or_refused(rest: bytes) -> None:
    body = RPC_RESULT + rest
    if len(rest) >= 12:
        assert unpack_rpc_result(body) == (int.from_bytes(rest[:8], "little", signed=True), rest[8:])
    else:
        with pytest.raises(RemoteProtocolError):
            unpack_rpc_result(body)
