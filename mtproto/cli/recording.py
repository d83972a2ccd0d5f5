"""How the commands record a transcript: their arguments, and the recorder that these ask for."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mtproto.crypto.rsa import PrivateKey
from mtproto.testing.transcript import Recorder
from mtproto.testing.transcript.recorder import is_same_file

__all__ = ["Recording", "add_recording"]


@dataclass(frozen=True, slots=True)
class Recording:
    """Where to write a transcript and the keys that open it; nowhere, if that is None."""

    transcript: str | None = None
    key_log: str | None = None

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Recording:
        """What `add_recording` has read."""
        if arguments.key_log is not None and arguments.transcript is None:
            arguments.fail("--key-log goes with --transcript: without one nothing is recorded")
        if arguments.key_log is not None and is_same_file(arguments.transcript, arguments.key_log):
            arguments.fail(f"--transcript and --key-log are one file, {arguments.key_log}: expected two")
        return cls(arguments.transcript, arguments.key_log)

    @contextlib.contextmanager
    def recorder(
        self, mtproxy_secret: str | None = None, rsa_keys: Sequence[PrivateKey] = ()
    ) -> Iterator[Recorder | None]:
        """The recorder, if there is to be one."""
        if self.transcript is None:
            yield None
            return
        with Recorder.open(
            self.transcript, key_log=self.key_log, mtproxy_secret=mtproxy_secret, rsa_keys=rsa_keys
        ) as recorder:
            yield recorder


def add_recording(command: argparse.ArgumentParser) -> None:
    """The arguments of a command that can record."""
    command.add_argument(
        "--transcript",
        metavar="FILE",
        help="write all that is said to FILE, as lines of JSON; `mtproto transcript FILE` draws it",
    )
    command.add_argument(
        "--key-log",
        metavar="FILE",
        help="write the keys that decrypt it to FILE, too; who has them can read everything",
    )
    command.set_defaults(fail=command.error)
