"""The command `tl`: packages from schemas, checks of schemas, values as bytes, JSON and pictures.

Each module here has some commands: `add(commands)` makes their parsers, whose `run` does the work and returns
the exit status: 0 done, 1 it is not so, 2 it can't be told.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tl.commands import fuzzing, ids, packages, schemas, values
from tl.commands.inputs import InputError
from tl.errors import DecodeError, EncodeError, JSONValueError, SchemaError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    _make_streams_ready()
    parser = argparse.ArgumentParser(prog="tl", description="Tools for TL, the schema language of MTProto.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (packages, ids, schemas, values, fuzzing):
        module.add(commands)
    arguments = parser.parse_args(argv)
    try:
        result: int = arguments.run(arguments)
        sys.stdout.flush()
    except SchemaError as error:
        for one in error.errors:
            print(f"{arguments.schema}:{'' if one.line else ' '}{one.describe()}", file=sys.stderr)
        return 2
    except (DecodeError, EncodeError, JSONValueError, InputError) as error:
        print(f"tl: {error}", file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    except BrokenPipeError:
        # Whoever read the output has had enough; nothing may be written on exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    except OSError as error:
        print(f"tl: {f'{error.filename}: ' if error.filename else ''}{error.strerror}", file=sys.stderr)
        return 2
    return result


def _make_streams_ready() -> None:
    """What a terminal or a pipe can't show is replaced; what was closed before we began is written nowhere."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
