"""A plugin for pytest: fixtures `mtproto_pair`, `mtproto_server` and `mtproto_client`, transcripts of failures.

    @pytest.mark.mtproto(transports="all", faults=[faults.DropAnswer()])
    def test_of_mine(mtproto_pair): ...

docs/testing.md has the rest.  pytest imports this package wherever mtwire is installed, for those who have no use
for it as well: so it imports nothing of mtwire before a test asks for one of the fixtures.
"""

from __future__ import annotations

import argparse
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Any

import pytest

from mtproto.testing.plugin.marks import CLIENT, MARK, PAIR, SERVER, Settings, Wire, is_concerned, settings_of
from mtproto.testing.plugin.watching import WATCHED, watched

if TYPE_CHECKING:
    from mtproto.connection import ServerConnection
    from mtproto.crypto.rsa import PrivateKey
    from mtproto.testing import BlockingClient, Handlers, Pair, ThreadedServer

__all__ = [
    "mtproto_client",
    "mtproto_handlers",
    "mtproto_pair",
    "mtproto_seed",
    "mtproto_server",
    "mtproto_transport",
    "pytest_addoption",
    "pytest_configure",
    "pytest_configure_node",
    "pytest_generate_tests",
    "pytest_runtest_call",
    "pytest_runtest_makereport",
]

# What pytest asks for


def _seed(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"got {text!r:.60}, expected a whole number") from None


