"""A client and a server in memory: answers whatever the network does, and the same bytes for the same seed."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections import Counter
from hashlib import sha256
from typing import Any

import pytest

from mtproto import api, service
from mtproto.client.backoff import Backoff
from mtproto.connection import KeepAlive
from mtproto.errors import (
    AuthKeyLost,
    ConnectionClosed,
    FateUnknown,
    LocalProtocolError,
    PeerSilent,
    RequestLost,
    RpcError,
)
from mtproto.events import KeyAgreed, MessageDropped, MessageReceived, QuickAckReceived, SessionCreated
from mtproto.session.answers import Answers
from mtproto.side import Side
from mtproto.testing import Call, Ending, Later, Network, Pair, RequestContext, StillRunning, faults
from mtproto.testing.ledger import Arrived, Said
from mtproto.testing.timeline import START
from mtproto.transport import FRAMINGS
from tests.mtproto.helpers import TEST_KEY

BAD = Network(latency=0.05, jitter=0.03, loss=0.1, duplication=0.1, reordering=0.1)
WIRES = [(name, False) for name in FRAMINGS] + [(n, True) for n in FRAMINGS if n != "full"]


def send_code(number: int = 0) -> api.auth.SendCode:
    """A request that differs from all others."""
    settings = api.CodeSettings()
    return api.auth.SendCode(phone_number=f"+1202555{number:04}", api_id=0, api_hash="", settings=settings)


def digest(pair: Pair) -> str:
    return sha256(repr(pair.wire).encode()).hexdigest()


def conversation(seed: int, **options: Any) -> Pair:
    """Twenty calls over a bad network, with all that a server may do to a client."""
    pair = Pair(seed=seed, network=BAD, **options)
    calls = [pair.invoke(send_code(number)) for number in range(10)]
    pair.run(for_=5)
    pair.rotate_salt(keep_previous=False)
    calls += [pair.invoke(send_code(number), after=calls[:1]) for number in range(10, 20)]
    pair.run(for_=1)
    pair.break_line()
    pair.run()
    return pair


@pytest.mark.parametrize(("transport", "obfuscated"), WIRES)
def test_a_call_is_answered_over_every_transport(transport: str, obfuscated: bool) -> None:
    pair = Pair(transport=transport, obfuscated=obfuscated)
    call = pair.invoke(send_code())
    assert (call.done, call.outcome) == (False, "open")
    pair.run()
    assert isinstance(call.result(), api.auth.SentCode)
    assert pair.executed == {call: 1}
    assert pair.client.transport == pair.server.transport == ("obfuscated " if obfuscated else "") + transport
    pair.check()


@pytest.mark.parametrize(("transport", "obfuscated"), WIRES)
def test_every_call_is_executed_and_answered_once_over_a_bad_network(
    transport: str, obfuscated: bool
) -> None:
    pair = conversation(3, transport=transport, obfuscated=obfuscated)
    assert {call.outcome for call in pair.calls} == {"answered"}
    assert [call.executed for call in pair.calls] == [1] * 20
    pair.check()


def test_the_same_seed_gives_the_same_bytes_and_another_one_others() -> None:
    assert digest(conversation(1)) == digest(conversation(1))
    assert digest(conversation(1)) != digest(conversation(2))


def test_the_same_seed_gives_the_same_bytes_in_another_process() -> None:
    code = "from tests.mtproto.testing.test_pair import *; print(digest(conversation(1)))"
    for hash_seed in ("1", "2"):
        process = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=True,
        )
        assert process.stdout.strip() == digest(conversation(1))


@pytest.mark.parametrize(("transport", "obfuscated"), WIRES)
def test_pieces_of_one_byte_and_lumps_change_nothing(transport: str, obfuscated: bool) -> None:
    def answers(network: Network) -> list[Any]:
        pair = Pair(transport=transport, obfuscated=obfuscated, network=network)
        calls = [pair.invoke(send_code(number)) for number in range(3)]
        pair.run()
        pair.check()
        return [call.result() for call in calls]

    whole = answers(Network())
    assert answers(Network(fragment=1)) == whole
    assert answers(Network(fragment=1, bandwidth=1e6, coalesce=0.01)) == whole


def test_the_virtual_clock_shows_what_a_round_trip_takes() -> None:
    pair = Pair(network=Network(latency=0.25))
    pair.invoke(send_code())
    pair.run()
    start = pair.clock.now
    call = pair.invoke(send_code(1))
    pair.run(until=lambda: call.done)
    assert pair.clock.now - start == pytest.approx(0.5)


def test_a_handler_may_take_its_time_see_the_context_and_fail() -> None:
    seen: list[RequestContext] = []

    def config(request: api.help.GetConfig, context: RequestContext) -> object:
        seen.append(context)
        return Later(7.5, RpcError(420, "FLOOD_WAIT_3"))

    pair = Pair({api.help.GetConfig: config})
    call = pair.invoke(api.InvokeWithLayer(layer=228, query=api.help.GetConfig()))
    start = pair.clock.now
    pair.run(until=lambda: call.done)
    assert pair.clock.now - start == pytest.approx(7.5)
    with pytest.raises(RpcError, match="420 FLOOD_WAIT_3"):
        call.result()
    assert seen[0].layer == 228
    unknown = pair.invoke(send_code())
    pair.run()
    assert isinstance(unknown.error, RpcError)
    assert unknown.executed == 0
    pair.check()


def test_calls_after_others_are_executed_after_them() -> None:
    order: list[str] = []

    def take(request: api.auth.SendCode) -> object:
        order.append(request.phone_number[-1])
        return Later(5 - len(order), RpcError(400, "NO")) if request.phone_number.endswith("9") else sent

    sent = api.auth.SentCode(type=api.auth.SentCodeTypeSms(length=5), phone_code_hash="")
    pair = Pair({api.auth.SendCode: lambda r: Later(3, take(r)) if r.phone_number.endswith("0") else take(r)})
    first = pair.invoke(send_code(0))
    second = pair.invoke(send_code(1), after=[first])
    pair.invoke(send_code(2), after=[first, second])
    failing = pair.invoke(send_code(9))
    waiting = pair.invoke(send_code(3), after=[failing])
    pair.run()
    assert order == ["0", "9", "1", "2"]
    assert isinstance(waiting.error, RpcError)
    assert waiting.error.message == "MSG_WAIT_FAILED"
    pair.check()


def test_requests_may_be_bytes_and_travel_in_gzip_with_a_quick_ack() -> None:
    pair = Pair(transport="intermediate")
    call: Call[bytes] = pair.invoke(bytes(send_code()), gzip=True, quick_ack=True)
    pair.run()
    assert isinstance(api.decode(call.result()), api.auth.SentCode)
    assert any(isinstance(event, QuickAckReceived) for event in pair.client_events)
    pair.check()


def test_a_key_is_agreed_where_there_is_an_rsa_key_and_renewed_in_time() -> None:
    pair = Pair(key=TEST_KEY, temp_key_lifetime=3600, network=Network(latency=0.1))
    calls = [pair.invoke(send_code())]
    pair.run()
    pair.run(for_=4000)
    calls.append(pair.invoke(send_code(1)))
    pair.run()
    assert sum(isinstance(event, KeyAgreed) for event in pair.client_events) == 2
    assert [call.outcome for call in calls] == ["answered"] * 2
    pair.check()


def test_a_client_whose_clock_is_wrong_sets_it() -> None:
    for skew in (-3600.0, 3600.0):
        pair = Pair(skew=skew, knows_time=True)
        call = pair.invoke(send_code())
        pair.run()
        assert call.executed == 1
        assert pair.client.session.ids.time_offset == pytest.approx(-skew, abs=1)
        pair.skew = 0.0
        for number in (1, 2):
            other = pair.invoke(send_code(number))
            pair.run()
            assert (other.executed, other.outcome) == (1, "answered")
        pair.check()


def test_timers_ring_by_the_clock_of_their_end() -> None:
    pair = Pair(skew=-0.1 - 1e-7, keep_alive=KeepAlive(interval=1.0, patience=0.5, disconnect_delay=3))
    pair.run(for_=100)
    pings = [said for said in pair.ledger.said if said.name == "ping_delay_disconnect"]
    assert len(pings) in (99, 100)
    assert len({round(ping.time % 1, 3) for ping in pings}) == 1


# A session that has begun before anything goes wrong

LOSSY = Network(latency=0.05, loss=0.3)


def outcomes(seed: int, **options: Any) -> set[str]:
    """What becomes of three calls, the first of their session but for what begins it."""
    pair = Pair(seed=seed, network=LOSSY, **options)
    for number in range(3):
        pair.invoke(send_code(number))
    pair.run()
    pair.check(errors=LOSSY.errors)
    return {call.outcome for call in pair.calls}


def test_what_a_network_loses_of_a_session_that_has_begun_is_answered_all_the_same() -> None:
    seeds = range(30)
    assert set.union(*(outcomes(seed) for seed in seeds)) == {"answered", "FateUnknown"}
    assert set.union(*(outcomes(seed, begun=True) for seed in seeds)) == {"answered"}
    assert Network(latency=1, jitter=1, fragment=1).errors == ()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"skew": 3600.0, "knows_time": True},
        {"key": TEST_KEY, "temp_key_lifetime": 3600, "transport": "full"},
        {"faults": [faults.Drop(side=Side.CLIENT)]},
    ],
)
def test_a_session_begins_in_no_time(options: dict[str, Any]) -> None:
    pair = Pair(network=LOSSY, begun=True, **options)
    assert sum(isinstance(event, SessionCreated) for event in pair.client_events) == 1
    assert pair.clock.now == START
    assert pair.network == LOSSY
    assert {link.network for link in pair.line.links.values()} == {LOSSY}
    pair.stop_faults()
    pair.change_network(Network())
    pair.run()
    pair.check()


def test_a_session_may_begin_later_and_not_where_nobody_comes_back() -> None:
    pair = Pair(network=Network(latency=0.5), reconnect=None)
    pair.run(for_=3)
    pair.begin()
    pair.begin()
    assert pair.clock.now == START + 3
    pair.break_line()
    with pytest.raises(
        LocalProtocolError, match="no session can begin: the client has given up: the connection br"
    ):
        pair.begin()
    assert pair.network == Network(latency=0.5)


def test_a_key_exchange_is_none_of_the_messages_that_get_lost() -> None:
    pair = Pair(key=TEST_KEY, network=Network(loss=1.0))
    pair.invoke(send_code())
    with pytest.raises(StillRunning):
        pair.run(deadline=60)
    assert sum(isinstance(event, KeyAgreed) for event in pair.client_events) == 1
    assert pair.ledger.said
    assert not pair.executed


def test_the_last_two_hours_that_can_be_told() -> None:
    """Salts are asked for until 2038-01-19 03:14:07; then no msg_id can be made any more."""
    pair = Pair(start=2**31 - 7200.0, knows_time=True)
    config = pair.invoke(api.help.GetConfig())
    pair.run(for_=7000)
    late = pair.invoke(api.help.GetConfig())
    pair.run()
    assert config.result().expires == 2**31 - 3600
    assert (late.result().date, late.result().expires) == (2**31 - 200, 2**31 - 1)
    told = [service.decode(s.body, service.FutureSalts) for s in pair.ledger.said if s.name == "future_salts"]
    assert max(salt.valid_until for salts in told for salt in salts.salts) == 2**31 - 1
    with pytest.raises(LocalProtocolError, match="no msg_id can be made"):
        pair.run(for_=4 * 3600)


# What happens to the connection and to the server


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("ending", [Ending.FIN, Ending.RST])
def test_a_connection_that_ends_is_replaced(side: Side, ending: Ending) -> None:
    for after in (0, 1, 4, 30, 100, 200):
        pair = Pair(network=Network(latency=0.01))
        pair.invoke(send_code(10))
        pair.run()
        pair.cut(side, pair.line.links[side].sent + after, ending)
        calls = [pair.invoke(send_code(number)) for number in range(3)]
        pair.run()
        assert [call.outcome for call in calls] == ["answered"] * 3
        assert len(pair.failures) == 1
        assert len(pair.lines) == 1, "the old connection is closed on both sides"
        pair.check()


def test_a_half_open_connection_is_found_by_a_ping() -> None:
    pair = Pair(keep_alive=KeepAlive(interval=60, patience=15, disconnect_delay=75))
    pair.invoke(send_code())
    pair.run()
    pair.half_open()
    call = pair.invoke(send_code(1))
    start = pair.clock.now
    pair.run(until=lambda: call.done)
    assert pair.clock.now - start < 60 + 15 + 2
    assert isinstance(pair.failures[0], PeerSilent)
    pair.run()
    pair.check()


def test_pings_that_are_due_wait_for_a_session() -> None:
    """Without one nothing can be pinged: the client does not wake up for it, again and again."""
    pair = Pair(
        key=TEST_KEY, temp_key_lifetime=3600, network=Network(latency=2), keep_alive=KeepAlive(0.5, 60)
    )
    rung = 0

    def handle_timer(inner: Any = pair.client.handle_timer) -> Any:
        nonlocal rung
        rung += 1
        return inner()

    pair.client.handle_timer = handle_timer  # type: ignore[method-assign]
    pair.invoke(send_code())
    pair.run(until=lambda: pair.client.is_ready)
    assert rung == 0
    pair.run(for_=10)
    assert [call.outcome for call in pair.calls] == ["answered"]
    assert "ping_delay_disconnect" in {said.name for said in pair.ledger.said}


def test_a_half_open_connection_is_closed_by_the_server_in_time() -> None:
    pair = Pair(keep_alive=KeepAlive())
    pair.run(for_=61)  # a ping has asked for it
    pair.half_open()
    pair.run(for_=76)
    assert len(pair.lines) == 1
    assert pair.line.number == 1


@pytest.mark.parametrize("arrived", [False, True])
def test_a_restarted_server_knows_nothing_of_what_was_asked_before(arrived: bool) -> None:
    sent = api.auth.SentCode(type=api.auth.SentCodeTypeSms(length=5), phone_code_hash="")
    pair = Pair({api.auth.SendCode: lambda request: Later(5, sent)}, network=Network(latency=0.1))
    pair.invoke(send_code())
    pair.run()
    call, again = pair.invoke(send_code(1)), pair.invoke(send_code(2), at_least_once=True)
    pair.run(for_=1 if arrived else 0.01)
    pair.restart(down=3)
    pair.run()
    assert isinstance(call.error, FateUnknown)
    assert (call.executed, again.executed) == (int(arrived), 1 + arrived)
    assert again.outcome == "answered"
    assert sum(isinstance(event, SessionCreated) for event in pair.client_events) == 2
    pair.check(errors=[FateUnknown])


def test_a_server_that_stays_away_is_given_up_and_everyone_told() -> None:
    pair = Pair(reconnect=Backoff(first=1, longest=4, attempts=4))
    pair.invoke(send_code())
    pair.run()
    sent = pair.invoke(send_code(1))
    pair.restart(down=10_000)
    unsent = pair.invoke(send_code(2))
    start = pair.clock.now
    pair.run(until=lambda: pair.is_given_up)
    assert 0 < pair.clock.now - start <= 1 + 2 + 4 + 4
    assert len(pair.failures) == 5
    assert isinstance(sent.error, RequestLost)
    assert type(unsent.error) is ConnectionClosed
    late = pair.invoke(send_code(3))
    assert type(late.error) is ConnectionClosed


def test_without_a_policy_nobody_comes_back() -> None:
    pair = Pair(reconnect=None)
    call = pair.invoke(send_code())
    pair.break_line()
    pair.run()
    assert isinstance(call.error, RequestLost)
    assert pair.is_given_up
    assert pair.lines == []


def test_an_auth_key_that_is_lost_is_not_replaced() -> None:
    pair = Pair()
    pair.invoke(send_code())
    pair.run()
    pair.lose_key()
    calls = [pair.invoke(send_code(number)) for number in range(1, 5)]
    pair.run()
    assert {type(call.error) for call in calls} == {AuthKeyLost}
    assert pair.is_given_up
    pair.check(errors=[AuthKeyLost])


def test_a_cancelled_call_is_not_answered() -> None:
    pair = Pair({api.help.GetConfig: lambda _: Later(5, RpcError(400, "LATE"))})
    call = pair.invoke(api.help.GetConfig())
    pair.run(for_=1)
    pair.cancel(call)
    pair.run()
    assert (call.outcome, call.endings, call.executed) == ("cancelled", 0, 1)
    with pytest.raises(LocalProtocolError, match="is cancelled"):
        call.result()
    pair.check()


def test_updates_come_and_are_acknowledged() -> None:
    pair = Pair(network=BAD)
    pair.invoke(send_code())
    pair.run()
    for _ in range(50):
        pair.notify(api.BoolTrue())
    pair.run()
    assert sum(isinstance(event, MessageReceived) for event in pair.client_events) == 50
    pair.check()


def test_what_was_said_can_be_read() -> None:
    pair = Pair()
    pair.invoke(send_code())
    pair.run()
    names = [(said.side.name, said.name, said.seq_no) for said in pair.ledger.said]
    assert names[:4] == [
        ("CLIENT", "request", 1),
        ("SERVER", "new_session_created", 1),
        ("SERVER", "rpc_result", 3),
        ("CLIENT", "msgs_ack", 2),
    ]
    assert pair.ledger.said[0].body == bytes(send_code())


# Bad use


def test_a_script_that_never_ends_is_stopped_with_an_account() -> None:
    pair = Pair({api.auth.SendCode: lambda request: Later(10_000, RpcError(400, "LATE"))})
    pair.invoke(send_code())
    with pytest.raises(StillRunning, match="not done after 600 s") as stopped:
        pair.run(deadline=600)
    assert "<Call 0: open>" in str(stopped.value)
    assert "1 requests wait for their handlers" in str(stopped.value)


def test_a_script_that_takes_no_time_is_stopped_too() -> None:
    pair = Pair()

    def again() -> None:
        pair.clock.after(0, again)

    again()
    with pytest.raises(StillRunning, match="not done after 100000 events in 0 s"):
        pair.run()


@pytest.mark.parametrize("how", [{"deadline": 2.0}, {"for_": 2.0}, {"until": lambda: False, "deadline": 2.0}])
def test_a_script_that_says_something_on_and_on_is_stopped_too(how: dict[str, Any]) -> None:
    pair = Pair(network=Network(latency=0.001))

    def again() -> None:
        pair.invoke(send_code())
        pair.clock.after(0.002, again)

    again()
    with pytest.raises(
        StillRunning, match=r"not done after 500 events in 0\.\d+ s, the most that max_st"
    ) as stopped:
        pair.run(**how, max_steps=500)
    assert "things are on their way" in str(stopped.value)
    assert re.search(r"\d{3} messages were said, the last of them: .*SERVER rpc_result", str(stopped.value))


def test_pieces_are_no_steps_of_their_own() -> None:
    steps = []
    for network in (Network(latency=0.1), Network(latency=0.1, fragment=1)):
        pair = Pair(network=network)
        pair.invoke(send_code())
        pair.run(max_steps=10)
        steps.append(pair.clock.steps)
    assert steps[0] == steps[1]


@pytest.mark.parametrize(
    ("how", "complaint"),
    [
        ({"for_": math.inf}, "got inf for for_, expected a number of seconds"),
        ({"for_": math.nan}, "got nan for for_, expected a number of seconds"),
        ({"for_": -5}, "got -5 for for_, expected a number of seconds, 0 or more"),
        ({"for_": "x"}, "got 'x' for for_, expected a number of seconds"),
        ({"for_": True}, "got True for for_, expected a number of seconds"),
        ({"deadline": math.inf}, "got inf for deadline, expected a number of seconds"),
        ({"deadline": math.nan}, "got nan for deadline, expected a number of seconds"),
        ({"deadline": -1}, "got -1 for deadline, expected a number of seconds, 0 or more"),
        ({"deadline": 10**400}, "for deadline, expected a number of seconds"),
        ({"until": True}, "got True for until, expected a function or None"),
        ({"max_steps": 0}, "got 0 for max_steps, expected an int >= 1"),
        ({"max_steps": math.inf}, "got inf for max_steps, expected an int >= 1"),
        ({"until": lambda: True, "for_": 1}, "until and for_ exclude each other"),
    ],
)
def test_how_no_pair_can_run(how: dict[str, Any], complaint: str) -> None:
    with pytest.raises(LocalProtocolError, match=complaint):
        Pair().run(**how)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"seed": "x"}, "got 'x' for a seed, expected an int"),
        ({"seed": 1.0}, "expected an int"),
        ({"seed": True}, "expected an int"),
        ({"transport": "carrier pigeon"}, "no framing is called"),
        ({"transport": "full", "obfuscated": True}, "can't be obfuscated"),
        ({"temp_key_lifetime": 3600}, "takes an RSA key"),
        ({"handlers": {int: print}}, "expected the class of a function"),
        ({"network": None}, "got None for network, expected a Network"),
        ({"network": {"latency": 1}}, "got {'latency': 1} for network, expected a Network"),
        (
            {"faults": faults.DropAnswer()},
            "got DropAnswer.* for faults, expected a list of objects of mtproto.testing",
        ),
        ({"skew": "x"}, "got 'x' for skew, expected a number of seconds"),
        ({"skew": math.nan}, "got nan for skew, expected a number of seconds"),
        ({"start": "x"}, "got 'x' for start, expected a number of seconds of unix time"),
        ({"start": math.inf}, "got inf for start, expected a number"),
        (
            {"start": 2**31},
            "for start, expected a number of seconds of unix time, 0 or more and below 2147483648",
        ),
        ({"key": TEST_KEY.public}, "got a PublicKey for key, expected a PrivateKey or None"),
        ({"key": TEST_KEY.public.to_pem()}, "got a str for key, expected a PrivateKey or None"),
        ({"keep_alive": 5}, "got 5 for keep_alive, expected a KeepAlive or None"),
        ({"deadlines": 5}, "got 5 for deadlines, expected a Deadlines"),
        ({"reconnect": "never"}, "got 'never' for reconnect, expected a Backoff or None"),
        ({"strict": "x"}, "got 'x' for strict, expected a bool"),
        ({"knows_time": 1}, "got 1 for knows_time, expected a bool"),
        ({"obfuscated": 1}, "got 1 for obfuscated, expected a bool"),
    ],
)
def test_what_no_pair_can_be_is_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(LocalProtocolError, match=complaint):
        Pair(**options)


def test_handlers_that_are_async_are_refused() -> None:
    async def config(request: api.help.GetConfig) -> None: ...

    with pytest.raises(LocalProtocolError, match="async, and a Pair has no loop"):
        Pair({api.help.GetConfig: config})
    hidden = Pair({api.help.GetConfig: lambda request: config(request)})
    hidden.invoke(api.help.GetConfig())
    with pytest.raises(LocalProtocolError, match="no loop to await it in"):
        hidden.run()


def test_a_mistake_of_a_handler_is_raised_where_the_pair_runs() -> None:
    pair = Pair({api.help.GetConfig: lambda request: 1 / 0})
    pair.invoke(api.help.GetConfig())
    with pytest.raises(ZeroDivisionError):
        pair.run()


def test_bad_arguments_are_refused() -> None:
    pair = Pair()
    with pytest.raises(LocalProtocolError, match="expected an int >= 0"):
        pair.cut(Side.CLIENT, -1)
    with pytest.raises(LocalProtocolError, match="got 0 for down, expected a number of seconds, above 0"):
        pair.restart(down=0)
    with pytest.raises(LocalProtocolError, match="got -1 for Later, expected a number of seconds, 0 or more"):
        Later(-1, None)
    with pytest.raises(LocalProtocolError, match="got 'x' for Later"):
        Later("x", None)  # type: ignore[arg-type]
    with pytest.raises(LocalProtocolError, match="let the pair run"):
        pair.invoke(send_code()).result()


def test_what_can_not_happen_to_a_pair_is_refused() -> None:
    pair: Any = Pair()
    other = Pair().invoke(send_code())
    for bad, complaint in (
        (lambda: pair.cut("client", 3), "got 'client' for side, expected a Side"),
        (lambda: pair.cut(Side.CLIENT, 0, "fin"), "got 'fin' for ending, expected an Ending"),
        (lambda: pair.break_line("client"), "got 'client' for a side, expected a Side"),
        (lambda: pair.change_network("x"), "got 'x' for network, expected a Network"),
        (lambda: setattr(pair, "skew", "x"), "got 'x' for skew, expected a number of seconds"),
        (lambda: pair.restart(down=math.inf), "got inf for down, expected a number of seconds"),
        (
            lambda: pair.invoke(api.CodeSettings()),
            "got CodeSettings.* to invoke, expected a function of a schema",
        ),
        (lambda: pair.invoke(api.help.GetConfig), "to invoke, expected a function of a schema, or bytes"),
        (lambda: pair.invoke(send_code(), after=[other]), "got <Call 0: open>, which is of another Pair"),
        (lambda: pair.invoke(send_code(), after=[1]), "got 1 for a call, expected a Call"),
        (lambda: pair.invoke(send_code(), after=other), "for after, expected a list of calls"),
        (lambda: pair.cancel(other), "got <Call 0: open>, which is of another Pair"),
        (lambda: pair.notify(5), "got 5, expected an object of a schema, or bytes"),
        (lambda: pair.check(errors=FateUnknown), "for errors, expected a list of classes of errors"),
    ):
        with pytest.raises(LocalProtocolError, match=complaint):
            bad()
    assert not pair.calls
    pair.run()
    pair.check()


def test_what_is_no_answer_is_said_to_be_a_handlers() -> None:
    pair = Pair({api.help.GetConfig: lambda request: None})
    pair.invoke(api.help.GetConfig())
    with pytest.raises(
        LocalProtocolError, match=r"the handler of help\.getConfig gave what is no answer: .*None"
    ):
        pair.run()


# The checks find what is wrong


def test_the_checks_see_a_call_that_is_open_executed_twice_or_has_failed() -> None:
    pair = Pair()
    call = pair.invoke(send_code())
    with pytest.raises(AssertionError, match="has ended 0 times"):
        pair.check()
    pair.run()
    call.executed = 2
    with pytest.raises(AssertionError, match="executed 2 times"):
        pair.check()
    call.executed = 0
    with pytest.raises(AssertionError, match="was not executed"):
        pair.check()
    call.executed, call.error = 1, FateUnknown("?")
    with pytest.raises(AssertionError, match="has failed: \\?"):
        pair.check()
    pair.check(errors=[FateUnknown])


def test_the_checks_see_an_acknowledgement_that_is_missing() -> None:
    pair = Pair()
    call = pair.invoke(send_code())
    pair.run(until=lambda: call.done)
    with pytest.raises(AssertionError, match="CLIENT owes an acknowledgement of rpc_result"):
        pair.check()


@pytest.mark.parametrize("size", [1, 1000])
def test_what_is_acknowledged_before_the_rest_of_its_bytes_has_come_is_not_owed(size: int) -> None:
    pair = Pair(network=Network(latency=0.05, fragment=size), begun=True)
    several_frames(pair)
    pair.run()
    assert sum(isinstance(event, MessageReceived) for event in pair.client_events) == 250
    pair.check()


def several_frames(pair: Pair) -> None:
    """Let the server send 250 updates in more than one frame at once."""
    (session,) = pair.state.carriers
    for _ in range(250):
        pair.state.notify(session, bytes(api.BoolTrue()))
    pair.pump()


def updates(pair: Pair) -> set[Said]:
    return {said for said in pair.ledger.said if said.name == "update"}


@pytest.mark.parametrize("fragment", [None, 7])
def test_what_has_come_whole_before_the_stream_was_cut_off_is_owed(fragment: int | None) -> None:
    pair = Pair(network=Network(latency=0.05, fragment=fragment), begun=True)
    pair.cut(Side.SERVER, pair.line.links[Side.SERVER].sent + 5000)
    several_frames(pair)
    pair.run(until=lambda: pair.failures)
    received = sum(isinstance(event, MessageReceived) for event in pair.client_events)
    assert 0 < received < 250
    kinds = Counter(
        type(event) for event in pair.ledger.history if getattr(event, "said", None) in updates(pair)
    )
    assert kinds == {Arrived: received}, "and nobody doubts it"
    pair.run()
    assert sum(isinstance(event, MessageReceived) for event in pair.client_events) == 250
    pair.check()


def test_the_checks_see_an_answer_that_is_kept_although_it_was_acknowledged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Answers, "acknowledge", lambda answers, msg_id: None)
    pair = Pair()
    pair.invoke(send_code())
    pair.run()
    with pytest.raises(AssertionError, match="keeps 1 answers that the client has acknowledged"):
        pair.check()


def test_an_answer_that_was_sent_in_vain_is_kept_for_a_client_that_asks() -> None:
    """Nobody has noticed that nothing arrives any more: no call is open, and the client's next ping is far."""
    pair = Pair(keep_alive=KeepAlive(), reconnect=Backoff())
    pair.invoke(send_code())
    pair.run()
    pair.skew = -3600.0
    pair.cancel(pair.invoke(send_code(1)))
    pair.half_open()
    pair.run()
    (session,) = pair.state.sessions.values()
    assert len(session.answers) == 1
    assert not session.sent.unacknowledged()
    pair.check()


