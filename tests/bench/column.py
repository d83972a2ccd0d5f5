"""This project's column of the side-by-side benchmark: each case as its users would write it.

`cases(inputs, ref)` gives a function for each case name (what the names mean, and how each is verified before
it is timed, is told by the benchmark itself).  Everything runs with all checks on: the strict default.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import mtproto
from mtproto import api, service
from mtproto.crypto.ctr import key_stream
from mtproto.envelope import Cipher, Envelope
from mtproto.side import Side
from mtproto.transport import Frame, ServerFraming, client_framing, framing
from tl.package import write_package
from tl.schema import Schema

__all__ = ["cases"]

Case = Callable[[], object]

LANG = """
langPackString#cad181f6 key:string value:string = LangPackString;
langPackStringPluralized#6c47ac9f flags:# key:string zero_value:flags.0?string one_value:flags.1?string
    two_value:flags.2?string few_value:flags.3?string many_value:flags.4?string other_value:string
    = LangPackString;
langPackStringDeleted#2979eeb2 key:string = LangPackString;
langPackDifference#f385c1f6 lang_code:string from_version:int version:int strings:Vector<LangPackString>
    = LangPackDifference;
"""


def _lang_package() -> ModuleType:
    folder = tempfile.mkdtemp()
    write_package(Schema.parse(LANG), Path(folder) / "lang_pack", "lang_pack")
    sys.path.insert(0, folder)
    return importlib.import_module("lang_pack")


def cases(inputs: Any, ref: Any) -> dict[str, Any]:
    """Every case of this project, by name."""
    return {**_tl_cases(inputs, ref), **_envelope_cases(inputs, ref), **_framing_cases(inputs, ref)}


def _tl_cases(inputs: Any, ref: Any) -> dict[str, Case]:
    lang = _lang_package()

    def request() -> api.account.SendVerifyPhoneCode:
        return api.account.SendVerifyPhoneCode(
            phone_number=ref.PHONE,
            settings=api.CodeSettings(
                allow_flashcall=True,
                current_number=True,
                allow_app_hash=True,
                allow_missed_call=True,
                logout_tokens=[ref.TOKEN],
            ),
        )

    def answer() -> api.auth.SentCode:
        return api.auth.SentCode(
            type=api.auth.SentCodeTypeSms(length=5),
            phone_code_hash=ref.HASH,
            next_type=api.auth.CodeTypeCall(),
            timeout=60,
        )

    schemas = {"req": api, "sent": api, "lang": lang, "json": api, "ack": service}
    values = {
        "req": request(),
        "sent": answer(),
        "lang": _lang_pack(lang, ref),
        "json": _json_tree(ref),
        "ack": service.MsgsAck(msg_ids=ref.ACKS),
    }
    found: dict[str, Case] = {
        "enc_req+new": lambda: bytes(request()),
        "enc_sent+new": lambda: bytes(answer()),
    }
    for name, value in values.items():
        decode, data = schemas[name].decode, inputs[name]
        found[f"enc_{name}"] = partial(bytes, value)
        found[f"dec_{name}"] = lambda decode=decode, data=data: decode(data)  # type: ignore[misc]
    return found


def _lang_pack(lang: ModuleType, ref: Any) -> Any:
    strings = []
    for kind, key, value in ref.lang_items():
        if kind == "string":
            strings.append(lang.LangPackString(key=key, value=value))
        elif kind == "plural":
            one, few, other = value
            strings.append(
                lang.LangPackStringPluralized(key=key, one_value=one, few_value=few, other_value=other)
            )
        else:
            strings.append(lang.LangPackStringDeleted(key=key))
    return lang.LangPackDifference(lang_code="en", from_version=1, version=2, strings=strings)


def _json_tree(ref: Any) -> api.JsonObject:
    return api.JsonObject(
        value=[
            api.JsonObjectValue(key=key, value=api.JsonArray(value=[api.JsonString(value=v) for v in values]))
            for key, values in ref.json_items()
        ]
    )


def _envelope_cases(inputs: Any, ref: Any) -> dict[str, Case]:
    auth_key = mtproto.AuthKey(ref.AUTH_KEY)
    cipher = Cipher(auth_key, Side.CLIENT)
    found: dict[str, Case] = {}
    for size in ref.SIZES:
        body, sealed = inputs[f"body_{size}"], inputs[f"sealed_{size}"]
        found[f"envenc_{size}"] = lambda body=body: cipher.seal(  # type: ignore[misc]
            Envelope(ref.SALT, ref.SESSION, inputs.msg_id, 1, body), os.urandom
        )
        found[f"envdec_{size}"] = lambda sealed=sealed: cipher.open(sealed).body  # type: ignore[misc]
    return found


def _framing_cases(inputs: Any, ref: Any) -> dict[str, tuple[Case, int]]:
    found: dict[str, tuple[Case, int]] = {}
    for short, name in (("abr", "abridged"), ("int", "intermediate"), ("full", "full")):

        def encode(name: str = name) -> bytes:
            wire = framing(name, Side.CLIENT)
            return b"".join([wire.encode(frame) for frame in inputs.frames])

        def decode(name: str = name, short: str = short) -> int:
            wire = framing(name, Side.SERVER)
            return sum(len(wire.receive_data(chunk)) for chunk in ref.chunks(inputs[short]))

        found[f"fenc_{short}"] = (encode, len(inputs.frames))
        found[f"fdec_{short}"] = (decode, len(inputs.frames))
    found["obf_rt"] = (partial(_obfuscated, inputs.frames[: ref.OBFUSCATED]), ref.OBFUSCATED)
    stream, block = key_stream(os.urandom(32), os.urandom(16)), bytes(16384)
    found["ctr_per_KiB"] = (lambda: stream(block), 16)
    return found


def _obfuscated(frames: list[bytes]) -> int:
    """Abridged over obfuscated2: each frame out of a client and into a server, which detects both."""
    client = client_framing("abridged", obfuscated=True, dc=2, rng=os.urandom)
    server = ServerFraming()
    server.receive_data(client.prefix)
    return sum(
        event.payload == frame
        for frame in frames
        for event in server.receive_data(client.encode(frame))
        if isinstance(event, Frame)
    )
