"""`python -m tests.fuzz`: a campaign against a target, or a replay of files; see `tests.fuzz`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.fuzz.campaign import CampaignError, merge, run
from tests.fuzz.targets import TARGETS, load_target, replay

_ABOUT = """\
With files: replay them, without atheris; exit 1 if the invariant does not hold for one of them.
Without: a campaign, which needs atheris (the extra `fuzz`). Arguments that begin with a dash and are not known
here are libFuzzer's, such as -seed=1 or -max_len=512."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz",
        usage="%(prog)s TARGET [--minutes N] [--work DIR] [--merge] [libFuzzer's arguments] | TARGET FILE...",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("target", metavar="TARGET", help=f"one of {', '.join(TARGETS)}")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="what to replay")
    parser.add_argument("--minutes", type=float, default=10, help="how long a campaign takes (default: 10)")
    parser.add_argument(
        "--work", type=Path, help="where new inputs and failures go (default: a new temporary directory)"
    )
    parser.add_argument(
        "--merge",
        action="store_true",
        help="instead of a campaign: put the corpus, and the fewest inputs of an earlier campaign that reach "
        "more, into `merged` in the work directory",
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = _parser()
    given, others = parser.parse_known_args(arguments)
    unknown = [argument for argument in others if argument.startswith("--") or not argument.startswith("-")]
    if unknown:
        parser.error(f"unknown argument {unknown[0]}")
    if given.target not in TARGETS:
        parser.error(f"unknown target {given.target!r}, expected one of {', '.join(TARGETS)}")
    if given.files:
        return replay(load_target(given.target), given.files)
    try:
        if given.merge:
            return merge(given.target, given.work, others)
        return run(given.target, given.minutes, given.work, others)
    except (CampaignError, OSError) as error:
        print(f"python -m tests.fuzz: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
