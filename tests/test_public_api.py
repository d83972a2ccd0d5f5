"""What may be imported, and that each of it is there, documented, and typed."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import mtproto
import tl
from tests.test_layering import MODULES

GENERATED = ("mtproto.api", "mtproto.service")
WRITTEN = [m for m in MODULES if not m.startswith(GENERATED) and not m.endswith("__main__")]


@pytest.mark.parametrize("name", WRITTEN)
def test_every_module_says_what_it_is_and_what_it_exports(name: str) -> None:
    if name in ("mtproto.cli.show", "mtproto.cli.ladder", "mtproto.cli.live"):
        pytest.importorskip("rich", reason=f"rich is not installed: {name} needs it")
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} has no docstring"
    exported = module.__all__
    assert len(exported) == len(set(exported))
    for symbol in exported:
        value = getattr(module, symbol)
        if inspect.isfunction(value) or (inspect.isclass(value) and value.__module__ == name):
            assert value.__doc__, f"{name}.{symbol} has no docstring"


@pytest.mark.parametrize("name", GENERATED)
def test_generated_packages_export_all_that_the_schema_has(name: str) -> None:
    package = importlib.import_module(name)
    for tl_name, cls in package.SCHEMA.by_name.items():
        namespace = tl_name.rpartition(".")[0]
        module = getattr(package, namespace) if namespace else package
        assert getattr(module, cls.__name__) is cls
        assert cls.__name__ in module.__all__
        assert cls.TL.rstrip(";").split(" ")[0] in " ".join((cls.__doc__ or "").split())


def test_the_names_that_the_documentation_promises() -> None:
    assert {"connect", "Client", "ClientConnection", "ServerConnection", "RpcError", "api", "service"} <= set(
        mtproto.__all__
    )
    assert {"Schema", "decode", "encode", "DecodeError", "EncodeError", "SchemaError"} <= set(tl.__all__)
    assert mtproto.api.account.SendVerifyPhoneCode.CONSTRUCTOR_ID == 0xA5A356F9
    assert mtproto.api.LAYER == 228


def test_the_docstrings_carry_what_the_schema_says() -> None:
    doc = " ".join((mtproto.api.account.SendVerifyPhoneCode.__doc__ or "").split())
    assert "Passport" in doc
    assert "400 PHONE_NUMBER_INVALID" in doc
    assert "phone_number:" in doc


def test_packages_are_marked_as_typed() -> None:
    for package in (tl, mtproto):
        assert package.__file__
        assert (Path(package.__file__).parent / "py.typed").exists()


TYPED = """
from typing import assert_type
import mtproto
import tl
from mtproto import api

async def check(client: mtproto.Client) -> None:
    request = api.account.SendVerifyPhoneCode(phone_number="1", settings=api.CodeSettings())
    assert_type(await client.invoke(request), api.auth.TypeSentCode)
    wrapped = api.InvokeWithLayer(layer=228, query=request)
    assert_type(await client.invoke(wrapped), api.auth.TypeSentCode)
    assert_type(await client.invoke(api.users.GetUsers(id=[])), list[api.TypeUser])
    bind = api.auth.BindTempAuthKey(perm_auth_key_id=1, nonce=1, expires_at=1, encrypted_message=b"")
    assert_type(await client.invoke(bind), bool)
    assert_type(await client.invoke(api.help.GetConfig()), api.Config)
    assert_type(tl.decode_result(request, b""), api.auth.TypeSentCode)
    assert_type(api.decode(b"", as_type=api.CodeSettings), api.CodeSettings)
    answer = await client.invoke(request)
    if isinstance(answer, api.auth.SentCode):
        assert_type(answer.timeout, int | None)
        assert_type(answer.phone_code_hash, str)

async def wrong(client: mtproto.Client) -> None:
    await client.invoke(api.CodeSettings())  # E: not a request
    api.account.SendVerifyPhoneCode(phone_number=b"1", settings=api.CodeSettings())  # E: bytes for str
    api.account.SendVerifyPhoneCode(phone_number="1")  # E: a field is missing
    api.CodeSettings(logout_tokens=["1"])  # E: str for bytes
    api.auth.SentCode(type=api.CodeSettings(), phone_code_hash="")  # E: not of the type
"""


def test_a_type_checker_knows_the_answer_of_a_request(tmp_path: Path) -> None:
    path = tmp_path / "typed.py"
    path.write_text(TYPED, "utf-8")
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-error-summary",
        "--cache-dir",
        str(tmp_path / "c"),
    ]
    result = subprocess.run(
        [*command, str(path)],
        capture_output=True,
        text=True,
        cwd=Path(mtproto.__file__).parent.parent,
        check=False,
    )
    reported = {int(line.split(":")[1]) for line in result.stdout.splitlines() if ": error:" in line}
    expected = {i for i, line in enumerate(TYPED.splitlines(), 1) if "# E:" in line}
    assert reported == expected, result.stdout
