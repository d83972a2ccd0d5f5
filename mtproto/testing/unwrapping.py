"""What a request is inside: invokeWithLayer, initConnection and their like taken off, and gzip_packed unpacked.

Wrappers are peeled off the bytes one by one, from outside, because what is inside one may be gzip_packed (TDLib
sends such), or of a layer that nobody here knows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tl
from mtproto import service
from mtproto.errors import RemoteProtocolError, RpcError
from mtproto.message import constructor_id, unpack_gzip
from tl.raw import NOTHING

__all__ = ["MAX_WRAPPERS", "MAX_WRAPPER_SIZE", "unreadable", "unwrap"]

_INPUT_ERROR = "INPUT_FETCH_ERROR"
MAX_WRAPPERS = 16
"""How many functions may be wrapped around one; there are ten kinds."""
MAX_WRAPPER_SIZE = 16 * 1024
"""How many bytes the fields of one may take: they are kept, an initConnection for as long as its session is."""
_LIMITS = tl.Limits(gunzipped_bytes=1024 * 1024)

Find = Callable[[int], "type[tl.TLObject] | None"]
"""The class with this constructor id, if there is one."""


def unwrap(body: bytes, find: Find) -> tuple[tuple[tl.TLFunction[Any], ...], bytes, tl.Budget | None]:
    """The wrappers of a request, each without its query, and the bytes of what is inside them all.

    Where some of it was gzip_packed, the budget it was unpacked from comes with it: it is for the rest, too.  Raise
    RpcError, which is the answer, for what can't be read.
    """
    budget: tl.Budget | None = None
    wrappers: list[tl.TLFunction[Any]] = []
    try:
        while True:
            number = constructor_id(body)
            if number == service.GzipPacked.CONSTRUCTOR_ID:
                budget = budget or _LIMITS.budget()
                body = unpack_gzip(body, budget)
                continue
            cls = find(number)
            if cls is None or not tl.is_wrapper(cls):
                return tuple(wrappers), body, budget
            wrapper = tl.decode_wrapper(cls.SCHEMA, body, limits=budget)
            name = cls.FIELDS[-1].name
            inside = bytes(getattr(wrapper, name))
            if len(wrappers) == MAX_WRAPPERS or len(body) - len(inside) > MAX_WRAPPER_SIZE:
                raise RpcError(400, _INPUT_ERROR)
            setattr(wrapper, name, NOTHING)
            wrappers.append(wrapper)
            body = inside
    except tl.DecodeError as error:
        raise unreadable(error) from None
    except RemoteProtocolError:  # a gzip_packed that is none, or a bomb
        raise RpcError(400, _INPUT_ERROR) from None


def unreadable(error: tl.DecodeError) -> RpcError:
    """The answer to a request that can't be read."""
    if isinstance(error, tl.UnexpectedConstructor):
        return RpcError(401, "AUTH_KEY_UNREGISTERED")
    return RpcError(400, _INPUT_ERROR)
