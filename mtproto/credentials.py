"""What has to be kept of a connection to come back with the same auth key: the key, salts, the clock's offset.

    {"version": 1, "dc": 2, "auth_key_id": "…", "auth_key": "…", "server_salt": …, "time_offset": …, "salts": […]}

Whoever has the auth key is the account, so a file of it is readable by its owner alone, and a repr never shows
the key.  `auth_key_id`, 8 bytes in hexadecimal as on the wire, is there to tell a damaged key from a good one.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import tl
from mtproto.crypto.auth_key import AUTH_KEY_SIZE, AuthKey
from mtproto.errors import CredentialsError
from mtproto.salts import Salt
from tl.json_text import parse_json

__all__ = ["Credentials"]

T = TypeVar("T")

_VERSION = 1
_MAX_SIZE = 64 * 1024
_MAX_SALTS = 64
_FIELDS = {"version", "dc", "auth_key_id", "auth_key", "server_salt", "time_offset", "salts"}
_LONG = range(-(2**63), 2**63)
_TIME = range(2**32)


@dataclass(frozen=True, slots=True)
class Credentials:
    """The permanent `auth_key` of a data centre, and what was known of its server when it was last used.

    `dc` is the data centre's number as the key exchange names it.  `server_salt` is the salt that was in use,
    `salts` those that the server has told for later, `time_offset` by how many seconds its clock was ahead
    (None: not known).  These three may be out of date: the server then says so, and the connection goes on.
    """

    auth_key: AuthKey
    dc: int = 2
    server_salt: int = 0
    time_offset: float | None = None
    salts: tuple[Salt, ...] = ()

    def to_json(self) -> str:
        """The JSON text, which shows the key."""
        return json.dumps(
            {
                "version": _VERSION,
                "dc": self.dc,
                "auth_key_id": self.auth_key.key_id.hex(),
                "auth_key": self.auth_key.data.hex(),
                "server_salt": self.server_salt,
                "time_offset": self.time_offset,
                "salts": [
                    {"valid_since": s.valid_since, "valid_until": s.valid_until, "value": s.value}
                    for s in self.salts
                ],
            },
            indent=1,
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> Credentials:
        """The credentials of a JSON text; raise CredentialsError, with the JSON path, where it holds none."""
        if len(text) > _MAX_SIZE:
            raise CredentialsError(f"$: got {len(text)} bytes, expected at most {_MAX_SIZE}")
        try:
            value = parse_json(text)
        except tl.JSONValueError as error:
            raise CredentialsError(f"$: {error.message}") from None
        fields = _object(value, "$", _FIELDS)
        version = _whole(fields, "version", _LONG)
        if version != _VERSION:
            raise CredentialsError(f"$.version: got {version}, expected {_VERSION}")
        return cls(
            auth_key=_auth_key(fields),
            dc=_whole(fields, "dc", range(-(2**31), 2**31)),
            server_salt=_whole(fields, "server_salt", _LONG),
            time_offset=_offset(fields["time_offset"]),
            salts=_salts(fields["salts"]),
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file, mode 0600, as a whole or not at all; a file that is there is replaced.  Raise OSError."""
        target = Path(path)
        # Made with mode 0600, whatever the umask: at no time can others read it.
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(self.to_json() + "\n")
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Credentials:
        """Read what `save` has written.

        Raise OSError, and CredentialsError for a file that others may read or write, that is no regular file,
        or that holds no credentials.
        """
        try:
            _check_private(Path(path).stat())  # before it is opened: a pipe would keep us waiting
            with Path(path).open("rb") as file:
                return cls.from_json(file.read(_MAX_SIZE + 1))
        except CredentialsError as error:
            raise CredentialsError(f"{os.fspath(path)}: {error}") from None


def _check_private(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise CredentialsError("not a regular file")
    mode = stat.S_IMODE(status.st_mode)
    if os.name == "posix" and mode & 0o077:
        raise CredentialsError(f"got mode {mode:04o}, expected 0600: others have access to the auth key")


def _object(value: object, path: str, names: set[str]) -> dict[str, object]:
    found = _of_type(value, dict, path, "an object")
    if missing := sorted(names - found.keys()):
        raise CredentialsError(f"{path}: {missing[0]} is missing")
    if unknown := sorted(found.keys() - names):
        raise CredentialsError(f"{path}: got an unknown field {unknown[0]!r:.40}")
    return found


def _of_type(value: object, expected: type[T], path: str, what: str) -> T:
    if not isinstance(value, expected) or isinstance(value, bool):
        raise CredentialsError(f"{path}: got {_kind(value)}, expected {what}")
    return value


def _kind(value: object) -> str:
    """What a value is, never the value itself: it may be the key in the wrong place."""
    names: dict[type[Any], str] = {str: "a string", dict: "an object", list: "an array", bool: "a boolean"}
    return "null" if value is None else names.get(type(value), "a number")


def _whole(fields: dict[str, object], name: str, allowed: range, path: str = "$") -> int:
    number = _of_type(fields[name], int, f"{path}.{name}", "a whole number")
    if number not in allowed:
        raise CredentialsError(f"{path}.{name}: got {number}, expected {allowed[0]} to {allowed[-1]}")
    return number


def _offset(value: object) -> float | None:
    if value is None:
        return None
    path, limit = "$.time_offset", float(_TIME[-1])
    number = value if isinstance(value, float) else _of_type(value, int, path, "a number or null")
    if not -limit <= number <= limit:
        raise CredentialsError(f"{path}: got {number}, expected seconds from {-limit:.0f} to {limit:.0f}")
    return float(number)


def _salts(value: object) -> tuple[Salt, ...]:
    salts = cast("list[object]", _of_type(value, list, "$.salts", "an array"))
    if len(salts) > _MAX_SALTS:
        raise CredentialsError(f"$.salts: got {len(salts)} salts, expected at most {_MAX_SALTS}")
    return tuple(_salt(salt, f"$.salts[{i}]") for i, salt in enumerate(salts))


def _salt(value: object, path: str) -> Salt:
    fields = _object(value, path, {"valid_since", "valid_until", "value"})
    since, until = (_whole(fields, name, _TIME, path) for name in ("valid_since", "valid_until"))
    return Salt(since, until, _whole(fields, "value", _LONG, path))


def _auth_key(fields: dict[str, object]) -> AuthKey:
    key = AuthKey(_bytes(fields, "auth_key", AUTH_KEY_SIZE))
    key_id = _bytes(fields, "auth_key_id", 8)
    if key.key_id != key_id:
        raise CredentialsError(
            f"$.auth_key: got the key {key.key_id.hex()}, expected {key_id.hex()}: it is damaged"
        )
    return key


def _bytes(fields: dict[str, object], name: str, size: int) -> bytes:
    path = f"$.{name}"
    text = _of_type(fields[name], str, path, "a string")
    if len(text) != 2 * size:
        raise CredentialsError(f"{path}: got {len(text)} characters, expected {2 * size} hexadecimal digits")
    try:
        data = bytes.fromhex(text)
    except ValueError:
        data = b""
    if len(data) != size:  # fromhex leaves out blanks
        raise CredentialsError(f"{path}: got other characters, expected {2 * size} hexadecimal digits")
    return data
