"""What ``mtproto demo`` draws."""

from __future__ import annotations

import asyncio
import io
import re

import pytest

from mtproto.cli.demo import PHONE, Conversation, converse
from mtproto.cli.transports import Way
from tests.mtproto.cli.processes import run

console = pytest.importorskip("rich.console", reason="rich is not installed: nothing can be drawn")

REQUEST_DUMP = """\
at    bytes                    field            value
0000  f9 56 a3 a5              0xa5a356f9 account.sendVerifyPhoneCode
0004  0c 2b 31 32 30 32 35 35  phone_number     '+12025550123'
000c  35 30 31 32 33 00 00 00                   length 12, padding 3
0014  78 3d 25 ad              settings         0xad253d78 codeSettings
0018  73 00 00 00                flags          0x73: allow_flashcall,
                                                current_number, allow_app_hash,
                                                allow_missed_call, logout_tokens
001c  15 c4 b5 1c                logout_tokens  0x1cb5c415 Vector<bytes>
0020  01 00 00 00                  count        1
0024  13 61 72 62 69 74 72 61      [0]          b'arbitrary data here'
002c  72 79 20 64 61 74 61 20                   length 19
0034  68 65 72 65
"""
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def drawn(conversation: Conversation, width: int, *, colours: bool = False) -> str:
    from mtproto.cli import show

    out = io.StringIO()
    show.draw(
        conversation,
        console.Console(
            file=out,
            width=width,
            force_terminal=colours,
            color_system="standard" if colours else None,
            highlight=False,
        ),
    )
    return out.getvalue()


@pytest.fixture(scope="module")
def conversation() -> Conversation:
    return asyncio.run(converse(Way("intermediate"), PHONE))


def test_the_command_draws_all_stages() -> None:
    status, out, err = run("demo")
    assert (status, err) == (0, "")
    assert "\x1b" not in out
    lines = out.splitlines()
    assert max(map(len, lines)) == 80
    titles = [line.rstrip(" ─") for line in lines if line.endswith("──")]
    assert re.fullmatch(r"1  Key exchange  \d+\.\d\d s", titles[0])
    assert titles[1:] == [
        "2  Request  56 bytes of TL",
        "3  Encrypted frame  140 bytes on the wire",
        "4  Answer  44 bytes of TL",
    ]
    assert REQUEST_DUMP in out
    assert "  phone_number='+12025550123',\n  settings=codeSettings(\n    allow_flashcall=true,\n" in out
    end = out[out.index("\nauth.sentCode(") :]
    assert end.startswith("\nauth.sentCode(\n  type=auth.sentCodeTypeSms(length=5),\n  phone_code_hash='")
    assert end.endswith("',\n  next_type=auth.codeTypeCall(),\n  timeout=60,\n)\n")


def test_the_command_shows_what_an_invalid_phone_gets() -> None:
    status, out, err = run("demo", "--phone", "some string here", "--transport", "abridged")
    assert (status, err) == (1, "")
    assert "0000  22                       header" in out
    assert "'PHONE_NUMBER_INVALID'" in out
    assert out.endswith(
        "\naccount.sendVerifyPhoneCode failed: 400 PHONE_NUMBER_INVALID: The number is not valid.\n"
    )


def test_the_frame(conversation: Conversation) -> None:
    text = drawn(conversation, 80)
    data = conversation.sealed.data
    assert f"\n0000  {data[:4].hex(' ')}              header          136 bytes follow\n" in text
    assert f"\n0004  {conversation.auth_key.key_id.hex(' ')}  auth_key_id " in text
    assert f"\n000c  {data[12:20].hex(' ')}  msg_key " in text
    assert f"\n001c  {data[28:36].hex(' ')}  encrypted_data  112 bytes, AES-256-IGE\n" in text
    assert f"\nRSA fingerprint  {conversation.fingerprint % 2**64:016x}\n" in text
    salt = conversation.server_salt.to_bytes(8, "little", signed=True).hex(" ")
    assert f"\nserver_salt      {salt}\n" in text
    assert f"\nsalt        {salt}\n" in text
    assert "\nlength      56, of the request above; then 24 bytes of padding\n" in text


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_nothing_is_wider_than_the_terminal(conversation: Conversation, width: int) -> None:
    lines = drawn(conversation, width).splitlines()
    assert max(map(len, lines)) == min(width, 120)


def test_colours_change_nothing_else(conversation: Conversation) -> None:
    coloured = drawn(conversation, 80, colours=True)
    assert ESCAPES.sub("", coloured) == drawn(conversation, 80)
    # An id, a flags word, and a string with its length and padding apart.
    assert "\x1b[35m0xad253d78 codeSettings\x1b[0m" in coloured
    assert "\x1b[33m73\x1b[0m" in coloured
    assert "\x1b[2m0c\x1b[0m \x1b[32m2b\x1b[0m" in coloured
    assert "\x1b[32m33\x1b[0m \x1b[2m00\x1b[0m" in coloured


def test_a_terminal_without_unicode() -> None:
    status, out, err = run("demo", "--phone", "12 345 678", PYTHONIOENCODING="ascii", COLUMNS="120")
    assert (status, err) == (0, "")
    assert out.isascii()
    assert max(map(len, out.splitlines())) == 120


def test_a_character_that_the_terminal_lacks() -> None:
    status, out, err = run("demo", "--phone", "é", PYTHONIOENCODING="ascii", PYTHONUTF8="1")
    assert (status, err) == (1, "")
    assert "phone_number='?'" in out


def test_a_phone_can_not_write_to_the_terminal() -> None:
    out = drawn(asyncio.run(converse(Way("abridged"), "\x1b]0;title\x07[bold]\u202e")), 80)
    assert all(c.isprintable() or c == "\n" for c in out)
    assert "'\\x1b]0;title\\x07[bold]\\u202e'" in out


@pytest.mark.parametrize(
    ("way", "words"),
    [
        (Way("padded"), ["padded, first bytes dd dd dd dd", "bytes follow"]),
        (
            Way("full"),
            ["full, nothing before the first frame", "148 bytes, these included", "frame 3", "CRC-32"],
        ),
        (
            Way("abridged", obfuscated=True),
            [
                "obfuscated abridged, opened with 64 bytes",
                "shown without the obfuscation",
                "34 words, 136 bytes",
            ],
        ),
    ],
    ids=["padded", "full", "obfuscated"],
)
def test_every_transport_is_drawn(way: Way, words: list[str]) -> None:
    out = drawn(asyncio.run(converse(way, PHONE)), 100)
    for word in words:
        assert word in out
