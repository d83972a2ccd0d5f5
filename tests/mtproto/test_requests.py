"""Requests as they come to handlers: wrapped in any order, gzip_packed, with a context; and what is no request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import FrozenInstanceError
from functools import partial
from itertools import permutations
from typing import Any
from unittest.mock import Mock

import pytest

import tl
from mtproto import api, service
from mtproto.errors import LocalProtocolError, RpcError
from mtproto.message import constructor_id, pack_gzip, unpack_rpc_result
from mtproto.testing import RequestContext, serve
from mtproto.testing.unwrapping import MAX_WRAPPER_SIZE, MAX_WRAPPERS
from tests.mtproto.desk import Desk
from tests.mtproto.helpers import seeded

TRUE = bytes.fromhex("b5757299")
REQUEST = api.help.GetConfig()
USERS = api.users.GetUsers(id=[api.InputUserSelf()])
RESULT = service.RpcResult.CONSTRUCTOR_ID
ERROR = service.RpcError.CONSTRUCTOR_ID.to_bytes(4, "little")
ANSWER = bytes(tl.encode_result(USERS, []))


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 20))


def init(query: Any, **fields: Any) -> api.InitConnection[Any]:
    words = ("device_model", "system_version", "app_version", "system_lang_code", "lang_pack", "lang_code")
    return api.InitConnection(api_id=4, query=query, **{**dict.fromkeys(words, "x"), **fields})


WRAPPED: dict[str, Callable[[Any], Any]] = {
    "layer": lambda query: api.InvokeWithLayer(layer=228, query=query),
    "init": init,
    "no updates": lambda query: api.InvokeWithoutUpdates(query=query),
    "range": lambda query: api.InvokeWithMessagesRange(
        range=api.MessageRange(min_id=1, max_id=2), query=query
    ),
    "takeout": lambda query: api.InvokeWithTakeout(takeout_id=5, query=query),
    "gzip": lambda query: tl.Raw(pack_gzip(bytes(query))),
}


class Seen:
    """Handlers that note what they get."""

    def __init__(self) -> None:
        self.contexts: list[RequestContext] = []
        self.requests: list[Any] = []
        self.desk = Desk({api.users.GetUsers: self.users})

    def users(self, request: api.users.GetUsers, context: RequestContext) -> list[Any]:
        self.requests.append(request)
        self.contexts.append(context)
        return []


# -- wrappers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(permutations(["layer", "init", "no updates", "gzip"])), ids="+".join)
def test_wrappers_in_any_order_and_gzip_packed_anywhere(order: tuple[str, ...]) -> None:
    async def scenario() -> None:
        seen = Seen()
        request: Any = USERS
        for name in order:
            request = WRAPPED[name](request)
        plain, wrapped = await seen.desk.ask(USERS, request)
        assert plain == wrapped == ANSWER
        assert seen.requests == [USERS, USERS]
        before, context = seen.contexts
        assert (before.layer, before.init, before.without_updates) == (None, None, False)
        assert (context.layer, context.without_updates) == (228, True)
        assert context.init is not None
        assert (context.init.api_id, context.init.device_model) == (4, "x")
        assert len(context.wrappers) == 3
        assert [line.method for line in seen.desk.log] == ["users.getUsers"] * 2

    run(scenario)


def test_all_wrappers_around_one() -> None:
    async def scenario() -> None:
        seen = Seen()
        first = seen.desk.next_id()
        seen.desk.handle(seen.desk.send(bytes(USERS), first))
        request: Any = api.InvokeAfterMsg(
            msg_id=first, query=api.InvokeAfterMsgs(msg_ids=[first], query=USERS)
        )
        for name in reversed(list(WRAPPED)[:-1]):
            request = WRAPPED[name](request)
        assert await seen.desk.ask(request) == [ANSWER]
        context = seen.contexts[-1]
        assert context.after == (first, first)
        assert [wrapper.TL_NAME for wrapper in context.wrappers] == [
            "invokeWithLayer",
            "initConnection",
            "invokeWithoutUpdates",
            "invokeWithMessagesRange",
            "invokeWithTakeout",
            "invokeAfterMsg",
            "invokeAfterMsgs",
        ]
        assert context.wrappers[4].takeout_id == 5  # type: ignore[attr-defined]
        assert all(wrapper.query == tl.Raw(b"") for wrapper in context.wrappers)  # type: ignore[attr-defined]

    run(scenario)


def test_a_session_remembers_what_its_client_said() -> None:
    async def scenario() -> None:
        seen = Seen()
        desk = seen.desk
        await desk.ask(api.InvokeWithLayer(layer=200, query=init(USERS)))
        await desk.ask(api.InvokeWithoutUpdates(query=USERS), USERS)
        await desk.ask(api.InvokeWithLayer(layer=201, query=USERS), USERS)
        assert [c.layer for c in seen.contexts] == [200, 200, 200, 201, 201]
        assert all(c.init is not None and c.init.api_id == 4 for c in seen.contexts)
        assert [c.without_updates for c in seen.contexts] == [False, True, False, False, False]
        assert {(c.session, c.peer) for c in seen.contexts} == {(desk.session, "here:1")}
        assert len({c.msg_id for c in seen.contexts}) == 5
        desk.session_id = 2
        await desk.ask(USERS)
        assert (seen.contexts[-1].layer, seen.contexts[-1].init) == (None, None)
        desk.session_id = 1
        desk.state.forget_session(desk.session)
        await desk.ask(USERS)
        assert (seen.contexts[-1].layer, seen.contexts[-1].init) == (None, None)
        with pytest.raises(FrozenInstanceError):
            seen.contexts[0].layer = 5  # type: ignore[misc]

    run(scenario)


def test_what_is_remembered_of_a_session_goes_with_it() -> None:
    async def scenario() -> None:
        seen = Seen()
        for session_id in range(150):
            seen.desk.session_id = session_id
            await seen.desk.ask(USERS)
        assert len(seen.desk.state.sessions) == 100
        assert len(seen.desk.dispatcher._memories) == 100

    run(scenario)


def nested(count: int) -> Any:
    request: Any = USERS
    for _ in range(count):
        request = api.InvokeWithoutUpdates(query=request)
    return request


def test_not_too_many_wrappers_and_not_too_long_ones() -> None:
    async def scenario() -> None:
        desk = Seen().desk
        requests = [nested(MAX_WRAPPERS), nested(MAX_WRAPPERS + 1), nested(100)]
        assert await desk.ask(*requests) == [ANSWER, *["400 INPUT_FETCH_ERROR"] * 2]
        long = [init(USERS, device_model="x" * size) for size in (MAX_WRAPPER_SIZE - 100, MAX_WRAPPER_SIZE)]
        assert await desk.ask(*long) == [ANSWER, "400 INPUT_FETCH_ERROR"]

    run(scenario)


UNKNOWN = bytes.fromhex("efbeadde 01000000")


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (UNKNOWN, "401 AUTH_KEY_UNREGISTERED"),
        (bytes(REQUEST), "401 AUTH_KEY_UNREGISTERED"),
        (bytes(USERS)[:-4], "400 INPUT_FETCH_ERROR"),
        (bytes(USERS) + bytes(4), "400 INPUT_FETCH_ERROR"),
        (bytes.fromhex("00000000"), "401 AUTH_KEY_UNREGISTERED"),
        (pack_gzip(UNKNOWN), "401 AUTH_KEY_UNREGISTERED"),
        (bytes(service.GzipPacked(packed_data=b"none")), "400 INPUT_FETCH_ERROR"),
        (pack_gzip(bytes(USERS) + bytes(2**20)), "400 INPUT_FETCH_ERROR"),
    ],
    ids=["unknown", "unhandled", "cut", "longer", "zero", "gzip unknown", "gzip broken", "gzip bomb"],
)
@pytest.mark.parametrize("wrappers", [(), ("layer",), ("layer", "init", "no updates"), ("takeout", "range")])
def test_what_is_no_request_gets_an_rpc_error(body: bytes, answer: str, wrappers: tuple[str, ...]) -> None:
    async def scenario() -> None:
        desk = Seen().desk
        wrapped: Any = tl.Raw(body)
        for name in wrappers:
            wrapped = WRAPPED[name](wrapped)
        assert await desk.ask(wrapped, USERS) == [answer, ANSWER]
        assert not desk.dispatcher.errors

    run(scenario)


@pytest.mark.parametrize("name", ["layer", "init", "range"])
def test_wrappers_that_end_in_the_middle(name: str) -> None:
    async def scenario() -> None:
        whole = bytes(WRAPPED[name](USERS))[: -len(bytes(USERS))]
        cut = [whole[:size] for size in range(4, len(whole) + 1, 4)]
        answers = await Seen().desk.ask(*cut)
        assert set(answers) <= {"400 INPUT_FETCH_ERROR", "401 AUTH_KEY_UNREGISTERED"}

    run(scenario)


def test_one_budget_for_all_that_is_unpacked_from_a_request() -> None:
    async def scenario() -> None:
        def twice_packed(size: int) -> Any:
            request: Any = api.account.SendVerifyPhoneCode(
                phone_number=seeded(1)(size // 2).hex(), settings=api.CodeSettings()
            )
            for name in ("gzip", "layer", "gzip", "layer"):
                request = WRAPPED[name](request)
            return request

        desk = Desk({api.account.SendVerifyPhoneCode: of_refusal})
        sizes = (600_000, 640_000, 720_000, 900_000)  # and half as much in the packed one
        answers = [(await desk.ask(twice_packed(size)))[0] for size in sizes]
        assert answers == ["400 SEEN"] * 2 + ["400 INPUT_FETCH_ERROR"] * 2

    run(scenario)


# -- handlers -----------------------------------------------------------------------------------------


def of_request(request: Any) -> list[Any]:
    return []


def of_refusal(request: Any) -> Any:
    raise RpcError(400, "SEEN")


def of_nothing() -> list[Any]:
    return []


def of_three(one: Any, two: Any, three: Any) -> list[Any]:
    return []


def of_both(request: Any, context: RequestContext) -> list[Any]:
    assert isinstance(context, RequestContext)
    return []


async def awaited(request: Any, context: RequestContext) -> list[Any]:
    return of_both(request, context)


def of_any(*arguments: Any) -> list[Any]:
    assert len(arguments) == 1
    return []


def with_default(request: Any, answer: Any = ()) -> list[Any]:
    return list(answer)


class Called:
    def __call__(self, request: Any, context: RequestContext) -> list[Any]:
        return of_both(request, context)

    def method(self, request: Any) -> list[Any]:
        return of_request(request)


@pytest.mark.parametrize(
    "handler",
    [
        of_request,
        of_both,
        awaited,
        of_any,
        with_default,
        Called(),
        Called().method,
        partial(of_both, context=RequestContext(None, 0, "")),  # type: ignore[arg-type]
        Mock(return_value=[]),
    ],
    ids=str,
)
def test_functions_of_one_or_two_arguments(handler: Any) -> None:
    async def scenario() -> None:
        desk = Desk({api.users.GetUsers: handler})
        assert await desk.ask(USERS) == [ANSWER]
        assert not desk.dispatcher.errors

    run(scenario)


@pytest.mark.parametrize("handler", [of_nothing, of_three, 5, None])
def test_functions_that_are_no_handlers(handler: Any) -> None:
    with pytest.raises(LocalProtocolError, match=r"the handler of users\.getUsers is"):
        serve({api.users.GetUsers: handler})


@pytest.mark.parametrize("wrapper", [api.InvokeWithLayer, api.InvokeAfterMsgs, api.InvokeWithTakeout])
def test_wrappers_have_no_handlers(wrapper: Any) -> None:
    with pytest.raises(LocalProtocolError, match="has no handler: requests are taken out of it first"):
        serve({wrapper: of_request})


def test_wrappers_of_a_schema_of_ones_own_are_taken_off_too() -> None:
    schema = tl.load(
        "boolTrue = Bool;\n---functions---\nown.wrap#7 {X:Type} n:int query:!X = X;\nown.ask#8 = Bool;\n",
        name="own",
    )
    contexts: list[RequestContext] = []

    def ask(_: Any, context: RequestContext) -> bool:
        contexts.append(context)
        return True

    async def scenario() -> None:
        classes = schema.SCHEMA.by_name
        desk = Desk({classes["own.ask"]: ask})
        request = classes["own.wrap"](n=5, query=classes["own.ask"]())
        assert await desk.ask(request, WRAPPED["layer"](request), UNKNOWN) == [
            TRUE,
            TRUE,
            "401 AUTH_KEY_UNREGISTERED",
        ]
        assert [[w.TL_NAME for w in c.wrappers] for c in contexts] == [
            ["own.wrap"],
            ["invokeWithLayer", "own.wrap"],
        ]

    run(scenario)


def test_an_rpc_error_of_a_handler_is_the_answer_and_mistakes_are_collected() -> None:
    def refuse(_: Any) -> Any:
        raise RpcError(420, "FLOOD_WAIT_3")

    def break_down(_: Any) -> Any:
        raise KeyError("mistake")

    async def scenario() -> None:
        desk = Desk({api.users.GetUsers: refuse, api.help.GetConfig: break_down})
        assert await desk.ask(USERS, REQUEST) == ["420 FLOOD_WAIT_3", "400 HANDLER_FAILED"]
        assert [type(error) for error in desk.dispatcher.errors] == [KeyError]
        assert desk.pending == 0

    run(scenario)


def test_nothing_stands_behind_an_rpc_error_in_a_container() -> None:
    """GramJS 2.26 handles a container up to its first rpc_error, and loses the rest."""

    async def scenario() -> None:
        desk = Seen().desk
        for _ in range(2):
            requests = [USERS, USERS, REQUEST, USERS, REQUEST, REQUEST, USERS]
            ids = [desk.next_id() for _ in requests]
            desk.handle(desk.send_container(zip(ids, map(bytes, requests), strict=True)))
            payloads = desk.payloads()
            results = [
                [unpack_rpc_result(m.body) for m in payload if constructor_id(m.body) == RESULT]
                for payload in payloads
            ]
            assert [msg_id for payload in results for msg_id, _ in payload] == ids
            assert [len(payload) for payload in results] == [3, 2, 1, 1]
            for payload in payloads:
                assert all(message.body[12:16] != ERROR for message in payload[:-1])

    run(scenario)
