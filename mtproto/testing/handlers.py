"""What the loopback server answers: handlers by request class, and the default ones.

A handler is a function of the decoded request, plain or async, and of its `RequestContext` if it has a second
parameter without a default.  It returns the answer as a value of the function's result type, or raises
`RpcError`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import tl
from mtproto import api, service
from mtproto.errors import LocalProtocolError, RpcError
from mtproto.message import constructor_id
from mtproto.testing.context import RequestContext

__all__ = [
    "HANDLER_FAILED",
    "UNBOUND",
    "ContextHandler",
    "Handler",
    "Handlers",
    "checked",
    "default_handlers",
    "said",
    "tl_name",
    "with_context",
]

ContextHandler = Callable[[Any, RequestContext], Any | Awaitable[Any]]
Handler = Callable[[Any], Any | Awaitable[Any]] | ContextHandler
Handlers = Mapping[Any, Handler]

UNBOUND = (api.help.GetConfig, api.auth.BindTempAuthKey)
"""The functions that a temporary key may be used for before it is bound (core.telegram.org/api/pfs)."""

HANDLER_FAILED = "HANDLER_FAILED"
"""What the client is told where a handler has made a mistake."""

_PHONE = re.compile(r"\+?[0-9]{7,15}")


def default_handlers(
    *,
    phone_code_hash: str | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    clock: Callable[[], float],
    rng: Callable[[int], bytes],
) -> dict[type[tl.TLObject], Callable[[Any], Any]]:
    """Handlers that answer as Telegram would: sending a code, and `help.getConfig`.

    `phone_code_hash` is what auth.sentCode says; random where it is None.
    """

    def send_code(request: api.account.SendVerifyPhoneCode | api.auth.SendCode) -> api.auth.SentCode:
        if not _PHONE.fullmatch(request.phone_number.replace(" ", "")):
            raise RpcError(400, "PHONE_NUMBER_INVALID")
        return api.auth.SentCode(
            type=api.auth.SentCodeTypeSms(length=5),
            phone_code_hash=rng(9).hex() if phone_code_hash is None else phone_code_hash,
            next_type=api.auth.CodeTypeCall(),
            timeout=60,
        )

    def config(_: api.help.GetConfig) -> api.Config:
        return _config(int(clock()), host, port)

    return {
        api.account.SendVerifyPhoneCode: send_code,
        api.auth.SendCode: send_code,
        api.help.GetConfig: config,
    }


def _config(now: int, host: str, port: int) -> api.Config:
    """A complete `config`, whose numbers are of the size that Telegram's are."""
    return api.Config(
        date=now,
        expires=min(now + 3600, 2**31 - 1),
        test_mode=True,
        this_dc=2,
        dc_options=[api.DcOption(id=2, ip_address=host, port=port)],
        dc_txt_domain_name="localhost",
        chat_size_max=200,
        megagroup_size_max=200_000,
        forwarded_count_max=100,
        online_update_period_ms=210_000,
        offline_blur_timeout_ms=5_000,
        offline_idle_timeout_ms=30_000,
        online_cloud_timeout_ms=300_000,
        notify_cloud_delay_ms=30_000,
        notify_default_delay_ms=1_500,
        push_chat_period_ms=60_000,
        push_chat_limit=2,
        edit_time_limit=172_800,
        revoke_time_limit=2_147_483_647,
        revoke_pm_time_limit=2_147_483_647,
        rating_e_decay=2_419_200,
        stickers_recent_limit=200,
        channels_read_media_period=604_800,
        call_receive_timeout_ms=20_000,
        call_ring_timeout_ms=90_000,
        call_connect_timeout_ms=30_000,
        call_packet_timeout_ms=10_000,
        me_url_prefix="https://t.me/",
        caption_length_max=1_024,
        message_length_max=4_096,
        webfile_dc_id=2,
    )


def checked(handlers: Handlers) -> dict[Any, Handler]:
    """The handlers; raise LocalProtocolError for what is no function's class, or can't be called."""
    if not isinstance(handlers, Mapping):
        raise LocalProtocolError(
            f"got {handlers!r:.60} for handlers, expected a mapping from class to function"
        )
    for cls, handler in handlers.items():
        if not (isinstance(cls, type) and issubclass(cls, tl.TLFunction)):
            raise LocalProtocolError(f"got {cls!r:.60} among handlers, expected the class of a function")
        if tl.is_wrapper(cls):
            raise LocalProtocolError(f"{cls.TL_NAME} has no handler: requests are taken out of it first")
        if not callable(handler):
            raise LocalProtocolError(f"the handler of {cls.TL_NAME} is {handler!r:.60}, expected a function")
        if not _has_place_for(handler, 1) or _has_place_for(handler, 3, required=True):
            raise LocalProtocolError(
                f"the handler of {cls.TL_NAME} is {handler!r:.60}, expected one of (request) or (request, context)"
            )
    return dict(handlers)


def with_context(handler: Handler) -> ContextHandler:
    """The handler as a function of request and context, whichever it is."""
    if _has_place_for(handler, 2, required=True):
        return handler  # type: ignore[return-value]
    return lambda request, _: handler(request)  # type: ignore[call-arg]


def _has_place_for(handler: Callable[..., Any], count: int, *, required: bool = False) -> bool:
    """Whether a function takes so many positional arguments, or can't do without them.

    Parameters with defaults are none for us: the idiom ``lambda request, answer=answer: answer`` has them.
    """
    try:
        parameters = inspect.signature(handler).parameters.values()
    except (TypeError, ValueError):  # some of those written in C do not tell
        return count == 1 and not required
    places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if required:
        return sum(p.default is p.empty for p in places) >= count
    return len(places) >= count or any(p.kind is p.VAR_POSITIONAL for p in parameters)


def said(body: bytes) -> str:
    """What an answer says, in a word: its TL name, or the text of an error."""
    if constructor_id(body) == service.RpcError.CONSTRUCTOR_ID:
        error = service.decode(body, service.RpcError)
        return f"{error.error_code} {error.error_message}"
    return tl_name(body)


def tl_name(body: bytes) -> str:
    """The TL name of boxed bytes, or the id of what the API's schema does not know."""
    number = int.from_bytes(body[:4], "little")
    known = api.SCHEMA.find(number)
    return known.TL_NAME if known else f"0x{number:08x}"
