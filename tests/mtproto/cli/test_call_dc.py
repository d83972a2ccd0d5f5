"""``mtproto call --dc``: address, number and keys of one of Telegram's data centres.  Nothing connects to one."""

from __future__ import annotations

import argparse
import asyncio

import pytest

from mtproto import testing
from mtproto.__main__ import main
from mtproto.cli.arguments import parser
from mtproto.cli.call import Target, target
from mtproto.datacenters import DATACENTERS
from tests.mtproto.helpers import TEST_KEY


def parsed(*words: str) -> argparse.Namespace:
    return parser().parse_args(["call", "help.getConfig", *words])


@pytest.mark.parametrize("name", DATACENTERS)
def test_names(name: str) -> None:
    assert parsed("--dc", name).dc == name


def test_no_data_centre_unless_it_is_asked_for() -> None:
    assert parsed().dc is None


@pytest.mark.parametrize("words", [["--dc", "prod9"], ["--dc", "2"], ["--dc", "prod2", "--key", "k.pem"]])
def test_wrong_arguments(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["call", "help.getConfig", *words])
    assert caught.value.code == 2
    assert "--dc" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["prod4", "test2"])
def test_where_the_request_goes(name: str) -> None:
    datacenter = DATACENTERS[name]
    assert target(parsed("--dc", name)) == Target(datacenter.ipv4, 443, datacenter.keys, datacenter.dc)
    by_proxy = target(parsed("--dc", name, "--server", "127.0.0.1:99"))
    assert by_proxy == Target("127.0.0.1", 99, datacenter.keys, datacenter.dc)


def test_without_a_data_centre_nothing_of_telegrams_is_used() -> None:
    assert target(parsed()) is None


def test_the_keys_are_those_of_the_data_centre(capsys: pytest.CaptureFixture[str]) -> None:
    """A server that stands in for it has another key, and is not believed."""

    async def attempt() -> int:
        async with testing.serve(key=TEST_KEY) as server:
            address = f"{server.host}:{server.port}"
            words = ["call", "help.getConfig", "--dc", "test2", "--server", address]
            return await asyncio.to_thread(main, words)

    assert asyncio.run(attempt()) == 2
    err = capsys.readouterr().err
    assert "none of our RSA keys" in err
    assert "b25898df208d2603" in err
