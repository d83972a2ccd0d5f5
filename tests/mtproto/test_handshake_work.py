"""Heavy arithmetic outside the event loop: deferred by connections, done by threads, never long in the loop."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from statistics import median
from typing import Any

import pytest

import mtproto
from mtproto import service, testing
from mtproto.connection import ClientConnection, ServerConnection, ServerState
from mtproto.crypto import dh
from mtproto.crypto.dh import TELEGRAM_DH_PRIME, power
from mtproto.crypto.factoring import MAX_STEPS, Search, advance
from mtproto.errors import HandshakeFailed, LocalProtocolError, RemoteProtocolError
from mtproto.events import KeyAgreed
from mtproto.handshake import ClientHandshake, Outcome, ServerHandshake
from tests.bench.handshakes import exchange
from tests.mtproto.by_hand import HandServer, as_256, changed, client_of, seal_by_hand
from tests.mtproto.helpers import TEST_KEY, ManualClock, seeded
from tests.vectors import load

BLOCK = 0.010
"""Seconds for which the event loop may not be blocked."""


# Connections that leave the work to their caller


def connections(*, defer: bool) -> tuple[ClientConnection, ServerConnection]:
    clock = ManualClock()
    client = ClientConnection([TEST_KEY.public], clock=clock, rng=seeded(1))
    server = ServerConnection([TEST_KEY], ServerState(clock=clock, rng=seeded(2)))
    client.defer_work = server.defer_work = defer
    return client, server


def converse(client: ClientConnection, server: ServerConnection) -> tuple[list[object], list[bytes], int]:
    """Until both are silent: the events, the bytes that went over, how much work was deferred."""
    events: list[object] = []
    stream: list[bytes] = []
    deferred = 0
    while out := client.data_to_send():
        stream.append(out)
        events += server.receive_data(out)
        while server.work is not None:
            deferred += 1
            events += server.finish_work(server.work.run())
        stream.append(server.data_to_send())
        events += client.receive_data(stream[-1])
        while client.work is not None:
            deferred += 1
            events += client.finish_work(client.work.run())
    return events, stream, deferred


def test_deferred_work_changes_nothing() -> None:
    at_once, elsewhere = (converse(*connections(defer=defer)) for defer in (False, True))
    assert at_once[:2] == elsewhere[:2]
    assert at_once[2] == 0
    assert elsewhere[2] >= 7
    assert len([e for e in elsewhere[0] if isinstance(e, KeyAgreed)]) == 2


def waiting_client() -> ClientConnection:
    """A client that has work to be done: pq to be factored."""
    client, server = connections(defer=True)
    server.receive_data(client.data_to_send())
    assert client.receive_data(server.data_to_send()) == []
    assert client.work is not None
    return client


def finish(client: ClientConnection) -> None:
    while client.work is not None:
        client.finish_work(client.work.run())


def test_frames_wait_for_the_work() -> None:
    client = waiting_client()
    plain = bytes(8) + (5).to_bytes(8, "little") + (4).to_bytes(4, "little") + b"1234"
    assert client.receive_data(len(plain).to_bytes(4, "little") + plain) == []
    with pytest.raises(HandshakeFailed) as caught:
        finish(client)
    assert caught.value.check == "H13"


def test_damage_waits_for_the_work_too() -> None:
    client = waiting_client()
    assert client.receive_data(b"\xff\xff\xff\x7f") == []
    with pytest.raises(RemoteProtocolError) as caught:
        finish(client)
    assert caught.value.check.startswith("X")
    assert client.data_to_send()  # the query that came of the work


def test_work_for_a_connection_that_was_closed_meanwhile() -> None:
    client = waiting_client()
    assert client.work is not None
    outcome = client.work.run()
    client.close()
    assert client.finish_work(outcome) == []
    with pytest.raises(LocalProtocolError, match="no work"):
        client.finish_work(outcome)


def test_work_that_fails_fails_the_connection() -> None:
    client = waiting_client()
    error = HandshakeFailed("made up", check="H2")
    with pytest.raises(HandshakeFailed, match="made up"):
        client.finish_work(Outcome(error=error))
    assert client.failure is error
    assert client.closed


# The event loop


@pytest.fixture
def without_old_objects() -> Iterator[None]:
    """The collector has nothing to do with what other tests have left: to look through that takes long."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("without_old_objects")
