"""The arguments of the command, and what ``--help`` says of them.

Each subcommand stores in `run` the function that does it: ``run(arguments) -> status``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from mtproto.cli import call, demo, examine, fuzz, serve, transcript
from mtproto.cli.recording import add_recording
from mtproto.cli.transports import add_restriction, add_secret, add_way
from mtproto.datacenters import DATACENTERS
from mtproto.transport import DEFAULT, FRAMINGS
from tl import __version__

__all__ = ["parser"]

_STATUS = """exit status:
  0    done
  1    the server answered with an error (rpc_error)
  2    it could not be done: wrong arguments, no connection, a broken rule
  130  interrupted, or nobody reads the output any more
"""


def parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    top = argparse.ArgumentParser(
        prog="mtproto",
        description="MTProto 2.0 at work: a demonstration, a test server, single requests, transcripts, fuzzing.",
        epilog=_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"mtwire {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND", dest="command")
    _demo(_command(commands, "demo", demo.run, "one request from TL to encrypted bytes and back, explained"))
    _serve(_command(commands, "serve", serve.run, "run a test server until SIGINT or SIGTERM"))
    _call(_command(commands, "call", call.run, "send one request: JSON in, JSON out"))
    _transcript(_command(commands, "transcript", transcript.run, "draw a recorded conversation"))
    _examine(
        _command(
            commands,
            "examine",
            examine.run,
            "say to a client or a server what no peer of its says, and see what it does",
        )
    )
    fuzz.add_arguments(
        _command(commands, "fuzz", fuzz.run, "attack a function of bytes, and keep what breaks it")
    )
    return top


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=run)
    return command


def _demo(command: argparse.ArgumentParser) -> None:
    add_way(command)
    command.add_argument(
        "--phone", metavar="P", default=demo.PHONE, help="the phone number to send (default: %(default)s)"
    )
    add_recording(command)
    output = command.add_mutually_exclusive_group()
    output.add_argument("--quiet", action="store_true", help="print the answer, nothing else")
    output.add_argument(
        "--json", action="store_true", help='print one line: {"request_hex", "answer_hex", "answer"}'
    )


def _transcript(command: argparse.ArgumentParser) -> None:
    command.epilog = """\
exit status:
  0    done, and nothing in it is wrong
  1    something in it is wrong: a message that can't be read, a refused rule
  2    it could not be done: no such file, no transcript
  130  interrupted, or nobody reads the output any more
