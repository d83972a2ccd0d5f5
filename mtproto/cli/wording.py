"""Errors in one line, as the commands print them: what went wrong, and where."""

from __future__ import annotations

import inspect
import re
from typing import Any

from mtproto.errors import RpcError

__all__ = ["CommandError", "address_text", "meaning", "one_line", "rpc_error_text"]


class CommandError(Exception):
    """A command can't do its work; the text is for the user, `status` for the shell."""

    def __init__(self, message: str, status: int = 2) -> None:
        self.status = status
        super().__init__(message)


def address_text(host: str, port: int) -> str:
    """``host:port``, as ``--server`` takes it: an IPv6 address stands in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def one_line(text: object) -> str:
    """`text` fit for a terminal: what does not print, such as a server's line breaks, is escaped."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in str(text)
    )


def rpc_error_text(function: Any, error: RpcError) -> str:
    """``400 PHONE_NUMBER_INVALID: The number is not valid.``, as far as the schema tells what it means."""
    told = meaning(function, error)
    return one_line(f"{error}: {told}" if told else error)


def meaning(function: Any, error: RpcError) -> str:
    """What the docstring of a generated function says of an error; "" where it says nothing.

    A name in the docs that ends in ``_X`` stands for all with a number there; the server's code may differ.
    """
    _, _, section = inspect.cleandoc(function.__doc__ or "").partition("\nErrors:\n")
    entries = re.findall(r"^ {4}[0-9]+ (\w+): (.*(?:\n {8}.*)*)", section, re.MULTILINE)
    for known, text in entries:
        if known in (error.message, re.sub(r"_[0-9]+$", "_X", error.message)):
            return " ".join(text.split())
    return ""
