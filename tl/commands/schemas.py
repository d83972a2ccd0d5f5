"""`tl excerpt` and `tl diff`: a part of a schema, and what changed between two."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from tl.commands.inputs import InputError, add_layer
from tl.diff import Grade, diff, diff_json, diff_text
from tl.errors import SchemaError
from tl.excerpt import excerpt
from tl.merge import merge
from tl.schema import Schema
from tl.schema_text import schema_text

__all__ = ["add"]


def add(commands: Any) -> None:
    """Add the commands."""
    help_ = "print the part of a schema that some combinators or types need, with all that they refer to"
    command = commands.add_parser("excerpt", help=help_, description=help_)
    command.add_argument("schema", type=Path, metavar="SCHEMA", help="a .tl file")
    command.add_argument("names", nargs="+", metavar="NAME", help="a combinator or a boxed type")
    command.add_argument(
        "--docs", type=Path, metavar="FILE", help="a schema that has doc comments for some of it"
    )
    add_layer(command)
    command.set_defaults(run=_excerpt)

    help_ = "tell what changed between two schemas, and who can still read whom: exit 1 where bytes differ"
    command = commands.add_parser("diff", help=help_, description=help_)
    command.add_argument("old", type=Path, metavar="OLD", help="a .tl file")
    command.add_argument("new", type=Path, metavar="NEW", help="a .tl file")
    command.add_argument("--json", action="store_true", help="as JSON")
    command.set_defaults(run=_diff)


def _excerpt(arguments: argparse.Namespace) -> int:
    schema = Schema.read(arguments.schema, layer=arguments.layer)
    if arguments.docs:
        schema = merge([schema, _read(arguments.docs)], names=[str(arguments.schema), str(arguments.docs)])
    print(schema_text(excerpt(schema, arguments.names)), end="")
    return 0


def _diff(arguments: argparse.Namespace) -> int:
    changes = diff(_read(arguments.old), _read(arguments.new))
    if arguments.json:
        print(json.dumps(diff_json(changes), indent=1, ensure_ascii=False))
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        print(diff_text(changes, width=width).rstrip("\n"))
    return 0 if changes.grade is Grade.SAME else 1


def _read(path: Path) -> Schema:
    """The schema at `path`; where there are several on the command line, an error has to say which."""
    try:
        return Schema.read(path)
    except SchemaError as error:
        described = "\n".join(f"{path}:{'' if one.line else ' '}{one.describe()}" for one in error.errors)
        raise InputError(described) from None
