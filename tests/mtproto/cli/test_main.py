"""What all commands have in common: arguments, help, the end."""

from __future__ import annotations

import re

import pytest

from mtproto.__main__ import main
from tests.mtproto.cli.processes import TIMEOUT, run, start


@pytest.mark.parametrize("command", [[], ["demo"], ["serve"], ["call"], ["examine"]])
def test_help_tells_the_exit_status(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    failed = "a conversation has failed" if command == ["examine"] else "the server answered"
    for line in ("  0    done", f"  1    {failed}", "  2    ", "  130  interrupted"):
        assert line in out


def test_no_command() -> None:
    status, out, err = run()
    assert (status, out) == (2, "")
    assert "usage: mtproto" in err


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert re.fullmatch(r"mtwire \d+\.\d+\.\d+\n", capsys.readouterr().out)


@pytest.mark.parametrize("arguments", [["call", "help.getConfig"], ["demo", "--json"], ["serve"]])
def test_a_reader_that_has_gone_is_no_traceback(arguments: list[str]) -> None:
    check_broken_pipe(arguments)


def test_a_reader_that_has_gone_while_it_draws() -> None:
    pytest.importorskip("rich", reason="rich is not installed: nothing can be drawn")
    check_broken_pipe(["demo"])


def check_broken_pipe(arguments: list[str]) -> None:
    with start(*arguments) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(TIMEOUT) == 130
