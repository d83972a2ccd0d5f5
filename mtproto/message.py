"""What a body may be before it is anyone's object: containers, gzip_packed, rpc_result.

These few combinators hold other messages whose schema this layer doesn't know, so they are taken apart by
hand and the parts stay bytes.  Nothing here is trusted: counts, lengths and sizes are compared with what is
there before anything is cut or unpacked (checks C17, C18).

Specification: core.telegram.org/mtproto/service_messages#containers and #packed-object.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from struct import Struct

import tl
from mtproto import service
from mtproto.errors import LocalProtocolError, RemoteProtocolError

__all__ = [
    "MAX_BODY",
    "MAX_MESSAGES",
    "Message",
    "constructor_id",
    "is_content_related",
    "pack_container",
    "pack_gzip",
    "pack_rpc_result",
    "unpack_container",
    "unpack_gzip",
    "unpack_rpc_result",
]

MAX_BODY = 4 * 1024 * 1024 - 1024
"""The longest body that fits into one frame with all that goes around it, in bytes."""
MAX_MESSAGES = 1024
"""The most messages accepted in one container; more than that no sender makes."""

_DEFAULT_LIMITS = tl.Limits()
_MOST_PER_BYTE = 1032  # what deflate makes of one byte, at most
_CONTAINER_HEAD = Struct("<Ii")
_MESSAGE_HEAD = Struct("<qii")
_RESULT_HEAD = Struct("<Iq")

_NOT_CONTENT_RELATED = frozenset(
    cls.CONSTRUCTOR_ID
    for cls in (
        service.MsgContainer,
        service.MsgCopy,
        service.GzipPacked,
        service.MsgsAck,
        service.BadMsgNotification,
        service.BadServerSalt,
        service.MsgsStateReq,
        service.MsgsStateInfo,
        service.MsgsAllInfo,
        service.MsgDetailedInfo,
        service.MsgNewDetailedInfo,
        service.MsgResendReq,
        service.MsgResendAnsReq,
        service.Ping,
        service.PingDelayDisconnect,
        service.Pong,
        service.FutureSalts,
        service.HttpWait,
    )
)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a session: its numbers and its body, still bytes."""

    msg_id: int
    seq_no: int
    body: bytes


def constructor_id(body: bytes) -> int:
    """The constructor id a body starts with; 0, which is nobody's, where it is shorter than one."""
    return int.from_bytes(body[:4], "little") if len(body) >= 4 else 0


def is_content_related(body: bytes) -> bool:
    """Whether a message with this body has to be acknowledged, and so has an odd seq_no.

    Source: core.telegram.org/mtproto/description#content-related-message
    """
    return constructor_id(body) not in _NOT_CONTENT_RELATED


def _pack(head: Struct, *values: object) -> bytes:
    try:
        return head.pack(*values)
    except struct.error as error:
        raise LocalProtocolError(f"a number of the message does not fit its field: {error}") from None


# Containers


def pack_container(messages: Iterable[Message]) -> bytes:
    """The body of a container; raise LocalProtocolError for more than 1020 messages, a nested container, or a
    number that does not fit its field.

    (What is accepted is a little more: `MAX_MESSAGES`.)
    """
    packed = list(messages)
    if len(packed) > 1020:
        raise LocalProtocolError(f"got {len(packed)} messages for one container, expected at most 1020")
    parts = [_CONTAINER_HEAD.pack(service.MsgContainer.CONSTRUCTOR_ID, len(packed))]
    for message in packed:
        if constructor_id(message.body) == service.MsgContainer.CONSTRUCTOR_ID:
            raise LocalProtocolError("a container can't hold a container")
        parts.append(_pack(_MESSAGE_HEAD, message.msg_id, message.seq_no, len(message.body)))
        parts.append(message.body)
    return b"".join(parts)


def unpack_container(body: bytes, msg_id: int) -> list[Message]:
    """The messages of the container that came as message `msg_id`; raise RemoteProtocolError (C17)."""
    if len(body) < _CONTAINER_HEAD.size:
        raise _bad_container(
            "it ends before its count", f"{len(body)} bytes", f"{_CONTAINER_HEAD.size} bytes"
        )
    number, count = _CONTAINER_HEAD.unpack_from(body)
    if number != service.MsgContainer.CONSTRUCTOR_ID:
        raise _bad_container("it is not one", f"0x{number:08x}", "msg_container")
    if not 0 <= count <= MAX_MESSAGES:
        raise _bad_container("its count is out of range", count, f"0..{MAX_MESSAGES}")
    messages: list[Message] = []
    position = _CONTAINER_HEAD.size
    for _ in range(count):
        if len(body) - position < _MESSAGE_HEAD.size:
            raise _bad_container("it ends inside a message", f"{len(messages)} messages", count)
        inner_id, seq_no, length = _MESSAGE_HEAD.unpack_from(body, position)
        position += _MESSAGE_HEAD.size
        if length < 4 or length % 4 or length > len(body) - position:
            left = len(body) - position
            raise _bad_container("a message's length is wrong", length, f"4 * n, 4..{left}")
        if inner_id >= msg_id:
            raise _bad_container("a message is not older than the container", inner_id, f"< {msg_id}")
        inner = body[position : position + length]
        if constructor_id(inner) == service.MsgContainer.CONSTRUCTOR_ID:
            raise _bad_container("it holds another container", "msg_container", "no container")
        messages.append(Message(inner_id, seq_no, inner))
        position += length
    if position != len(body):
        raise _bad_container("bytes are left over", f"{len(body) - position} bytes", "0 bytes")
    return messages


