"""What has to be so once all is quiet in a Pair, whatever has happened before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mtproto.errors import MTProtoError, RpcError
from mtproto.side import Side

if TYPE_CHECKING:
    from mtproto.testing.calls import Call
    from mtproto.testing.pair import Pair

__all__ = ["StillRunning", "check"]

_SHOWN = 8


class StillRunning(AssertionError):
    """A Pair does not come to rest: something hangs, or a script goes on for ever."""

    def __init__(self, pair: Pair, when: str) -> None:
        lines = [f"{pair!r} is not done {when}", *_unfinished(pair)]
        super().__init__("\n  ".join(lines))


def _unfinished(pair: Pair) -> Iterator[str]:
    calls = pair.open_calls
    if calls:
        yield f"{len(calls)} calls are open: {_some(calls)}"
    if pair.at_work:
        yield f"{pair.at_work} requests wait for their handlers"
    if pair.clock.deeds:
        yield f"{pair.clock.deeds} things are on their way"
    if pair.client.closed and not pair.is_given_up:
        yield f"the client has no connection: {pair.failures[-1]}"
    if pair.failures:
        yield f"{len(pair.failures)} connections have ended, the last one because: {pair.failures[-1]}"
    if pair.ledger.said:
        last = [f"{said.side.name} {said.name}" for said in pair.ledger.said[-_SHOWN:]]
        yield f"{len(pair.ledger.said)} messages were said, the last of them: {', '.join(last)}"


def _some(things: list[object] | list[Call[object]]) -> str:
    shown = ", ".join(repr(thing) for thing in things[:_SHOWN])
    return shown if len(things) <= _SHOWN else f"{shown}, …"


def check(pair: Pair, errors: tuple[type[MTProtoError], ...]) -> None:
    """Raise AssertionError, with an account of all that is wrong."""
    wrong = [*_calls(pair, errors), *pair.ledger.faults, *_owed(pair), *_left_behind(pair)]
    if wrong:
        raise AssertionError("\n  ".join([f"{pair!r}:", *wrong]))


def _calls(pair: Pair, errors: tuple[type[MTProtoError], ...]) -> Iterator[str]:
    for call in pair.calls:
        if call.endings != 1 and not (call.is_cancelled and call.endings == 0):
            yield f"{call!r} has ended {call.endings} times, expected once"
        if call.error is not None and not isinstance(call.error, (RpcError, *errors)):
            yield f"{call!r} has failed: {call.error}"
        if call.executed > 1 and not call.options["at_least_once"]:
            yield f"{call!r} was executed {call.executed} times, expected once"
        if call.answer is not None and not call.executed:
            yield f"{call!r} was not executed"
    if pair.strangers:
        yield f"{len(pair.strangers)} requests were executed that are those of no call"


def _owed(pair: Pair) -> Iterator[str]:
    if pair.client.closed:
        return
    session = pair.client.session
    mine = [s for s in pair.state.sessions if s.session_id == session.session_id]
    for side in Side:
        for said in pair.ledger.owed(side, mine):
            yield f"{side.name} owes an acknowledgement of {said.name} {said.msg_id}, seq_no {said.seq_no}"


def _left_behind(pair: Pair) -> Iterator[str]:
    if pair.clock.deeds:
        yield f"{pair.clock.deeds} things are on their way, expected 0: let the pair run"
    if pair.client.closed:
        return
    session = pair.client.session
    if session.open_requests:
        yield f"the client's session has open requests: {session.open_requests[:_SHOWN]}"
    for server_session in pair.state.sessions.values():
        if server_session.open_requests:
            yield f"the server's session has {len(server_session.open_requests)} open requests"
        # One that it has sent in vain, until it was too old, it goes on keeping for a client that asks.
        acknowledged = pair.ledger.acknowledged(Side.SERVER, server_session.id)
        requests = {server_session.answers.request_of(msg_id) for msg_id in acknowledged}
        kept = [request for request in requests if request is not None and request in server_session.answers]
        if kept:
            yield f"the server's session keeps {len(kept)} answers that the client has acknowledged"
        if server_session.session_id == session.session_id and server_session.sent.unacknowledged():
            count = len(server_session.sent.unacknowledged())
            yield f"the server's session keeps {count} messages that were not acknowledged"
