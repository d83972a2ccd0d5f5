"""Annotated hexdumps with colours, by rich: what kind of field the bytes are.  Only drawing modules import this."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from tl.hexdump import Columns, Line, Row, lines
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


def dump_text(line: Line, styles: dict[str, str] = STYLES) -> Text:
    """One line of a dump: lengths and padding are dim, the rest has the colour of its type."""
    style = styles.get(line.row.tl_type, NUMBER)
    text = Text.assemble((line.offset, "dim"), "  ")
    size = len(line.row.data)
    for index in range(line.start, line.end):
        is_data = line.row.head <= index < size - line.row.tail
        text.append(f"{line.row.data[index]:02x}", style if is_data else "dim")
        text.append(" ")
    text.append(" " * (len(line.data) + 2 - 3 * (line.end - line.start)))
    text.append(line.label)
    text.append(line.value, "dim" if line.is_note else style)
    text.rstrip()
    return text


def print_dump(rows: list[Row], width: int) -> None:
    """Print the dump to stdout, in colours where that is a terminal."""
    console = Console(highlight=False, width=width)
    console.print(Text(Columns.of(rows, width).heading(), "dim"), soft_wrap=True)
    for line in lines(rows, width):
        console.print(dump_text(line), soft_wrap=True)
