"""``mtproto demo``: the main job from the command line."""

from __future__ import annotations

import asyncio
import json
from zlib import crc32

import pytest

from mtproto import api, service
from mtproto.__main__ import main
from mtproto.cli.demo import PHONE, converse, find_sealed
from mtproto.cli.transports import Way
from mtproto.errors import LocalProtocolError, RpcError
from tests.mtproto.cli.processes import run

REQUEST_HEX = (
    "f956a3a50c2b3132303235353530313233000000783d25ad7300000015c4b51c01000000"
    "1361726269747261727920646174612068657265"
)
SECRET = "00112233445566778899aabbccddeeff"
WAYS = [
    *(Way(name) for name in ("abridged", "intermediate", "padded", "full")),
    *(Way(name, obfuscated=True) for name in ("abridged", "intermediate", "padded")),
    Way("abridged", mtproxy_secret=SECRET),
    Way(mtproxy_secret="dd" + SECRET),
]
each_way = pytest.mark.parametrize(
    "way", WAYS, ids=lambda way: f"{way.transport}-{bool(way.obfuscated or way.mtproxy_secret)}"
)
WITHOUT_RICH = "sys.modules['rich'] = None"


@pytest.mark.parametrize(
    "options",
    [
        ["--transport", "abridged"],
        ["--transport", "padded"],
        ["--transport", "full"],
        ["--obfuscated"],
        ["--mtproxy-secret", "dd" + SECRET],
    ],
    ids=" ".join,
)
def test_json_is_one_line(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--json", *options]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.count("\n") == 1
    line = json.loads(out)
    assert line["request_hex"] == REQUEST_HEX
    answer = api.decode(bytes.fromhex(line["answer_hex"]), api.auth.TypeSentCode)
    assert isinstance(answer, api.auth.SentCode)
    assert line["answer"] == {
        "_": "auth.sentCode",
        "type": {"_": "auth.sentCodeTypeSms", "length": 5},
        "phone_code_hash": answer.phone_code_hash,
        "next_type": {"_": "auth.codeTypeCall"},
        "timeout": 60,
    }


def test_quiet_is_the_answer_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.count("\n") == 1
    assert out.startswith("auth.sentCode(type=auth.sentCodeTypeSms(length=5), phone_code_hash='")
    assert out.endswith("', next_type=auth.codeTypeCall(), timeout=60)\n")


INVALID = "mtproto demo: account.sendVerifyPhoneCode: 400 PHONE_NUMBER_INVALID: The number is not valid.\n"


def test_an_invalid_phone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--quiet", "--phone", "some string here"]) == 1
    assert tuple(capsys.readouterr()) == ("", INVALID)


def test_an_invalid_phone_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--json", "--phone", "some string here"]) == 1
    out, err = capsys.readouterr()
    assert err == INVALID
    assert out.count("\n") == 1
    line = json.loads(out)
    assert line.keys() == {"request_hex", "answer_hex", "answer"}
    assert bytes.fromhex(line["request_hex"])[:21] == b"\xf9\x56\xa3\xa5\x10some string here"
    # rpc_error#2144ca19 error_code:int error_message:string
    assert bytes.fromhex(line["answer_hex"]) == (
        b"\x19\xca\x44\x21" + (400).to_bytes(4, "little") + b"\x14PHONE_NUMBER_INVALID\0\0\0"
    )
    assert line["answer"] == {
        "_": "rpc_error",
        "error_code": 400,
        "error_message": "PHONE_NUMBER_INVALID",
    }


def test_without_rich_it_says_how_to_get_it() -> None:
    status, out, err = run("demo", prelude=WITHOUT_RICH)
    assert (status, out) == (2, "")
    assert 'pip install "mtwire[cli]"' in err
    assert err.count("\n") == 1


def test_what_is_not_drawn_needs_no_rich() -> None:
    status, out, err = run("demo", "--json", prelude=WITHOUT_RICH)
    assert (status, err) == (0, "")
    assert json.loads(out)["request_hex"] == REQUEST_HEX


@pytest.mark.parametrize("arguments", [["--transport", "udp"], ["--quiet", "--json"], ["extra"]])
def test_wrong_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["demo", *arguments])
    assert caught.value.code == 2
    assert "usage: mtproto" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--transport", "full", "--obfuscated"], "the full framing can't be obfuscated"),
        (
            ["--transport", "abridged", "--mtproxy-secret", "dd" + SECRET],
            "padded framing only, not with abridged",
        ),
        (["--mtproxy-secret", "0011"], "a secret of 2 bytes, expected 16"),
        (["--mtproxy-secret", "ee" + SECRET + "aa"], "FakeTLS"),
    ],
)
def test_transports_that_do_not_go_together(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--json", *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err.replace("an MTProxy secret", "a secret")
    assert err.count("\n") == 1


@each_way
def test_the_frame_is_the_one_that_carried_the_request(way: Way) -> None:
    conversation = asyncio.run(converse(way, PHONE))
    sealed = conversation.sealed
    size = sealed.payload_end - sealed.payload_start
    header, tail = sealed.data[: sealed.payload_start], sealed.data[sealed.payload_end :]
    if conversation.framing == "abridged":
        assert header == bytes([size // 4])
    elif conversation.framing == "full":
        assert header == len(sealed.data).to_bytes(4, "little") + b"\3\0\0\0"
        assert tail == crc32(sealed.data[:-4]).to_bytes(4, "little")
    else:
        assert header == (size + len(tail)).to_bytes(4, "little")
        assert len(tail) < (4 if conversation.framing == "padded" else 1)
    assert sealed.data[sealed.payload_start :][:8] == conversation.auth_key.key_id
    assert (size - 24) % 16 == 0
    assert sealed.envelope.body == conversation.request_bytes == bytes.fromhex(REQUEST_HEX)
    assert sealed.envelope.salt == conversation.server_salt
    if way.obfuscated or way.mtproxy_secret:
        assert conversation.transport == f"obfuscated {conversation.framing}"
        assert len(conversation.prefix) == 64
    else:
        assert conversation.transport == conversation.framing == way.transport
        prefixes = {"abridged": "ef", "intermediate": "ee" * 4, "padded": "dd" * 4, "full": ""}
        assert conversation.prefix.hex() == prefixes[conversation.framing]
    assert conversation.answer == api.decode(conversation.answer_bytes)


def test_a_conversation_that_ends_with_an_error() -> None:
    conversation = asyncio.run(converse(Way("abridged"), "some string here"))
    assert isinstance(conversation.answer, RpcError)
    assert str(conversation.answer) == "400 PHONE_NUMBER_INVALID"
    answer = service.decode(conversation.answer_bytes, service.RpcError)
    assert (answer.error_code, answer.error_message) == (400, "PHONE_NUMBER_INVALID")


def test_a_frame_that_was_not_sent() -> None:
    conversation = asyncio.run(converse(Way("abridged"), PHONE))
    stream = conversation.prefix + conversation.sealed.data
    found = find_sealed(stream, None, conversation.auth_key, conversation.request_bytes)
    assert found == conversation.sealed
    with pytest.raises(LocalProtocolError, match="no encrypted message with the 5 bytes"):
        find_sealed(stream, None, conversation.auth_key, b"other")
