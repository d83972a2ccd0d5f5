"""``mtproto examine``: the hostile conversations with a client or a server, a line for each as it ends.

Why one has failed follows at the end, with all that was said.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtproto.cli.wording import CommandError, address_text, one_line
from mtproto.crypto.rsa import PublicKey
from mtproto.errors import LocalProtocolError

if TYPE_CHECKING:
    from mtproto.testing import hostile

__all__ = ["run"]

_SETTINGS = ("transport", "obfuscated", "patience", "quiet", "limit", "seed", "jobs")
"""What either examination takes, by the names of the options."""


def run(arguments: argparse.Namespace) -> int:
    """Examine; 1 where a conversation has failed."""
    try:
        results = asyncio.run(_until_told(_examined(arguments)))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    for result in results.failed:
        print()
        for line in result.account.splitlines():
            print(one_line(line))
    print(f"\n{len(results) - len(results.failed)} of {len(results)} conversations went as they should")
    if not results[0].passed:
        print("The sane one did not: then what else went as it should says little.")
    return 1 if results.failed else 0


async def _until_told(examination: Coroutine[object, object, hostile.Results]) -> hostile.Results:
    """SIGTERM and SIGHUP end it like SIGINT, so that no client is left behind."""
    task = asyncio.ensure_future(examination)
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await task


async def _examined(arguments: argparse.Namespace) -> hostile.Results:
    from mtproto.testing import hostile  # no other command needs the conversations, of which there are many

    settings: dict[str, Any] = {name: getattr(arguments, name) for name in _SETTINGS}
    if arguments.examined == "client":
        conversations = _chosen(arguments.only, hostile.CLIENT_CONVERSATIONS)
        program = hostile.Program(arguments.program, reads_environment=arguments.environment)
        results = await hostile.examine_client(
            program,
            conversations=conversations,
            tell=_tell,
            **settings,
        )
        if isinstance(results[0].failure, hostile.NobodyCame):
            raise _nobody(results[0])
        return results
    conversations = _chosen(arguments.only, hostile.SERVER_CONVERSATIONS)
    host, port = arguments.server
    results = await hostile.examine_server(
        host,
        port,
        _key(arguments.key),
        conversations=conversations,
        tell=_tell,
        **settings,
    )
    if isinstance(results[0].failure, hostile.NobodyCame):
        raise CommandError(str(results[0].failure))
    if isinstance(results[0].failure, OSError):
        reason = results[0].failure.strerror or results[0].failure
        raise CommandError(f"no connection to {address_text(host, port)}: {reason}")
    return results


def _nobody(result: hostile.Result) -> CommandError:
    """What the client has said goes to stderr, and that it was not there is the error."""
    for line in result.said.splitlines():
        print(one_line(line), file=sys.stderr)
    return CommandError(f"{result.failure}; it {result.ending}")


def _chosen(
    only: str | None, conversations: Sequence[hostile.Conversation]
) -> Sequence[hostile.Conversation]:
    first, *others, last = conversations
    chosen = [c for c in others if only is None or only == c.check or only in c.name]
    if not chosen:
        checks = ", ".join(dict.fromkeys(c.check for c in others))
        raise CommandError(f"no conversation is about {only!r}; the checks are {checks}")
    return [first, *chosen, last]


def _tell(result: hostile.Result) -> None:
    conversation = result.conversation
    verdict = "ok    " if result.passed else "FAILED"
    right = "" if result.passed else f"  right: {conversation.right}"
    print(f"{verdict}  {conversation.check:<4} {conversation.name}{right}", flush=True)


def _key(path: str) -> PublicKey:
    try:
        return PublicKey.from_pem(Path(path).read_bytes())
    except (ValueError, LocalProtocolError) as error:
        raise CommandError(f"{path}: {error}") from None
