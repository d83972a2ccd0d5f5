"""docs/handshake.md has the steps that the code has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mtproto.handshake import client, client_steps, server, server_steps
from mtproto.handshake.steps import Step

TEXT = (Path(__file__).parent.parent / "docs" / "handshake.md").read_text("utf-8")
SIDES = {"Client": client_steps.STEPS, "Server": server_steps.STEPS}


def names(classes: tuple[type, ...]) -> str:
    shown = [str(getattr(cls, "TL_NAME", cls.__name__)) for cls in classes]
    return ", ".join(f"`{name}`" if name != "NoneType" else "nothing" for name in shown) or "nothing"


def row(step: Step, begins_with: str) -> str:
    """One row of a table, as it has to stand in the document."""
    cells = (
        str(step.number),
        begins_with if step.state is None else names((step.state,)),
        names(step.expects),
        names(step.may_trail),
        ", ".join(step.checks) or "none",
        names(step.sends),
        names(step.leads_to),
    )
    return f"| {' | '.join(cells)} |"


@pytest.mark.parametrize("side", SIDES)
def test_the_tables_are_those_of_the_code(side: str) -> None:
    section = TEXT.partition(f"## {side}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| \d.*\|$", section, re.MULTILINE)
    assert rows == [row(step, "nothing" if side == "Client" else "anything") for step in SIDES[side]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_RETRIES", client_steps.MAX_RETRIES),
        ("MAX_FINGERPRINTS", client_steps.MAX_FINGERPRINTS),
        ("MAX_SERVER_TIME", client.MAX_SERVER_TIME),
        ("MAX_ANSWER", client.MAX_ANSWER),
        ("client.LIFETIME", client.LIFETIME),
        ("server.LIFETIME", server.LIFETIME),
        ("MAX_QUERY", server.MAX_QUERY),
    ],
)
def test_the_limits_are_those_of_the_code(name: str, value: float) -> None:
    found = re.search(rf"^\| `{re.escape(name)}` \| ([\d,]+) ", TEXT, re.MULTILINE)
    assert found is not None
    assert float(found[1].replace(",", "")) == value
