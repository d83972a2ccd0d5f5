"""Conversations: fuzzed bytes → what a peer says in a session, any service message with numbers right and wrong.

Both session targets read their input as lines (`tests.fuzz.scripts.Script`); where one makes the peer speak:

    numbers    bits 0-2 the msg_id: 0 next  1 that of a reference  2 too old by a second  3 too new by a second
               4 of wrong parity  5 nearly too old  6 nearly too new  7 before the latest
               bits 3-4 the seq_no: 0 right  1 of the other parity  2 as in the next byte  3 the one before
    body       an index of `KINDS`, then its fields in order:
      long       a reference to a msg_id: 0x0n the n-th latest of the other side, 0x1n of the peer itself, 0x2n
                 one of `_LONGS`, 0x3n at one of `_OFFSETS` from now; or a small number, by the field's name
      int        one of `_CODES`, a time by `_OFFSETS`, or a small number, by the field's name
      bytes      their number, and themselves
      Vector     how many (from 0xf8 on 8192 and 8193 times the first), and the elements
      Object     a body
    container  a damage of `_damaged`, how many messages, and each of them: numbers, body
    gzip       a damage of `_packed`, a body

Where bytes are missing, they are zero.  What follows is what the second implementations of both sides share: taking
messages apart by the documentation.
"""

from __future__ import annotations

import gzip
import zlib
from bisect import insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from struct import Struct
from typing import Any, NamedTuple, TypeAlias

import tl
from mtproto import service
from tests.fuzz.scripts import Script

__all__ = [
    "KINDS",
    "NUMBERS",
    "Dead",
    "Knowledge",
    "Numbered",
    "Said",
    "Window",
    "a_few",
    "all_of",
    "gunzip",
    "is_content_related",
    "name_of",
    "read",
    "speak",
    "split",
]

_SECOND = 1 << 32
_DEEPEST = 3
_HEAD = Struct("<Ii")
_PART = Struct("<qii")
NUMBERS: dict[str, int] = {name: declared[0] for name, declared in service.SCHEMA.declared.items()}
"""TL name → constructor id, of the service schema."""
_NAMES = {number: name for name, number in NUMBERS.items()}
_EVEN = (
    *("msg_container", "msg_copy", "gzip_packed", "msgs_ack", "bad_msg_notification", "bad_server_salt"),
    *("msgs_state_req", "msgs_state_info", "msgs_all_info", "msg_detailed_info", "msg_new_detailed_info"),
    *("msg_resend_req", "msg_resend_ans_req", "ping", "ping_delay_disconnect", "pong", "future_salts"),
    "http_wait",
)
_FIRST = (
    *("api", "container", "gzip", "raw", "rpc_result", "msgs_ack", "bad_msg_notification", "bad_server_salt"),
    *("new_session_created", "msgs_state_req", "msgs_state_info", "msgs_all_info", "msg_detailed_info"),
    *("msg_new_detailed_info", "msg_resend_req", "msg_resend_ans_req", "ping", "ping_delay_disconnect"),
    *("pong", "get_future_salts", "future_salts", "rpc_drop_answer", "rpc_error", "destroy_session"),
    *("destroy_session_ok", "destroy_session_none", "destroy_auth_key", "destroy_auth_key_ok", "http_wait"),
)
KINDS = (*_FIRST, *(name for name in NUMBERS if name not in _FIRST))
"""What a body may be: `api` is one that the service schema does not have, `raw` so many bytes of the input."""

_LONGS = (0, 1, -1, 4, 2**63 - 1, -(2**63), 2**62, 1 << 33)
_OFFSETS = (0, 1, -1, 29, 31, -299, -301, 3600, -3600, 1800, -1800, 7200, 86400, -86400, 2**30, -(2**30))
_CODES = (48, 16, 17, 18, 19, 20, 32, 33, 34, 35, 64, 0, 400)
_TEXTS = ("MSG_WAIT_FAILED", "FLOOD_WAIT_3", "", "AUTH_KEY_UNREGISTERED")
_API = 0x5E002502  # auth.sentCode, which stands for all of the API's


