"""docs/server.md: its limits are those of the code.  (That its Python runs is for `test_docs`.)"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mtproto.connection import state
from mtproto.testing import order, peer, server, unwrapping

TEXT = (Path(__file__).parent.parent / "docs" / "server.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_CONNECTIONS", server.MAX_CONNECTIONS),
        ("MAX_SESSIONS_PER_KEY", state.MAX_SESSIONS_PER_KEY),
        ("MAX_PENDING", peer.MAX_PENDING),
        ("MAX_BACKLOG", peer.MAX_BACKLOG),
        ("MAX_WRAPPERS", unwrapping.MAX_WRAPPERS),
        ("MAX_WRAPPER_SIZE", unwrapping.MAX_WRAPPER_SIZE),
        ("MAX_OUTCOMES", order.MAX_OUTCOMES),
    ],
)
def test_the_limits_are_those_of_the_code(name: str, value: int) -> None:
    found = re.search(rf"^\| `{name}` \| ([\d,]+) ", TEXT, re.MULTILINE)
    assert found is not None
    assert int(found[1].replace(",", "")) == value