"""
    command.add_argument(
        "file", metavar="FILE", help="a transcript, as --transcript writes one; - reads stdin"
    )
    command.add_argument(
        "--keys", metavar="FILE", help="decrypt what the recorder had no keys for, with this key log"
    )
    command.add_argument(
        "--schema",
        type=Path,
        metavar="FILE",
        help="read bodies by this .tl file first, then by the API's own",
    )
    add_secret(command, "the secret of the MTProxy, if the recorder did not have it")
    output = command.add_mutually_exclusive_group()
    output.add_argument("--bytes", action="store_true", help="show the bytes of each message, annotated")
    output.add_argument(
        "--html", type=Path, metavar="OUT", help="write one page to OUT, that needs nothing else"
    )
    output.add_argument("--svg", type=Path, metavar="OUT", help="write a picture to OUT")
    output.add_argument("--json", action="store_true", help="print the lines of the transcript")
    command.add_argument(
        "--html-bytes",
        type=_size,
        metavar="N",
        help="show so many bytes of messages in the page (default: 131072), names and values of all",
    )
    command.set_defaults(fail=command.error)


def _serve(command: argparse.ArgumentParser) -> None:
    command.description = f"""\
{command.description}
When it is ready, it prints one line of JSON: host, port, fingerprint (hex), and
public_key, the RSA key as PEM (PKCS#1), or the path it was written to.
Every transport is taken, unless --transport or --obfuscated say otherwise: its
first bytes tell which one it is.
Requests are logged to stderr, and connections that were refused."""
    command.add_argument("--host", default="127.0.0.1", help="the address to bind (default: %(default)s)")
    command.add_argument("--port", type=_port, default=0, help="the port to bind (default: any free one)")
    command.add_argument("--public-key-out", metavar="FILE", help="write the public key to FILE")
    add_restriction(command)
    add_secret(command, "be behind an MTProxy with this secret: take nobody who does not know it")
    command.add_argument(
        "--strict", action="store_true", help="take nothing from clients that the documents don't allow"
    )
    command.add_argument(
        "--dc", type=int, metavar="N", help="refuse key exchanges for another data centre (default: none)"
    )
    command.add_argument(
        "--dh-gen-retries",
        type=int,
        default=0,
        metavar="N",
        help="answer dh_gen_retry so many times in each key exchange (default: %(default)s)",
    )
    command.add_argument("--dh-gen-fail", action="store_true", help="let every key exchange fail")
    command.add_argument(
        "--phone-code-hash", metavar="H", help="what auth.sentCode is to say (default: random)"
    )
    add_recording(command)


def _call(command: argparse.ArgumentParser) -> None:
    command.epilog = f"""\
in JSON, an object names its constructor under "_", which may be left out where
there is only one; bytes are {{"hex": "00ff"}}:
  mtproto call account.sendVerifyPhoneCode \\
    '{{"phone_number": "+12025550123", "settings": {{}}}}'

{_STATUS}"""
    command.add_argument("method", metavar="METHOD", help="a function of the API, as in help.getConfig")
    command.add_argument("json", metavar="JSON", nargs="?", default="{}", help="its fields; - reads stdin")
    command.add_argument(
        "--server", type=_address, metavar="HOST:PORT", help="the server (default: an embedded one)"
    )
    command.add_argument(
        "--key", metavar="PEM_FILE", help="the server's RSA public key; needed with --server"
    )
    command.add_argument(
        "--dc",
        choices=DATACENTERS,
        metavar="NAME",
        help="one of Telegram's data centres, prod1 to prod5 or test1 to test3: its address (unless --server "
        "says that of a proxy), number and keys",
    )
    add_way(command)
    command.add_argument(
        "--api-id",
        type=int,
        metavar="N",
        help="wrap in invokeWithLayer(initConnection(...)) with this api_id",
    )
    command.add_argument(
        "--auth-key-file",
        metavar="FILE",
        help="use the auth key in FILE; where there is no such file, agree on one and write it (mode 0600)",
    )
    add_recording(command)


def _examine(command: argparse.ArgumentParser) -> None:
    command.description = f"""\
{command.description}
Each conversation tests a rule, in a connection of its own; what is right to do
is known.  The first and the last one are sane."""
    status = _STATUS.replace("the server answered with an error (rpc_error)", "a conversation has failed")
    command.epilog = status
    examined = command.add_subparsers(required=True, metavar="EXAMINED", dest="examined")
    for name, add, what in (
        (
            "client",
            _examine_client,
            "a program that connects and makes a request, started for each conversation",
        ),
        ("server", _examine_server, "what listens at an address"),
    ):
        one = examined.add_parser(
            name,
            help=what,
            description=command.description,
            epilog=status,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        add(one)
        _examination(one)


def _examine_client(command: argparse.ArgumentParser) -> None:
    command.description = f"""\
{command.description}
The command stands behind --, and is started for each conversation.  In its
arguments {{host}} and {{port}} are where it has to connect, {{key}} is a file with the
RSA key that it has to trust (PEM, PKCS#1); the same is in its environment, as
MTPROTO_HOST, MTPROTO_PORT, MTPROTO_KEY.  It has to make a request, and no second
one before it has the answer.
  mtproto examine client --only C7 -- node client.js {{host}} {{port}} {{key}}"""
    command.add_argument("program", nargs="+", metavar="COMMAND", help="the client, and its arguments")
    command.add_argument(
        "--environment", action="store_true", help="the command needs no {port}: it reads its environment"
    )
    add_restriction(command)


def _examine_server(command: argparse.ArgumentParser) -> None:
    command.add_argument("server", type=_address, metavar="HOST:PORT", help="the server")
    command.add_argument("--key", metavar="PEM_FILE", required=True, help="the server's RSA public key")
    command.add_argument(
        "--transport", choices=sorted(FRAMINGS), help=f"how frames are cut (default: {DEFAULT})"
    )
    command.add_argument(
        "--obfuscated", action="store_true", help="make the stream look random; not with full"
    )


def _examination(command: argparse.ArgumentParser) -> None:
    """What both examinations take."""
    command.add_argument(
        "--only", metavar="TEXT", help="conversations of this check (such as C7), or with this in their names"
    )
    command.add_argument(
        "--jobs", type=_jobs, default=1, metavar="N", help="so many conversations at once (default: 1)"
    )
    for name, default, what in (
        ("patience", 10.0, "seconds that what is expected may take"),
        ("quiet", 1.0, "seconds of silence that are enough"),
        ("limit", 120.0, "seconds that a conversation may take in all"),
    ):
        command.add_argument(
            f"--{name}", type=_seconds, default=default, metavar="S", help=f"{what} (default: %(default)s)"
        )
    command.add_argument(
        "--seed",
        type=_seed,
        default=0,
        metavar="N",
        help="what secrets and padding are made of; obfuscated, a server takes each but once (default: 0)",
    )


def _seed(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a whole number") from None


def _jobs(text: str) -> int:
    jobs = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
    if not 0 < jobs <= 64:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a whole number from 1 to 64")
    return jobs


def _size(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a whole number of bytes")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected seconds, above 0 and at most 3600")
    return seconds


def _port(text: str, lowest: int = 0) -> int:
    port = int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else -1
    if not lowest <= port <= 65535:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a port from {lowest} to 65535")
    return port


def _address(text: str) -> tuple[str, int]:
    """``host:port``; an IPv6 address stands in brackets."""
    host, colon, port = text.rpartition(":")
    if host[:1] == "[" and host[-1:] == "]":
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not (host and colon):
        raise argparse.ArgumentTypeError(f"got {text!r}, expected HOST:PORT")
    return host, _port(port, 1)  # 0 is for binding, nobody listens there
