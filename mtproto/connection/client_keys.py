"""The keys of a client's connection, and the session under each: agreed, bound, renewed.

    one key         exchange → session
    temporary keys  exchange, unless there is a permanent key → exchange of a temporary key
                    → auth.bindTempAuthKey in a session under it → that session is the one for requests;
                    the same again in time before the temporary key expires, in the same connection

The session before is still listened to, for the answers that it waits for; it acknowledges them as long as
its key lasts, and is forgotten soon after, key and all.  A key's end is the whole second of server time that its
binding names; a client stops some seconds before that (`temp_keys.last_use`), so that the server does not get a
message under a key that it has dropped.

A permanent key has one temporary key at a time.  From when the server binds the next one, what comes under the
one before gets the answer 401 AUTH_KEY_PERM_EMPTY, and is not executed: such a request is sent again, in the
session in use, or in the next one while that is being made.

Specification: core.telegram.org/mtproto/auth_key, core.telegram.org/api/pfs; checks H13 to H15.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

from mtproto.crypto.auth_key import AuthKey
from mtproto.crypto.rsa import PublicKey
from mtproto.errors import HandshakeFailed, LocalProtocolError, RequestLost, RpcError
from mtproto.events import AnswerReceived, ClientEvent, KeyAgreed, RequestFailed
from mtproto.handshake import ClientHandshake, Finished, Steps
from mtproto.handshake.client import LIFETIME
from mtproto.salts import Salt
from mtproto.session import ClientSession
from mtproto.session.client_sending import MAX_RESENDS
from mtproto.session.requests import OpenRequest
from mtproto.temp_keys import bind_request, check_lifetime, last_use, renewal_time

__all__ = ["ClientKeys", "Keyed"]

_TRUE = bytes.fromhex("b5757299")  # boolTrue#997275b5
_MAX_OVER = 8
"""How many temporary keys that are over are known by their ids."""


def _is_unbound(event: AnswerReceived | RequestFailed) -> bool:
    """Whether a request was not executed because its temporary key acts for no permanent one."""
    error = event.error if isinstance(event, RequestFailed) else None
    return isinstance(error, RpcError) and (error.code, error.message) == (401, "AUTH_KEY_PERM_EMPTY")


@dataclass(frozen=True, slots=True)
class Keyed:
    """A session, the auth_key it is under, and when that has to be renewed, if ever.

    From `expires_at`, by our own clock, nothing is sent under it; the server knows it some seconds longer.  From
    `over_at` no answer can be on the way.
    """

    session: ClientSession
    auth_key: AuthKey
    renew_at: float | None = None
    expires_at: float | None = None
    over_at: float | None = None


@dataclass(frozen=True, slots=True)
class _Binding:
    """A temporary key whose binding was asked for, with the request `number`, and is due by `deadline`."""

    keyed: Keyed
    agreed: Finished
    number: int
    deadline: float


class ClientKeys:
    """Which session to send in; see the module.  `current` is None until there is one.

    `keys`, `dc`, `clock` and `rng` are those of `ClientHandshake`; with a `lifetime`, in whole seconds from
    60 to 31,536,000, keys are temporary.  LocalProtocolError for another one.
    """

    def __init__(
        self,
        keys: Sequence[PublicKey],
        *,
        dc: int,
        lifetime: int | None,
        clock: Callable[[], float],
        rng: Callable[[int], bytes],
    ) -> None:
        self._keys = keys
        self._dc = dc
        self._lifetime = check_lifetime(lifetime)
        self._clock = clock
        self._rng = rng
        self._numbers = count(1)
        self._permanent: AuthKey | None = None
        self._handshake: ClientHandshake | None = None
        self._begun = 0.0
        self._binding: _Binding | None = None
        self._retired: Keyed | None = None
        self._over: deque[bytes] = deque(maxlen=_MAX_OVER)
        self._held: list[OpenRequest] = []
        self.current: Keyed | None = None

    # For who may read along

    def auth_key(self, key_id: bytes) -> AuthKey | None:
        """The key with this id, if it is in use."""
        keys = [*(keyed.auth_key for keyed in self._all()), self._permanent]
        return next((key for key in keys if key is not None and key.key_id == key_id), None)

    def new_nonce(self, server_nonce: bytes) -> bytes | None:
        """As `ClientHandshake.new_nonce`."""
        return None if self._handshake is None else self._handshake.new_nonce(server_nonce)

    # Beginning

    @property
    def are_temporary(self) -> bool:
        """Whether requests go under temporary keys."""
        return self._lifetime is not None

    def start(
        self,
        auth_key: AuthKey | None,
        server_salt: int,
        time_offset: float | None,
        salts: Sequence[Salt] = (),
    ) -> bytes | None:
        """Begin with a permanent key or without; return the body of the first query, if there has to be one."""
        self._permanent = auth_key
        if auth_key is None or self._lifetime is not None:
            return self._begin_exchange(None if auth_key is None else self._lifetime)
        self.current = Keyed(self._new_session(auth_key, server_salt, time_offset, salts), auth_key)
        return None

    def reconnected(self, *, key_is_lost: bool) -> tuple[bytes | None, list[ClientEvent]]:
        """Go on in a new connection: what to send first, and what became of requests meanwhile.

        `key_is_lost`: the server does not know the temporary key any more.
        """
        self._handshake = self._binding = None
        now = self._clock()
        for keyed in self._all():
            keyed.session.reconnected()
        current = self.current
        if current is None:
            return self._begin_exchange(None if self._permanent is None else self._lifetime), []
        if not key_is_lost and (current.expires_at is None or now < current.expires_at):
            self._release_to(current.session)
            return None, []
        events = self._end_retired(None)
        self._retired, self.current = replace(current, expires_at=now), None  # nothing is sent in it any more
        return self._begin_exchange(self._lifetime), events

    @staticmethod
    def _given_up(keyed: Keyed) -> list[ClientEvent]:
        """What is told of the requests of a session that is not listened to any more."""
        error = RequestLost("its temporary key is gone, and no answer came")
        return [RequestFailed(number, error) for number in keyed.session.open_requests]

    def drop(self, number: int) -> None:
        """Nobody waits for the answer to this request any more, in whichever session it is."""
        self._held = [request for request in self._held if request.number != number]
        session = self.session_with(number)
        if session is not None:
            session.drop(number)

    @property
    def sessions(self) -> tuple[ClientSession, ...]:
        """Those that are listened to, the one in use first."""
        return tuple(keyed.session for keyed in self._all())

    def session_with(self, number: int) -> ClientSession | None:
        """The session in which the request with this number is open."""
        return next((k.session for k in self._all() if number in k.session.requests), None)

    def _begin_exchange(self, expires_in: int | None) -> bytes:
        self._handshake = ClientHandshake(
            self._keys, dc=self._dc, clock=self._clock, rng=self._rng, expires_in=expires_in
        )
        self._begun = self._clock()
        return self._handshake.start()

    def _new_session(
        self, auth_key: AuthKey, salt: int, time_offset: float | None, salts: Sequence[Salt] = ()
    ) -> ClientSession:
        return ClientSession(
            auth_key,
            int.from_bytes(self._rng(8), "little", signed=True),
            server_salt=salt,
            timetable=salts,
            time_offset=time_offset,
            clock=self._clock,
            rng=self._rng,
            numbers=self._numbers,
        )

    # Receiving

    def session_of(self, payload: bytes) -> ClientSession | None:
        """The session whose key `payload` names; None where it is for the key exchange.

        What is neither goes to the session in use, which refuses it (C1); plain messages too when no exchange
        is going on (H13).
        """
        key_id = payload[:8]
        for keyed in self._all():
            if keyed.auth_key.key_id == key_id:
                return keyed.session
        if self.current is None or (self._handshake is not None and key_id == bytes(8)):
            return None
        return self.current.session

    def is_over(self, payload: bytes) -> bool:
        """Whether `payload` is under a temporary key that has been forgotten: it was long on the way."""
        return payload[:8] in self._over

    def exchange(self, body: bytes) -> Steps[tuple[bytes | None, KeyAgreed | None]]:
        """Take the server's next message of the key exchange: what to send, and the key if it is there."""
        if self._handshake is None:
            raise HandshakeFailed("a plain message although no key is being agreed", check="H13")
        query = yield from self._handshake.receiving(body)
        agreed = self._handshake.result
        if agreed is None:
            return query, None
        self._handshake = None
        if agreed.expires_at is not None:
            self._bind(agreed, agreed.expires_at)
            return None, None
        self._permanent = agreed.auth_key
        if self._lifetime is not None:
            return self._begin_exchange(self._lifetime), None
        session = self._new_session(agreed.auth_key, agreed.server_salt, agreed.time_offset)
        self.current = Keyed(session, agreed.auth_key)
        return None, KeyAgreed(agreed.auth_key, agreed.server_salt, agreed.time_offset)

    def _bind(self, agreed: Finished, expires_at: float) -> None:
        temporary, permanent = agreed.auth_key, self._permanent
        if permanent is None:
            raise LocalProtocolError("a temporary key without a permanent one to bind it to")
        session = self._new_session(temporary, agreed.server_salt, agreed.time_offset)
        ends = int(expires_at + agreed.time_offset)  # one number, for the server and for us
        over, now = ends - agreed.time_offset, self._clock()
        last = last_use(over, over - self._begun, agreed.round_trip)
        renew_at = renewal_time(self._begun, last, now - self._begun)
        keyed = Keyed(session, temporary, renew_at, last, over_at=2 * over - last)

        def request(msg_id: int) -> bytes:
            return bind_request(
                msg_id,
                temporary=temporary,
                permanent=permanent,
                session_id=session.session_id,
                expires_at=ends,
                rng=self._rng,
            )

        self._binding = _Binding(keyed, agreed, session.send(request), now + LIFETIME)

    def sorted_out(self, event: ClientEvent) -> Iterator[ClientEvent]:
        """What the caller is told of a session's event.

        Of the answer to the binding, that it is done; of a request that is to be sent again, nothing.
        """
        binding = self._binding
        if not isinstance(event, AnswerReceived | RequestFailed):
            yield event
        elif binding is not None and event.request_id == binding.number:
            yield from self._bound(binding, event)
        elif not (_is_unbound(event) and self._sent_again(event.request_id)):
            yield event

    def _sent_again(self, number: int) -> bool:
        """Whether the request that was refused so goes out again: in the session in use, or in the next one."""
        session, current = self.session_with(number), self.current
        request = session.forget(number) if session is not None and self.are_temporary else None
        if request is None or request.resends >= MAX_RESENDS:
            return False
        request.resends += 1
        if current is not None and session is not current.session:
            current.session.adopt(request)
            return True
        self._held.append(request)
        if current is not None and self._handshake is None and self._binding is None:
            self.current = replace(current, renew_at=self._clock())  # it has lost its binding
        return True

    def _release_to(self, session: ClientSession) -> None:
        held, self._held = self._held, []
        for request in held:
            session.adopt(request)

    def _bound(self, binding: _Binding, event: AnswerReceived | RequestFailed) -> Iterator[ClientEvent]:
        self._binding = None
        if isinstance(event, RequestFailed) or event.body != _TRUE:
            got = event.error if isinstance(event, RequestFailed) else event.body[:16].hex()
            raise HandshakeFailed(
                "the server did not bind the temporary key", check="H15", got=got, expected="boolTrue"
            )
        yield from self._use(binding)

    def _use(self, binding: _Binding) -> Iterator[ClientEvent]:
        yield from self._end_retired(binding.keyed.session)
        if self.current is not None:
            self._retired = self.current
        self.current = binding.keyed
        agreed = binding.agreed
        yield KeyAgreed(
            self._permanent or agreed.auth_key,
            agreed.server_salt,
            agreed.time_offset,
            agreed.auth_key,
            binding.keyed.expires_at,
        )
        self._release_to(binding.keyed.session)

    def _end_retired(self, heir: ClientSession | None) -> list[ClientEvent]:
        """Forget the session before, and its key: nobody who gets hold of us later is to read what it carried.

        What has not gone out in it, or may be executed twice, goes out in `heir`; of the rest it is told.
        """
        old, self._retired = self._retired, None
        if old is None:
            return []
        self._over.append(old.auth_key.key_id)
        for request in old.session.requests if heir is not None else ():
            if heir is not None and (not request.msg_ids or request.at_least_once):
                old.session.forget(request.number)
                heir.adopt(request)
        return self._given_up(old)

    # Sending, and timers

    def sending(self) -> tuple[Keyed, ...]:
        """The sessions that may have something to send, the one in use first."""
        now = self._clock()
        return tuple(k for k in self._all() if k.expires_at is None or now < k.expires_at)

    def _all(self) -> tuple[Keyed, ...]:
        binding = None if self._binding is None else self._binding.keyed
        return tuple(keyed for keyed in (self.current, binding, self._retired) if keyed is not None)

    def next_timer(self) -> float | None:
        """When `handle_timer` has something to do, or a session something to send."""
        timers = [t for keyed in self.sending() if (t := keyed.session.next_timer()) is not None]
        if self._handshake is not None:
            timers.append(self._handshake.deadline)
        if self._binding is not None:
            timers.append(self._binding.deadline)
        if self._retired is not None and self._retired.over_at is not None and self.current is not None:
            timers.append(self._retired.over_at)
        current = self.current
        if current is not None and current.renew_at is not None and current.expires_at is not None:
            is_renewing = self._handshake is not None or self._binding is not None
            timers.append(current.expires_at if is_renewing else current.renew_at)
        return min(timers, default=None)

    def retire(self) -> list[ClientEvent]:
        """What becomes of the requests of the session before, where that is over now."""
        retired, current = self._retired, self.current
        if retired is None or retired.over_at is None or current is None or self._clock() < retired.over_at:
            return []
        return self._end_retired(current.session)

    def handle_timer(self) -> bytes | None:
        """What to send where a temporary key is to be renewed now.

        Raise HandshakeFailed where the exchange has taken too long (H14), or the key has expired (H15).
        """
        now, current = self._clock(), self.current
        if self._handshake is not None:
            self._handshake.check_time()
        if self._binding is not None and now >= self._binding.deadline:
            raise HandshakeFailed("the server took too long to bind the temporary key", check="H14")
        if current is None or current.renew_at is None or current.expires_at is None:
            return None
        if now >= current.expires_at:
            raise HandshakeFailed("the temporary key expired before there was another", check="H15")
        if now < current.renew_at or self._handshake is not None or self._binding is not None:
            return None
        return self._begin_exchange(self._lifetime)
