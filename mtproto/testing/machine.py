"""Random conversations: whatever happens to a Pair, in whatever order, nothing is lost, doubled or left behind.

A Hypothesis state machine that makes calls, lets messages get lost, come twice and late, cuts connections, changes
salts and clocks, restarts the server; and after each step compares what was said with an independent `Model`.  In
the end nothing goes wrong any more, and everything has to come to rest.

    class TestPairs(PairMachine.TestCase):
        settings = settings(max_examples=1000)

It needs Hypothesis (the extra `testing`).
"""

from __future__ import annotations

from typing import Any

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import tl
from mtproto import api
from mtproto.client.backoff import Backoff
from mtproto.connection import KeepAlive
from mtproto.errors import FateUnknown, MTProtoError, RpcError
from mtproto.session import BadMessage
from mtproto.side import Side
from mtproto.testing.answering import Later
from mtproto.testing.calls import Call
from mtproto.testing.faults import Delay, Drop, Duplicate, Fault, FlipBit, Reorder, Replay
from mtproto.testing.model import Model
from mtproto.testing.network import Ending, Network
from mtproto.testing.pair import Pair
from mtproto.transport import FRAMINGS

__all__ = ["PairMachine", "answer"]

_SENT = api.auth.SentCode(type=api.auth.SentCodeTypeSms(length=5), phone_code_hash="")
_SIDES = st.sampled_from(list(Side))
_WIRES = [
    (name, is_obfuscated) for name, f in FRAMINGS.items() for is_obfuscated in {False, f.tag is not None}
]
_SHORT = (0.01, 0.3, 1.0, 5.0)
# From none to any other is a jump of less than 30 seconds, or more than any copy of a message is late: one that was
# refused because it comes from the future could be taken later, and nobody could know that it is a copy.
_SKEWS = (-3600.0, -400.0, -10.0, 0.0, 10.0, 400.0, 3600.0)
_LONG = (11.0, 61.0, 100.0, 240.0, 400.0, 2000.0)


def answer(request: api.auth.SendCode) -> object:
    """Requests say, in their last digits, how long their answers take, and which are refused."""
    seconds, is_error = divmod(int(request.phone_number[-2:]), 10)
    outcome = RpcError(400, "PHONE_NUMBER_INVALID") if is_error == 9 else _SENT
    return Later(float(seconds), outcome) if seconds else outcome


