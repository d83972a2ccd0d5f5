"""The command `tl`: generate packages from schemas, check that they are up to date, check constructor ids."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tl.errors import SchemaError
from tl.package import check_package, write_package
from tl.schema import Schema

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status: 0 done, 1 it is not so, 2 it can't be told."""
    arguments = _parser().parse_args(argv)
    try:
        result: int = arguments.run(arguments)
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
        (
            "check-ids",
            _check_ids,
            "list constructor ids that are not the CRC-32 of their text: exit 1 if any",
        ),
    ):
        command = commands.add_parser(name, help=help_, description=help_)
        command.add_argument("schema", type=Path, metavar="SCHEMA", help="a .tl file")
        command.add_argument(
            "--layer", type=int, metavar="N", help="of a schema that marks layers (===144===), this one"
        )
        if run is not _check_ids:
            _add_package_arguments(command)
        command.set_defaults(run=run)
    return parser


def _add_package_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="the package's folder"
    )
    command.add_argument("--name", help="the schema's name in errors; by default that of the folder")
    command.add_argument(
        "--strict-ids", action="store_true", help="refuse ids that are not the CRC-32 of their text"
    )


# generate, check


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
    if not name.isidentifier():
        raise SchemaError(f"the name {name!r} is not an identifier: give one with --name")
    return name


# check-ids


def _check_ids(arguments: argparse.Namespace) -> int:
    checked: set[tuple[int, str]] = set()
    mismatches: dict[str, None] = {}
    shared: dict[str, None] = {}
    for schema in _layers(arguments):
        checked |= {(c.start, c.name) for c in schema.declarations if c.id is not None}
        mismatches |= dict.fromkeys(str(mismatch) for mismatch in schema.id_mismatches)
        shared |= dict.fromkeys(_shared(schema))
    for line in (*mismatches, *shared):
        print(f"{arguments.schema}:{line}")
    ids = f"{len(checked)} id{'' if len(checked) == 1 else 's'} checked"
    result = f"{len(mismatches)} not the CRC-32 of the text" if mismatches else "each the CRC-32 of its text"
    print(f"{arguments.schema}: {ids}, {result}")
    return 1 if mismatches else 0


def _layers(arguments: argparse.Namespace) -> Iterator[Schema]:
    """The schema, or all of its layers one after the other where it marks some and none was asked for."""
    schema = Schema.read(arguments.schema, layer=arguments.layer)
    if arguments.layer is None:
        for layer in schema.layers[:-1]:
            yield Schema.read(arguments.schema, layer=layer)
    yield schema


def _shared(schema: Schema) -> Iterator[str]:
    for number, (*others, last) in schema.shared_ids.items():
        for other in others:
            yield (
                f"{other.line}: {other.name} shares the id {number:08x} with {last.name}, line {last.line}, "
                "which is what it decodes as"
            )


if __name__ == "__main__":
    sys.exit(main())
