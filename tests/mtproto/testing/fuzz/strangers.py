"""A stranger's module with things to find, in a folder of its own."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

__all__ = ["NAME", "needs_atheris", "write"]

NAME = "strange"
MODULE = '''
import os
import time

def planted(data):
    """What has FUZZ in it is refused."""
    if b"FUZZ" in data:
        raise ValueError("planted")

def many(data):
    if data[:1] == b"0":
        int(data[1:] + b"x")
    assert data[:1] != b"1"

def bad(data):
    if data[:1] == b"S":
        time.sleep(60)
    if data[:1] == b"D":
        os._exit(3)
    if data[:1] == b"M":
        raise MemoryError
    if data[:1] == b"P":
        print("printed")

def dies(data):
    os._exit(3)

def forgets(data, seen=[]):
    seen.append(data)
    if len(seen) == 5:
        raise ValueError("only once")

def speaks(data):
    if data[:1] == b"O":
        os.write(1, b"hello\\n")
        os.system("echo hello; cat")
        os.read(0, 1)
    if data[:1] == b"E":
        for number in range(3, 20):
            try:
                os.write(number, b"hello\\n")
            except OSError:
                pass
    if data[1:] == b"!":
        raise KeyError

def chatters(data):
    os.write(2, bytes(len(data)) or b"." * 10000)

def interrupted(data):
    raise KeyboardInterrupt

def leaves(data):
    number = os.fork()
    if not number:
        time.sleep(60)
        os._exit(0)
    with open("left", "w") as file:
        file.write(str(number))
    if data:
        os._exit(3)

def touches(data):
    open("running", "w").close()
    time.sleep(60)

def crashes(data):
    if data[:1] == b"1":
        os.kill(os.getpid(), 11)
    if data[:1] == b"2":
        os.kill(os.getpid(), 11)

def takes(data):
    block = bytearray(int(data) << 20)
    for at in range(0, len(block), 4096):
        block[at] = 1
    time.sleep(60 * (len(block) > 1 << 26))
'''
ONCE = """
import os
import pathlib

if pathlib.Path("executed").exists():
    raise SystemExit("it can be imported no more")

def once(data):
    pathlib.Path("executed").touch()
    os._exit(3)
"""
TEST = """
from hypothesis import given, settings, strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase

# Said outright: where CI is set, Hypothesis has none.
@settings(database=DirectoryBasedExampleDatabase(".hypothesis/examples"))
@given(st.integers(0, 255))
def test_numbers(n):
    if n > 9:
        assert n < 5
"""

needs_atheris = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris is not installed: campaigns need it"
)


def write(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str = MODULE) -> None:
    """Put the module into the folder, go there, and forget what was imported of its name."""
    (folder / f"{NAME}.py").write_text(text, "utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, NAME, raising=False)
