"""The plugin in a stranger's project, with the wheel installed: what a failure's report says, and wrong use."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

from mtproto.testing.transcript import Said, Transcript

ROOT = Path(__file__).parents[3]

SETTINGS = """\
[tool.pytest.ini_options]
addopts = ["-p", "no:cacheprovider", "--strict-markers"]
filterwarnings = ["error"]
"""

TESTS = """\
import asyncio
from hashlib import sha256

import pytest

from mtproto import api
from mtproto.testing import Network, ThreadedServer, faults


def broken(request):
    raise KeyError("in the handler")


@pytest.mark.mtproto(transports="all")
def test_passes(mtproto_pair):
    call = mtproto_pair.invoke(api.help.GetConfig())
    mtproto_pair.run()
    assert call.result().this_dc == 2


@pytest.mark.mtproto(transports=["full", "obfuscated abridged"], network=Network(latency=0.05, jitter=0.1))
def test_fails(mtproto_pair):
    mtproto_pair.invoke(api.help.GetConfig())
    mtproto_pair.run()
    pytest.fail("digest " + sha256(repr(mtproto_pair.wire).encode()).hexdigest())


@pytest.mark.mtproto(faults=[faults.DropAnswer()], errors=[])
def test_is_checked(mtproto_pair):
    mtproto_pair.invoke(api.help.GetConfig())
    mtproto_pair.strangers.append(None)


def test_client_passes(mtproto_client):
    assert mtproto_client.invoke(api.help.GetConfig()).this_dc == 2


async def ask(server):
    async with server.connect() as client:
        return await client.invoke(api.help.GetConfig())


@pytest.mark.mtproto(transports=["padded"])
def test_client_fails(mtproto_server):
    assert asyncio.run(ask(mtproto_server)).this_dc == 3


@pytest.mark.mtproto(handlers={api.help.GetConfig: broken})
def test_handler_is_broken(mtproto_server):
    with pytest.raises(Exception, match="HANDLER_FAILED"):
        asyncio.run(ask(mtproto_server))


@pytest.mark.mtproto(handlers={api.help.GetConfig: broken})
def test_handler_is_broken_and_that_is_right(mtproto_server):
    with pytest.raises(Exception, match="HANDLER_FAILED"):
        asyncio.run(ask(mtproto_server))
    mtproto_server.errors.clear()


async def late(request):
    await asyncio.sleep(0.3)
    raise KeyError("too late")


@pytest.mark.mtproto(handlers={api.help.GetConfig: late})
def test_handler_breaks_late(mtproto_client):
    mtproto_client.run(lambda client: client.send(api.help.GetConfig()))
    mtproto_client.ping()


@pytest.mark.mtproto(handlers={api.help.GetConfig: broken}, check=False)
def test_handler_may_be_broken(mtproto_server):
    with pytest.raises(Exception, match="HANDLER_FAILED"):
        asyncio.run(ask(mtproto_server))


@pytest.mark.mtproto(faults=[faults.FlipBit(field="seq")], transports=["full", "padded"])
def test_fault_and_transport(mtproto_pair):
    pass


@pytest.mark.mtproto(faults=[faults.Cut()])
def test_fault_and_server(mtproto_server):
    pass


class TestMyServer:
    @pytest.fixture
    def mtproto_server(self):
        with ThreadedServer() as server:
            yield server

    def test_it(self, mtproto_client):
        assert mtproto_client.invoke(api.help.GetConfig()).this_dc == 3


@pytest.mark.mtproto(network=Network(loss=1.0), errors=[])
def test_never_ends(mtproto_pair):
    mtproto_pair.invoke(api.help.GetConfig())


@pytest.mark.xfail(strict=True)
def test_expected(mtproto_pair):
    mtproto_pair.strangers.append(None)
