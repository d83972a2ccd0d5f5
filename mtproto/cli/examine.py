"""``mtproto examine server``: the hostile conversations with a server, a line for each as it ends.

Why one has failed follows at the end, with all that was said.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtproto.cli.wording import CommandError, one_line
from mtproto.crypto.rsa import PublicKey
from mtproto.errors import LocalProtocolError

if TYPE_CHECKING:
    from mtproto.testing import hostile

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Examine; 1 where a conversation has failed."""
    from mtproto.testing import hostile  # no other command needs the conversations, of which there are many

    conversations = _chosen(arguments.only, hostile.SERVER_CONVERSATIONS)
    host, port = arguments.server
    results = asyncio.run(
        hostile.examine_server(
            host,
            port,
            _key(arguments.key),
            conversations=conversations,
            transport=arguments.transport,
            obfuscated=arguments.obfuscated,
            patience=arguments.patience,
            quiet=arguments.quiet,
            seed=arguments.seed,
            tell=_tell,
        )
    )
    for result in results.failed:
        print()
        for line in str(result.failure).splitlines():
            print(one_line(line))
    print(f"\n{len(results) - len(results.failed)} of {len(results)} conversations went as they should")
    return 1 if results.failed else 0


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
