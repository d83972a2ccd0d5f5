"""`tl generate` and `tl check`: the package of a schema, written or compared."""

from __future__ import annotations

import argparse
import sys
from keyword import iskeyword
from pathlib import Path
from typing import Any

from tl.commands.inputs import add_layer
from tl.errors import SchemaError
from tl.package import check_package, write_package
from tl.schema import Schema

__all__ = ["add"]


def add(commands: Any) -> None:
    """Add the commands."""
    for name, run, help_ in (
        ("generate", _generate, "write the Python package of a schema"),
        ("check", _check, "tell whether a package is the one its schema gives: exit 1 where it is not"),
    ):
        command = commands.add_parser(name, help=help_, description=help_)
        command.add_argument("schema", type=Path, metavar="SCHEMA", help="a .tl file")
        add_layer(command)
        _add_package_arguments(command)
        command.set_defaults(run=run)


def _add_package_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="the package's folder"
    )
    command.add_argument("--name", help="the schema's name in errors; by default that of the folder")
    command.add_argument(
        "--strict-ids", action="store_true", help="refuse ids that are not the CRC-32 of their text"
    )


def _generate(arguments: argparse.Namespace) -> int:
    schema, name = _schema(arguments), _name(arguments)
    changed = write_package(schema, arguments.output, name)
    print(f"{arguments.output}: {len(schema.combinators)} combinators, {len(changed)} files changed")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    drifted = check_package(_schema(arguments), arguments.output, _name(arguments))
    for file in drifted:
        print(
            f"{arguments.output / file}: not what {arguments.schema} gives; run `tl generate`",
            file=sys.stderr,
        )
    if not drifted:
        print(f"{arguments.output}: up to date with {arguments.schema}")
    return 1 if drifted else 0


def _schema(arguments: argparse.Namespace) -> Schema:
    """The schema of a package; ids that do not follow from its text are told, one line each."""
    schema = Schema.read(arguments.schema, layer=arguments.layer, strict_ids=arguments.strict_ids)
    for mismatch in schema.id_mismatches:
        print(f"{arguments.schema}:{mismatch}", file=sys.stderr)
    return schema


def _name(arguments: argparse.Namespace) -> str:
    name: str = arguments.name or arguments.output.resolve().name
    if not name.isidentifier() or iskeyword(name):
        raise SchemaError(f"the name {name!r} is not an identifier: give one with --name")
    return name
