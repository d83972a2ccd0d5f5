"""`tl dump`, `tl decode`, `tl encode`: values as annotated bytes, as JSON, and back."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

from tl.codec import decode
from tl.commands.inputs import InputError, add_schema_and_type, data_of, text_of
from tl.errors import IdMismatchWarning, SchemaError
from tl.hexdump import Row, hexdump, render_text
from tl.html_dump import html_page
from tl.inspection import inspect
from tl.json_text import from_json, span_json, to_json
from tl.loader import LoadedSchema, load
from tl.reference import reference_encode_as
from tl.schema import Schema

__all__ = ["add"]

_WIDEST = 120


def add(commands: Any) -> None:
    """Add the commands."""
    help_ = "show bytes with what each of them means"
    dump = commands.add_parser("dump", help=help_, description=help_)
    dump.add_argument("data", metavar="HEX|FILE|-", help="the encoding: hex, a file, or - for what comes in")
    add_schema_and_type(dump)
    form = dump.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="the tree of spans as JSON")
    form.add_argument("--html", type=Path, metavar="FILE", help="a page by itself, to be opened in a browser")
    dump.set_defaults(run=_dump)

    help_ = "decode bytes to JSON"
    command = commands.add_parser("decode", help=help_, description=help_)
    command.add_argument(
        "data", metavar="HEX|FILE|-", help="the encoding: hex, a file, or - for what comes in"
    )
    add_schema_and_type(command)
    command.set_defaults(run=_decode)

    help_ = "encode JSON to bytes, in hex"
    command = commands.add_parser("encode", help=help_, description=help_)
    command.add_argument("value", metavar="JSON|FILE|-", help='such as \'{"_": "codeSettings"}\'')
    add_schema_and_type(command)
    command.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write the bytes themselves to a file"
    )
    command.set_defaults(run=_encode)


def _loaded(arguments: argparse.Namespace) -> LoadedSchema:
    """The schema; an unknown type in ``--type`` is told here, as of the argument and not of the file."""
    schema = Schema.read(arguments.schema, layer=arguments.layer)
    with warnings.catch_warnings(action="ignore", category=IdMismatchWarning):  # `tl check-ids` tells
        loaded = load(schema, arguments.schema.stem if arguments.schema.stem.isidentifier() else "schema")
    if arguments.type is not None:
        try:
            loaded.SCHEMA.wire_type(arguments.type)
        except SchemaError as error:
            raise InputError(f"--type {arguments.type}: {error.message}") from None
    return loaded


def _dump(arguments: argparse.Namespace) -> int:
    schema = _loaded(arguments).SCHEMA
    data = data_of(arguments.data)
    span = inspect(data, schema, arguments.type)
    if arguments.json:
        print(json.dumps(span_json(span), indent=2, ensure_ascii=False))
    elif arguments.html:
        arguments.html.write_text(html_page(span, data), "utf-8")
        print(f"{arguments.html}: {len(data)} bytes, {sum(1 for _ in span.leaves())} fields")
    else:
        _draw(hexdump(span, data))
    return 0


def _draw(rows: list[Row]) -> None:
    """The dump in colours on a terminal, if there is rich to draw them, else plain."""
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    if sys.stdout.isatty():
        try:
            from tl.rich_dump import print_dump
        except ImportError:
            pass
        else:
            print_dump(rows, width)
            return
    sys.stdout.write(render_text(rows, width))


def _decode(arguments: argparse.Namespace) -> int:
    schema = _loaded(arguments).SCHEMA
    print(to_json(decode(schema, data_of(arguments.data), arguments.type), indent=2))
    return 0


def _encode(arguments: argparse.Namespace) -> int:
    schema = _loaded(arguments).SCHEMA
    value = from_json(schema, text_of(arguments.value), arguments.type)
    data = reference_encode_as(schema, value, arguments.type)
    if arguments.output:
        arguments.output.write_bytes(data)
    else:
        print(data.hex())
    return 0
