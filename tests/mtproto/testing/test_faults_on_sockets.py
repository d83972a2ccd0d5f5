"""The faults that a loopback server can let happen to clients that are anyone's: here to the asyncio client."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

import mtproto
from mtproto import api
from mtproto.client import Backoff
from mtproto.errors import AuthKeyLost, FateUnknown, LocalProtocolError, RemoteProtocolError
from mtproto.session import BadMessage
from mtproto.side import Side
from mtproto.testing import faults, serve
from mtproto.testing.faults import FAULTS, Fault
from tests.mtproto.clients import open_files, run
from tests.mtproto.helpers import TEST_KEY
from tests.mtproto.testing.test_pair import send_code

CLIENT, SERVER = Side.CLIENT, Side.SERVER
CALLS = 30

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
)


@pytest.mark.parametrize(("fault", "error"), CASES, ids=str)
def test_every_call_ends_once_and_is_executed_once(fault: Fault, error: type[Exception] | None) -> None:
    executed: Counter[str] = Counter()

    def answer(request: api.auth.SendCode) -> api.auth.SentCode:
        executed[request.phone_number] += 1
        return api.auth.SentCode(type=api.auth.SentCodeTypeSms(length=5), phone_code_hash="")

    async def scenario() -> None:
        async with serve({api.auth.SendCode: answer}, key=TEST_KEY, faults=[fault]) as server:
            connecting = mtproto.connect(
                server.host, server.port, keys=[TEST_KEY.public], reconnect=Backoff(first=0.01, flood=0.01)
            )
            async with connecting as client:
                await client.ping()  # message 0 of either side: the session has begun
                requests = [send_code(number) for number in range(CALLS)]
                calls: list[asyncio.Task[Any]] = []
                for request in requests:
                    calls.append(asyncio.create_task(client.invoke(request)))
                    if len(calls) % 10 == 0:  # the others in messages of their own
                        await asyncio.sleep(0.01)
                results = await asyncio.gather(*calls, return_exceptions=True)
        assert len(results) == CALLS
        failed = [result for result in results if isinstance(result, BaseException)]
        assert all(error is not None and isinstance(result, error) for result in failed), failed
        assert failed or error in (None, FateUnknown)
        for request, result in zip(requests, results, strict=True):
            times = executed[request.phone_number]
            assert times == 1 or (times == 0 and isinstance(result, BaseException)), request.phone_number
        assert len(asyncio.all_tasks()) == 1

    before = open_files()
    run(scenario)
    assert open_files() == before


def test_those_that_take_a_pair_are_refused_before_the_server_begins() -> None:
    fitting = {type(fault) for fault, _ in CASES}
    for fault in (faults.Fragments(), faults.Lumps(), faults.Cut(), faults.HalfOpen(), faults.SkewClock()):
        assert type(fault) in FAULTS
        assert type(fault) not in fitting
        with pytest.raises(LocalProtocolError, match="it takes a Pair"):
            serve(faults=[fault])
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