class Dead(Exception):
    """A connection ends, by the documentation; `check` is the id of the rule that was broken."""

    def __init__(self, check: str) -> None:
        super().__init__(check)
        self.check = check


Said: TypeAlias = tuple[object, ...]
"""An event, by its name and what matters of it."""


def all_of(model: Iterator[Said]) -> tuple[list[Said], Dead | None]:
    """What a model tells, and how it ends if it does not go on."""
    events: list[Said] = []
    try:
        events.extend(model)
    except Dead as dead:
        return events, dead
    return events, None


class Numbered(NamedTuple):
    """A message as the documentation has it: msg_id, seq_no, body."""

    msg_id: int
    seq_no: int
    body: bytes


# What the peer says


@dataclass
class Knowledge:
    """What a peer knows: the time, the msg_ids that the other side has used, and those of its own.

    `residue` is what its own msg_ids are modulo 4, `salts` and `sessions` what it may name.
    """

    now: Callable[[], float]
    residue: int
    theirs: list[int] = field(default_factory=list)
    own: list[int] = field(default_factory=list)
    salts: tuple[int, ...] = (1, 2, 3)
    sessions: tuple[int, ...] = ()
    content: int = 0
    last: int = 0

    def next_id(self) -> int:
        """A msg_id that is right."""
        return max(int(self.now() * _SECOND) & ~3, (self.last & ~3) + 4) | self.residue


def speak(script: Script, known: Knowledge, after: int = 0, depth: int = 0) -> Numbered:
    """The next message of a script; `after` is the msg_id that it has to be above, if it is to be right."""
    numbers = script.byte()
    reference = _reference(script.byte(), known) if numbers & 7 == 1 else 0
    seq = script.byte() - 128 if numbers >> 3 & 3 == 2 else 0
    body = _body(script, known, depth)
    known.last = max(known.last, after)
    msg_id = _msg_id(numbers & 7, reference, known)
    odd = is_content_related(body)
    seq_no = (2 * known.content + odd, 2 * known.content + (not odd), seq, 2 * known.content - 2 + odd)
    known.content += odd
    known.own.append(msg_id)
    return Numbered(msg_id, seq_no[numbers >> 3 & 3], body)


def _msg_id(form: int, reference: int, known: Knowledge) -> int:
    offsets = {2: -301, 3: 31, 5: -299, 6: 29}
    if form == 1:
        return reference
    if form in offsets:
        return _clamped(int((known.now() + offsets[form]) * _SECOND) & ~3 | known.residue)
    if form == 7:
        return _clamped(known.last - 4)
    known.last = msg_id = _clamped(known.next_id())
    return msg_id ^ (1 if form == 4 else 0)


def _clamped(number: int) -> int:
    return max(-(2**63), min(number, 2**63 - 1))


def _reference(byte: int, known: Knowledge) -> int:
    which, choice = byte >> 4 & 3, byte & 15
    if which < 2:
        ids = known.own if which else known.theirs
        return ids[-1 - choice] if choice < len(ids) else 0
    if which == 2:
        return _LONGS[choice % len(_LONGS)]
    return _clamped(int((known.now() + _OFFSETS[choice]) * _SECOND) + (byte >> 6))


def _body(script: Script, known: Knowledge, depth: int) -> bytes:
    kind = KINDS[script.byte() % len(KINDS)]
    if kind == "api":
        return _HEAD.pack(_API, script.byte())
    if kind == "raw":
        size = 4 * (script.byte() & 15)
        return script.bytes(size).ljust(size, b"\0")
    if depth >= _DEEPEST and kind in ("container", "gzip", "msg_container", "gzip_packed"):
        return b""
    if kind == "container":
        return _container(script, known, depth)
    if kind == "gzip":
        return _packed(script.byte(), _body(script, known, depth + 1))
    cls = service.SCHEMA.by_name[kind]
    head = NUMBERS[kind].to_bytes(4, "little")
    return head + b"".join(_value(f.type.name, f.name, script, known, depth) for f in cls.FIELDS)


