"""Bodies as text for transcripts: decoded by both schemas as far as they go, bytes in hex, long things cut."""

from __future__ import annotations

import tl
from mtproto import api, service
from mtproto.errors import RemoteProtocolError
from mtproto.message import constructor_id, unpack_container, unpack_rpc_result
from tl.raw import NOTHING

__all__ = ["described", "read"]

_SHOWN = 400
_BYTES = 32
_ITEMS = 6
_PARTS = 4
_CONTAINER = service.MsgContainer.CONSTRUCTOR_ID
_RESULT = service.RpcResult.CONSTRUCTOR_ID


def read(body: bytes) -> tl.TLObject | None:
    """The object, of the service schema or of the API's; None where neither has it, or it can't be read."""
    for decode in (service.decode, api.decode):
        try:
            found: tl.TLObject = decode(body)
        except tl.DecodeError:
            continue
        return found
    return None


def described(body: tl.TLObject | bytes) -> str:
    """A message's body, in a line."""
    text = _object(body) if isinstance(body, tl.TLObject) else _bytes_described(body)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _bytes_described(body: bytes) -> str:
    try:
        if constructor_id(body) == _CONTAINER:
            parts = unpack_container(body, 2**63)
            shown = ", ".join(f"{described(part.body)} [{part.msg_id}]" for part in parts[:_PARTS])
            more = ", …" if len(parts) > _PARTS else ""
            return f"msg_container of {len(parts)} ({shown}{more})"
        if constructor_id(body) == _RESULT:
            req_msg_id, result = unpack_rpc_result(body)
            return f"rpc_result(req_msg_id={req_msg_id}, result={described(result)})"
    except RemoteProtocolError:
        return f"{service.SCHEMA.find(constructor_id(body)).TL_NAME} that can't be read, {_hex(body)}"  # type: ignore[union-attr]
    found = read(body)
    return _hex(body) if found is None else _object(found)


def _object(value: tl.TLObject) -> str:
    fields = []
    for field in type(value).FIELDS:
        item = getattr(value, field.name)
        if item is not None and item is not False and item is not NOTHING:
            fields.append(f"{field.name}={_value(item)}")
    return f"{value.TL_NAME}({', '.join(fields)})"


def _value(value: object) -> str:
    if isinstance(value, tl.TLObject):
        return _object(value)
    if isinstance(value, bytes):
        return _hex(value)
    if isinstance(value, list):
        more = ", …" if len(value) > _ITEMS else ""
        return f"[{', '.join(map(_value, value[:_ITEMS]))}{more}]"
    return repr(value)


def _hex(data: bytes) -> str:
    return data.hex() if len(data) <= _BYTES else f"{data[:16].hex()}… ({len(data)} bytes)"
