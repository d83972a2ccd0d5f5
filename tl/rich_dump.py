"""Annotated hexdumps with colours, by rich: what kind of field the bytes are.  Only drawing modules import this."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from tl.hexdump import Columns, Line, Role, Row, lines
from tl.spans import CONSTRUCTOR_ID, COUNT, VECTOR

__all__ = ["NUMBER", "STYLES", "dump_text", "print_dump"]

STYLES = {
    CONSTRUCTOR_ID: "magenta",
    VECTOR: "magenta",
    COUNT: "blue",
    "#": "yellow",
    "string": "green",
    "bytes": "green",
}
"""Colours by the type of the field; all others have `NUMBER`."""
NUMBER = "cyan"

_ROLES: dict[Role, str] = {
    "at": "dim",
    "mark": "bold red",
    "frame": "dim",
    "wrong": "bold red",
    "blank": "",
    "label": "",
    "note": "dim",
    "finding": "red",
}


def dump_text(line: Line, styles: dict[str, str] = STYLES) -> Text:
    """One line of a dump: lengths and padding are dim, what is wrong is red, the rest coloured by type."""
    style = styles.get(line.row.tl_type, NUMBER)
    text = Text()
    for run, role in line.runs():
        text.append(run, _ROLES.get(role, style))
    text.rstrip()
    return text


def print_dump(rows: list[Row], width: int) -> None:
    """Print the dump to stdout, in colours where that is a terminal."""
    console = Console(highlight=False, width=width)
    console.print(Text(Columns.of(rows, width).heading(), "dim"), soft_wrap=True)
    for line in lines(rows, width):
        console.print(dump_text(line), soft_wrap=True)
