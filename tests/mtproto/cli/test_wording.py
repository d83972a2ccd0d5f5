"""Errors in one line."""

from __future__ import annotations

import pytest

from mtproto import api
from mtproto.cli.wording import address_text, meaning, one_line, rpc_error_text
from mtproto.errors import RpcError


@pytest.mark.parametrize(
    ("code", "message", "told"),
    [
        (303, "PHONE_MIGRATE_4", "The number belongs to data centre X: repeat the query there."),
        (400, "API_ID_INVALID", "api_id and api_hash do not go together."),
        (
            400,
            "API_ID_PUBLISHED_FLOOD",
            "This api_id has been made public somewhere, and cannot be used any more.",
        ),
        (500, "AUTH_RESTART", "Begin the login again."),
        (400, "PHONE_NUMBER_INVALID", "The number is not valid. Also seen with code 400."),
        (400, "NEVER_HEARD_OF", ""),
        (400, "", ""),
        (400, ".*", ""),
    ],
)
def test_meanings_come_from_the_schema(code: int, message: str, told: str) -> None:
    assert meaning(api.auth.SendCode, RpcError(code, message)) == told


def test_no_docstring_no_meaning() -> None:
    assert meaning(type("Stripped", (), {}), RpcError(400, "PHONE_NUMBER_INVALID")) == ""


def test_what_a_server_says_stays_in_its_line() -> None:
    error = RpcError(400, "A\nB\x1b[2J\u202eé")
    assert rpc_error_text(api.help.GetConfig, error) == "400 A\\nB\\x1b[2J\\u202eé"
    assert one_line("\udc80") == "\\udc80"


@pytest.mark.parametrize(
    ("host", "text"), [("::1", "[::1]:443"), ("127.0.0.1", "127.0.0.1:443"), ("localhost", "localhost:443")]
)
def test_addresses(host: str, text: str) -> None:
    assert address_text(host, 443) == text
