"""Containers, gzip_packed, rpc_result: what comes apart, what must not, and at what cost."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from hashlib import sha256
from struct import Struct
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtproto import api, service
from mtproto.errors import LocalProtocolError, RemoteProtocolError
from mtproto.message import (
    MAX_MESSAGES,
    MAX_UNPACKED,
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

GZIP = load("gzip_packed")
CONTAINER = bytes.fromhex("dcf8f173")
GZIP_PACKED = bytes.fromhex("a1cf7230")
RPC_RESULT = bytes.fromhex("016d5cf3")
PONG = bytes(service.Pong(msg_id=1, ping_id=2))

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


def gzip_refused(body: bytes, limit: int = MAX_UNPACKED) -> RemoteProtocolError:
    with pytest.raises(RemoteProtocolError) as caught:
        unpack_gzip(body, limit)
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
    assert unpack_gzip(body, case["plain_length"]) == unpacked
    assert "unpacks to too much" in str(gzip_refused(body, case["plain_length"] - 1))


@pytest.mark.parametrize("case", GZIP["bad"][2:], ids=names)
def test_bad_gzip_packed_is_refused(case: dict[str, Any]) -> None:
    """From the third case on: those of many members and wrong formats too, which may be refused or not."""
    gzip_refused(bytes.fromhex(case["gzip_packed_object"]))


def test_bad_gzip_packed_are_all_there() -> None:
    assert len(GZIP["bad"]) == 11
    assert [names(case)[:4] for case in GZIP["bad"][:3]] == ["bomb", "bomb", "gzip"]


def test_bomb_of_1_mib() -> None:
    body = bytes.fromhex(GZIP["bad"][0]["gzip_packed_object"])
    assert unpack_gzip(body) == bytes(2**20)
    assert unpack_gzip(body, 2**20) == bytes(2**20)
    gzip_refused(body, 2**20 - 1)


def test_bomb_of_10_mib() -> None:
    assert GZIP["bad"][1]["rule"] == "gzip.compress(bytes(10*2**20), 9)"
    body = packed(gzip.compress(bytes(10 * 2**20), 9))
    assert len(unpack_gzip(body)) == MAX_UNPACKED == 10 * 2**20
    gzip_refused(body, 10 * 2**20 - 1)
    gzip_refused(zeros_packed(10 * 2**20 + 1))


def test_bomb_costs_no_more_than_its_limit() -> None:
    body = zeros_packed(64 * 2**20)
    tracemalloc.start()
    try:
        begun = process_time()
        gzip_refused(body, 2**16)
        seconds, (_, peak) = process_time() - begun, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20
    assert seconds < 0.1


@pytest.mark.parametrize("limit", [0, 1, 4, 16, 17])
def test_small_limits_hold(limit: int) -> None:
    for size in (0, 1, 4, 16, 17, 18):
        body = packed(gzip.compress(b"x" * size))
        if size <= limit:
            assert unpack_gzip(body, limit) == b"x" * size
        else:
            gzip_refused(body, limit)


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
    assert unpack_gzip(once, len(body)) == body


@given(
    st.binary(max_size=60)
    | st.binary(max_size=60).map(packed)
    | st.binary(max_size=60).map(lambda rest: packed(gzip.compress(b"")[:10] + rest))
)
@settings(max_examples=200)
def test_any_bytes_are_a_gzip_packed_or_refused(body: bytes) -> None:
    try:
        unpacked = unpack_gzip(body, 100)
    except RemoteProtocolError:
        gzip_refused(body, 100)
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
