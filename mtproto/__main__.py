"""The entry point of the command `mtproto`; what it does is in `mtproto.cli`."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence

from mtproto.cli.arguments import parser
from mtproto.cli.wording import CommandError, one_line
from mtproto.errors import MTProtoError
from tl.errors import TLError

__all__ = ["main"]

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status (``--help`` tells which there are).

    Errors are one line on stderr.  As usual with argparse, wrong arguments raise SystemExit(2).
    """
    arguments = parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
    except CommandError as error:
        return _fail(arguments.command, error, error.status)
    except BrokenPipeError:
        _abandon_stdout()
        return INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(arguments.command, f"{where}{error.strerror or error}", 2)
    except (MTProtoError, TLError) as error:
        return _fail(arguments.command, error, 2)
    return status


def _fail(command: str, error: object, status: int) -> int:
    print(f"mtproto {command}: {one_line(error)}", file=sys.stderr)
    return status


def _abandon_stdout() -> None:
    """Nobody reads it: what is still buffered must not raise again when the interpreter ends."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


if __name__ == "__main__":
    sys.exit(main())
