"""docs/faults.md: its table is that of the code, fault by fault; its example runs, in few lines."""

from __future__ import annotations

import dataclasses
import inspect
import re
from enum import Enum
from pathlib import Path

import pytest

from mtproto.errors import LocalProtocolError
from mtproto.testing import serve
from mtproto.testing.faults import FAULTS, Fault

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "faults.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def shown(value: object) -> str:
    return f"{type(value).__name__}.{value.name}" if isinstance(value, Enum) else repr(value)


def where(fault: type[Fault]) -> str:
    """A loopback server says of itself what it can't let happen."""
    try:
        serve(faults=[fault()])
    except LocalProtocolError:
        return "Pair"
    return "Pair, server"


def row(fault: type[Fault]) -> str:
    """What the code says of a fault, as a row of the table."""
    fields = ", ".join(f"{f.name}={shown(f.default)}" for f in dataclasses.fields(fault))
    happens, right = " ".join((inspect.getdoc(fault) or "").split()).split(" Right: ")
    errors = ", ".join(f"`{error.__name__}`" for error in fault.errors) or "-"
    cells = (f"`{fault.__name__}({fields})`", happens, right[0].upper() + right[1:], where(fault), errors)
    return f"| {' | '.join(cells)} |"


def test_the_table_says_what_the_code_says() -> None:
    rows = re.findall(r"^\| `.*\|$", TEXT, re.MULTILINE)
    assert rows == [row(fault) for fault in FAULTS]


def test_the_kinds_are_those_of_the_code() -> None:
    said = {
        name: re.findall(r"`(.+?)`", kinds)
        for name, kinds in re.findall(r"^\* `(\w+)`: (.+)$", TEXT, re.MULTILINE)
    }
    kinds = {fault.__name__: list(fault.KINDS) for fault in FAULTS if hasattr(fault, "KINDS")}
    assert said.keys() <= kinds.keys()
    assert kinds.keys() - said.keys() == {"BadKeyExchange"}, "which has too many"
    assert said == {name: kinds[name] for name in said}


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_example_runs_and_is_short(example: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert len([line for line in example.splitlines() if line]) < 20
    exec(compile(example, "docs/faults.md", "exec"), {"__name__": "example"})  # noqa: S102
    said = re.search(r"^```text\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    assert said is not None
    assert capsys.readouterr().out == said[1]


def test_there_is_an_example() -> None:
    assert len(EXAMPLES) == 1


if __name__ == "__main__":
    print("\n".join(map(row, FAULTS)))