def _value(kind: str, name: str, script: Script, known: Knowledge, depth: int) -> bytes:
    """The bytes of one field."""
    if kind in ("Object", "Message"):
        return _body(script, known, depth + 1)
    if kind in ("int128", "int256"):
        return bytes([script.byte()]) * (16 if kind == "int128" else 32)
    if kind in ("bytes", "string"):
        text = _TEXTS[script.byte() % len(_TEXTS)].encode() if kind == "string" else None
        return _string(script.bytes(script.byte() & 63) if text is None else text)
    if "ector<" in kind:
        return _vector(kind, name, script, known, depth)
    byte = script.byte()
    if kind == "long":
        return _long(name, byte, known).to_bytes(8, "little", signed=True)
    number = byte - 8
    if name == "error_code":
        number = _CODES[byte % len(_CODES)]
    elif name in ("valid_since", "valid_until"):
        number = int(known.now()) + _OFFSETS[byte & 15]
    return max(-(2**31), min(number, 2**31 - 1)).to_bytes(4, "little", signed=True)


def _long(name: str, byte: int, known: Knowledge) -> int:
    if "msg_id" in name:
        return _reference(byte, known)
    if name == "session_id" and byte < len(known.sessions):
        return known.sessions[byte]
    return known.salts[byte % len(known.salts)] if "salt" in name else byte


def _string(data: bytes) -> bytes:
    data = bytes([len(data)]) + data
    return data + bytes(-len(data) % 4)


def _vector(kind: str, name: str, script: Script, known: Knowledge, depth: int) -> bytes:
    count = script.byte()
    element, is_bare = kind[7:-1], kind[0] == "v"
    parts = []
    for _ in range(1 if count >= 0xF8 else count & 7):
        if element in ("future_salt", "message"):
            cls = service.SCHEMA.by_name[element]
            parts.append(b"".join(_value(f.type.name, f.name, script, known, depth + 1) for f in cls.FIELDS))
        else:
            parts.append(_value(element, name, script, known, depth))
    if count >= 0xF8 and sum(map(len, parts)) <= 64:  # not many of many
        parts *= 8192 + (count & 1)
    head = b"" if is_bare else b"\x15\xc4\xb5\x1c"
    return head + len(parts).to_bytes(4, "little") + b"".join(parts)


def _container(script: Script, known: Knowledge, depth: int) -> bytes:
    damage, count = script.byte(), script.byte()
    parts = [speak(script, known, depth=depth + 1) for _ in range(count & 7)]
    return _damaged(parts, damage, known)


def _damaged(parts: list[Numbered], damage: int, known: Knowledge) -> bytes:
    """A container; the damage: 1 to 3 another count, 4 and 5 another length, 6 four bytes more, 7 four fewer,

    8 the first msg_id in all, 9 a msg_id as high as the container's, 10 and 11 acks besides, so that there are
    1000 and 1025 messages, 12 the parts in another order.
    """
    if damage in (8, 9) and parts:
        same = parts[0].msg_id if damage == 8 else _clamped(known.next_id())
        parts = [part._replace(msg_id=same) for part in parts]
    if damage in (10, 11):
        ack = NUMBERS["msgs_ack"].to_bytes(4, "little") + b"\x15\xc4\xb5\x1c" + bytes(4)
        for _ in range((1000, 1025)[damage - 10] - len(parts)):
            known.last = msg_id = _clamped(known.next_id())
            parts.append(Numbered(msg_id, 2 * known.content, ack))
    if damage == 12:
        parts.reverse()
    count = len(parts) + {1: 1, 2: -1, 3: 1 << 20}.get(damage, 0)
    written = [_HEAD.pack(NUMBERS["msg_container"], count)]
    for index, part in enumerate(parts):
        length = len(part.body) + ({4: 4, 5: -len(part.body)}.get(damage, 0) if index == 0 else 0)
        written += [_PART.pack(part.msg_id, part.seq_no, length), part.body]
    body = b"".join(written)
    return body[: -4 if damage == 7 else None] + (bytes(4) if damage == 6 else b"")


