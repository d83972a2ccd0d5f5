"""The faults that a loopback server can let happen to clients that are anyone's: here to the asyncio client."""

from __future__ import annotations

import asyncio
import contextlib
import resource

import pytest

import mtproto
from mtproto.closing import close_writer
from mtproto.connection import ClientConnection, Deadlines
from mtproto.errors import (
    AuthKeyLost,
    FateUnknown,
    HandshakeFailed,
    LocalProtocolError,
    RemoteProtocolError,
    RpcError,
)
from mtproto.session import BadMessage
from mtproto.side import Side
from mtproto.testing import Ending, faults, serve
from mtproto.testing.faults import FAULTS, Fault
from tests.mtproto.helpers import TEST_KEY
from tests.mtproto.testing.rig import leaves_nothing, over_sockets

CLIENT, SERVER = Side.CLIENT, Side.SERVER

# Those after which a client goes on at once; what takes time to be noticed is tried under a virtual clock.
CASES: tuple[tuple[Fault, type[Exception] | None], ...] = (
    (faults.Duplicate(times=9), None),
    (faults.Duplicate(side=CLIENT, times=99), None),
    (faults.Reorder(nth=1), None),
    (faults.Reorder(side=CLIENT, nth=1), None),
    (faults.Delay(nth=1, seconds=0.2), None),
    (faults.Replay(nth=1, seconds=0.1), None),
    (faults.Reflect(nth=1), None),
    (faults.FlipBit(nth=1, field="msg_key"), None),
    (faults.FlipBit(nth=1, field="length"), None),
    (faults.FlipBit(field="auth_key_id", side=CLIENT, nth=2), AuthKeyLost),
    (faults.SaltRotation(pending=1), None),
    (faults.SaltStorm(times=3), None),
    (faults.SaltStorm(times=500), BadMessage),
    (faults.KeyLoss(nth=1), AuthKeyLost),
    (faults.TransportError(code=-444), mtproto.MTProtoError),
    (faults.ServerRestart(nth=1), FateUnknown),
    (faults.ForgedContainer(kind="full"), None),
    (faults.ForgedContainer(kind="overfull"), None),
    (faults.ManyAcks(), None),
    (faults.ForgedSalt(), None),
    (faults.ForgedAnswer(), None),
    (faults.StrayMessage(kind="session"), None),
    (faults.UnknownUpdate(), None),
    (faults.UpdateFlood(), None),
    (faults.BadAnswer(kind="bomb"), RemoteProtocolError),
    (faults.BadAnswer(kind="truncated"), RemoteProtocolError),
    (faults.BadAnswer(kind="bomb of 200 MiB", times=3), RemoteProtocolError),
    (faults.BadUpdate(kind="arrays 100000 deep"), None),
    (faults.BadUpdate(kind="bomb of 200 MiB"), None),
    (faults.BadRequest(kind="bomb of 200 MiB"), RpcError),
    (faults.BadRequest(kind="arrays 100000 deep", nth=1), RpcError),
    (faults.ForgedQuickAck(times=9), None),
    (faults.Truncate(), None),
    (faults.Truncate(nth=1), None),
    (faults.Truncate(nth=1, keep=40, ending=Ending.RST), None),
    (faults.DhGenRetry(times=5), None),
    (faults.DhGenRetry(times=6), HandshakeFailed),
    (faults.DhGenFail(), HandshakeFailed),
    (faults.BadKeyExchange(kind="dh_prime that is not safe"), HandshakeFailed),
    (faults.BadKeyExchange(kind="dh_gen_ok with a wrong hash"), HandshakeFailed),
)
SLOW = {faults.Drop, faults.DropRequest, faults.DropAnswer, faults.DropAck}
"""What takes a client ten seconds to notice, which nobody waits for: tried by cancelling calls."""
ON_PAIRS: set[type[Fault]] = {
    *(faults.Fragments, faults.Lumps, faults.SlowReader, faults.Cut, faults.HalfOpen, faults.SkewClock),
    *(faults.Slowloris, faults.HalfHandshakes),
}
"""What a server can't let happen to clients that are anyone's."""


@pytest.mark.parametrize(("fault", "error"), CASES, ids=str)
def test_every_call_ends_once_and_is_executed_once(fault: Fault, error: type[Exception] | None) -> None:
    failed = over_sockets(fault).errors
    assert all(error is not None and issubclass(each, error) for each in failed), failed
    assert failed or error in (None, FateUnknown)


@pytest.mark.parametrize("fault", [*(fault() for fault in FAULTS if fault not in ON_PAIRS)], ids=str)
def test_calls_are_cancelled_and_the_client_is_closed_meanwhile(fault: Fault) -> None:
    over_sockets(fault, cancelled=True)


def test_every_fault_is_tried_on_a_server_or_takes_a_pair() -> None:
    assert {type(fault) for fault, _ in CASES} | SLOW | ON_PAIRS == set(FAULTS)
    for fault in FAULTS:
        if fault in ON_PAIRS:
            with pytest.raises(LocalProtocolError, match="it takes a Pair"):
                serve(faults=[fault()])
        else:
            serve(faults=[fault()])


def test_those_that_take_a_pair_are_refused_before_the_server_begins() -> None:
    for late in (
        faults.Delay(side=CLIENT),
        faults.Replay(side=CLIENT),
        faults.FlipBit(field="crc", side=CLIENT),
    ):
        with pytest.raises(LocalProtocolError, match="only in a Pair"):
            serve(faults=[late])
    with pytest.raises(LocalProtocolError, match="not of all of them"):
        serve(faults=[faults.FlipBit(field="crc")])
    serve(transport="full", faults=[faults.FlipBit(field="crc")])
    with pytest.raises(LocalProtocolError, match="the full transport has no quick acks"):
        serve(transport="full", faults=[faults.ForgedQuickAck()])


# A thousand others


def queries(kind: str) -> bytes:
    """What each of them says before it falls silent."""
    first = ClientConnection([TEST_KEY.public]).data_to_send()
    return {"nothing": b"", "half a frame": first[:30], "half a key exchange": first}[kind]


@pytest.mark.parametrize("kind", ["nothing", "half a frame", "half a key exchange"])
def test_a_thousand_others_are_closed_in_time_and_everyone_else_is_served(kind: str) -> None:
    """Twice as many files are open as there are connections: both ends are in this process."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = 1000 if most >= 4096 else 100
    said = queries(kind)

    async def scenario() -> None:
        deadlines = Deadlines(opening=0.5, first_frame=0.5, silence=0.5)
        async with serve(key=TEST_KEY, deadlines=deadlines, max_connections=count + 1) as server:
            others = [await asyncio.open_connection(server.host, server.port) for _ in range(count)]
            for _, writer in others:
                writer.write(said)
            async with mtproto.connect(server.host, server.port, keys=[TEST_KEY.public]) as client:
                assert await client.ping() >= 0
                for reader, writer in others:
                    with contextlib.suppress(ConnectionError):
                        await reader.read()  # an answer, if there is one, and the end
                        assert reader.at_eof()
                    await close_writer(writer, 1.0)
            assert server.errors == []

    leaves_nothing(lambda: asyncio.run(asyncio.wait_for(scenario(), 20)))
