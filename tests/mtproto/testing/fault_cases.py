"""The table of faults and their consequences; every fault is in it, for every test of faults goes by it."""

from __future__ import annotations

from collections.abc import Iterator

from mtproto.connection import Deadlines
from mtproto.side import Side
from mtproto.testing import Ending, faults
from mtproto.testing.faults import Fault
from tests.mtproto.helpers import TEST_KEY
from tests.mtproto.testing.rig import CALLS, Case

__all__ = ["CASES", "ON_ALL_TRANSPORTS"]

CLIENT, SERVER = Side.CLIENT, Side.SERVER
AGREED = {"key": TEST_KEY}
PATIENT = {**AGREED, "deadlines": Deadlines(silence=100.0)}


def flips(side: Side, field: str, *reasons: str, bit: int = 0) -> Case:
    return Case(faults.FlipBit(side=side, field=field, bit=bit), reasons)


LOST = ("-404",)
CLOSED = ("the server closed the connection",)
OPAQUE = (
    "bomb of 1 MiB",
    "unknown",
    "long vector",
    "long string",
    *(f"arrays {10**n} deep" for n in range(2, 6)),
)
"""What a client can't know to be bad before it is decoded; and a bomb that is small enough."""
EXCHANGES = tuple(
    faults.BadKeyExchange(kind=kind)
    for kind in faults.BadKeyExchange.KINDS
    if kind.startswith(("pq", "resPQ", "dh_prime", "encrypted_answer with", "dh_gen_ok", "a fingerprint"))
    or kind
    in ("g = 2, which does not suit dh_prime", "g_a = 1", "server_DH_inner_data with another server_nonce")
)
CASES: tuple[Case, ...] = (
    Case(faults.Fragments(), is_seen=False),
    Case(faults.Fragments(size=7), is_seen=False),
    Case(faults.Lumps()),
    Case(faults.Cut(), CLOSED),
    Case(faults.Cut(after=70, side=CLIENT, ending=Ending.RST), ("broke",)),
    Case(faults.Cut(after=301, side=CLIENT), CLOSED),
    Case(faults.HalfOpen(), ("C23",)),
    Case(faults.HalfOpen(after=100), ("C23",)),
    Case(faults.SkewClock(3600.0), ("C11",), "FateUnknown"),
    Case(faults.SkewClock(-3600.0), ("C11",)),
    Case(faults.SkewClock(200.0)),
    Case(faults.SkewClock(-20.0, at=0.3), CLOSED),  # the next ping comes too late
    *(Case(faults.Drop(side=side, nth=nth)) for side in Side for nth in range(6)),
    Case(faults.Drop(side=SERVER, times=6)),
    Case(faults.DropRequest()),
    Case(faults.DropRequest(nth=3, times=4)),
    Case(faults.DropAnswer()),
    Case(faults.DropAnswer(nth=2, times=5)),
    Case(faults.DropAck()),
    Case(faults.DropAck(side=SERVER)),
    Case(faults.Duplicate(times=9)),
    Case(faults.Duplicate(side=CLIENT, times=99)),
    Case(faults.Reorder()),
    Case(faults.Reorder(side=CLIENT, nth=4)),
    Case(faults.Delay()),
    Case(faults.Delay(side=CLIENT, seconds=40.0)),
    Case(faults.Delay(side=CLIENT, seconds=310.0)),
    Case(faults.Replay()),
    Case(faults.Replay(seconds=1.0)),
    Case(faults.Replay(side=CLIENT, seconds=1.0)),
    Case(faults.Replay(side=CLIENT, seconds=400.0)),
    Case(faults.Reflect(), ("C3",)),
    flips(SERVER, "auth_key_id", "C1"),
    *(flips(SERVER, field, "C3") for field in ("msg_key", "encrypted_data", "padding")),
    *(flips(SERVER, "encrypted_data", "C3", bit=bit) for bit in (100, 191)),
    *(
        Case(faults.FlipBit(side=CLIENT, field=field), LOST, "AuthKeyLost", CALLS - 1)
        for field in ("auth_key_id", "msg_key", "encrypted_data", "padding")
    ),
    *(flips(SERVER, field, "full: ") for field in ("length", "seq", "crc")),
    *(flips(CLIENT, field, *CLOSED) for field in ("length", "seq", "crc")),
    flips(SERVER, "length", "X1", bit=31),
    Case(faults.SaltRotation()),
    Case(faults.SaltRotation(keep_previous=True)),
    Case(faults.SaltRotation(pending=1)),
    Case(faults.SaltStorm(times=3)),
    Case(faults.SaltStorm(times=200), (), "BadMessage", CALLS - 1),
    Case(faults.KeyLoss(), LOST, "AuthKeyLost", CALLS - 1),
    Case(faults.KeyLoss(nth=12), LOST, "AuthKeyLost", 1),
    Case(faults.TransportError(), ("-429",)),
    Case(faults.TransportError(times=100), ("-429",) * 3, "FateUnknown", 1),
    Case(faults.TransportError(code=-404, nth=5), LOST, "AuthKeyLost", 1),
    Case(faults.TransportError(code=-444), ("-444",), "TransportCodeReceived", 1),
    Case(faults.ServerRestart(), ("broke",), "FateUnknown", 1),
    Case(faults.ServerRestart(nth=13), ("broke",), "FateUnknown", 1),
    *(Case(faults.ForgedContainer(kind=kind)) for kind in ("empty", "full")),
    *(
        Case(faults.ForgedContainer(kind=kind), ("C17",))
        for kind in faults.ForgedContainer.KINDS
        if kind not in ("empty", "full")
    ),
    Case(faults.ManyAcks(count=8192)),
    Case(faults.ManyAcks(count=8193), ("C19",)),
    Case(faults.ForgedSalt()),
    Case(faults.ForgedSalt(times=9)),
    Case(faults.ForgedAnswer()),
    Case(faults.StrayMessage(kind="session"), ("C8",)),
    Case(faults.StrayMessage(kind="key"), ("C1",)),
    Case(faults.StrayMessage(kind="parity"), ("C9",)),
    Case(faults.UnknownUpdate()),
    Case(faults.UpdateFlood()),
    *(Case(faults.BadAnswer(kind=kind)) for kind in OPAQUE),
    *(
        Case(faults.BadAnswer(kind=kind), (), "RemoteProtocolError", 1)
        for kind in faults.BadAnswer.KINDS
        if kind not in OPAQUE
    ),
    *(Case(faults.BadUpdate(kind=kind)) for kind in OPAQUE),
    *(Case(faults.BadUpdate(kind=kind), ("C18",)) for kind in faults.BadUpdate.KINDS if kind not in OPAQUE),
    *(Case(faults.BadRequest(kind=kind), (), "RpcError", 1) for kind in faults.BadRequest.KINDS),
    Case(faults.Truncate(), ("inside a frame",)),
    Case(faults.Truncate(keep=0), CLOSED),
    Case(faults.Truncate(nth=2, keep=40, ending=Ending.RST), ("broke",)),
    Case(faults.ForgedQuickAck(), transport="abridged"),
    Case(faults.ForgedQuickAck(times=9), transport="padded"),
    Case(faults.SlowReader()),
    Case(faults.SlowReader(rate=10.0, side=SERVER), CLOSED),
    Case(faults.SlowReader(rate=10.0), ("C11",)),
    Case(faults.Slowloris(count=20), options=PATIENT),
    Case(faults.Slowloris(count=20, rate=0), options=PATIENT),
    Case(faults.Slowloris(count=20, rate=9.0), options={"deadlines": Deadlines(silence=100.0)}),
    Case(faults.HalfHandshakes(count=20), options=PATIENT),
    Case(faults.HalfHandshakes(count=2, queries=2), options=PATIENT),
    Case(faults.DhGenRetry(), options=AGREED),
    Case(faults.DhGenRetry(times=5), options=AGREED),
    Case(faults.DhGenRetry(times=6), ("H11",), options=AGREED),
    Case(faults.DhGenFail(), ("H11",), options=AGREED),
    Case(faults.DhGenFail(times=99), ("H11",) * 11, "ConnectionClosed", CALLS, options=AGREED),
    *(Case(bad, (bad.check,), options=AGREED) for bad in EXCHANGES),
)
"""What a fault brings about on the full transport, or another one."""

_ONCE = (
    faults.BadAnswer,
    faults.BadUpdate,
    faults.BadRequest,
    faults.BadKeyExchange,
    faults.DhGenRetry,
    faults.DhGenFail,
)


def _on_all_transports() -> Iterator[Case]:
    """Of faults whose kinds are many, or that are below the transport's notice, one case."""
    seen = set[type[Fault]]()
    for case in CASES:
        kind, text = type(case.fault), str(case)
        if "seq" in text or "crc'" in text or (kind in _ONCE and kind in seen):
            continue
        seen.add(kind)
        yield case


ON_ALL_TRANSPORTS = tuple(_on_all_transports())
