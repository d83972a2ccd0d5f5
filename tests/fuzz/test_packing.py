"""What a build for OSS-Fuzz or ClusterFuzzLite needs, made by their script with stand-ins for their tools."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.fuzz.packing import main
from tests.fuzz.targets import TARGETS, load_target

ROOT = Path(__file__).parents[2]
NAMES = sorted(f"fuzz_{name}" for name in TARGETS)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the script leaves in $OUT; its compiler only copies a program, and writes down what it was told."""
    place = tmp_path_factory.mktemp("build")
    tools, out = place / "tools", place / "out"
    tools.mkdir()
    scripts = {
        "pip3": "exit 0",
        "python3": f'exec {sys.executable} "$@"',
        "compile_python_fuzzer": 'cp "$1" "$OUT/"; shift; for word; do echo "$word"; done > "$OUT/told"',
    }
    for name, script in scripts.items():
        (tools / name).write_text(f"#!/bin/sh\n{script}\n")
        (tools / name).chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "OUT": str(out),
        "MTWIRE": str(ROOT),
    }
    build = ROOT / ".clusterfuzzlite" / "build.sh"
    done = subprocess.run([build], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


def test_each_target_is_a_program_with_what_belongs_to_it(out: Path) -> None:
    assert sorted(path.stem for path in out.glob("*.py")) == NAMES
    for ending in (".options", ".dict", "_seed_corpus.zip"):
        assert sorted(path.name.removesuffix(ending) for path in out.glob(f"*{ending}")) == NAMES


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_the_corpus(out: Path, name: str) -> None:
    corpus = load_target(name).corpus
    assert corpus is not None
    with zipfile.ZipFile(out / f"fuzz_{name}_seed_corpus.zip") as archive:
        seeds = {info.filename: archive.read(info) for info in archive.infolist()}
    assert seeds == {path.name: path.read_bytes() for path in corpus.iterdir()}


@pytest.mark.parametrize("name", TARGETS)
def test_options_name_a_dictionary_that_is_there_and_the_length_of_the_target(out: Path, name: str) -> None:
    lines = (out / f"fuzz_{name}.options").read_text().splitlines()
    assert lines[0] == "[libfuzzer]"
    options = dict(line.split(" = ") for line in lines[1:])
    assert options["max_len"] == str(load_target(name).max_length)
    words = (out / options["dict"]).read_text("ascii").splitlines()
    assert words
    assert all(re.fullmatch(r'"(\\x[0-9a-f]{2}){1,64}"', word) for word in words)


def test_the_same_checkout_gives_the_same_bytes(out: Path, tmp_path: Path) -> None:
    assert main([str(tmp_path), str(tmp_path)]) == 0
    packed = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert packed == {path.name: path.read_bytes() for path in out.iterdir() if path.name != "told"}


def test_files_that_the_script_brings_along_exist(out: Path) -> None:
    told = (out / "told").read_text().splitlines()
    files = [word.rpartition(":") for word in told if ":" in word]
    assert [place for _, _, place in files] == [
        "schema",
        "tests/fuzz",
        "tests/mtproto/crypto",
        "tests/vectors",
    ]
    for source, _, place in files:
        assert Path(source) in (ROOT / place, *(ROOT / place).iterdir())


def test_a_program_runs_under_atheris(out: Path) -> None:
    pytest.importorskip("atheris", reason="the extra fuzz is not installed")
    program = out / "fuzz_framings.py"
    done = subprocess.run(
        [sys.executable, program, "-runs=50"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Done 50 runs" in done.stderr


def test_without_two_folders_it_says_what_it_wants(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["one"]) == 2
    assert capsys.readouterr().err == "usage: python -m tests.fuzz.packing SOURCES OUT\n"
