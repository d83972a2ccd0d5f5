"""The secrets that open recorded traffic, and the text file that keeps them.

One line for each, numbers in hexadecimal, in the manner of the key logs of TLS; lines that begin with # and empty
ones are not looked at:

    AUTH_KEY <auth_key_id, 8 bytes> <auth_key, 256 bytes>
    NEW_NONCE <server_nonce, 16 bytes> <new_nonce, 32 bytes>

The second kind opens the inner data of one key exchange.  Whoever has the file can read all that was sent under its
keys, and speak in their owners' names.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from mtproto.crypto.auth_key import AUTH_KEY_SIZE, AuthKey
from mtproto.testing.transcript.errors import KeyLogError

__all__ = ["KeyLog", "NoSecrets", "Secrets", "open_private"]

_SIZES: Final = {"AUTH_KEY": (8, AUTH_KEY_SIZE), "NEW_NONCE": (16, 32)}


class Secrets(Protocol):
    """Who may know the secrets of a connection."""

    def auth_key(self, key_id: bytes) -> AuthKey | None:
        """The auth_key with this id."""

    def new_nonce(self, server_nonce: bytes) -> bytes | None:
        """The new_nonce, 32 bytes, of the key exchange in which the server has chosen `server_nonce`."""


class NoSecrets:
    """Who knows nothing: what is encrypted stays so."""

    def auth_key(self, key_id: bytes) -> AuthKey | None:
        return None

    def new_nonce(self, server_nonce: bytes) -> bytes | None:
        return None


class KeyLog:
    """Secrets in memory: `auth_keys` by auth_key_id, `new_nonces` by server_nonce.

    `auth_keys` may be a mapping that others fill, such as `ServerState.keys`.
    """

    def __init__(
        self,
        auth_keys: Mapping[bytes, AuthKey] | None = None,
        new_nonces: Mapping[bytes, bytes] | None = None,
    ) -> None:
        self.auth_keys = {} if auth_keys is None else auth_keys
        self.new_nonces = {} if new_nonces is None else new_nonces

    def auth_key(self, key_id: bytes) -> AuthKey | None:
        return self.auth_keys.get(key_id)

    def new_nonce(self, server_nonce: bytes) -> bytes | None:
        return self.new_nonces.get(server_nonce)

    @classmethod
    def of(cls, *auth_keys: AuthKey) -> KeyLog:
        """The log that has these keys."""
        return cls({key.key_id: key for key in auth_keys})

    @classmethod
    def parse(cls, text: str) -> KeyLog:
        """What the text of a key log says; raise KeyLogError, with the line, where it is none."""
        keys: dict[bytes, AuthKey] = {}
        nonces: dict[bytes, bytes] = {}
        for number, line in enumerate(text.splitlines(), 1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            name, secret = _read(words, number)
            if words[0] == "NEW_NONCE":
                nonces[name] = secret
                continue
            key = AuthKey(secret)
            if key.key_id != name:
                raise KeyLogError(
                    f"line {number}: the key's auth_key_id is {key.key_id.hex()}, the line says {name.hex()}"
                )
            keys[name] = key
        return cls(keys, nonces)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> KeyLog:
        """The key log in a file; raise KeyLogError where it is none, and OSError."""
        try:
            return cls.parse(Path(path).read_text("ascii"))
        except UnicodeDecodeError:
            raise KeyLogError("not ASCII text") from None

    def lines(self) -> list[str]:
        """The lines of the file, without line ends; `parse` reads them."""
        return [
            *(f"AUTH_KEY {name.hex()} {key.data.hex()}" for name, key in self.auth_keys.items()),
            *(f"NEW_NONCE {name.hex()} {nonce.hex()}" for name, nonce in self.new_nonces.items()),
        ]


def _read(words: list[str], number: int) -> tuple[bytes, bytes]:
    sizes = _SIZES.get(words[0])
    if sizes is None:
        raise KeyLogError(f"line {number}: got {words[0]!r:.40}, expected {' or '.join(_SIZES)}")
    try:
        values = [bytes.fromhex(word) for word in words[1:]]
    except ValueError:
        raise KeyLogError(f"line {number}: {words[0]} with something that is not hexadecimal") from None
    if tuple(map(len, values)) != sizes:
        got = ", ".join(str(len(value)) for value in values) or "no"
        raise KeyLogError(f"line {number}: {words[0]} with {got} bytes, expected {sizes[0]} and {sizes[1]}")
    return values[0], values[1]


def open_private(path: str | os.PathLike[str]) -> int:
    """A descriptor of a new, empty file that only its owner can read and write; one that was there is emptied."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    if hasattr(os, "fchmod"):  # the mode above is for a new file only
        os.fchmod(descriptor, 0o600)
    return descriptor