def _directory(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("got nothing, expected a directory")
    return text


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options --mtproto-seed and --mtproto-transcript."""
    group = parser.getgroup("mtproto", "clients and servers of MTProto (mtwire)")
    group.addoption(
        "--mtproto-seed",
        type=_seed,
        metavar="N",
        help="the seed of all that is random in mtproto's fixtures; a test that fails says which one it had",
    )
    group.addoption(
        "--mtproto-transcript",
        type=_directory,
        metavar="DIR",
        help="write what was said in tests with mtproto's fixtures to DIR: *.jsonl, *.keys, *.html",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The marker, and the seed of this run: one that nobody has given is a new one, for all workers the same."""
    config.addinivalue_line(
        "markers",
        "mtproto(transports=..., obfuscated=..., faults=[...], network=..., handlers=..., strict=..., seed=..., "
        "check=...): what mtproto_pair, mtproto_server and mtproto_client are like (mtwire: docs/testing.md)",
    )
    if config.option.mtproto_transcript is not None:
        _make(config.invocation_params.dir / config.option.mtproto_transcript)
    if config.option.mtproto_seed is None:
        given: dict[str, int] = getattr(config, "workerinput", {})
        config.option.mtproto_seed = given.get("mtproto_seed", SystemRandom().randrange(2**32))


def _make(directory: Path) -> None:
    """Now, and not when the first test is over, it has to be said that this can't be."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise pytest.UsageError(
            f"argument --mtproto-transcript: can't make the directory {directory}: {error.strerror}"
        ) from None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """A worker of pytest-xdist hears of the seed."""
    node.workerinput["mtproto_seed"] = node.config.option.mtproto_seed


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test over several transports is several tests; a mark that is wrong is an error here."""
    if is_concerned(metafunc.definition):
        wires = settings_of(metafunc.definition, metafunc.fixturenames).wires()
        if wires is not None:
            metafunc.parametrize("mtproto_transport", wires, indirect=True, ids=str)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """A test that has passed fails where its fixtures are not as they have to be."""
    result = yield
    if WATCHED in item.stash:
        item.stash[WATCHED].check()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What was said is in the report of what has failed, and in files if these were asked for."""
    report = yield
    if WATCHED in item.stash:
        watch = item.stash[WATCHED]
        if report.failed:
            report.sections += watch.sections()
        if report.when == "teardown":
            del item.stash[WATCHED]
            try:
                watch.end()
            except OSError as error:
                report.outcome = "failed"
                report.longrepr = f"the transcript was not written: {error}"
    return report


# The fixtures


@pytest.fixture
def mtproto_transport(request: pytest.FixtureRequest) -> Wire:
    """What this test speaks: `transport` (None: what one likes) and whether `obfuscated`, by the mark."""
    wire: Wire = getattr(request, "param", None) or settings_of(request.node).wire
    return wire


@pytest.fixture
def mtproto_seed(request: pytest.FixtureRequest) -> int:
    """The seed: that of the mark, or of --mtproto-seed, or of this run."""
    seed: int = settings_of(request.node).values.get("seed", request.config.option.mtproto_seed)
    return seed


@pytest.fixture
def mtproto_handlers() -> Handlers | None:
    """The handlers of servers, where the mark has none; to be overridden.  None: the default ones."""
    return None


@pytest.fixture
def mtproto_pair(
    request: pytest.FixtureRequest,
    mtproto_transport: Wire,
    mtproto_seed: int,
    mtproto_handlers: Handlers | None,
) -> Pair:
    """A `testing.Pair` as the mark says; after the test it runs until all is quiet, and is checked."""
    from mtproto.testing import Network, Pair
    from mtproto.testing.arguments import check_kind

    settings = settings_of(request.node)
    options = {"handlers": mtproto_handlers, **settings.of(PAIR)}
    faults = options.pop("faults", ())
    watch = watched(request.node, mtproto_seed)
    with _refused():
        check_kind("begun", is_begun := options.pop("begun", False), bool)
        network = options.pop("network", Network())
        first = Network() if is_begun else network
        pair = Pair(network=first, **options, **mtproto_transport._asdict(), seed=mtproto_seed)
        watch.pair(pair, **_recorded(settings, mtproto_handlers))
        if is_begun:  # only now: that is in the transcript, too
            pair.begin()
            pair.change_network(network)
        for fault in faults:
            pair.install(fault)
    watch.checks.append(lambda: _check_pair(pair, settings))
    return pair


@pytest.fixture
def mtproto_server(
    request: pytest.FixtureRequest,
    mtproto_transport: Wire,
    mtproto_seed: int,
    mtproto_handlers: Handlers | None,
) -> Iterator[ThreadedServer]:
    """A loopback server in a thread of its own, as the mark says: `host`, `port`, `public_key`, for any client."""
    from mtproto.testing import ThreadedServer

    settings = settings_of(request.node)
    watch = watched(request.node, mtproto_seed)

    def record(connection: ServerConnection) -> None:
        recording.recorder.server(connection)

    options = {
        "handlers": mtproto_handlers,
        "key": _server_key(),
        "rng": Random(f"{mtproto_seed}/server").randbytes,
        "on_connection": record,
    }
    with _refused():
        server = ThreadedServer(**{**options, **settings.of(SERVER)}, **mtproto_transport._asdict())
    recording = watch.recording("server", **_recorded(settings, mtproto_handlers))
    watch.servers.append(server)
    with server:
        yield server
    watch.check_servers()  # a handler may have ended just now


@pytest.fixture
def mtproto_client(
    request: pytest.FixtureRequest, mtproto_server: Any, mtproto_transport: Wire, mtproto_seed: int
) -> Iterator[BlockingClient]:
    """A client of `mtproto_server`, ours or another, that connects when it is first used, and is then closed."""
    from mtproto.testing import BlockingClient

    settings = settings_of(request.node)
    watch = watched(request.node, mtproto_seed)
    for name in ("host", "port", "public_key"):
        if not hasattr(mtproto_server, name):
            pytest.fail(f"got {mtproto_server!r:.60} from mtproto_server, expected a {name}", pytrace=False)
    options: dict[str, Any] = {
        "keys": [mtproto_server.public_key],
        "rng": Random(f"{mtproto_seed}/client").randbytes,
    }
    if not watch.servers:  # it is another's, and nobody has recorded it so far
        options["on_connection"] = watch.recording("client", **_recorded(settings, None)).recorder.client
    with _refused():
        client = BlockingClient(
            mtproto_server.host,
            mtproto_server.port,
            **{**options, **settings.of(CLIENT)},
            **mtproto_transport._asdict(),
        )
    yield client
    client.close()


@cache
def _server_key() -> PrivateKey:
    """One key for all servers of this process: they are of no use to anyone, and take time to make."""
    from mtproto.crypto.rsa import PrivateKey

    return PrivateKey.generate()


def _recorded(settings: Settings, handlers: Handlers | None) -> dict[str, Any]:
    """What it takes to read along: the proxy's secret, and the schemas of the handlers."""
    return {
        "mtproxy_secret": settings.values.get("mtproxy_secret"),
        "handlers": settings.values.get("handlers", handlers),
    }


def _check_pair(pair: Pair, settings: Settings) -> None:
    pair.run()
    pair.check(errors=settings.errors)


@contextmanager
def _refused() -> Iterator[None]:
    """What a mark asks for and can't be is said in a line, without a traceback through our modules."""
    from mtproto.errors import MTProtoError

    try:
        yield
    except (MTProtoError, ValueError) as error:
        raise pytest.fail.Exception(f"@pytest.mark.{MARK}: {error}", pytrace=False) from None
