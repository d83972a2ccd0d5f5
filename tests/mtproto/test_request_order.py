"""Requests that come after others: invokeAfterMsg, invokeAfterMsgs, and what is remembered for them."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import tl
from mtproto import api
from mtproto.errors import RpcError
from mtproto.message import pack_gzip
from mtproto.testing.order import MAX_OUTCOMES, Order
from tests.mtproto.desk import Desk, turns

FAILED = "400 MSG_WAIT_FAILED"
ANSWER = bytes(tl.encode_result(api.users.GetUsers(id=[]), []))


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 20))


def users(user_id: int) -> api.users.GetUsers:
    return api.users.GetUsers(id=[api.InputUser(user_id=user_id, access_hash=0)])


def after(*msg_ids: int, user_id: int) -> Any:
    if len(msg_ids) == 1:
        return api.InvokeAfterMsg(msg_id=msg_ids[0], query=users(user_id))
    return api.InvokeAfterMsgs(msg_ids=list(msg_ids), query=users(user_id))


class Gates:
    """Handlers that each wait for their gate; `done` has those that went through it, in order."""

    def __init__(self) -> None:
        self.desk = Desk({api.users.GetUsers: self.users})
        self.begun: list[int] = []
        self.done: list[int] = []
        self.gates: dict[int, asyncio.Future[None]] = {}

    async def users(self, request: api.users.GetUsers) -> list[Any]:
        (user,) = request.id
        assert isinstance(user, api.InputUser)
        number = user.user_id
        self.begun.append(number)
        if number < 100:
            await self.gate(number)
        if number % 100 == 13:
            raise RpcError(400, "UNLUCKY")
        self.done.append(number)
        return []

    def gate(self, number: int) -> asyncio.Future[None]:
        return self.gates.setdefault(number, asyncio.get_running_loop().create_future())

    async def open(self, *numbers: int) -> dict[int, str | bytes]:
        for number in numbers:
            self.gate(number).set_result(None)
        await turns()
        return self.desk.answers()

    def send(self, *requests: Any) -> list[int]:
        """Send them one by one; their msg_ids."""
        ids = [self.desk.next_id() for _ in requests]
        for msg_id, request in zip(ids, requests, strict=True):
            self.desk.handle(self.desk.send(bytes(request), msg_id))
        return ids


def test_executed_only_after_the_handler_of_the_other_has_ended() -> None:
    async def scenario() -> None:
        gates = Gates()
        (first,) = gates.send(users(1))
        second, third = gates.send(after(first, user_id=100), users(101))
        await turns()
        assert gates.begun == [1, 101]
        assert gates.desk.pending == 2
        assert gates.desk.answers() == {third: ANSWER}
        assert await gates.open(1) == {first: ANSWER, second: ANSWER}
        assert gates.done == [101, 1, 100]
        assert gates.desk.pending == 0
        (fourth,) = gates.send(after(first, second, user_id=102))
        await turns()
        assert gates.desk.answers() == {fourth: ANSWER}

    run(scenario)


def test_after_several_it_waits_for_all() -> None:
    async def scenario() -> None:
        gates = Gates()
        ids = gates.send(users(1), users(2), users(3))
        (last,) = gates.send(after(*ids, user_id=100))
        for number in (2, 1):
            assert last not in await gates.open(number)
        assert gates.begun == [1, 2, 3]
        assert await gates.open(3) == {ids[2]: ANSWER, last: ANSWER}

    run(scenario)


def test_a_chain_goes_on_link_by_link() -> None:
    async def scenario() -> None:
        gates = Gates()
        ids = gates.send(users(1))
        for number in (2, 3, 4):
            ids += gates.send(after(ids[-1], user_id=number))
        await turns()
        for count, number in enumerate((1, 2, 3, 4), 1):
            assert gates.begun == [1, 2, 3, 4][:count]
            assert await gates.open(number) == {ids[count - 1]: ANSWER}

    run(scenario)


@pytest.mark.parametrize("is_late", [False, True], ids=["known to have failed", "fails meanwhile"])
def test_if_the_other_failed_it_is_not_executed(is_late: bool) -> None:
    async def scenario() -> None:
        gates = Gates()
        good, bad = gates.send(users(100), users(13))
        answers = {} if is_late else await gates.open(13)
        waiting = gates.send(after(bad, user_id=101), after(good, bad, user_id=102), after(good, user_id=103))
        following = gates.send(after(waiting[0], user_id=104))
        await turns()
        if is_late:
            answers |= await gates.open(13)
        answers |= gates.desk.answers()
        assert answers[bad] == "400 UNLUCKY"
        assert [answers[msg_id] for msg_id in [*waiting, *following]] == [FAILED, FAILED, ANSWER, FAILED]
        assert 101 not in gates.begun

    run(scenario)


def test_the_answer_comes_as_soon_as_one_is_known_to_have_failed() -> None:
    async def scenario() -> None:
        gates = Gates()
        slow, bad = gates.send(users(1), users(113))
        await turns()
        (last,) = gates.send(after(slow, bad, user_id=100))
        assert gates.desk.answers()[last] == FAILED

    run(scenario)


def test_a_message_that_never_came_can_not_be_waited_for() -> None:
    async def scenario() -> None:
        gates = Gates()
        other = Desk({})
        (elsewhere,) = [other.next_id()]
        own = gates.desk.next_id()
        later = own + 4
        gates.desk.handle(gates.desk.send(bytes(after(own, user_id=100)), own))
        gates.desk.handle(gates.desk.send(bytes(after(5, user_id=101))))
        ids = gates.send(after(elsewhere - 4, user_id=102))
        assert set(gates.desk.answers().values()) == {FAILED}
        assert later not in ids
        assert gates.begun == []

    run(scenario)


def test_messages_of_one_container_in_any_order() -> None:
    async def scenario() -> None:
        gates = Gates()
        desk = gates.desk
        first, second, third = (desk.next_id() for _ in range(3))
        messages = [
            (third, after(first, second, user_id=102)),
            (second, after(first, user_id=101)),
            (first, users(1)),
        ]
        desk.handle(desk.send_container((msg_id, bytes(body)) for msg_id, body in messages))
        await turns()
        assert gates.begun == [1]
        assert await gates.open(1) == dict.fromkeys((first, second, third), ANSWER)
        assert gates.done == [1, 101, 102]

    run(scenario)


def test_nobody_waits_for_a_later_one_so_no_two_for_each_other() -> None:
    async def scenario() -> None:
        gates = Gates()
        desk = gates.desk
        first, second = desk.next_id(), desk.next_id()
        messages = [(first, after(second, user_id=101)), (second, after(first, user_id=102))]
        desk.handle(desk.send_container((msg_id, bytes(body)) for msg_id, body in messages))
        await turns()
        assert desk.answers() == {first: FAILED, second: FAILED}

    run(scenario)


def test_what_is_packed_inside_waits_too() -> None:
    """TDLib sends invokeAfterMsg around gzip_packed."""

    async def scenario() -> None:
        gates = Gates()
        (first,) = gates.send(users(1))
        packed: Any = tl.Raw(pack_gzip(bytes(users(100))))
        (second,) = gates.send(api.InvokeAfterMsg(msg_id=first, query=packed))
        await turns()
        assert gates.begun == [1]
        assert await gates.open(1) == {first: ANSWER, second: ANSWER}

    run(scenario)


def test_sessions_are_apart() -> None:
    async def scenario() -> None:
        gates = Gates()
        (first,) = gates.send(users(100))
        await turns()
        gates.desk.session_id = 2
        (second,) = gates.send(after(first, user_id=101))
        await turns()
        assert gates.desk.answers()[second] == FAILED

    run(scenario)


def test_requests_that_are_dropped_let_nobody_wait_for_ever() -> None:
    async def scenario() -> None:
        gates = Gates()
        desk = gates.desk
        first, second = desk.next_id(), desk.next_id()
        events = desk.send_container([(first, bytes(users(1))), (second, bytes(after(first, user_id=100)))])
        requests = desk.dispatcher.announce(desk, events)
        assert desk.pending == 2
        desk.dispatcher.handle(desk, requests[1])
        desk.dispatcher.drop(desk, requests[0])
        await turns()
        assert desk.answers() == {second: FAILED}
        assert desk.pending == 0

    run(scenario)


def test_a_request_whose_answer_was_dropped_still_counts() -> None:
    async def scenario() -> None:
        gates = Gates()
        (first,) = gates.send(users(1))
        (second,) = gates.send(after(first, user_id=100))
        gates.desk.state.forget_session(gates.desk.session)
        await gates.open(1)
        assert gates.done == [1, 100]
        assert gates.desk.pending == 0
        assert second

    run(scenario)


def test_outcomes_are_remembered_of_the_last_requests_only() -> None:
    async def scenario() -> None:
        gates = Gates()
        desk = gates.desk
        (first,) = gates.send(users(100))
        for _ in range(MAX_OUTCOMES // 512):
            ids = [desk.next_id() for _ in range(512)]
            desk.handle(desk.send_container((msg_id, bytes(users(100))) for msg_id in ids))
            await turns(5)
        desk.answers()
        (late,) = gates.send(after(first, user_id=101))
        (early,) = gates.send(after(ids[0], user_id=102))
        await turns()
        assert desk.answers() == {late: FAILED, early: ANSWER}

    run(scenario)


def test_what_waits_is_not_remembered_when_it_is_done() -> None:
    async def scenario() -> None:
        order = Order()
        for msg_id in range(10_000):
            order.begin(msg_id)
            order.end(msg_id, is_success=True)
        gc.collect()
        assert len(order._ended) == MAX_OUTCOMES
        assert not order._running
        assert await order.wait(10**6, range(10_000 - MAX_OUTCOMES, 10_000))
        assert not await order.wait(10**6, range(10_000 - MAX_OUTCOMES - 1, 10_000))

    run(scenario)


def test_a_waiter_that_is_cancelled_disturbs_no_other() -> None:
    async def scenario() -> None:
        order = Order()
        order.begin(1)
        waiters = [asyncio.create_task(order.wait(5, (1,))) for _ in range(2)]
        await turns()
        waiters[0].cancel()
        await turns()
        order.end(1, is_success=True)
        assert await waiters[1] is True
        assert waiters[0].cancelled()

    run(scenario)
