"""The honest key exchange as one node, for either side, or as far as some step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mtproto.errors import LocalProtocolError
from mtproto.side import Side
from mtproto.testing.hostile.client_steps import ReqDHParams, ReqPq, SetClientDHParams
from mtproto.testing.hostile.expecting import Expect
from mtproto.testing.hostile.nodes import Listening, Node, played
from mtproto.testing.hostile.server_steps import DhGen, ResPQ, ServerDHParams

if TYPE_CHECKING:
    from mtproto.testing.hostile.stage import Stage

__all__ = ["KeyExchange"]

_SERVER: tuple[Node, ...] = (
    Expect("req_pq_multi", "req_pq"),
    ResPQ(),
    Expect("req_DH_params"),
    ServerDHParams(),
    Expect("set_client_DH_params"),
    DhGen("ok"),
)
_CLIENT: tuple[Node, ...] = (
    ReqPq(),
    Expect("resPQ"),
    ReqDHParams(),
    Expect("server_DH_params_ok"),
    SetClientDHParams(),
    Expect("dh_gen_ok"),
)
_BEFORE = {
    "resPQ": 1,
    "server_DH_params_ok": 3,
    "dh_gen_ok": 5,
    "req_pq_multi": 0,
    "req_DH_params": 2,
    "set_client_DH_params": 4,
}


class KeyExchange(Node):
    """The whole key exchange, by the book; with `before` (a TL name), all before this message of ours.

    `form` is that of a client's inner data, as for `ReqDHParams`: "temp_dc" for a temporary key.
    """

    exchanges_keys = True

    def __init__(self, *, before: str | None = None, form: str | None = None) -> None:
        told: Any = before
        if before is not None and (not isinstance(told, str) or told not in _BEFORE):
            raise LocalProtocolError(f"KeyExchange: got before={before!r:.60}, expected {', '.join(_BEFORE)}")
        self.before = before
        self.form = form
        if before is not None:
            self.side = (
                Side.SERVER if before in ("resPQ", "server_DH_params_ok", "dh_gen_ok") else Side.CLIENT
            )
        if form is not None:
            if self.side is Side.SERVER:
                raise LocalProtocolError("KeyExchange: a form of inner data is for a client's script")
            self.side = Side.CLIENT
        self._client = tuple(
            ReqDHParams(form=form) if form and isinstance(node, ReqDHParams) else node for node in _CLIENT
        )

    def play(self, stage: Stage) -> Listening:
        nodes = _SERVER if stage.side is Side.SERVER else self._client
        yield from played(nodes if self.before is None else nodes[: _BEFORE[self.before]], stage)
        if self.before is None and stage.side is Side.CLIENT:
            stage.agree()

    def __str__(self) -> str:
        form = "" if self.form is None else f" of the form {self.form}"
        return f"the key exchange{form}" + ("" if self.before is None else f" up to {self.before}")
