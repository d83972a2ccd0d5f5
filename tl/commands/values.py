"""`tl dump`, `tl decode`, `tl encode`: values as annotated bytes, as JSON, and back."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tl.codec import decode
from tl.commands.inputs import InputError, add_schema_and_type, data_of, text_of
from tl.errors import DecodeError, IdMismatchWarning, JSONValueError, SchemaError
from tl.findings import Finding
from tl.hexdump import Row, hexdump, render_text
from tl.html_dump import html_page
from tl.inspection import inspect, read
from tl.json_text import parse_json, span_json
from tl.json_values import from_json_value, to_json_value
from tl.loader import load
from tl.reference import reference_encode_as
from tl.registry import Registry
from tl.schema import Schema
from tl.spans import Span
from tl.svg_dump import svg_dump

__all__ = ["add"]

_WIDEST = 120
_PATH = re.compile(r"[\w~-]*[./\\][\w./\\~-]{0,200}")
_DATA = "the encoding: hex, a file, or - for what comes in"
_STATUS = (
    "Exit status: 0 done; 1 the bytes are not an encoding of that type, or with --lenient there are findings; "
    "2 it can't be told: the arguments, a file or a schema are at fault."
)


def add(commands: Any) -> None:
    """Add the commands."""
    help_ = "show bytes with what each of them means"
    dump = commands.add_parser("dump", help=help_, description=help_, epilog=_STATUS)
    dump.add_argument("data", metavar="HEX|FILE|-", help=_DATA)
    add_schema_and_type(dump)
    _add_lenient(dump)
    form = dump.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="the tree of spans as JSON")
    form.add_argument("--html", type=Path, metavar="FILE", help="a page by itself, to be opened in a browser")
    form.add_argument(
        "--svg", type=Path, metavar="FILE", help="a picture by itself, to be shown in a document"
    )
    dump.set_defaults(run=_dump)

    help_ = "decode bytes to JSON"
    command = commands.add_parser("decode", help=help_, description=help_, epilog=_STATUS)
    command.add_argument("data", metavar="HEX|FILE|-", help=_DATA)
    add_schema_and_type(command)
    _add_lenient(command)
    command.set_defaults(run=_decode)

    help_ = "encode JSON to bytes, in hex"
    command = commands.add_parser("encode", help=help_, description=help_)
    command.add_argument("value", metavar="JSON|FILE|-", help='such as \'{"_": "codeSettings"}\'')
    add_schema_and_type(command)
    command.add_argument(
        "--raw",
        action="store_true",
        help='take {"_raw": "hex"} for any value, as `tl decode --lenient` writes it',
    )
    command.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write the bytes themselves to a file"
    )
    command.set_defaults(run=_encode)


def _add_lenient(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--lenient",
        action="store_true",
        help="read on where something is wrong, and tell all that is: unknown flag bits and constructors, too",
    )
    command.add_argument(
        "--also",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="with --lenient, another .tl file in which unknown constructors are looked up; may be given again",
    )


# What the commands work on


def _schema(arguments: argparse.Namespace) -> Registry:
    """The schema; an unknown type in ``--type`` is told here, as of the argument and not of the file."""
    schema = _loaded(arguments.schema, arguments.layer)
    if arguments.type is not None:
        try:
            schema.wire_type(arguments.type)
        except SchemaError as error:
            raise InputError(f"--type {arguments.type}: {error.message}") from None
    return schema


def _loaded(path: Path, layer: int | None = None) -> Registry:
    schema = Schema.read(path, layer=layer)
    with warnings.catch_warnings(action="ignore", category=IdMismatchWarning):  # `tl check-ids` tells
        return load(schema, path.stem if path.stem.isidentifier() else "schema").SCHEMA


def _others(arguments: argparse.Namespace) -> list[Registry]:
    """The other schemas of a lenient reading; an error in one of them has to say which."""
    if arguments.also and not arguments.lenient:
        raise InputError("--also: only with --lenient are unknown constructors looked up")
    others = []
    for path in arguments.also:
        try:
            others.append(_loaded(path))
        except SchemaError as error:
            told = [f"--also {path}:{'' if one.line else ' '}{one.describe()}" for one in error.errors]
            raise InputError("\n".join(told)) from None
    return others


def _refused(error: DecodeError) -> int:
    print(f"tl: {error}; --lenient shows what can be read", file=sys.stderr)
    return 1


# tl dump


def _dump(arguments: argparse.Namespace) -> int:
    schema, others = _schema(arguments), _others(arguments)
    data = data_of(arguments.data)
    if arguments.lenient:
        reading = read(data, schema, arguments.type, mode="lenient", others=others)
        _show(arguments, data, reading.span, reading.findings)
        return 1 if reading.findings else 0
    try:
        span = inspect(data, schema, arguments.type)
    except DecodeError as error:
        return _refused(error)
    _show(arguments, data, span, None)
    return 0


def _show(arguments: argparse.Namespace, data: bytes, span: Span, findings: Sequence[Finding] | None) -> None:
    """The dump in the form that is asked for; there are no `findings` where nobody looked for them."""
    found = findings or ()
    if arguments.json:
        _print_json(span_json(span, findings))
    elif arguments.html:
        _write(arguments.html, html_page(span, data, findings=found), data, span, findings)
    elif arguments.svg:
        picture = svg_dump(hexdump(span, data, found), title=span.note or span.tl_type)
        _write(arguments.svg, picture, data, span, findings)
    else:
        _draw(hexdump(span, data, found))


def _write(path: Path, text: str, data: bytes, span: Span, findings: Sequence[Finding] | None) -> None:
    path.write_text(text, "utf-8")
    sizes = [_many(len(data), "byte"), _many(sum(1 for _ in span.leaves()), "field")]
    sizes += [] if findings is None else [_many(len(findings), "finding")]
    print(f"{path}: {', '.join(sizes)}")


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _draw(rows: list[Row]) -> None:
    """The dump in colours on a terminal, if there is rich to draw them, else plain."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal that lacks a character is no reason to fail
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


def _print_json(value: object) -> None:
    is_unicode = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    print(json.dumps(value, indent=2, ensure_ascii=not is_unicode))


# tl decode, tl encode


def _decode(arguments: argparse.Namespace) -> int:
    schema, others = _schema(arguments), _others(arguments)
    data = data_of(arguments.data)
    if arguments.lenient:
        reading = read(data, schema, arguments.type, mode="lenient", others=others)
        _print_json(to_json_value(reading.value))
        for finding in reading.findings:
            print(f"! {finding}", file=sys.stderr)
        return 1 if reading.findings else 0
    try:
        value = decode(schema, data, arguments.type)
    except DecodeError as error:
        return _refused(error)
    _print_json(to_json_value(value))
    return 0


def _encode(arguments: argparse.Namespace) -> int:
    schema = _schema(arguments)
    text = text_of(arguments.value)
    value = from_json_value(schema, _parsed(text, text == arguments.value), arguments.type, raw=arguments.raw)
    data = reference_encode_as(schema, value, arguments.type)
    if arguments.output:
        arguments.output.write_bytes(data)
    else:
        print(data.hex())
    return 0


def _parsed(text: str, is_argument: bool) -> object:
    """The JSON value; an argument that is none, but could name a file, was meant for one."""
    try:
        return parse_json(text)
    except JSONValueError as error:
        if is_argument and _PATH.fullmatch(text):
            raise InputError(f"{text}: no such file; and as JSON: {error.message}") from None
        raise
