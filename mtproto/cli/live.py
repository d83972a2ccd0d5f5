"""Progress of a campaign on a terminal: one line that is always at the bottom."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.text import Text

from mtproto.cli.fuzz import Lines

if TYPE_CHECKING:
    from mtproto.testing.fuzz.progress import Figures

__all__ = ["LiveLine"]


class LiveLine(Lines):
    """What happens scrolls by above the figures."""

    def __init__(self, console: Console | None = None) -> None:
        super().__init__()
        self._live = Live(console=console or Console(highlight=False), auto_refresh=False)

    def __enter__(self) -> LiveLine:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def line(self, text: str) -> None:
        self._live.console.print(Text(text), soft_wrap=True)  # a command in it is to be copied

    def progress(self, figures: Figures) -> None:
        line = _fitting(_parts(figures), self._live.console.width)
        self._live.update(Text(line, overflow="ellipsis", no_wrap=True), refresh=True)


def _parts(figures: Figures) -> list[str]:
    """What there is to tell, the most important first."""
    left = timedelta(seconds=max(0, int(figures.left)))
    rate = figures.executions / figures.seconds if figures.seconds else 0
    reach = figures.reach
    return [
        f"{figures.findings} found",
        f"{left} left",
        f"{figures.executions:,} executions",
        f"{rate:,.0f}/s",
        f"edges {reach.edges:,}",
        f"features {reach.features:,}",
        f"corpus {reach.corpus:,}",
    ]


def _fitting(parts: list[str], width: int) -> str:
    """As many of the parts as there is room for, but at least the first."""
    line, *rest = parts
    for part in rest:
        if len(line) + 2 + len(part) > width:
            break
        line += f"  {part}"
    return line
