"""The server's steps of a key exchange, each with any field given.

ResPQ(nonce=…)                              resPQ
ServerDHParams(inner={"g": 2}, padding=…)   server_DH_params_ok, or with kind="fail" server_DH_params_fail
DhGen("ok" | "retry" | "fail", …)           dh_gen_ok and its like
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import tl
from mtproto import service
from mtproto.crypto.dh import to_256_bytes
from mtproto.side import Side
from mtproto.testing.hostile.exchange import ServerExchange
from mtproto.testing.hostile.exchanging import ExchangeStep, inner_of, one_of, sealed_inner
from mtproto.testing.hostile.fields import check_names, names_of, settled

if TYPE_CHECKING:
    from mtproto.testing.hostile.stage import Stage

__all__ = ["DhGen", "ResPQ", "ServerDHParams"]


class ResPQ(ExchangeStep):
    """Answer req_pq_multi.  A server_nonce that is given is the one that the exchange goes on with."""

    side = Side.SERVER

    def __init__(self, **fields: Any) -> None:
        super().__init__(service.ResPQ, fields)

    def computed(self, stage: Stage) -> tl.TLObject:
        exchange = stage.server_exchange
        exchange.begin()
        return service.ResPQ(
            nonce=exchange.nonce,
            server_nonce=exchange.server_nonce,
            pq=exchange.pq,
            server_public_key_fingerprints=[exchange.key.public.fingerprint],
        )

    def sent(self, message: tl.TLObject, stage: Stage) -> None:
        if isinstance(message, service.ResPQ):
            stage.exchange.server_nonce = message.server_nonce


class ServerDHParams(ExchangeStep):
    """Answer req_DH_params, with server_DH_params_ok or, of the kind "fail", server_DH_params_fail.

    `inner` is a mapping of fields of server_DH_inner_data, or something else to be encrypted; g_a is computed for
    a g and dh_prime that are given.  `answer_hash` is the SHA1 before it, `padding` what stands behind it.
    """

    side = Side.SERVER

    def __init__(self, kind: str = "ok", *, inner: Any = None, **fields: Any) -> None:
        kinds: dict[str, Any] = {"ok": service.ServerDHParamsOk, "fail": service.ServerDHParamsFail}
        cls = one_of("ServerDHParams", kind, kinds)
        self.extra = ("inner", "answer_hash", "padding") if kind == "ok" else ()
        if isinstance(inner, Mapping):
            check_names("server_DH_inner_data", inner, names_of(service.ServerDHInnerData))
        super().__init__(cls, {**fields, **({} if inner is None else {"inner": inner})})

    def computed(self, stage: Stage) -> tl.TLObject:
        exchange, fields = stage.server_exchange, self.fields
        nonces = {"nonce": exchange.nonce, "server_nonce": exchange.server_nonce}
        if self.cls is service.ServerDHParamsFail:
            return service.ServerDHParamsFail(**nonces, new_nonce_hash=exchange.fail_hash())
        inner = inner_of(self._inner(stage, exchange), fields.get("inner"), stage)
        encrypted = sealed_inner(bytes(inner), exchange, fields.get("answer_hash"), fields.get("padding"))
        return service.ServerDHParamsOk(**nonces, encrypted_answer=encrypted)

    def _inner(self, stage: Stage, exchange: ServerExchange) -> tl.TLObject:
        own = self.fields.get("inner")
        inner: Mapping[str, Any] = own if isinstance(own, Mapping) else {}
        exchange.g = settled(inner.get("g"), exchange.g, stage)
        prime = settled(inner.get("dh_prime"), to_256_bytes(exchange.prime), stage)
        exchange.prime = int.from_bytes(prime)
        return service.ServerDHInnerData(
            nonce=exchange.nonce,
            server_nonce=exchange.server_nonce,
            g=exchange.g,
            dh_prime=prime,
            g_a=to_256_bytes(exchange.g_a()),
            server_time=int(stage.clock()),
        )


class DhGen(ExchangeStep):
    """Answer set_client_DH_params: "ok", "retry" or "fail".  `new_nonce_hash` is the one that belongs to it."""

    side = Side.SERVER
    extra = ("new_nonce_hash",)

    def __init__(self, kind: str = "ok", **fields: Any) -> None:
        kinds: dict[str, Any] = {
            "ok": (service.DhGenOk, 1),
            "retry": (service.DhGenRetry, 2),
            "fail": (service.DhGenFail, 3),
        }
        cls, self.number = one_of("DhGen", kind, kinds)
        super().__init__(cls, fields)
        if "new_nonce_hash" in self.fields:
            self.fields[f"new_nonce_hash{self.number}"] = self.fields.pop("new_nonce_hash")

    def computed(self, stage: Stage) -> tl.TLObject:
        exchange = stage.server_exchange
        nonces = {"nonce": exchange.nonce, "server_nonce": exchange.server_nonce}
        hashed = {f"new_nonce_hash{self.number}": exchange.hash_of(self.number)}
        message: tl.TLObject = self.cls(**nonces, **hashed)
        return message

    def sent(self, message: tl.TLObject, stage: Stage) -> None:
        if self.cls is service.DhGenOk:
            stage.agree()
        elif self.cls is service.DhGenRetry:
            aux_hash = stage.exchange.agreed().aux_hash
            stage.server_exchange.retry_id = int.from_bytes(aux_hash, "little", signed=True)
