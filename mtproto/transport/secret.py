"""The secret of an MTProxy: 16 bytes that client and proxy mix into the keys of an obfuscated connection.

    16 bytes        any framing that can be obfuscated
    dd + 16 bytes   the padded framing only
    ee + …          obfuscation inside a connection that looks like TLS, which is not spoken here

Specification: core.telegram.org/mtproto/mtproto-transports#transport-obfuscation
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from mtproto.errors import LocalProtocolError

__all__ = ["ProxySecret"]

_SIZE: Final = 16
_PADDED: Final = 0xDD
_FAKE_TLS: Final = 0xEE


@dataclass(frozen=True, slots=True)
class ProxySecret:
    """The 16 bytes of a secret, and whether only the padded framing goes with it.

    LocalProtocolError for another number of bytes.  The secret is not in the repr, nor in the text of errors.
    """

    data: bytes = field(repr=False)
    padded_only: bool = False

    def __post_init__(self) -> None:
        data: object = self.data
        if not isinstance(data, bytes) or len(data) != _SIZE:
            got = f"{len(data)} bytes" if isinstance(data, bytes) else type(data).__name__
            raise LocalProtocolError(f"the data of an MTProxy secret is {got}, expected {_SIZE} bytes")

    @classmethod
    def read(cls, secret: ProxySecret | str | bytes) -> ProxySecret:
        """The secret as hexadecimal text or bytes, 16 or dd and 16 of them; LocalProtocolError otherwise.

        The text of the error does not repeat the secret.
        """
        if isinstance(secret, ProxySecret):
            return secret
        try:
            data = bytes.fromhex(secret) if isinstance(secret, str) else bytes(memoryview(secret))
        except (ValueError, TypeError):
            raise LocalProtocolError(f"an MTProxy secret has to be hexadecimal text{_EXPECTED}") from None
        if len(data) == _SIZE:
            return cls(data)
        if len(data) == _SIZE + 1 and data[0] == _PADDED:
            return cls(data[1:], padded_only=True)
        if len(data) > _SIZE and data[0] == _FAKE_TLS:
            raise LocalProtocolError(
                "an MTProxy secret that begins with ee asks for FakeTLS, which is not spoken here"
            )
        raise LocalProtocolError(f"an MTProxy secret of {len(data)} bytes{_EXPECTED}")


_EXPECTED: Final = f", expected {_SIZE} bytes, or dd and {_SIZE} bytes"
