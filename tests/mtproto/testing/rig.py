"""What all tests of faults go through: a conversation to which one happens, and all that has to be so after it.

    on a Pair       `conversation`, then `settled`
    over sockets    `over_sockets`, for the asyncio client and the loopback server

Of memory what is counted is objects: what sessions and connections hold when all is quiet, and what there is of
this package once a conversation is over; `peak` measures bytes, where a test is about them.
"""

from __future__ import annotations

import asyncio
import gc
import threading
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import mtproto
from mtproto import api
from mtproto.client import Backoff
from mtproto.connection import KeepAlive
from mtproto.errors import ConnectionClosed, FateUnknown, MTProtoError, RpcError
from mtproto.testing import Later, LoopbackServer, Network, Pair, faults, serve
from mtproto.testing.faults import Fault
from tests.mtproto.clients import open_files
from tests.mtproto.helpers import TEST_KEY
from tests.mtproto.testing.test_pair import send_code

__all__ = [
    "CALLS",
    "DEADLINE",
    "Case",
    "Outcome",
    "conversation",
    "leaves_nothing",
    "over_sockets",
    "peak",
    "settled",
]

CALLS = 16
DEADLINE = 900.0
"""Virtual seconds within which all has to come to rest."""
SENT = api.auth.SentCode(type=api.auth.SentCodeTypeSms(length=5), phone_code_hash="")


@dataclass(frozen=True)
class Case:
    """A fault; why the client's connections end because of it, by parts of the reasons; how many calls fail how.

    `is_seen`: whether the client's and the server's bytes are other ones because of it, or come at other times.
    `options` are the Pair's.
    """

    fault: Fault
    ends: tuple[str, ...] = ()
    failed: str | None = None
    least: int = 0
    is_seen: bool = True
    transport: str = "full"
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return repr(self.fault)


def answer(request: api.auth.SendCode) -> object:
    """Some answers take their time, so that their requests are acknowledged by themselves."""
    return Later(2.5, SENT) if request.phone_number[-1] in "37" else SENT


def conversation(fault: Fault | None, transport: str, *, obfuscated: bool = False, **options: Any) -> Pair:
    """Ten calls at once and five later, from when the fault begins; then a while for what it has left to come.

    A fault of a key exchange is there from the beginning.
    """
    handlers = {api.auth.SendCode: answer}
    is_first = options.get("key") is not None
    pair = Pair(
        handlers,
        transport=transport,
        obfuscated=obfuscated,
        network=Network(latency=0.05),
        keep_alive=KeepAlive(),
        faults=[fault] if fault is not None and is_first else (),
        **options,
    )
    pair.invoke(send_code())
    pair.run(for_=61)  # the first ping has told the server when to give up
    if fault is not None and not is_first:
        pair.install(fault)
    for number in range(1, 11):
        pair.invoke(send_code(number))
    pair.run(for_=0.01)
    for number in range(11, CALLS):
        pair.invoke(send_code(number))
        pair.run(for_=0.5)
    pair.run(deadline=DEADLINE)
    pair.run(for_=420)
    pair.run(deadline=DEADLINE)
    return pair


def settled(pair: Pair, fault: Fault) -> None:
    """Requests were executed once, calls have ended once, what is odd is acknowledged, and nothing is held."""
    pair.check(errors=fault.errors)
    for call in pair.calls:
        assert call.endings == 1, call
        assert call.executed == 1 or (call.executed == 0 and call.error is not None), call
    assert len(pair.lines) == (0 if pair.is_given_up else 1), "no connection is left behind"
    assert pair.crowd.open == [], "nor one of the others'"
    assert {name: count for name, count in _held(pair) if count} == {}


def _held(pair: Pair) -> Iterator[tuple[str, int]]:
    """What there is of what ought to be gone."""
    yield "deeds", pair.clock.deeds
    timers = [entry for *_, entry in pair.clock._heap if entry.do is not None]
    yield "timers", max(0, len(timers) - 2)  # one for each end
    for line in pair.lines:
        for end in line.ends.values():
            yield f"frames, {end.side}", len(end.connection._frames)
            yield f"events, {end.side}", len(end.connection._told)
            yield f"bytes, {end.side}", len(end.connection._out)
            yield f"notes, {end.side}", len(end.notes)
            yield f"under way, {end.side}", len(end.link._under_way)
    if pair.client.closed:
        return
    yield "sessions", len(pair.client.sessions) - 1
    session = pair.client.session
    yield "requests", len(session.open_requests)
    yield "acks", len(session.acks)
    yield "client's messages", len(session.sent.unacknowledged())
    yield "quick acks", len(pair.client._quick_acks)
    for other in pair.state.sessions.values():
        if other.session_id == session.session_id:
            yield "server's acks", len(other.acks)
            yield "server's requests", len(other.open_requests)
            yield "messages", len(other.sent.unacknowledged())


