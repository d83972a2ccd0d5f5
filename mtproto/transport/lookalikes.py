"""What else calls at the ports of a server, told by its first bytes: HTTP, HTTP/2 and TLS.

One list for both ends: a server refuses by it (`detection`), and a client sends no init that would be refused
by it (`obfuscation`).  The verbs and the hello of 512 bytes are on the published list of what no init starts
with; the others are added because servers know them as well.

Specification: core.telegram.org/mtproto/mtproto-transports#transport-obfuscation
"""

from __future__ import annotations

from typing import Final

__all__ = ["LOOKALIKES", "TLS_HEAD", "likeness"]

_HTTP: Final = (b"GET", b"POST", b"HEAD", b"PUT", b"OPTIONS", b"DELETE", b"PATCH", b"CONNECT", b"TRACE")
_TLS: Final = "a TLS hello"
_RECORD: Final = b"\x16\x03"

TLS_HEAD: Final = 9
"""After how many bytes a TLS hello of any length can be told."""

LOOKALIKES: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\x16\x03\x01\x02", _TLS),
    *((verb.ljust(4)[:4], f"an HTTP request ({verb.decode()})") for verb in _HTTP),
    (b"PRI ", "an HTTP/2 connection"),
)
"""First bytes that are none of the framings' here, and what they look like."""


def likeness(start: bytes | bytearray) -> str | None:
    """What a connection that starts like this looks like, as in "a TLS hello"; None if like none of these."""
    for first, what in LOOKALIKES:
        if start.startswith(first):
            return what
    return _TLS if _is_tls_hello(start) else None


def _is_tls_hello(start: bytes | bytearray) -> bool:
    """Whether this is a record with a ClientHello: type, version, length; type 1, that length less 4."""
    if len(start) < TLS_HEAD or not start.startswith(_RECORD) or start[5] != 1:
        return False
    return int.from_bytes(start[3:5], "big") == int.from_bytes(start[6:9], "big") + 4