@lru_cache(maxsize=512)
def _packed(damage: int, body: bytes) -> bytes:
    """gzip_packed; the damage: 1 a wrong checksum, 2 cut off, 3 followed by something, 4 a bomb, 5 zlib's form,

    6 a big one that is right, 7 nothing of the kind.
    """
    if damage in (4, 6):
        body += bytes(3 << 20 if damage == 4 else 1 << 16)
    data = zlib.compress(body) if damage == 5 else gzip.compress(body, 1, mtime=0)
    if damage == 1:
        data = data[:-5] + bytes([data[-5] ^ 1]) + data[-4:]
    data = {2: data[:-1], 3: data + b"\0", 7: b"gzip"}.get(damage, data)
    size = len(data)
    head = bytes([size]) if size < 254 else b"\xfe" + size.to_bytes(3, "little")
    text = NUMBERS["gzip_packed"].to_bytes(4, "little") + head + data
    return text + bytes(-len(text) % 4)


# Taking messages apart, by the documentation


def name_of(body: bytes) -> str:
    """The TL name of a service message, "" for any other body."""
    return _NAMES.get(int.from_bytes(body[:4], "little"), "") if len(body) >= 4 else ""


def is_content_related(body: bytes) -> bool:
    """Whether a message has to be acknowledged."""
    return name_of(body) not in _EVEN


def read(body: bytes, check: str = "T1") -> Any:
    """The service message; Dead where it is none."""
    try:
        return service.decode(body)
    except tl.DecodeError:
        raise Dead(check) from None


def split(body: bytes, msg_id: int) -> list[Numbered]:
    """The messages of a container; Dead where anything is wrong with it."""
    if len(body) < 8 or not 0 <= _HEAD.unpack_from(body)[1] <= 1024:
        raise Dead("C17")
    parts, at = [], 8
    for _ in range(_HEAD.unpack_from(body)[1]):
        if at + 16 > len(body):
            raise Dead("C17")
        inner_id, seq_no, size = _PART.unpack_from(body, at)
        at += 16
        inner = body[at : at + max(size, 0)]
        if size < 4 or size % 4 or len(inner) != size or inner_id >= msg_id:
            raise Dead("C17")
        if name_of(inner) == "msg_container":
            raise Dead("C17")
        parts.append(Numbered(inner_id, seq_no, inner))
        at += size
    if at != len(body):
        raise Dead("C17")
    return parts


def gunzip(body: bytes, left: list[int]) -> bytes:
    """What a gzip_packed stands for; `left` is how much may still be unpacked.  Dead where it may not be."""
    packed = getattr(read(body, "C18"), "packed_data", None)
    if not isinstance(packed, bytes):
        raise Dead("C18")
    most = min(256 * (len(packed) + 4096), left[0], 1032 * len(packed))
    left[0] -= most
    unpacker = zlib.decompressobj(wbits=47)
    try:
        data = unpacker.decompress(packed, most + 1)
    except zlib.error:
        raise Dead("C18") from None
    if len(data) > most or not unpacker.eof or unpacker.unused_data:
        raise Dead("C18")
    left[0] += most - len(data)
    if name_of(data) in ("gzip_packed", "msg_container"):
        raise Dead("C18")
    return data


class Window:
    """The thousand highest msg_ids that were received."""

    def __init__(self) -> None:
        self._ids: set[int] = set()
        self._in_order: list[int] = []

    def __contains__(self, msg_id: int) -> bool:
        return msg_id in self._ids

    def is_below(self, msg_id: int) -> bool:
        """Whether nobody can tell about this one any more."""
        return len(self._ids) == 1000 and msg_id < self._in_order[0]

    def add(self, msg_id: int) -> None:
        if msg_id in self._ids:
            return
        self._ids.add(msg_id)
        insort(self._in_order, msg_id)
        if len(self._ids) > 1000:
            self._ids.remove(self._in_order.pop(0))


def a_few(ids: list[int], check: str) -> Iterator[int]:
    """Each of them once; Dead where there are more than 8192."""
    if len(ids) > 8192:
        raise Dead(check)
    return iter(dict.fromkeys(ids))