def test_the_loop_itself_computes_little_and_threads_do_the_rest() -> None:
    """By the processor time of the loop's own thread, which other programs on the machine don't change."""

    async def main() -> tuple[list[float], float]:
        async with testing.serve(key=TEST_KEY) as server:
            connecting = mtproto.connect(server.host, server.port, keys=[server.public_key])
            async with connecting:
                pass  # what a process does once: the classes of messages are made
            beats, begun = [time.thread_time()], time.process_time()
            beating = asyncio.create_task(beat(beats))
            for _ in range(8):
                async with mtproto.connect(server.host, server.port, keys=[server.public_key]):
                    pass
            beating.cancel()
            assert not server.errors
            return beats, time.process_time() - begun

    async def beat(beats: list[float]) -> None:
        while True:
            await asyncio.sleep(0.0005)
            beats.append(time.thread_time())

    beats, total = asyncio.run(main())
    assert len(beats) > 50
    assert max(after - before for before, after in pairwise(beats)) < BLOCK
    # Where either side did its work in the loop, the loop's share would be 40 % and more.
    assert beats[-1] - beats[0] < 0.3 * total


def test_other_threads_go_on_during_an_exponentiation() -> None:
    """While it is done over and over; the lower quartile of waits, since other programs run too."""
    thread = threading.Thread(target=lambda: [power(3, 2**2047 + 1, TELEGRAM_DH_PRIME) for _ in range(30)])
    waits = []
    thread.start()
    while thread.is_alive():
        begun = time.perf_counter()
        time.sleep(0.0005)
        waits.append(time.perf_counter() - begun)
    assert sorted(waits)[len(waits) // 4] < 0.002


@pytest.mark.parametrize(
    "work",
    [lambda: advance(Search(3037000453 * 3037000493)), lambda: TEST_KEY.power(2**2000 + 1)],
    ids=["factoring", "RSA"],
)
def test_other_work_comes_in_small_pieces(work: Callable[[], object]) -> None:
    assert cpu(work) < BLOCK / 2


# What hostile values cost


def cpu(act: Callable[[], object]) -> float:
    """Seconds of processor time, the least of three."""
    times = []
    for _ in range(3):
        begun = time.process_time()
        act()
        times.append(time.process_time() - begun)
    return min(times)


def hostile_answers() -> dict[str, tuple[int, bytes]]:
    hand, pq, groups = HandServer(), load("pq"), load("dh")
    first = {f"pq {case['why']}": bytes.fromhex(case["pq_bytes"]) for case in pq["bad"]}
    found = {name: (1, bytes(changed(hand.res_pq(), pq=value))) for name, value in first.items()}
    inner = hand.inner_dh()
    bad: dict[str, dict[str, Any]] = {
        **{f"prime: {case['name']}": {"dh_prime": bytes.fromhex(case["p"])} for case in groups["bad_primes"]},
        "prime: random": {"dh_prime": as_256(int.from_bytes(seeded(1)(256)) | 1 << 2047 | 3)},
        "g": {"g": 2**31 - 1},
        "g_a: 0": {"g_a": b""},
        "g_a: 15 KiB": {"g_a": b"\xff" * 15_000},
    }
    for name, fields in bad.items():
        sealed = seal_by_hand(bytes(changed(inner, **fields)))
        found[name] = (2, bytes(hand.dh_params(sealed)))
    found["fingerprints"] = (
        1,
        bytes(changed(hand.res_pq(), server_public_key_fingerprints=list(range(1900)))),
    )
    found["1 MiB"] = (1, bytes(hand.res_pq()) + bytes(2**20))
    found["encrypted_answer of 16 KiB"] = (2, bytes(hand.dh_params(bytes(16_000))))
    return found


ANSWERS = hostile_answers()


@pytest.mark.parametrize(("step", "answer"), ANSWERS.values(), ids=ANSWERS)
def test_hostile_values_cost_less_than_100_ms(step: int, answer: bytes) -> None:
    def refuse() -> None:
        dh._is_safe_prime.cache_clear()
        client = client_of(7)
        client.start()
        if step == 2:
            client.receive(bytes(HandServer().res_pq()))
        with pytest.raises(HandshakeFailed):
            client.receive(answer)

    assert cpu(refuse) < 0.1


def test_the_longest_search_for_factors() -> None:
    """Of a number that has none to find."""

    def search() -> None:
        walk = Search(2**62 + 135)
        with pytest.raises(HandshakeFailed, match="resists"):
            advance(walk, MAX_STEPS + 1000)

    assert cpu(search) < 0.2  # some 80 ms, where other programs do not use the same caches


def test_an_exchange_costs_both_sides_60_ms_at_most() -> None:
    assert median(exchange(TEST_KEY, seed).total for seed in range(15)) < 0.06


def test_a_client_of_another_server_does_nothing_heavy_for_it() -> None:
    """No query is answered that was not asked: a flood of answers costs the reading of them."""
    client = ClientHandshake([TEST_KEY.public], dc=2, clock=float, rng=seeded(1))
    server = ServerHandshake([TEST_KEY], clock=float, rng=seeded(2))
    client.start()
    other = server.receive(bytes(service.ReqPqMulti(nonce=bytes(16))))
    with pytest.raises(HandshakeFailed, match="nonce differs"):
        client.receive(other)
