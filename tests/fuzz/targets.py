"""The targets by name: each with its function, its invariant, and what a campaign needs.

target = load_target("lenient")
target.run, target.invariant, target.max_length, target.corpus, target.dictionary()
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from mtproto.testing.fuzz.target import Target
from tests.fuzz.dictionary import dictionary

__all__ = ["TARGETS", "Target", "load_target"]

TARGETS = (
    *("schema_parser", "decode_any", "decode_encode", "lenient", "json_values"),
    *("framings", "obfuscated_accept", "client_handshake", "server_handshake"),
    *("client_session", "server_session"),
)
"""Their names: those of the modules."""

_CORPUS = Path(__file__).with_name("corpus")
_LONGEST = {
    "schema_parser": 1024,
    "json_values": 1024,
    **dict.fromkeys(("framings", "obfuscated_accept", "client_handshake", "server_handshake"), 256),
    **dict.fromkeys(("client_session", "server_session"), 256),
}
"""How long inputs may get, in bytes; 512 hold all that a codec can do, and are quicker."""


def load_target(name: str) -> Target:
    """The target called `name`, one of `TARGETS`; its module, and with it `tl`, is imported now."""
    module = importlib.import_module(f"tests.fuzz.{name}")
    invariant = (module.__doc__ or "").strip().partition("\n")[0]
    return Target(
        name=name,
        run=module.target,
        invariant=invariant,
        module=module.__name__,
        packages=("tl", "mtproto"),
        max_length=_LONGEST.get(name, 512),
        corpus=_CORPUS / name,
        dictionary=partial(dictionary, name),
        made=_generated_methods,
    )


def _generated_methods() -> Iterable[Callable[..., object]]:
    """The straight-line codecs of the schemas that questions are about: they are made, not imported."""
    questions = sys.modules.get("tests.fuzz.questions")
    for package in questions.PACKAGES.values() if questions else ():
        for cls in package.SCHEMA.by_name.values():
            yield from (getattr(cls, name) for name in ("_encode", "_read") if name in vars(cls))