def test_what_was_ignored_in_a_container_that_comes_again_is_not_owed() -> None:
    pair = Pair(reconnect=Backoff())
    pair.invoke(send_code())
    pair.run()
    pair.skew = -100.0
    pair.install(faults.Replay(seconds=5.0))
    (session,) = pair.state.carriers
    for _ in range(2):
        pair.state.notify(session, bytes(api.BoolTrue()))
    pair.pump()
    pair.run(for_=10)
    dropped = [event.check for event in pair.client_events if isinstance(event, MessageDropped)]
    assert dropped == ["C11", "C11", "C10"]
    pair.restart()  # nobody sends them once more
    pair.skew = 0.0
    pair.invoke(send_code(1))
    pair.run()
    pair.check()


def test_the_checks_see_numbers_that_are_wrong() -> None:
    pair = Pair()
    pair.invoke(send_code())
    pair.run()
    pair.client.session.sequence.next(True)  # one is left out
    pair.invoke(send_code(1))
    pair.run()
    with pytest.raises(AssertionError, match=r"has seq_no .* after 1 others"):
        pair.check()


def test_the_checks_see_a_msg_id_that_is_used_twice() -> None:
    pair = Pair()
    pair.invoke(send_code())
    pair.run()
    session = pair.client.session
    first = session.ids._last
    session.ids._last = 0
    session._clock = lambda: pair.clock.now
    session.ids._clock = lambda: first / 2**32
    session.ids.time_offset = 0
    session.sent._known.clear()
    session.sent._containers.clear()
    session.ping(1)
    pair.line.pump()
    with pytest.raises(AssertionError, match="CLIENT: encrypted twice under msg_id"):
        pair.check()


def test_service_queries_are_no_calls() -> None:
    pair = Pair()
    pair.client.session.ask(service.GetFutureSalts(num=4))
    pair.run()
    assert not pair.calls
    pair.check()


def test_no_call_fails_because_a_strict_server_refuses_copies_of_what_it_has_executed() -> None:
    pair = Pair(seed=0, strict=True, network=Network(latency=0.5, jitter=0.1), keep_alive=KeepAlive())
    calls = [pair.invoke(api.help.GetConfig())]
    pair.run(for_=61)
    pair.install(faults.Duplicate(nth=5, times=20, side=Side.CLIENT))
    calls += [pair.invoke(api.help.GetConfig()) for _ in range(10)]
    pair.run(for_=0.01)
    for _ in range(5):
        calls.append(pair.invoke(api.help.GetConfig()))
        pair.run(for_=0.5)
    pair.run()
    assert [call.error for call in calls] == [None] * len(calls)
    pair.check()
