"""The tables of steps: their order, each step as a function of frozen data, and the work that comes out of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from itertools import pairwise
from typing import Any, TypeVar

import pytest

import tl
from mtproto import service
from mtproto.crypto.auth_key import AuthKey
from mtproto.crypto.telegram_keys import PRODUCTION_KEYS
from mtproto.errors import HandshakeFailed
from mtproto.handshake import ServerHandshake, client_steps, server_steps
from mtproto.handshake.client_steps import ClientContext
from mtproto.handshake.server_steps import ServerContext
from mtproto.handshake.steps import Step
from mtproto.handshake.work import Outcome, Steps, Work, do, run
from tests.mtproto.by_hand import (
    NEW_NONCE,
    NOW,
    B,
    client_of,
    server_of,
)
from tests.mtproto.helpers import TEST_KEY, replay, seeded
from tests.mtproto.test_handshake import SALT, SAMPLE, TEMP_KEY, PublishedPair, sample

SIDES = {"client": client_steps.STEPS, "server": server_steps.STEPS}


# The tables


@pytest.mark.parametrize("steps", SIDES.values(), ids=SIDES)
def test_steps_are_numbered_and_each_leads_to_the_next(steps: tuple[Step, ...]) -> None:
    assert [step.number for step in steps] == list(range(1, len(steps) + 1))
    for step, following in pairwise(steps):
        assert following.state in step.leads_to
    assert steps[0].state is None
    begun = {step.state for step in steps}
    ends = {cls for step in steps for cls in step.leads_to} - begun - {type(None)}
    assert len(ends) == 1


@pytest.mark.parametrize("steps", SIDES.values(), ids=SIDES)
def test_states_are_frozen(steps: tuple[Step, ...]) -> None:
    for cls in {cls for step in steps for cls in step.leads_to} - {type(None)}:
        assert dataclasses.is_dataclass(cls)
        assert cls.__dataclass_params__.frozen  # type: ignore[attr-defined]


def test_what_one_side_sends_the_other_expects() -> None:
    client, server = client_steps.STEPS, server_steps.STEPS
    for asking, answering in zip(client, server, strict=False):
        assert set(asking.sends) <= set(answering.expects)
    for answering, taking in zip(server, client[1:], strict=True):
        assert set(answering.sends) <= set(taking.expects)


def test_bytes_may_follow_in_the_three_answers_of_the_example_only() -> None:
    trailing = [cls for step in client_steps.STEPS for cls in step.may_trail]
    assert trailing == [service.ResPQ, service.ServerDHParamsOk, service.DhGenOk]
    assert not [cls for step in server_steps.STEPS for cls in step.may_trail]
    for form in ("resPQ", "server_DH_params_ok", "dh_gen_ok"):
        assert len(sample(f"{form}_message_padded")) > len(sample(f"{form}_message_exact"))


# The official worked example, step by step


def one_step(
    steps: tuple[Step, ...], number: int, state: object, message: object, context: object
) -> tuple[Any, bytes | None, list[str]]:
    """The state and the body that a step gives, and which functions it had run."""
    step, done = steps[number - 1], []
    assert step.state is None or type(state) is step.state
    assert message is None or isinstance(message, step.expects)
    running = step.function(state, message, context)
    try:
        work = next(running)
        while True:
            done.append(work.function.__name__)
            work = running.send(work.run())
    except StopIteration as end:
        following, sent = end.value
        assert isinstance(following, step.leads_to)
        assert sent is None or isinstance(sent, step.sends)
        return following, None if sent is None else bytes(sent), done


def answer(name: str) -> tl.TLObject:
    return service.decode(sample(f"{name}_message_exact")[20:])


def query(name: str) -> tl.TLObject:
    return service.decode(sample(f"{name}_message")[20:])


def test_client_steps_on_the_sample() -> None:
    key = next(k for k in PRODUCTION_KEYS if k.fingerprint == SAMPLE["chosen_fingerprint_signed"])
    rng = replay(
        sample("nonce"),
        sample("new_nonce"),
        sample("random_padding_bytes"),
        TEMP_KEY,
        sample("b"),
        sample("client_padding"),
    )
    context = ClientContext((key,), SAMPLE["dc"], None, lambda: SAMPLE["server_time"] - 2.5, rng)
    steps = client_steps.STEPS
    state, body, done = one_step(steps, 1, None, None, context)
    assert (state, body, done) == (
        client_steps.AwaitingResPQ(sample("nonce")),
        sample("req_pq_multi_message")[20:],
        [],
    )
    state, body, done = one_step(steps, 2, state, answer("resPQ"), context)
    nonces = sample("nonce"), sample("server_nonce"), sample("new_nonce")
    assert state == client_steps.AwaitingDHParams(*nonces, SAMPLE["server_time"] - 2.5, None)
    assert (body or b"")[:-256] == sample("req_DH_params_message")[20:-256]
    assert set(done) == {"advance"}
    state, body, done = one_step(steps, 3, state, answer("server_DH_params_ok"), context)
    assert body == sample("set_client_DH_params_message")[20:]
    assert done == ["check_group", "power", "_auth_key"]
    assert (state.g, state.prime, state.g_a) == (
        SAMPLE["g"],
        int(SAMPLE["dh_prime"], 16),
        int(SAMPLE["g_a"], 16),
    )
    finished, body, done = one_step(steps, 4, state, answer("dh_gen_ok"), context)
    assert (finished, body, done) == (client_steps.Finished(AuthKey(sample("auth_key")), SALT, 2.5), None, [])


def test_server_steps_on_the_sample() -> None:
    context = ServerContext(
        keys={},
        fingerprints=tuple(SAMPLE["server_fingerprints_signed"]),
        decrypt=decrypt_of_the_sample,
        clock=lambda: SAMPLE["server_time"],
        rng=replay(sample("server_nonce"), sample("answer_padding")),
        is_taken=lambda _: False,
        is_refused=lambda _: False,
        primes=(int(SAMPLE["p_decimal"]), int(SAMPLE["q_decimal"])),
        pair=PublishedPair(),
        g=3,
        dc=2,
    )
    steps = server_steps.STEPS
    state, body, done = one_step(steps, 1, None, query("req_pq_multi"), context)
    assert (body, done) == (sample("resPQ_message_exact")[20:], [])
    assert (state.nonce, state.server_nonce) == (sample("nonce"), sample("server_nonce"))
    state, body, done = one_step(steps, 2, state, query("req_DH_params"), context)
    assert (body, done) == (sample("server_DH_params_ok_message_exact")[20:], ["decrypt_of_the_sample"])
    assert (state.new_nonce, state.retry_id) == (sample("new_nonce"), 0)
    finished, body, done = one_step(steps, 3, state, query("set_client_DH_params"), context)
    assert (body, done) == (sample("dh_gen_ok_message_exact")[20:], ["shared"])
    assert finished == server_steps.ServerFinished(AuthKey(sample("auth_key")), SALT)


def decrypt_of_the_sample(encrypted: bytes, fingerprint: int) -> bytes:
    return sample("p_q_inner_data_dc")


# Work


def test_work_gives_what_its_function_does() -> None:
    assert Work(pow, (3, 4)).run() == Outcome(81)
    outcome = Work(int, ("x",)).run()
    assert outcome.value is None
    assert isinstance(outcome.error, ValueError)


def test_an_error_of_the_work_is_raised_where_it_was_asked_for() -> None:
    def steps() -> Generator[Work, Outcome, str]:
        try:
            yield from do(int, "x")
        except ValueError:
            return str((yield from do(pow, 2, 5)))
        return "no error"

    assert run(steps()) == "32"


def test_work_takes_no_keywords() -> None:
    with pytest.raises(TypeError, match="no keywords"):
        run(do(int, "11", base=2))


R = TypeVar("R")


def collect(steps: Steps[R], found: list[Work]) -> R:
    """Drive `steps`, and put all work into `found`."""

    def watched() -> Steps[R]:
        outcome: Outcome | None = None
        try:
            while True:
                found.append(steps.send(outcome))  # type: ignore[arg-type]
                outcome = yield found[-1]
        except StopIteration as end:
            result: R = end.value
            return result

    return run(watched())


def test_all_that_is_heavy_comes_out_as_work() -> None:
    """For each side, in order; and each of them again gives the same."""
    client, server = client_of(B), ServerHandshake([TEST_KEY], clock=lambda: NOW, rng=seeded(1))
    found: list[Work] = []
    body: bytes | None = client.start()
    while body is not None:
        body = collect(client.receiving(collect(server.receiving(body), found)), found)
    assert client.result is not None
    assert server.result is not None
    assert client.result.auth_key == server.result.auth_key
    names = list(dict.fromkeys(work.function.__name__ for work in found))
    assert names == ["advance", "_decrypt", "KeyPair", "check_group", "power", "_auth_key", "shared"]
    for work in found:
        if work.function.__name__ != "KeyPair":
            assert work.run() == work.run()
            assert work.run().error is None


def test_an_exchange_that_is_dropped_in_the_middle_of_work_begins_again() -> None:
    server = server_of()
    client = client_of(B)
    res_pq = server.receive(client.start())
    running = client.receiving(res_pq)
    next(running)
    running.close()
    with pytest.raises(HandshakeFailed, match="no query is open"):
        client.receive(res_pq)
    body: bytes | None = client.start()
    while body is not None:
        body = client.receive(server.receive(body))
    assert client.result is not None


def test_no_repr_shows_a_secret() -> None:
    client, server = client_of(B), server_of()
    query: bytes | None = client.start()
    while query is not None:
        for side in (client, server):
            shown = repr(side._state)
            assert NEW_NONCE.hex() not in shown
            assert repr(NEW_NONCE) not in shown
        found: list[Work] = []
        query = collect(client.receiving(collect(server.receiving(query), found)), found)
        shown = repr([(work, work.run()) for work in found])
        assert repr(B) not in shown
