"""What a server must not take in a key exchange, and what it has to: checks S9 and H8.

Whatever is wrong gets the same: transport error -404 and the end of the connection, or the end alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import tl
from mtproto import service
from mtproto.crypto.dh import TELEGRAM_DH_PRIME, to_256_bytes
from mtproto.testing.hostile.choosing import Rejects
from mtproto.testing.hostile.client_steps import ReqDHParams, ReqPq, SetClientDHParams
from mtproto.testing.hostile.conversation import Conversation
from mtproto.testing.hostile.expecting import Expect
from mtproto.testing.hostile.happenings import Heard
from mtproto.testing.hostile.key_exchange import KeyExchange
from mtproto.testing.hostile.library.client_keys import flipped
from mtproto.testing.hostile.nodes import Node, Plain
from mtproto.testing.hostile.stage import Stage

__all__ = ["CONVERSATIONS"]

_RIGHT = "transport error -404 and the end of the connection"
_P = TELEGRAM_DH_PRIME
_MARGIN = 2**1984
_RES_PQ = (ReqPq(), Expect("resPQ"))


def _rejected(name: str, check: str, *nodes: Node) -> Conversation:
    return Conversation([*nodes, Rejects()], name=name, check=check, right=_RIGHT)


def _req_dh(name: str, **fields: Any) -> Conversation:
    return _rejected(name, "S9", *_RES_PQ, ReqDHParams(**fields))


def _set_dh(name: str, check: str = "S9", **fields: Any) -> Conversation:
    step = SetClientDHParams(**fields)
    return _rejected(name, check, KeyExchange(before="set_client_DH_params"), step)


def _queries() -> Iterable[Conversation]:
    for name in ("nonce", "server_nonce"):
        other: dict[str, Any] = {name: flipped}
        yield _req_dh(f"req_DH_params with another {name}", **other)
        yield _req_dh(f"p_q_inner_data with another {name}", inner=other)
        yield _set_dh(f"set_client_DH_params with another {name}", **other)
        yield _set_dh(f"client_DH_inner_data with another {name}", inner=other)
    yield _req_dh("req_DH_params with another p", p=lambda p: flipped(p))
    yield _req_dh("req_DH_params with p and q the wrong way round", p=_exchange("q"), q=_exchange("p"))
    yield _req_dh("p_q_inner_data with another pq", inner={"pq": flipped})
    yield _req_dh(
        "p_q_inner_data with p and q the wrong way round", inner={"p": _exchange("q"), "q": _exchange("p")}
    )
    yield _req_dh("req_DH_params for an RSA key of nobody", public_key_fingerprint=1234567)
    yield _req_dh("a temporary key that is over before it begins", form="temp_dc", inner={"expires_in": 0})


def _exchange(name: str) -> Any:
    return lambda computed, stage: getattr(stage.exchange, name)


def _encrypted() -> Iterable[Conversation]:
    yield _req_dh("RSA_PAD with a wrong SHA256", data_hash=bytes(32))
    yield _req_dh("the older scheme with a wrong SHA1", scheme="sha1", data_hash=bytes(20))
    yield _req_dh("encrypted_data with a bit flipped", encrypted_data=flipped)
    yield _req_dh("encrypted_data of 252 bytes", encrypted_data=lambda e: e[4:])
    yield _req_dh("encrypted_data of 260 bytes", encrypted_data=lambda e: bytes(4) + e)
    yield _req_dh("encrypted_data with 4 bytes behind", encrypted_data=lambda e: e + bytes(4))
    yield _req_dh("encrypted_data of no bytes", encrypted_data=b"")
    yield _req_dh("encrypted_data above n", encrypted_data=b"\xff" * 256)
    yield _req_dh("something else in encrypted_data", inner=lambda inner: bytes(len(bytes(inner))))
    yield _set_dh("client_DH_inner_data with a wrong SHA1", data_hash=bytes(20))
    yield _set_dh("client_DH_inner_data with 28 bytes of padding", padding=bytes(28))
    yield _set_dh("encrypted_data cut by 4 bytes", encrypted_data=lambda e: e[:-4])
    yield _set_dh("encrypted_data cut by a block", encrypted_data=lambda e: e[:-16])
    yield _set_dh("retry_id although there was no retry", inner={"retry_id": 1})
    numbers = {"0": 0, "1": 1, "p - 1": _P - 1, "p": _P, "2^1984 - 1": _MARGIN - 1}
    numbers["p - 2^1984 + 1"] = _P - _MARGIN + 1
    for what, number in numbers.items():
        yield _set_dh(f"g_b = {what}", "H8", inner={"g_b": to_256_bytes(number)})


def _order() -> Iterable[Conversation]:
    yield _rejected("req_DH_params first", "S9", ReqDHParams())
    yield _rejected("set_client_DH_params after resPQ", "S9", *_RES_PQ, Plain(_early_set_dh))
    yield _rejected("resPQ, which only servers say", "S9", Plain("resPQ"))
    yield _rejected("a plain message of zeros", "S9", Plain(bytes(64)))
    yield _rejected("a ping in the clear", "S9", Plain("ping"))
    yield _rejected("bytes behind req_pq_multi", "S9", ReqPq(trailing=bytes(4)))
    yield _rejected(
        "req_pq_multi of which 4 bytes are missing", "S9", ReqPq(payload=lambda p: p[:-4], length=16)
    )
    yield _rejected("req_pq_multi whose length is wrong", "H13", ReqPq(length=lambda n: n + 4))
    yield Conversation(
        [
            *_RES_PQ,
            ReqDHParams(),
            Expect("server_DH_params_ok"),
            Plain(_repeated),
            Expect("server_DH_params_ok", where=_is_the_same, what="as before"),
        ],
        name="req_DH_params twice, to the letter",
        check="S9",
        right="gives the same answer",
    )
    yield Conversation(
        [*_RES_PQ, ReqPq(), Expect("resPQ"), ReqDHParams(), Expect("server_DH_params_ok")],
        name="a new beginning",
        check="S9",
        right="begins again",
    )


def _early_set_dh(stage: Stage) -> tl.TLObject:
    exchange = stage.exchange
    return service.SetClientDHParams(
        nonce=exchange.nonce, server_nonce=exchange.server_nonce, encrypted_data=bytes(336)
    )


def _repeated(stage: Stage) -> bytes:
    return stage.last_plain


def _is_the_same(heard: Heard, stage: Stage) -> bool:
    return [h.body for h in stage.heard if h.name == heard.name].count(heard.body) == 2


def _forms() -> Iterable[Conversation]:
    for scheme in ("rsa_pad", "sha1"):
        for form in ("dc", "plain", "temp", "temp_dc"):
            nodes: list[Node] = [
                *_RES_PQ,
                ReqDHParams(scheme=scheme, form=form),
                Expect("server_DH_params_ok"),
                SetClientDHParams(),
                Expect("dh_gen_ok"),
            ]
            yield Conversation(
                nodes,
                name=f"inner data of the form {form}, by {scheme}",
                check="S9",
                right="takes it",
            )


CONVERSATIONS: tuple[Conversation, ...] = (*_queries(), *_encrypted(), *_order(), *_forms())
