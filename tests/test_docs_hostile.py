"""docs/hostile.md: its list is that of the library, every check is in it, what it shows is what one sees."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import dropwhile, takewhile
from pathlib import Path

import pytest

from mtproto.testing import hostile
from mtproto.testing.hostile import CLIENT_CONVERSATIONS, SERVER_CONVERSATIONS, Conversation

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "hostile.md").read_text("utf-8")
CHECKS = set(
    re.findall(r"^\| ([CHSTX]\d+) \|", (ROOT / "docs" / "security.md").read_text("utf-8"), re.MULTILINE)
)


def rows(after: str) -> list[list[str]]:
    """The cells of the first table behind these words."""
    lines = TEXT.partition(after)[2].splitlines()
    table = list(takewhile(_is_row, dropwhile(lambda line: not _is_row(line), lines)))
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[2:]]


def _is_row(line: str) -> bool:
    return line.startswith("|")


@pytest.mark.parametrize(
    ("title", "conversations"),
    [("With clients:", CLIENT_CONVERSATIONS), ("With servers:", SERVER_CONVERSATIONS)],
)
def test_the_list_is_that_of_the_library(title: str, conversations: tuple[Conversation, ...]) -> None:
    listed = [(check, name, right) for check, names, right in rows(title) for name in names.split("; ")]
    assert sorted(listed) == sorted((c.check, c.name, c.right) for c in conversations[1:-1])


def test_every_check_has_a_conversation_or_a_reason() -> None:
    reasons = {check for checks, _ in rows("since it would not show:") for check in checks.split(", ")}
    tested = {c.check for c in (*CLIENT_CONVERSATIONS, *SERVER_CONVERSATIONS)} - {""}
    assert tested <= CHECKS
    assert not reasons & tested
    assert reasons | tested == CHECKS


def test_the_numbers_that_are_named() -> None:
    clients, servers = len(CLIENT_CONVERSATIONS), len(SERVER_CONVERSATIONS)
    assert f"There are\n{clients} conversations for clients, {servers} for servers" in TEXT
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"{clients} for clients, {servers} for servers" in changelog


def test_the_example_prints_what_stands_below_it() -> None:
    example, shown = re.search(r"```python\n(.*?)```\n\n```text\n(.*?)```", TEXT, re.DOTALL).groups()  # type: ignore[union-attr]
    command = [sys.executable, "-c", example]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith(shown)
    assert "→ bad_server_salt(bad_msg_id=4, " in done.stdout


def test_every_node_is_in_the_table() -> None:
    nodes = {
        name
        for name in hostile.__all__
        if isinstance(getattr(hostile, name), type)
        and issubclass(getattr(hostile, name), hostile.Node)
        and name != "Node"
    }
    assert nodes == {
        name for first, _ in rows("has the msg_key of that") for name in re.findall(r"`(\w+)", first)
    }
    for name in ("Request", "Answer", "Service", "Container", "Gzip"):
        assert name in hostile.__all__


def test_what_real_clients_did_adds_up() -> None:
    table = rows("## What real clients did")
    known = {(c.check, c.name) for c in CLIENT_CONVERSATIONS}
    failures = {"Telethon": 0, "GramJS": 0}
    rules: dict[str, list[int]] = {"guidelines": [0, 0], "protocol": [0, 0], "ours": [0, 0]}
    for check, names, telethon, gramjs, _, rule in table:
        named = names.split("; ")
        assert {(check, name) for name in named} <= known
        for place, (client, verdict) in enumerate((("Telethon", telethon), ("GramJS", gramjs))):
            assert verdict in ("fails", "right")
            failures[client] += len(named) * (verdict == "fails")
            rules[rule][place] += len(named) * (verdict == "fails")
    text = " ".join(TEXT.partition("## What real clients did")[2].split())
    match = re.search(
        r"Of (\d+) conversations (\d+) went as they should with Telethon, (\d+) with GramJS", text
    )
    assert match is not None
    total, *passed = map(int, match.groups())
    assert [total - n for n in passed] == [*failures.values()]
    assert f"({rules['guidelines'][0]} with Telethon, {rules['guidelines'][1]} with GramJS)" in text
    for rule in ("protocol", "ours"):
        assert f"({rules[rule][0]}, {rules[rule][1]})" in text
