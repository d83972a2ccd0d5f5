"""`python -m tests.fuzz.packing SOURCES OUT`: the targets as OSS-Fuzz and ClusterFuzzLite want them.

For each target ``fuzz_<target>.py`` in SOURCES, of which their build makes a program in OUT, and in OUT what
they look for beside it: ``_seed_corpus.zip``, ``.dict``, ``.options``.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

from tests.fuzz.targets import TARGETS, Target, load_target

__all__ = ["main", "pack"]

_PROGRAM = """\
# {invariant}
import sys

import atheris

with atheris.instrument_imports(include=["tl", "mtproto"]):
    from tests.fuzz.{name} import target

atheris.Setup(sys.argv, target)
atheris.Fuzz()
"""
_OPTIONS = """\
[libfuzzer]
dict = fuzz_{name}.dict
max_len = {max_length}
timeout = 20
"""
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""When all files in an archive are from: the same corpus gives the same bytes."""


def pack(target: Target, sources: Path, out: Path) -> None:
    """Write the program of a target, and what belongs to it."""
    assert target.dictionary is not None
    assert target.corpus is not None
    stem = f"fuzz_{target.name}"
    values = {"name": target.name, "invariant": target.invariant, "max_length": target.max_length}
    (sources / f"{stem}.py").write_text(_PROGRAM.format_map(values), "utf-8")
    (out / f"{stem}.options").write_text(_OPTIONS.format_map(values), "utf-8")
    (out / f"{stem}.dict").write_text(target.dictionary(), "ascii")
    with zipfile.ZipFile(out / f"{stem}_seed_corpus.zip", "w") as archive:
        for file in sorted(target.corpus.iterdir()):
            entry = zipfile.ZipInfo(file.name, _LONG_AGO)
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)


def main(arguments: list[str]) -> int:
    """Pack all targets; return the exit status."""
    if len(arguments) != 2:
        print("usage: python -m tests.fuzz.packing SOURCES OUT", file=sys.stderr)
        return 2
    sources, out = map(Path, arguments)
    for directory in (sources, out):
        directory.mkdir(parents=True, exist_ok=True)
    for name in TARGETS:
        pack(load_target(name), sources, out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
