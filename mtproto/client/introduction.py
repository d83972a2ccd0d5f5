"""initConnection: with whom a server has to do; it is told once under each key that requests go under."""

from __future__ import annotations

import tl
from mtproto import api
from mtproto.errors import RpcError

__all__ = ["Introduction"]

# Errors after which the server still does not know who we are.
_NOT_INTRODUCED = ("API_ID_", "CONNECTION_")


class Introduction:
    """Wraps requests in invokeWithLayer(initConnection(...)) until one of them has been answered.

    Without an `api_id` it does nothing.  tl.EncodeError for one that is no 32-bit number.
    """

    def __init__(self, api_id: int | None) -> None:
        self._head = b"" if api_id is None else _head(api_id)
        self._epoch = 0
        self._is_known = api_id is None

    @property
    def is_due(self) -> bool:
        """Whether the next request has to introduce us."""
        return not self._is_known

    @property
    def epoch(self) -> int:
        """Counts the keys that requests have gone under."""
        return self._epoch

    def begin_again(self) -> None:
        """Requests go under a new key, under which the server does not know us."""
        self._epoch += 1
        self._is_known = not self._head

    def wrapped(self, body: bytes) -> bytes:
        """The boxed request as it has to be sent now."""
        return self._head + body if self.is_due else body

    def note(self, epoch: int, outcome: bytes | Exception) -> None:
        """One that was wrapped in this epoch has its outcome: the server knows us, unless it says otherwise."""
        if epoch != self._epoch or (isinstance(outcome, Exception) and not isinstance(outcome, RpcError)):
            return
        if isinstance(outcome, RpcError) and outcome.message.startswith(_NOT_INTRODUCED):
            return
        self._is_known = True


def _head(api_id: int) -> bytes:
    """The bytes that stand before the request, which comes last in both functions."""
    query = api.help.GetConfig()
    init = api.InitConnection(
        api_id=api_id,
        device_model="mtwire",
        system_version="unknown",
        app_version=tl.__version__,
        system_lang_code="en",
        lang_pack="",
        lang_code="en",
        query=query,
    )
    return bytes(api.InvokeWithLayer(layer=api.LAYER, query=init))[: -len(bytes(query))]