def _bad_container(message: str, got: object, expected: object) -> RemoteProtocolError:
    return RemoteProtocolError(f"msg_container: {message}", check="C17", got=got, expected=expected)


# gzip_packed


def pack_gzip(body: bytes) -> bytes:
    """The gzip_packed that stands for `body`; the same bytes every time."""
    return bytes(service.GzipPacked(packed_data=gzip.compress(body, mtime=0)))


def unpack_gzip(body: bytes, limits: tl.Limits | tl.Budget = _DEFAULT_LIMITS) -> bytes:
    """What the gzip_packed `body` stands for; raise RemoteProtocolError (C18).

    Exactly one gzip member or zlib stream, its checksum right, nothing behind it; what it unpacks to may not be
    gzip_packed again, nor a container.  How much that may be is for `gunzipped_bytes` and `gunzip_ratio` of
    `limits` to say.  A budget is charged for it; for what fails, by the most that it can have cost: a thousand
    bombs cost no more than one.
    """
    try:
        packed = service.decode(body, as_type=service.GzipPacked).packed_data
    except tl.DecodeError as error:
        raise _bad_gzip(f"it is not one: {error}", None, None) from None
    budget = limits.budget()
    allowed = min(budget.may_gunzip(len(packed)), len(packed) * _MOST_PER_BYTE)
    budget.gunzipped_bytes -= allowed
    unpacked = _gunzip(packed, allowed)
    budget.gunzipped_bytes += allowed - len(unpacked)
    if constructor_id(unpacked) in (service.GzipPacked.CONSTRUCTOR_ID, service.MsgContainer.CONSTRUCTOR_ID):
        raise _bad_gzip("it holds a container or another gzip_packed", None, None)
    return unpacked


def _gunzip(packed: bytes, allowed: int) -> bytes:
    """What the gzip member, or zlib stream, holds: `allowed` bytes at most, and no more than one is made beyond."""
    unpacker = zlib.decompressobj(wbits=47)  # 47: either header; zlib checks CRC-32 and size, or Adler-32
    try:
        unpacked = unpacker.decompress(packed, allowed + 1)
    except zlib.error as error:
        raise _bad_gzip(f"its data is corrupt: {error}", None, None) from None
    if len(unpacked) > allowed:
        expected = f"<= {allowed} bytes from {len(packed)}"
        raise _bad_gzip("it unpacks to too much", f"> {allowed} bytes", expected)
    if not unpacker.eof:
        raise _bad_gzip("its data is cut off", f"{len(packed)} bytes", "more")
    if unpacker.unused_data:
        raise _bad_gzip("something follows its data", f"{len(unpacker.unused_data)} bytes", "nothing")
    return unpacked


def _bad_gzip(message: str, got: object, expected: object) -> RemoteProtocolError:
    return RemoteProtocolError(f"gzip_packed: {message}", check="C18", got=got, expected=expected)


# rpc_result


def pack_rpc_result(req_msg_id: int, result: bytes) -> bytes:
    """The rpc_result that answers the request `req_msg_id`; `result` is the boxed answer."""
    return _pack(_RESULT_HEAD, service.RpcResult.CONSTRUCTOR_ID, req_msg_id) + result


def unpack_rpc_result(body: bytes) -> tuple[int, bytes]:
    """The msg_id of the request and the boxed answer, unpacked from nothing yet; C16 is the caller's."""
    if len(body) < _RESULT_HEAD.size + 4:
        raise RemoteProtocolError(
            "rpc_result: it ends before its result",
            check="C16",
            got=f"{len(body)} bytes",
            expected=f">= {_RESULT_HEAD.size + 4} bytes",
        )
    number, req_msg_id = _RESULT_HEAD.unpack_from(body)
    if number != service.RpcResult.CONSTRUCTOR_ID:
        raise RemoteProtocolError(
            "rpc_result: it is not one", check="C16", got=f"0x{number:08x}", expected="rpc_result"
        )
    return req_msg_id, body[_RESULT_HEAD.size :]
