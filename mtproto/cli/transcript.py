"""``mtproto transcript``: a recorded conversation drawn, in the terminal, as a page, as a picture, as JSON.

With a key log, or another schema, what was recorded is dissected again first.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from types import ModuleType

import tl
from mtproto import api
from mtproto.cli.wording import CommandError
from mtproto.testing.transcript import KeyLog, Said, Transcript, TranscriptError
from mtproto.testing.transcript.ladder import rows, summary
from mtproto.testing.transcript.page import MOST_SHOWN, draw_page, left_out_text
from mtproto.testing.transcript.picture import svg_picture
from mtproto.testing.transcript.reading import Schemas

__all__ = ["load_ladder", "run"]


def run(arguments: argparse.Namespace) -> int:
    """Draw the transcript; 1 where something in it is wrong."""
    if arguments.html_bytes is not None and arguments.html is None:
        arguments.fail("--html-bytes goes with --html: nothing else leaves bytes out")
    _keep_apart(arguments)
    schemas = _schemas(arguments.schema)
    transcript = _transcript(arguments, schemas)
    if arguments.json:
        for line in transcript.lines():
            print(line)
    elif arguments.html:
        name, most = Path(arguments.file).name, arguments.html_bytes
        page = draw_page(transcript, Schemas(schemas), name, MOST_SHOWN if most is None else most)
        _write(arguments.html, page.text, transcript)
        if page.messages:
            print(f"{left_out_text(page.messages, page.bytes)}: --html-bytes N makes room for more")
    elif arguments.svg:
        _write(arguments.svg, svg_picture(rows(transcript)), transcript)
    else:
        load_ladder().draw(transcript, Schemas(schemas), with_bytes=arguments.bytes)
    return 1 if any(entry.record.findings for entry in transcript.entries) else 0


def _keep_apart(arguments: argparse.Namespace) -> None:
    """A drawing that would take the place of what is read is refused."""
    drawing: Path | None = arguments.html or arguments.svg
    if drawing is None or not drawing.exists():
        return
    inputs = [Path(name) for name in (arguments.file, arguments.keys, arguments.schema) if name is not None]
    if any(read.exists() and drawing.samefile(read) for read in inputs):
        raise CommandError(f"{drawing} is what is read: the drawing has to go to another file")


def load_ladder() -> ModuleType:
    """The module that draws with rich; CommandError where that is not installed."""
    try:
        from mtproto.cli import ladder  # here, because rich is optional
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "rich":
            raise
        raise CommandError(
            'drawing needs rich, which is not installed: pip install "mtwire[cli]" (--html, --svg and --json do '
            "without)"
        ) from None
    return ladder


def _schemas(path: Path | None) -> list[object]:
    return [api.SCHEMA] if path is None else [tl.load(path), api.SCHEMA]


def _transcript(arguments: argparse.Namespace, schemas: list[object]) -> Transcript:
    name = arguments.file
    try:
        transcript = Transcript.parse(sys.stdin) if name == "-" else Transcript.load(name)
    except TranscriptError as error:
        raise CommandError(f"{name}: {error}") from None
    if arguments.keys is None and arguments.schema is None and arguments.mtproxy_secret is None:
        return transcript
    try:
        keys = KeyLog() if arguments.keys is None else KeyLog.load(arguments.keys)
    except TranscriptError as error:
        raise CommandError(f"{arguments.keys}: {error}") from None
    opened = transcript.opened(secrets=keys, schemas=schemas, mtproxy_secret=arguments.mtproxy_secret)
    if arguments.keys is not None and _said(opened) == _said(transcript):
        print(f"mtproto transcript: {arguments.keys}: it opens nothing that was not open", file=sys.stderr)
    return opened


def _said(transcript: Transcript) -> int:
    return sum(isinstance(entry.record, Said) for entry in transcript.entries)


def _write(path: Path, text: str, transcript: Transcript) -> None:
    path.write_text(text, "utf-8")
    print(f"{path}: {summary(transcript)}")
