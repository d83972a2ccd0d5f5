"""`tl dictionary`: what encodings are made of, for a fuzzer."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tl.commands.inputs import add_layer
from tl.dictionary import dictionary_text, dictionary_words
from tl.excerpt import excerpt
from tl.schema import Schema

__all__ = ["add"]


def add(commands: Any) -> None:
    """Add the command."""
    help_ = "write a dictionary for AFL++ and libFuzzer: all constructor ids, edges of counts and lengths"
    command = commands.add_parser("dictionary", help=help_, description=help_)
    command.add_argument("schema", type=Path, metavar="SCHEMA", help="a .tl file")
    command.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="a combinator or a boxed type: only what these need, as `tl excerpt` prints it",
    )
    add_layer(command)
    command.add_argument("-o", "--output", type=Path, metavar="FILE", help="write it to a file")
    command.set_defaults(run=_dictionary)


def _dictionary(arguments: argparse.Namespace) -> int:
    schema = Schema.read(arguments.schema, layer=arguments.layer)
    if arguments.names:
        schema = excerpt(schema, arguments.names)
    text = dictionary_text(schema)
    if arguments.output:
        arguments.output.write_text(text, "ascii")
        print(f"{arguments.output}: {len(dictionary_words(schema))} words")
    else:
        print(text, end="")
    return 0