"""

WRONG = {
    '(transports=["tcp"])': "got 'tcp' among transports, expected one of: abridged, intermediate, padded, full",
    '(transports="padded")': "got 'padded' for transports, expected \"all\" or a list of names",
    "(transports=[])": "got no transports: the test would never run",
    '(transports=["full"], obfuscated=True)': "got 'obfuscated full' among transports",
    '(obfuscated="yes")': "got 'yes' for obfuscated, expected True or False",
    '(seed="1")': "got '1' for seed, expected a whole number",
    "(seed=True)": "got True for seed, expected a whole number",
    "(faults=None)": "got None for faults, expected a list of objects of mtproto.testing.faults",
    "(errors=[1])": "got [1] for errors, expected a list of classes of exceptions",
    "(lag=1)": "got lag=…, expected one of: transports, obfuscated",
    '("all")': "got 'all' without a keyword, expected keywords only",
    "(api_id=1)": "api_id=… is for mtproto_client, which the test does not use",
}
NOBODY = ("(strict=True)", "", "strict=… is for mtproto_pair and mtproto_server, which the test does not use")


CONFTEST = """\
import sys
imported = [name for name in sys.modules if name.split(".")[0] == "mtproto"]
plugin = "mtproto.testing.plugin"
assert imported == ["mtproto", "mtproto.testing", f"{plugin}.marks", f"{plugin}.watching", plugin], imported
"""
"""Before a test asks for a fixture the plugin is imported, and nothing else."""


@dataclass(frozen=True)
class Stranger:
    """A virtual environment in which mtwire is installed as a wheel, beside what it needs; and a project."""

    python: Path
    project: Path

    def pytest(self, *arguments: str, inside: str = "") -> str:
        """What pytest prints in the project, or in a folder of it."""
        done = subprocess.run(
            [self.python, "-m", "pytest", "--color=no", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.project / inside,
            env={"PYTHONIOENCODING": "utf-8", "COLUMNS": "100"},
            timeout=120,
            check=False,
        )
        return done.stdout

    def write(self, **files: str) -> None:
        """Write modules of these names."""
        for name, text in files.items():
            (self.project / f"{name}.py").write_text(text, "utf-8")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    place = tmp_path_factory.mktemp("stranger")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    run(*pip, "wheel", "-q", "--no-deps", "-w", str(place), str(ROOT))
    (wheel,) = place.glob("*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", str(place / "venv"))
    python = place / "venv" / "bin" / "python"
    run(*pip, "--python", str(python), "install", "-q", "--no-deps", "--no-index", "--no-compile", str(wheel))
    # What mtwire needs is where it is installed already; the .pth that leads to our source is not read from here.
    packages = Path(subprocess.check_output([python, "-c", SITE], text=True).strip())
    (packages / "beside.pth").write_text(sysconfig.get_path("purelib") + "\n")
    project = place / "project"
    (project / "inner").mkdir(parents=True)
    (project / "pyproject.toml").write_text(SETTINGS)
    found = Stranger(python, project)
    found.write(conftest=CONFTEST, test_mine=TESTS)
    return found


SITE = "import sysconfig; print(sysconfig.get_path('purelib'))"


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def printed(stranger: Stranger) -> str:
    return stranger.pytest("-rA", "--mtproto-seed=4711", "--mtproto-transcript=out", "test_mine.py")


def outcomes(printed: str) -> dict[str, str]:
    """The tests of the summary, and what became of them."""
    return {
        name: outcome
        for outcome, name in re.findall(
            r"^(PASSED|FAILED|ERROR|XFAIL) test_mine\.py::(\S+)", printed, re.MULTILINE
        )
    }


def report(printed: str, test: str) -> str:
    """The report of one test, from its headline to the next."""
    found = re.search(
        rf"^_+ (?:ERROR at (?:setup|teardown) of )?{re.escape(test)} _+$\n(.*?)(?=^_{{2,}} |^=+)",
        printed,
        re.MULTILINE | re.DOTALL,
    )
    assert found is not None, printed
    return found[1]


def test_the_wheel_is_what_is_tried(stranger: Stranger) -> None:
    code = "import mtproto, tl; print(mtproto.__file__, tl.__file__)"
    where = subprocess.check_output([stranger.python, "-c", code], text=True, cwd=stranger.project)
    assert where.count(str(stranger.python.parents[1])) == 2


def test_what_becomes_of_each_test(printed: str) -> None:
    framings = ("abridged", "intermediate", "padded", "full")
    wires = [*framings, *(f"obfuscated-{name}" for name in framings[:3])]
    assert outcomes(printed) == {
        **{f"test_passes[{wire}]": "PASSED" for wire in wires},
        "test_fails[full]": "FAILED",
        "test_fails[obfuscated-abridged]": "FAILED",
        "test_is_checked": "FAILED",
        "test_client_passes": "PASSED",
        "test_client_fails[padded]": "FAILED",
        "test_handler_is_broken": "FAILED",
        "test_handler_is_broken_and_that_is_right": "PASSED",
        "test_handler_breaks_late": "ERROR",
        "test_handler_may_be_broken": "PASSED",
        "test_fault_and_transport[full]": "PASSED",
        "test_fault_and_transport[padded]": "ERROR",
        "test_fault_and_server": "ERROR",
        "TestMyServer::test_it": "FAILED",
        "test_never_ends": "FAILED",
        "test_expected": "XFAIL",
    }


def test_a_failure_shows_what_was_said(printed: str) -> None:
    text = report(printed, "test_fails[full]")
    section = text.partition("mtproto transcript")[2]
    for said in (
        "help.getConfig  seq 1",
        "new_session_created",
        "rpc_result",
        "config  date=1700000000",
        "msgs_ack",
    ):
        assert said in section
    assert "3 frames" in section


def test_the_line_that_replays_a_failure_does(printed: str, stranger: Stranger) -> None:
    test = "test_fails[obfuscated-abridged]"
    text = report(printed, test)
    line = next(line for line in text.splitlines() if line.startswith("pytest "))
    assert line == f"pytest {shlex.quote(f'test_mine.py::{test}')} --mtproto-seed=4711"
    again = report(stranger.pytest(*shlex.split(line)[1:]), test)
    assert digest(again) == digest(text)
    assert drawing(again) == drawing(text)


def test_without_a_seed_it_is_another_one_and_the_line_is_for_where_pytest_was_started(
    printed: str, stranger: Stranger
) -> None:
    other = report(stranger.pytest("../test_mine.py", "-k", "test_fails", inside="inner"), "test_fails[full]")
    assert digest(other) != digest(report(printed, "test_fails[full]"))
    line = re.search(
        r"^pytest '\.\./test_mine\.py::test_fails\[full\]' --mtproto-seed=(\d+)$", other, re.MULTILINE
    )
    assert line is not None
    assert int(line[1]) != 4711


def digest(text: str) -> str:
    found = re.search("digest [0-9a-f]{64}", text)
    assert found is not None
    return found[0]


def drawing(text: str) -> list[str]:
    return [line for line in text.splitlines() if "│" in line]


def test_a_server_shows_what_was_said_too(printed: str) -> None:
    section = report(printed, "test_client_fails[padded]").partition("mtproto transcript")[2]
    for said in (
        "padded  dd dd dd dd",
        "req_pq_multi",
        "client_DH_inner_data",
        "dh_gen_ok",
        "help.getConfig",
    ):
        assert said in section


def test_a_server_of_another_is_recorded_at_the_client(printed: str) -> None:
    section = report(printed, "TestMyServer.test_it").partition("mtproto transcript")[2]
    for said in ("req_pq_multi", "dh_gen_ok", "help.getConfig  seq 1", "config  date="):
        assert said in section


def test_a_pair_is_checked_after_the_test(printed: str) -> None:
    text = report(printed, "test_is_checked")
    assert re.match(r"<Pair .+>:\n  1 requests were executed that are those of no call\n-+ mtproto", text)
    assert "msgs_state_req" in text  # the pair was run until all was quiet
    assert "is not done after 3600 s" in report(printed, "test_never_ends")


def test_a_broken_handler_is_a_failure(printed: str) -> None:
    text = report(printed, "test_handler_is_broken")
    assert text.startswith("handlers of the server raised what is no RpcError:\nTraceback")
    assert "KeyError: 'in the handler'" in text
    assert "rpc_error  400 HANDLER_FAILED" in text
    text = report(printed, "test_handler_breaks_late")
    assert "KeyError: 'too late'" in text
    assert "help.getConfig  seq 1" in text


def test_a_fault_that_does_not_fit_is_told_in_a_line(printed: str) -> None:
    for test, fault, why in (
        ("test_fault_and_transport[padded]", "FlipBit(", "seq is a field of the full framing, not of padded"),
        ("test_fault_and_server", "Cut(", "it takes a Pair"),
    ):
        text = report(printed, test).splitlines()[0]
        assert text.startswith(f"@pytest.mark.mtproto: {fault}")
        assert text.endswith(why)


def test_transcripts_are_written_to_files(printed: str, stranger: Stranger) -> None:
    stem = stranger.project / "out" / "test_mine.py-test_client_fails-padded-server"
    assert {"req_pq_multi", "help.getConfig", "rpc_result"} <= names(Path(f"{stem}.jsonl"))
    assert "<title>" in Path(f"{stem}.html").read_text("utf-8")
    assert "\nAUTH_KEY " in Path(f"{stem}.keys").read_text()
    assert str(f"{stem}.html") in report(printed, "test_client_fails[padded]")
    passed = stranger.project / "out" / "test_mine.py-test_passes-full-pair.jsonl"
    assert "help.getConfig" in names(passed)


def names(path: Path) -> set[str]:
    """What was said in a transcript."""
    return {e.record.name for e in Transcript.load(path).entries if isinstance(e.record, Said)}


def test_wrong_marks_are_told_in_a_line(stranger: Stranger) -> None:
    marks = [*((mark, "mtproto_pair", message) for mark, message in WRONG.items()), NOBODY]
    files = {
        f"test_wrong_{number}": f"import pytest\n@pytest.mark.mtproto{mark}\ndef test({fixture}): pass\n"
        for number, (mark, fixture, _) in enumerate(marks)
    }
    stranger.write(**files)
    printed = stranger.pytest(*(f"{name}.py" for name in files))
    for number, (_, _, message) in enumerate(marks):
        found = re.search(
            rf"^_+ ERROR collecting test_wrong_{number}\.py _+\n(.*)\n(.*)", printed, re.MULTILINE
        )
        assert found is not None, printed
        assert found[1].startswith(f"@pytest.mark.mtproto: {message}"), found[0]
        assert re.match("_+ ERROR|=+ short", found[2])


REFUSED = [
    ("mtproto_pair", 'network="x"', "got 'x' for network, expected a Network"),
    ("mtproto_pair", "keep_alive=3", "got 3 for keep_alive, expected a KeepAlive or None"),
    ("mtproto_pair", 'key="x"', "got a str for key, expected a PrivateKey or None"),
    ("mtproto_pair", 'skew="x"', "got 'x' for skew, expected a number of seconds"),
    ("mtproto_pair", 'start="x"', "got 'x' for start, expected a number of seconds of unix time"),
    ("mtproto_pair", "handlers=3", "got 3 for handlers, expected a mapping from class to function"),
    ("mtproto_pair", "begun=1", "got 1 for begun, expected a bool"),
    ("mtproto_server", "handlers=3", "got 3 for handlers, expected a mapping from class to function"),
    ("mtproto_server", 'key="x"', "got a str for key, expected a PrivateKey or None"),
    ("mtproto_server", "phone_code_hash=3", "got 3 for phone_code_hash, expected a str or None"),
    ("mtproto_server", 'strict="x"', "got 'x' for strict, expected a bool"),
    ("mtproto_server", 'grace="x"', "got 'x' for grace, expected a number of seconds"),
    ("mtproto_client", "keep_alive=3", "got 3 for keep_alive, expected KeepAlive or None"),
    ("mtproto_client", 'reconnect="x"', "got 'x' for reconnect, expected Backoff or None"),
]


def test_values_of_marks_that_can_not_be_are_told_in_a_line(stranger: Stranger) -> None:
    tests = [
        f"@pytest.mark.mtproto({mark})\ndef test_{number}({fixture}): pass\n"
        for number, (fixture, mark, _) in enumerate(REFUSED)
    ]
    stranger.write(test_refused="import pytest\n" + "\n".join(tests))
    printed = stranger.pytest("test_refused.py")
    for number, (_, _, message) in enumerate(REFUSED):
        first, *rest = report(printed, f"test_{number}").splitlines()
        assert first == f"@pytest.mark.mtproto: {message}"
        assert not any("Error" in line for line in rest)
    assert f" {len(REFUSED)} errors in " in printed


BY_NAME = """\
import pytest