class PairMachine(RuleBasedStateMachine):
    """What may happen to a Pair; subclasses may add rules, and `errors` with which calls may end."""

    errors: tuple[type[MTProtoError], ...] = (FateUnknown, BadMessage)
    deadline = 4 * 3600.0
    """Virtual seconds within which all has to come to rest."""

    pair: Pair
    model: Model

    @initialize(
        wire=st.sampled_from(sorted(_WIRES)),
        seed=st.integers(0, 2**16),
        latency=st.sampled_from([0.0, 0.05, 1.0]),
        strict=st.booleans(),
        skew=st.sampled_from(_SKEWS),
    )
    def begin(self, wire: tuple[str, bool], seed: int, latency: float, strict: bool, skew: float) -> None:
        """A Pair whose session has begun, whatever the client's clock had shown."""
        self.pair = Pair(
            {api.auth.SendCode: answer},
            transport=wire[0],
            obfuscated=wire[1],
            seed=seed,
            network=Network(latency=latency),
            keep_alive=KeepAlive(),
            reconnect=Backoff(attempts=None),
            strict=strict,
            skew=skew,
        )
        self.read = 0
        self.asked = 0
        self.model = Model(self.pair.client.session.salt, self.pair.clock.now)
        self.pair.invoke(self.request(0))
        self.pair.run(deadline=self.deadline)

    def request(self, kind: int, padding: int = 0) -> tl.TLFunction[Any]:
        """A request that differs from all others; the `padding` is what gzip makes short."""
        number, text = f"+1{len(self.pair.calls):06}{kind:02}", "0" * padding
        return api.auth.SendCode(phone_number=number, api_id=0, api_hash=text, settings=api.CodeSettings())

    # Calls

    @rule(kind=st.integers(0, 39), count=st.sampled_from([1, 1, 2, 5, 30]))
    def invoke(self, kind: int, count: int) -> None:
        """Calls, at once."""
        for _ in range(count):
            self.pair.invoke(self.request(kind))

    @rule(kind=st.integers(0, 39), gzip=st.booleans())
    def invoke_at_least_once(self, kind: int, gzip: bool) -> None:
        """A call that may be executed twice."""
        self.pair.invoke(self.request(kind, padding=200 * gzip), at_least_once=True, gzip=gzip)

    @rule(kind=st.integers(0, 39), data=st.data())
    def invoke_after(self, kind: int, data: st.DataObject) -> None:
        """A call that waits for an earlier one."""
        before: Call[Any] = data.draw(st.sampled_from(self.pair.calls))
        self.pair.invoke(self.request(kind), after=[before])

    @precondition(lambda self: self.pair.open_calls)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Nobody waits for an answer any more."""
        call: Call[Any] = data.draw(st.sampled_from(self.pair.open_calls))
        self.model.calls.cancelled(call)
        self.pair.cancel(call)

    @rule(count=st.sampled_from([1, 3, 150]))
    def notify(self, count: int) -> None:
        """Updates."""
        for _ in range(count):
            self.pair.notify(api.BoolTrue())

    # Time

    @rule(seconds=st.sampled_from(_SHORT))
    def wait(self, seconds: float) -> None:
        """Some time passes."""
        self.pair.run(for_=seconds)

    @rule(seconds=st.sampled_from(_LONG))
    def wait_long(self, seconds: float) -> None:
        """Enough time passes for questions, pings and what is sent again."""
        self.pair.run(for_=seconds)

    @rule(seconds=st.sampled_from(_SKEWS), is_busy=st.booleans())
    def skew(self, seconds: float, is_busy: bool) -> None:
        """The client's clock jumps, and perhaps between calls that are made at once."""
        if is_busy:
            self.invoke(kind=12, count=5)
        self.pair.skew = seconds
        if is_busy:
            self.invoke(kind=0, count=1)

    # Messages

    def _install(self, fault: Fault) -> None:
        """Let a fault happen, and let there be something that it happens to."""
        self.pair.install(fault)
        for kind in (0, 12):
            self.pair.invoke(self.request(kind))

    @rule(side=_SIDES, times=st.sampled_from([1, 1, 3]))
    def lose(self, side: Side, times: int) -> None:
        """Messages get lost."""
        self._install(Drop(side=side, times=times))

    @rule(side=_SIDES, times=st.sampled_from([1, 5]))
    def duplicate(self, side: Side, times: int) -> None:
        """Messages come twice."""
        self._install(Duplicate(side=side, times=times))

    @rule(side=_SIDES, seconds=st.sampled_from([0.2, 2.0, 40.0, 310.0]))
    def delay(self, side: Side, seconds: float) -> None:
        """A message is late."""
        self._install(Delay(side=side, seconds=seconds))

    @rule(side=_SIDES, seconds=st.sampled_from([0.5, 100.0, 301.0]))
    def replay(self, side: Side, seconds: float) -> None:
        """A message comes once more."""
        self._install(Replay(side=side, seconds=seconds))

    @rule(side=_SIDES)
    def reorder(self, side: Side) -> None:
        """A message is overtaken by the next."""
        self._install(Reorder(side=side))

    @rule(field=st.sampled_from(["auth_key_id", "msg_key", "encrypted_data"]), bit=st.integers(0, 63))
    def damage(self, field: str, bit: int) -> None:
        """A message of the server's is damaged."""
        self._install(FlipBit(field=field, bit=bit))

    # Connections, and the server

    @rule(told=st.sampled_from([(), (Side.CLIENT,)]))
    def reconnect(self, told: tuple[Side, ...]) -> None:
        """The connection breaks, and the server may not have heard of it."""
        if not self.pair.client.closed:
            self.pair.break_line(*told)

    @rule(side=_SIDES, after=st.integers(0, 400), ending=st.sampled_from([Ending.FIN, Ending.RST]))
    def cut(self, side: Side, after: int, ending: Ending) -> None:
        """The connection is going to end."""
        link = self.pair.line.links[side]
        self.pair.cut(side, link.sent + after, ending)

    @rule()
    def half_open(self) -> None:
        """Nothing arrives any more."""
        self.pair.half_open()

    @rule(keep_previous=st.booleans())
    def rotate_salt(self, keep_previous: bool) -> None:
        """The salt changes."""
        self.pair.rotate_salt(keep_previous=keep_previous)
        self.model.server_salts.changed(self.pair.clock.now, keep_previous=keep_previous)

    @rule(down=st.sampled_from([0.01, 5.0]), changes_salt=st.booleans())
    def restart(self, down: float, changes_salt: bool) -> None:
        """The server starts again, and remembers nothing but keys; its salt may be another one."""
        if changes_salt:
            self.rotate_salt(keep_previous=True)
        if self.pair.is_server_up:
            self.pair.restart(down=down)

    # What has to be so

    def what_was_said_is_right(self) -> None:
        """The model agrees with every message."""
        history, calls = self.pair.ledger.history, self.pair.calls
        for call in calls[self.asked :]:
            self.model.calls.asked(call)
        self.model.read(history[self.read :])
        self.read, self.asked = len(history), len(calls)
        _fail_for([*self.model.complaints, *self.model.calls.ends()])

    @invariant()
    def calls_are_pending_or_have_ended_once(self) -> None:
        """The client knows of exactly those calls that have not ended; none was executed twice."""
        if not hasattr(self, "pair"):
            return
        self.what_was_said_is_right()
        wrong = []
        for call in self.pair.calls:
            if call.endings > 1:
                wrong.append(f"{call!r} has ended {call.endings} times")
            if call.executed > 1 and not call.options["at_least_once"]:
                wrong.append(f"{call!r} was executed {call.executed} times")
        known = {number for session in self.pair.client.sessions for number in session.open_requests}
        has = {call.number for call in self.pair.calls if call.request_id in known}
        pending = {n for n in self.model.calls.pending() if self.pair.calls[n].request_id is not None}
        if (has ^ pending) - self.model.calls.doubtful and not self.pair.is_given_up:
            wrong.append(f"pending are {sorted(pending)}, the client has {sorted(has)}")
        _fail_for(wrong)

    def teardown(self) -> None:
        """Nothing goes wrong any more: all comes to rest, and is as it has to be."""
        if not hasattr(self, "pair"):
            return
        note(f"{self.pair!r}, failures: {self.pair.failures}")
        self.pair.stop_faults()
        self.pair.run(deadline=self.deadline)
        self.calls_are_pending_or_have_ended_once()
        self.pair.check(errors=self.errors)


def _fail_for(complaints: list[str]) -> None:
    if complaints:
        raise AssertionError("\n".join(complaints[:10]))
