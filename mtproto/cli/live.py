"""Progress of a campaign on a terminal: one line that is always at the bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.text import Text

from mtproto.cli.fuzz import Lines
from mtproto.testing.fuzz.progress import progress_line

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
        self._live.console.print(Text(text))

    def progress(self, figures: Figures) -> None:
        self._live.update(Text(progress_line(figures), overflow="ellipsis", no_wrap=True), refresh=True)
