"""The command `tl`: generate packages from schemas, and check that they are up to date."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tl.errors import SchemaError
from tl.package import check_package, write_package
from tl.schema import Schema

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status: 0 done, 1 it is not so, 2 it can't be told."""
    arguments = _parser().parse_args(argv)
    try:
        schema = Schema.read(arguments.schema)
        for mismatch in schema.id_mismatches:
            print(f"{arguments.schema}:{mismatch}", file=sys.stderr)
        result: int = arguments.run(arguments, schema)
    except SchemaError as error:
        for one in error.errors:
            print(f"{arguments.schema}:{'' if one.line else ' '}{one.describe()}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"tl: {error.filename or arguments.schema}: {error.strerror}", file=sys.stderr)
        return 2
    return result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tl", description="Tools for TL, the schema language of MTProto.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, help_ in (
        ("generate", _generate, "write the Python package of a schema"),
        ("check", _check, "tell whether a package is the one its schema gives: exit 1 where it is not"),
    ):
        command = commands.add_parser(name, help=help_, description=help_)
        command.add_argument("schema", type=Path, metavar="SCHEMA", help="a .tl file")
        command.add_argument(
            "-o", "--output", type=Path, required=True, metavar="DIR", help="the package's folder"
        )
        command.add_argument("--name", help="the schema's name in errors; by default that of the folder")
        command.set_defaults(run=run)
    return parser


def _generate(arguments: argparse.Namespace, schema: Schema) -> int:
    name = _name(arguments)
    changed = write_package(schema, arguments.output, name)
    print(f"{arguments.output}: {len(schema.combinators)} combinators, {len(changed)} files changed")
    return 0


def _check(arguments: argparse.Namespace, schema: Schema) -> int:
    drifted = check_package(schema, arguments.output, _name(arguments))
    for file in drifted:
        print(
            f"{arguments.output / file}: not what {arguments.schema} gives; run `tl generate`",
            file=sys.stderr,
        )
    if not drifted:
        print(f"{arguments.output}: up to date with {arguments.schema}")
    return 1 if drifted else 0


def _name(arguments: argparse.Namespace) -> str:
    name: str = arguments.name or arguments.output.resolve().name
    if not name.isidentifier():
        raise SchemaError(f"the name {name!r} is not an identifier: give one with --name")
    return name


if __name__ == "__main__":
    sys.exit(main())
