"""What the commands take: schemas, types, bytes as hex or in files, texts."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

__all__ = ["InputError", "add_layer", "add_schema_and_type", "data_of", "text_of"]

_HEX = re.compile(rb"[0-9A-Fa-f\s]*")
_SEPARATED = re.compile(r"[\s:,_]+|0[xX](?=[0-9A-Fa-f])")


class InputError(Exception):
    """An argument is not what the command takes; the message says what was got and what was expected."""


def add_layer(command: argparse.ArgumentParser) -> None:
    """The option ``--layer``."""
    command.add_argument(
        "--layer", type=int, metavar="N", help="of a schema that marks layers (===144===), this one"
    )


def add_schema_and_type(command: argparse.ArgumentParser) -> None:
    """The options ``--schema``, ``--layer`` and ``--type``."""
    command.add_argument("--schema", type=Path, required=True, metavar="FILE", help="a .tl file")
    add_layer(command)
    command.add_argument(
        "--type",
        metavar="T",
        help="a TL type, such as auth.SentCode or 'Vector<User>'; by default any combinator of the schema",
    )


def data_of(source: str) -> bytes:
    """The bytes that a ``HEX|FILE|-`` means; raise InputError where it is neither.

    A file, or what comes in, is taken as it is, unless there is nothing in it but hex digits and white space.
    """
    if source == "-":
        return _unhexed(_what_came_in(), "what came in")
    digits = _SEPARATED.sub("", source)
    if not re.fullmatch(r"[0-9A-Fa-f]*", digits):
        path = Path(source)
        if _is_there(path):
            return _unhexed(path.read_bytes(), source)
        wrong = next(c for c in digits if c not in "0123456789abcdefABCDEF")
        raise InputError(
            f"{_shortened(source)}: got {wrong!r}, expected hex digits; and there is no such file"
        )
    return _bytes_of(digits, _shortened(source))


def _what_came_in() -> bytes:
    if sys.stdin is None:
        raise InputError("-: standard input is closed")
    return sys.stdin.buffer.read()


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # too long to name a file
        return False


def _unhexed(data: bytes, what: str) -> bytes:
    if data.strip() and _HEX.fullmatch(data):
        return _bytes_of(b"".join(data.split()).decode(), what)
    return data


def _bytes_of(digits: str, what: str) -> bytes:
    if len(digits) % 2:
        raise InputError(f"{what}: got {len(digits)} hex digits, expected two for each byte")
    return bytes.fromhex(digits)


def text_of(source: str) -> str:
    """The text that a ``TEXT|FILE|-`` means: what comes in, a file's if there is one, or itself."""
    if source == "-":
        raw, what = _what_came_in(), "what came in"
    else:
        try:
            raw, what = Path(source).read_bytes(), source
        except IsADirectoryError:
            raise InputError(f"{source}: is a directory, expected JSON or a file") from None
        except (OSError, ValueError):  # no file, or nothing that could name one
            return source
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{what}: not UTF-8: {error.reason} at byte {error.start}") from None


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"
