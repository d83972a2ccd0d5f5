"""The client's steps of a key exchange, each with any field given.

ReqPq(nonce=…)                                req_pq_multi, or with kind="req_pq" the older form
ReqDHParams(inner={"pq": …}, scheme="sha1")   req_DH_params
SetClientDHParams(inner={"retry_id": 1})      set_client_DH_params
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import tl
from mtproto import service
from mtproto.crypto.dh import to_256_bytes
from mtproto.errors import LocalProtocolError
from mtproto.side import Side
from mtproto.testing.hostile.exchange import ClientExchange, rsa_encrypted
from mtproto.testing.hostile.exchanging import ExchangeStep, inner_of, one_of, sealed_inner
from mtproto.testing.hostile.fields import check_names, names_of

if TYPE_CHECKING:
    from mtproto.testing.hostile.stage import Stage

__all__ = ["ReqDHParams", "ReqPq", "SetClientDHParams"]

_FORMS = {
    "dc": service.PQInnerDataDc,
    "plain": service.PQInnerData,
    "temp": service.PQInnerDataTemp,
    "temp_dc": service.PQInnerDataTempDc,
}
_SCHEMES = {"rsa_pad": 144, "sha1": 235}


class ReqPq(ExchangeStep):
    """Begin a key exchange: "req_pq_multi" or "req_pq".  A nonce that is given is the one that it goes on with."""

    side = Side.CLIENT

    def __init__(self, kind: str = "req_pq_multi", **fields: Any) -> None:
        kinds = {"req_pq_multi": service.ReqPqMulti, "req_pq": service.ReqPq}
        super().__init__(one_of("ReqPq", kind, kinds), fields)

    def computed(self, stage: Stage) -> tl.TLObject:
        stage.client_exchange.begin()
        message: tl.TLObject = self.cls(nonce=stage.exchange.nonce)  # type: ignore[call-arg]
        return message

    def sent(self, message: tl.TLObject, stage: Stage) -> None:
        stage.exchange.nonce = getattr(message, "nonce", stage.exchange.nonce)


class ReqDHParams(ExchangeStep):
    """Present the factors.  `inner` is a mapping of fields of the inner data, or something else to be encrypted.

    A new_nonce that is given is the one that the exchange goes on with.  Its `form` is "dc", "plain", "temp" or
    "temp_dc"; it is encrypted by the `scheme` "rsa_pad" or "sha1", in which `data_hash`, `data_padding` and
    `temp_key` may be given.
    """

    side = Side.CLIENT
    extra = ("inner", "data_hash", "data_padding", "temp_key")

    def __init__(
        self, *, inner: Any = None, form: str = "dc", scheme: str = "rsa_pad", **fields: Any
    ) -> None:
        self.form = one_of("ReqDHParams", form, _FORMS)
        one_of("ReqDHParams", scheme, _SCHEMES)
        self.scheme = scheme
        if isinstance(inner, Mapping):
            check_names(self.form.TL_NAME, inner, names_of(self.form))
        super().__init__(service.ReqDHParams, {**fields, **({} if inner is None else {"inner": inner})})

    def computed(self, stage: Stage) -> tl.TLObject:
        exchange, fields = stage.client_exchange, self.fields
        told = inner_of(self._inner(exchange), fields.get("inner"), stage)
        exchange.new_nonce = getattr(told, "new_nonce", exchange.new_nonce)
        inner = bytes(told)
        if len(inner) > _SCHEMES[self.scheme]:
            raise LocalProtocolError(
                f"{len(inner)} bytes of inner data, {self.scheme} takes at most {_SCHEMES[self.scheme]}"
            )
        details = {
            "data_hash": fields.get("data_hash"),
            "padding": fields.get("data_padding"),
            "temp_key": fields.get("temp_key"),
        }
        return service.ReqDHParams(
            nonce=exchange.nonce,
            server_nonce=exchange.server_nonce,
            p=exchange.p,
            q=exchange.q,
            public_key_fingerprint=exchange.key.fingerprint,
            encrypted_data=rsa_encrypted(inner, exchange.key, exchange.rng, self.scheme, details),
        )

    def _inner(self, exchange: ClientExchange) -> tl.TLObject:
        fields: dict[str, Any] = {
            "pq": exchange.pq,
            "p": exchange.p,
            "q": exchange.q,
            "nonce": exchange.nonce,
            "server_nonce": exchange.server_nonce,
            "new_nonce": exchange.new_nonce,
            "dc": exchange.dc,
            "expires_in": 86_400,
        }
        inner: tl.TLObject = self.form(**{name: fields[name] for name in names_of(self.form)})
        return inner


class SetClientDHParams(ExchangeStep):
    """Give g_b.  `inner` is a mapping of fields of client_DH_inner_data, or something else to be encrypted.

    `data_hash` is the SHA1 before it, `padding` what stands behind it.
    """

    side = Side.CLIENT
    extra = ("inner", "data_hash", "padding")

    def __init__(self, *, inner: Any = None, **fields: Any) -> None:
        if isinstance(inner, Mapping):
            check_names("client_DH_inner_data", inner, names_of(service.ClientDHInnerData))
        super().__init__(service.SetClientDHParams, {**fields, **({} if inner is None else {"inner": inner})})

    def computed(self, stage: Stage) -> tl.TLObject:
        exchange, fields = stage.client_exchange, self.fields
        honest = service.ClientDHInnerData(
            nonce=exchange.nonce,
            server_nonce=exchange.server_nonce,
            retry_id=exchange.retry_id,
            g_b=to_256_bytes(exchange.g_b()),
        )
        inner = bytes(inner_of(honest, fields.get("inner"), stage))
        encrypted = sealed_inner(inner, exchange, fields.get("data_hash"), fields.get("padding"))
        return service.SetClientDHParams(
            nonce=exchange.nonce, server_nonce=exchange.server_nonce, encrypted_data=encrypted
        )
