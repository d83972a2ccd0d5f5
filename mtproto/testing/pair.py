"""A client and a server joined in memory: no sockets, no sleep, one virtual clock, one seed.

    pair = Pair(transport="abridged", network=Network(latency=0.05, loss=0.1), seed=1)
    call = pair.invoke(api.help.GetConfig())
    pair.run()
    print(call.result())
    pair.check()

Both sides have an auth_key from the start, so that nothing is computed but what is said.  The same seed gives the
same bytes at the same times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from random import Random
from typing import Any, TypeVar

import tl
from mtproto.client.backoff import Backoff
from mtproto.connection import ClientConnection, Deadlines, KeepAlive, ServerConnection, ServerState
from mtproto.crypto.auth_key import AuthKey
from mtproto.crypto.rsa import PrivateKey
from mtproto.errors import LocalProtocolError, MTProtoError
from mtproto.events import ClientEvent, MessageDropped, RequestReceived, ServerEvent
from mtproto.side import Side
from mtproto.testing.answering import Answering
from mtproto.testing.arguments import check_kind, check_list, check_message, check_number
from mtproto.testing.caller import Caller
from mtproto.testing.calls import Call
from mtproto.testing.checks import check
from mtproto.testing.crowd import Crowd
from mtproto.testing.faults.base import Fault
from mtproto.testing.handlers import Handlers, default_handlers
from mtproto.testing.ledger import Ledger
from mtproto.testing.line import Carried, End, Line
from mtproto.testing.network import Ending, Network
from mtproto.testing.passage import Passage
from mtproto.testing.running import DEADLINE, MAX_STEPS, begin, run
from mtproto.testing.scenes import LineChannel, PairScene
from mtproto.testing.timeline import START, Timeline
from mtproto.transport import ProxySecret

__all__ = ["Pair"]

R = TypeVar("R")

_RESTART_TIME = 0.01  # at least one tick of msg_ids, or new sessions would repeat those of the old ones
_FOR_EVER = Deadlines(opening=None, first_frame=None, partial_frame=None, reading=None, silence=None)


@cache
def _unused_key() -> PrivateKey:
    """What a server needs for key exchanges, where there are none."""
    return PrivateKey.generate()


class Pair:
    """`client` and `server`, the connections in use now, and what has happened on either side so far.

    `handlers` are those of `serve`, but not async; one that takes its time returns `Later`.  `transport`,
    `obfuscated`, `mtproxy_secret`, `temp_key_lifetime` and `keep_alive` are those of `ClientConnection`,
    `strict` and `deadlines` those of the server.  With an RSA `key` the auth_key is agreed on, otherwise it is
    there.

    `network` is what lies between them, `faults` (see `mtproto.testing.faults`) what goes wrong.  When the
    connection ends the client comes back as `reconnect` says, or does not where that is None.  `skew` is by how
    many seconds the client's clock is ahead, and may be set at any time; with `knows_time` the client thinks at
    first that it is right.  A pair that has `begun` has a session before anything goes wrong, and
    time passes: see `begin`.

    `client_events` and `server_events` are what the connections gave, `executed` the requests that came to a
    handler, `wire` what was written (time, side, bytes), `ledger.said` every message in it.

    Raise LocalProtocolError for what can't be.
    """

    def __init__(
        self,
        handlers: Handlers | None = None,
        *,
        transport: str | None = None,
        obfuscated: bool = False,
        mtproxy_secret: ProxySecret | str | bytes | None = None,
        seed: int = 0,
        faults: Iterable[Fault] = (),
        network: Network = Network(),  # noqa: B008 - it is immutable
        reconnect: Backoff | None = Backoff(),  # noqa: B008 - it is immutable
        key: PrivateKey | None = None,
        temp_key_lifetime: int | None = None,
        keep_alive: KeepAlive | None = None,
        deadlines: Deadlines = _FOR_EVER,
        strict: bool = False,
        skew: float = 0.0,
        knows_time: bool = False,
        start: float = START,
        begun: bool = False,
    ) -> None:
        if type(seed) is not int:
            raise LocalProtocolError(f"got {seed!r:.60} for a seed, expected an int")
        check_number("start", start, "seconds of unix time", least=0, below=2**31)
        check_number("skew", skew, "seconds")
        check_kind("key", key, PrivateKey, or_none=True, secret=True)
        check_kind("network", network, Network)
        check_kind("reconnect", reconnect, Backoff, or_none=True)
        check_kind("keep_alive", keep_alive, KeepAlive, or_none=True)
        check_kind("deadlines", deadlines, Deadlines)
        for name, flag in (
            ("obfuscated", obfuscated),
            ("strict", strict),
            ("knows_time", knows_time),
            ("begun", begun),
        ):
            check_kind(name, flag, bool)
        check_list("faults", faults, "objects of mtproto.testing.faults")
        if temp_key_lifetime is not None and key is None:
            raise LocalProtocolError("temporary keys are agreed on: that takes an RSA key")
        self.seed = seed
        self.clock = Timeline(start)
        self.state = ServerState(clock=self.clock, rng=self._rng("server"), strict=strict)
        self.ledger = Ledger(self.state)
        self.client_events: list[ClientEvent] = []
        self.server_events: list[ServerEvent] = []
        self.wire: list[tuple[float, Side, bytes]] = []
        self.strangers: list[RequestReceived] = []
        """Requests that came to a handler, and are those of no call."""
        self.lines: list[Line] = []
        """The streams with an end that is open, the latest last."""
        self.is_server_up = True
        self._random = Random(f"{seed}/network")
        self._skew = skew
        self._keys = [_unused_key() if key is None else key]
        self.exchanges_keys = key is not None
        """Whether the auth_key is agreed on."""
        self.renews_keys = temp_key_lifetime is not None
        """Whether there are more key exchanges than one."""
        self.deadlines = deadlines
        self.keep_alive = keep_alive
        self._secret = mtproxy_secret
        self._line_count = 0
        own = default_handlers(clock=self.clock, rng=self._rng("handlers"))
        self._answering = Answering(
            own if handlers is None else handlers,
            self.state,
            self.clock,
            executed=self._executed,
            answered=self.pump,
        )
        auth_key = None if key is not None else AuthKey(self._rng("key")(256))
        salt = int.from_bytes(self._rng("salt")(8), "little", signed=True) or 1
        if auth_key is not None:
            self.state.add_key(auth_key, salt)
        self._client = partial(
            ClientConnection,
            transport=transport,
            obfuscated=obfuscated,
            mtproxy_secret=mtproxy_secret,
        )
        client = self._client(
            [] if key is None else [key.public],
            auth_key=auth_key,
            server_salt=0 if auth_key is None else salt,
            time_offset=0.0 if knows_time and auth_key is not None else None,
            temp_key_lifetime=temp_key_lifetime,
            keep_alive=keep_alive,
            clock=lambda: self.clock.now + self._skew,
            rng=self._rng("client"),
        )
        self._caller = Caller(
            client,
            self.clock,
            self._random,
            reconnect,
            is_agreed=key is None,
            uses_temp_keys=temp_key_lifetime is not None,
            connect=self._open_line,
            pump=lambda: self._line.pump(),
        )
        self.crowd = Crowd(self.clock, self._random)
        """Others who are connected to the server."""
        self._scene = PairScene(self)
        self._passage = Passage(
            self, self._caller, self._scene, Network() if begun else network, self._random
        )
        self._open_line()
        if begun:
            self.begin()
            self.change_network(network)
        for fault in faults:
            self.install(fault)

    def _rng(self, name: str) -> Callable[[int], bytes]:
        return Random(f"{self.seed}/{name}").randbytes

    def __repr__(self) -> str:
        return f"<Pair seed={self.seed}, {self.client.transport}, {len(self.calls)} calls>"

    # What it is

    @property
    def client(self) -> ClientConnection:
        """The client's connection, the latest one."""
        return self._caller.client

    @property
    def line(self) -> Line:
        """The stream in use, or used last."""
        return self._line

    @property
    def server(self) -> ServerConnection:
        """The server's end of it."""
        return self._line.server

    @property
    def network(self) -> Network:
        """What lies between client and server now."""
        return self._passage.network

    @property
    def calls(self) -> list[Call[Any]]:
        """All calls, in the order in which they were made."""
        return self._caller.calls

    @property
    def executed(self) -> dict[Call[Any], int]:
        """The calls that came to a handler, and how often."""
        return {call: call.executed for call in self.calls if call.executed}

    @property
    def open_calls(self) -> list[Call[Any]]:
        """The calls of which it is not known yet what becomes of them."""
        return [call for call in self.calls if not call.done]

    @property
    def failures(self) -> list[MTProtoError]:
        """Why connections of the client have ended, one after the other."""
        return self._caller.failures

    @property
    def is_given_up(self) -> bool:
        """Whether the client does not come back any more."""
        return self._caller.is_given_up

    @property
    def at_work(self) -> int:
        """How many requests handlers have not answered yet."""
        return self._answering.at_work

    @property
    def skew(self) -> float:
        """By how many seconds the client's clock is ahead."""
        return self._skew

    @skew.setter
    def skew(self, seconds: float) -> None:
        check_number("skew", seconds, "seconds")
        self._skew = seconds
        self._line.pump()

    # Calls

    def invoke(
        self,
        request: tl.TLFunction[R] | bytes,
        *,
        after: Sequence[Call[Any]] = (),
        at_least_once: bool = False,
        gzip: bool = False,
        quick_ack: bool = False,
    ) -> Call[R]:
        """Make a request, or let it wait until there is a connection; what becomes of it shows as the pair runs.

        `after` are calls made before; the rest is as for `ClientConnection.send_request`.
        """
        if not isinstance(request, tl.TLFunction | bytes):
            raise LocalProtocolError(
                f"got {request!r:.60} to invoke, expected a function of a schema, or bytes"
            )
        check_list("after", after, "calls")
        after = tuple(after)
        for call_before in after:
            self._check_own(call_before)
        options = {"at_least_once": at_least_once, "gzip": gzip, "quick_ack": quick_ack}
        call: Call[R] = Call(len(self.calls), request, after, options)
        self._caller.make(call)
        return call

    def _check_own(self, call: Call[Any]) -> None:
        check_kind("a call", call, Call)
        if not (call.number < len(self.calls) and self.calls[call.number] is call):
            raise LocalProtocolError(f"got {call!r}, which is of another Pair, expected a call of {self!r}")

    def cancel(self, call: Call[Any]) -> None:
        """Nobody waits for the answer any more."""
        self._check_own(call)
        self._caller.cancel(call)

    def begin(self) -> None:
        """Let a ping begin the client's session, over a network that is perfect for what is sent meanwhile.

        Of a request that gets lost before its session has begun nobody can say whether a server has executed it
        that was restarted since: it may end with FateUnknown.  Faults that are installed are not kept away.
        """
        begin(self, self._rng(f"ping {len(self.wire)}"))

    def close(self) -> None:
        """The client closes its connection and does not come back: open calls end with ConnectionClosed."""
        self._caller.close()
        self._line.pump()

    def notify(self, message: tl.TLObject | bytes) -> None:
        """Let the server send what nobody has asked for, in each session that has a connection."""
        check_message(message)
        for session in tuple(self.state.carriers):
            self.state.notify(session, bytes(message))
        self.pump()

    # Time

    def run(
        self,
        *,
        until: Callable[[], object] | None = None,
        for_: float | None = None,
        deadline: float = DEADLINE,
        max_steps: int = MAX_STEPS,
    ) -> None:
        """Let time pass: until all is quiet, or `until` says so, or `for_` so many seconds.

        Quiet means that every call is done, nothing is on its way, and what has come is acknowledged.  Raise
        StillRunning where that takes more than `deadline` seconds of virtual time, or more than `max_steps` things
        happen: what was sent at a time arrives, in however many pieces, or a timer rings.
        """
        run(self, self._is_quiet, until=until, for_=for_, deadline=deadline, max_steps=max_steps)

    def _is_quiet(self) -> bool:
        if self.clock.deeds or self.at_work or self._caller.open:
            return False
        if self.client.closed or not self.client.is_ready:
            return True
        session = self.client.session
        mine = [s for s in self.state.sessions.values() if s.session_id == session.session_id]
        return not session.acks and not any(s.acks or s.sent.unacknowledged() for s in mine)

    # What happens to the server

    def rotate_salt(self, *, keep_previous: bool = True) -> None:
        """Begin a new server_salt for every key; messages with the one before are refused unless it is kept."""
        for key_id in self.state.salts:
            self.state.rotate_salt(key_id, keep_previous=keep_previous)

    def restart(self, *, down: float = _RESTART_TIME) -> None:
        """The server crashes, and is there again `down` seconds later: with its keys, without sessions."""
        check_number("down", down, "seconds", above=0)
        self.is_server_up = False
        self.state = self.ledger.state = self.state.restarted()
        self.ledger.forget(Side.SERVER)
        self._answering.restart(self.state)
        for line in tuple(self.lines):
            line.reset()

        def up() -> None:
            self.is_server_up = True

        self.clock.after(down, up)

    def lose_key(self) -> None:
        """The server forgets all auth keys, with their sessions."""
        for key_id in tuple(self.state.keys):
            self.state.forget_key(key_id)

    # What happens to the connection

    def install(self, fault: Fault) -> None:
        """Let a fault happen from now on; LocalProtocolError where it makes no sense here."""
        self._scene.install(fault)

    def stop_faults(self) -> None:
        """From now on nothing more goes wrong; what has gone wrong stays so."""
        self._scene.stop()

    def change_network(self, network: Network) -> None:
        """From now on the network is like this, for what is sent from now on."""
        check_kind("network", network, Network)
        self._passage.network = network
        for line in self.lines:
            for link in line.links.values():
                link.network = network

    def break_line(self, *told: Side) -> None:
        """The connection breaks now; both sides are told, or only these."""
        for side in told:
            check_kind("a side", side, Side)
        self._line.break_off(*(told or tuple(Side)))

    def cut(self, side: Side, after: int, ending: Ending = Ending.FIN) -> None:
        """What `side` sends in this connection ends after so many bytes of its stream."""
        check_kind("side", side, Side)
        check_kind("ending", ending, Ending)
        self._line.cut(side, after, ending)

    def half_open(self) -> None:
        """From now on nothing arrives at either side, and nobody is told."""
        for side, link in self._line.links.items():
            self._line.cut(side, link.sent, Ending.SILENCE)

    def join(self, *, network: Network, queries: int) -> None:
        """Let another client connect to the server, and say nothing any more after so many queries."""
        rng = self._rng(f"stranger {len(self.crowd.open) + len(self.crowd.endings)}")
        client = self._client([self._keys[0].public], clock=self.clock, rng=rng)
        silence = self.deadlines.silence
        self.crowd.join(client, self._new_server(), network=network, silence=silence, queries=queries)

    # Connections come and go

    def _new_server(self) -> ServerConnection:
        return ServerConnection(
            self._keys,
            self.state,
            mtproxy_secret=self._secret,
            is_taken=self._scene.is_taken,
            is_refused=self._scene.is_refused,
            deadlines=self.deadlines,
        )

    def _open_line(self) -> bool:
        if not self.is_server_up:
            return False
        server = self._new_server()
        self._line = Line(
            self._line_count,
            self,
            self.client,
            server,
            network=self.network,
            timeline=self.clock,
            random=self._random,
            silence=self.deadlines.silence,
        )
        self._line_count += 1
        self.lines.append(self._line)
        channel = LineChannel(self, self._line)
        for end in self._line.ends.values():
            end.connection.outgoing = self._passage.seam(end, channel)
        server.incoming = partial(self._scene.arrived, channel)
        self._caller.send_unsent()
        self._line.pump()
        return True

    def pump(self) -> None:
        """Let all connections send what they have to; they do so by themselves when they are used from here."""
        for line in tuple(self.lines):
            line.pump()

    def heard(self, end: End, events: list[Any]) -> None:
        """A connection has given these events."""
        for event in events:
            if isinstance(event, MessageDropped):
                self.ledger.dropped(end.side, event)
        if end.side is Side.CLIENT:
            self.client_events += events
            self._caller.heard(events)
            return
        self.server_events += events
        requests = [event for event in events if isinstance(event, RequestReceived)]
        for request in requests:
            self._answering.receive(request)
        if requests:
            self.pump()  # a session may have another carrier

    def wrote(self, end: End, data: bytes) -> None:
        """A connection sends these bytes."""
        self.wire.append((self.clock.now, end.side, data))

    def arrived(self, carried: Carried) -> None:
        """These messages have come to the other end."""
        self.ledger.arrived(carried)

    def doubted(self, carried: Carried) -> None:
        """A connection has closed over these messages, or before it came to them."""
        self.ledger.doubted(carried)

    def ended(self, end: End, reason: MTProtoError) -> None:
        """A connection is closed."""
        self.lines = [line for line in self.lines if not line.is_over]
        if end.connection is self.client:
            self._caller.ended(reason)

    def _executed(self, event: RequestReceived) -> None:
        call = self._caller.call_of(event.msg_id)
        if call is None:
            self.strangers.append(event)
        else:
            call.executed += 1

    # Whether all is well

    def check(self, *, errors: Iterable[type[MTProtoError]] = ()) -> None:
        """Raise AssertionError, with an account of it, where something is not as it has to be when all is quiet.

        Every call has ended once, with an answer, what a handler raised, or one of these `errors`; none was
        executed twice; numbers were right; what had to be acknowledged was; nothing is left behind.
        """
        check_list("errors", errors, "classes of errors")
        check(self, tuple(errors))