def leaves_nothing(do: Callable[[], object]) -> None:
    """Do it: then descriptors and threads are those of before, and no object of this package is left of it.

    What is left once is a cache, and is there the second time; what is left twice has leaked.
    """
    left = _left_by(do) and _left_by(do)
    assert left == {}, f"left behind: {left}"


def _left_by(do: Callable[[], object]) -> dict[str, int]:
    files, threads = open_files(), threading.active_count()
    gc.freeze()
    try:
        do()
        gc.collect()
        left = Counter(
            type(thing).__qualname__
            for thing in gc.get_objects()
            if type(thing).__module__.startswith("mtproto.") and not isinstance(thing, type | BaseException)
        )
    finally:
        gc.unfreeze()
    left.update(open_files() - files)
    left["threads"] = threading.active_count() - threads
    return {what: count for what, count in left.items() if count}


def peak(do: Callable[[], object]) -> int:
    """How many bytes more there are, at most, while it is done."""
    tracemalloc.start()
    try:
        do()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# Over sockets


@dataclass
class Outcome:
    """Of calls over sockets, by number: how they have failed (None: not at all), and how often they were executed.

    Where there was no connection it is why, `connecting`.
    """

    failed: list[type[BaseException] | None] = field(default_factory=list)
    executed: list[int] = field(default_factory=list)
    connecting: type[MTProtoError] | None = None
    complaints: list[str] = field(default_factory=list)
    """What was raised where nobody hears of it."""

    @property
    def errors(self) -> list[type[BaseException]]:
        """All that has failed."""
        return [error for error in (*self.failed, self.connecting) if error is not None]


def over_sockets(fault: Fault, *, calls: int = 30, cancelled: bool = False) -> Outcome:
    """Calls of the asyncio client to a loopback server with a fault, and all that has to be so after them.

    With `cancelled` every third call is given up while it is under way, and the client is closed with the rest
    still open.
    """
    outcomes: list[Outcome] = []

    async def scenario() -> None:
        outcome = Outcome()
        outcomes.append(outcome)
        asyncio.get_running_loop().set_exception_handler(lambda _, said: outcome.complaints.append(str(said)))
        async with asyncio.timeout(20):
            await _calls(fault, outcome, calls, cancelled)
        for _ in range(5):
            await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks left behind: {left}"

    leaves_nothing(lambda: asyncio.run(scenario()))
    allowed = (*fault.errors, RpcError, FateUnknown)
    if cancelled:
        allowed = (*allowed, ConnectionClosed, asyncio.CancelledError)
    for outcome in outcomes:
        assert outcome.complaints == []
        assert all(issubclass(error, allowed) for error in outcome.errors), outcome
        for times, error in zip(outcome.executed, outcome.failed, strict=True):
            assert times == 1 or (times == 0 and error is not None), outcome
    return outcomes[-1]


async def _calls(fault: Fault, outcome: Outcome, count: int, cancelled: bool) -> None:
    executed: Counter[str] = Counter()

    def answer(request: api.auth.SendCode) -> api.auth.SentCode:
        executed[request.phone_number] += 1
        return SENT

    async with serve({api.auth.SendCode: answer}, key=TEST_KEY, faults=[fault]) as server:
        try:
            client = await mtproto.connect(
                server.host, server.port, keys=[TEST_KEY.public], reconnect=Backoff(first=0.01, flood=0.01)
            )
        except MTProtoError as error:
            outcome.connecting = type(error)
            return
        async with client:
            if not cancelled:
                await client.ping()  # message 0 of either side: the session has begun
            tasks: list[asyncio.Task[Any]] = []
            for number in range(count):
                tasks.append(asyncio.create_task(client.invoke(send_code(number))))
                if len(tasks) % 10 == 0:  # the others in messages of their own
                    await asyncio.sleep(0.01)
                    for task in tasks[::3] if cancelled else ():
                        task.cancel()
            if cancelled:
                await client.close()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            outcome.failed = [type(each) if isinstance(each, BaseException) else None for each in results]
            outcome.executed = [executed[send_code(number).phone_number] for number in range(count)]
            assert client.pending == 0
            if not isinstance(fault, faults.SaltRotation | faults.SaltStorm):
                await _is_acknowledged(
                    server, client
                )  # else with a salt that is no good: it comes again, later
        assert server.errors == []


async def _is_acknowledged(server: LoopbackServer, client: mtproto.Client) -> None:
    """What the server waits to be acknowledged the client is going to acknowledge, or has."""
    for _ in range(1000):
        owed = () if client.is_closed else client._connection.session.acks._owed
        if client.is_closed or set(_unacknowledged(server)) <= set(owed):
            return
        await asyncio.sleep(0)
    raise AssertionError("nobody is going to acknowledge what the server has sent")


def _unacknowledged(server: LoopbackServer) -> Iterator[int]:
    """Of the sessions that are in use."""
    for session in server.sessions:
        for message in server.state.sessions[session].sent.unacknowledged():
            yield message.msg_id
