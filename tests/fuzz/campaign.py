"""A campaign: libFuzzer, by way of atheris, attacks a target for some minutes, guided by the code it reaches.

It starts from the target's corpus and a dictionary of what its inputs are made of.  What is new goes to a work
directory, never into the checkout; an input for which the invariant does not hold ends the campaign, and the
command that replays it is printed.  atheris is imported here, and only when it is needed.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import io
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.fuzz.dictionary import dictionary
from tests.fuzz.targets import Target, load_target

__all__ = ["CampaignError", "merge", "run"]

_ROOT = Path(__file__).parents[2]
_LONGEST = {
    "schema_parser": 1024,
    "json_values": 1024,
    **dict.fromkeys(("framings", "obfuscated_accept", "client_handshake", "server_handshake"), 256),
    **dict.fromkeys(("client_session", "server_session"), 256),
}
"""How long inputs may get, in bytes; 512 hold all that a codec can do, and are quicker."""
_OPTIONS = ("-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1")
"""What takes 20 seconds, or comes to 2 GiB with all there was before, is a failure, too."""


class CampaignError(Exception):
    """Why there is no campaign, in one line."""


def run(name: str, minutes: float, work: Path | None, arguments: Iterable[str]) -> int:
    """Attack a target for so many minutes, with more of libFuzzer's `arguments`; keep new inputs below `work`.

    libFuzzer ends the process: with status 0, or another if something was found.  Raise CampaignError where
    atheris is missing.
    """
    campaign = _Campaign(name, work)
    words = campaign.work / "dictionary"
    words.write_text(dictionary(name), "ascii")
    print(f"{name}: {campaign.target.invariant}\nNew inputs and failures go to {campaign.work}", flush=True)
    options = [f"-max_len={_LONGEST.get(name, 512)}", f"-max_total_time={minutes * 60:.0f}", f"-dict={words}"]
    return campaign.start([*options, *arguments], [campaign.work / "corpus", campaign.target.corpus])


def merge(name: str, work: Path | None, arguments: Iterable[str]) -> int:
    """Put the target's corpus, and the fewest inputs below `work` that reach more code, into ``merged`` there.

    The code of generated classes does not count: that would take an input for each class.  Otherwise as `run`.
    """
    campaign = _Campaign(name, work, generated=False)
    merged = campaign.work / "merged"
    shutil.copytree(campaign.target.corpus, merged, dirs_exist_ok=True)
    options = ["-merge=1", "-set_cover_merge=1", "-use_counters=0"]
    return campaign.start([*options, *arguments], [merged, campaign.work / "corpus"])


class _Campaign:
    """A target, instrumented, and the directory for all that comes of it."""

    def __init__(self, name: str, work: Path | None, *, generated: bool = True) -> None:
        self.atheris = _atheris()
        self.target = _instrumented(self.atheris, name, generated)
        self.generated = generated
        self.work = (work or Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))).absolute()
        self.work.mkdir(parents=True, exist_ok=True)

    def start(self, options: list[str], corpora: list[Path]) -> int:
        """Hand over to libFuzzer, with its options and the corpora: what is new goes to the first of them."""
        for corpus in corpora:
            corpus.mkdir(exist_ok=True)
        fixed = [*_OPTIONS, f"-artifact_prefix={self.work}/"]
        self.attack([str(self._launcher()), *fixed, *options, *map(str, corpora)])
        return 0

    def attack(self, command: list[str]) -> None:
        """Run libFuzzer by its command line."""
        self.atheris.Setup(command, self._run)
        self.atheris.Fuzz()

    def _run(self, data: bytes) -> None:
        """What libFuzzer calls: the target, which says how to run it again before it raises."""
        try:
            self.target.run(data)
        except Exception:
            file = self.work / f"crash-{hashlib.sha1(data).hexdigest()}"  # as libFuzzer is about to call it
            print(f"\nReplay it: python -m tests.fuzz {self.target.name} {file}", file=sys.stderr, flush=True)
            raise

    def _launcher(self) -> Path:
        """A program that is this campaign over again: libFuzzer starts itself more than once for some tasks."""
        launcher = self.work / "launcher"
        arguments = [self.target.name, str(self.work), str(self.generated)]
        command = shlex.join([sys.executable, "-m", "tests.fuzz.campaign", *arguments])
        launcher.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(_ROOT))} exec {command} "$0" "$@"\n')
        launcher.chmod(0o755)
        return launcher


def _atheris() -> Any:
    try:
        return importlib.import_module("atheris")
    except ImportError:
        raise CampaignError("a campaign needs atheris: pip install -e '.[fuzz]'") from None


def _instrumented(atheris: Any, name: str, generated: bool) -> Target:
    """The target, with `tl` and `mtproto`, and the classes that are `generated`, reporting where they go."""
    chatter = contextlib.redirect_stderr(io.StringIO())  # a line for each module
    with chatter, atheris.instrument_imports(include=["tl", "mtproto"]):
        target = load_target(name)
        for method in _generated_methods() if generated else ():
            atheris.instrument_func(method)
    return target


def _generated_methods() -> Iterable[Callable[..., object]]:
    """The straight-line codecs of the schemas that questions are about."""
    questions = sys.modules.get("tests.fuzz.questions")
    for package in questions.PACKAGES.values() if questions else ():
        for cls in package.SCHEMA.by_name.values():
            yield from (getattr(cls, name) for name in ("_encode", "_read") if name in vars(cls))


if __name__ == "__main__":
    _, target_name, directory, with_generated, *command_line = sys.argv
    _Campaign(target_name, Path(directory), generated=with_generated == "True").attack(command_line)