@pytest.mark.mtproto(seed=5)
@pytest.mark.usefixtures("mtproto_pair")
def test_said_before(request):
    assert request.getfixturevalue("mtproto_pair").seed == 5
"""


def test_a_fixture_that_is_asked_for_by_its_name(stranger: Stranger) -> None:
    stranger.write(test_by_name=BY_NAME, test_unsaid=BY_NAME.replace("@pytest.mark.usefix", "# "))
    assert "1 passed" in stranger.pytest("test_by_name.py")
    printed = stranger.pytest("test_unsaid.py")
    assert 'getfixturevalue only: @pytest.mark.usefixtures("mtproto_pair") says so before' in printed


def test_a_seed_that_is_no_number(stranger: Stranger) -> None:
    printed = stranger.pytest("--mtproto-seed=soon")
    assert "error: argument --mtproto-seed: got 'soon', expected a whole number" in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize(
    ("directory", "complaint"),
    [
        ("", "got nothing, expected a directory"),
        ("test_mine.py", "can't make the directory {project}/test_mine.py: File exists"),
        ("test_mine.py/out", "can't make the directory {project}/test_mine.py/out: Not a directory"),
    ],
)
def test_a_directory_of_transcripts_that_can_not_be(
    stranger: Stranger, directory: str, complaint: str
) -> None:
    printed = stranger.pytest(f"--mtproto-transcript={directory}", "test_mine.py")
    where = complaint.format(project=stranger.project)
    assert re.search(
        rf"(?i)^.*error: argument --mtproto-transcript: {re.escape(where)}$", printed, re.MULTILINE
    )
    assert "Traceback" not in printed
    assert "test session starts" not in printed


GONE = """\
from pathlib import Path
import shutil


def test_vanishes(mtproto_pair):
    shutil.rmtree("vanishing")
    Path("vanishing").touch()


def test_after_it(): pass
"""


def test_transcripts_that_can_not_be_written_any_more(stranger: Stranger) -> None:
    stranger.write(test_gone=GONE)
    printed = stranger.pytest("--mtproto-transcript=vanishing", "test_gone.py")
    (stranger.project / "vanishing").unlink()
    text = report(printed, "test_vanishes")
    assert text.startswith("the transcript was not written: [Errno 17] File exists")
    assert "2 passed, 1 error" in printed


def test_who_does_without_it_can(stranger: Stranger) -> None:
    stranger.write(test_other="def test(): pass\n")
    assert "1 passed" in stranger.pytest("-p", "no:mtproto", "--noconftest", "test_other.py")
