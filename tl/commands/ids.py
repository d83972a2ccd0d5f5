"""`tl check-ids`: constructor ids that do not follow from the text."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tl.commands.inputs import add_layer
from tl.schema import Schema

__all__ = ["add"]


def add(commands: Any) -> None:
    """Add the command."""
    help_ = "list constructor ids that are not the CRC-32 of their text: exit 1 if any"
    command = commands.add_parser("check-ids", help=help_, description=help_)
    command.add_argument("schema", type=Path, metavar="SCHEMA", help="a .tl file")
    add_layer(command)
    command.set_defaults(run=_check_ids)


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
