"""Temporary keys (perfect forward secrecy): how one is bound to the permanent key it acts for, on both sides.

    client:  temporary key agreed → bind_request → auth.bindTempAuthKey, sent under the temporary key
    server:  auth.bindTempAuthKey → `Bindings.bind` → boolTrue, or an RpcError

The request carries a message under the permanent key, in the form of MTProto 1.0 (104 bytes):

    perm_auth_key_id 8 | msg_key 16 | AES-IGE of: random 16 | msg_id 8 | seq_no 4 | length 4
                                                  | bind_auth_key_inner 40 | padding 8

whose msg_id is that of the request, and seq_no 0.  Nowhere else is a message in this form accepted.

Specification: core.telegram.org/api/pfs, core.telegram.org/method/auth.bindTempAuthKey; check H15.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct

import tl
from mtproto import api, service
from mtproto.crypto.aes import ige_decrypt, ige_encrypt
from mtproto.crypto.auth_key import AuthKey
from mtproto.crypto.kdf_v1 import derive_v1, msg_key_v1
from mtproto.crypto.randomness import draw
from mtproto.errors import LocalProtocolError, RpcError

__all__ = [
    "MARGIN",
    "MAX_LIFETIME",
    "MIN_LIFETIME",
    "Binding",
    "Bindings",
    "as_long",
    "bind_request",
    "check_lifetime",
    "last_use",
    "open_binding",
    "renewal_time",
    "seal_binding",
]

MIN_LIFETIME = 60
"""The shortest life of a client's temporary keys, in seconds: an exchange may take that long (H14)."""
MAX_LIFETIME = 365 * 86_400
"""The longest, in seconds: the end has to be a 32-bit number (see `handshake.client.MAX_SERVER_TIME`)."""
MARGIN = 5
"""Seconds before its end from which a client uses a temporary key no more, on a link without delay."""

_HEAD = Struct("<16sqii")
_INNER_SIZE = 40
_PLAINTEXT_SIZE = _HEAD.size + _INNER_SIZE
_PADDING_SIZE = -_PLAINTEXT_SIZE % 16
_EXPIRY_TOLERANCE = 60
"""Seconds by which a client may be wrong about when its key expires: its clock and ours differ."""


def as_long(key_id: bytes) -> int:
    """An auth_key_id, 8 bytes as on the wire, as the signed number that TL has for it."""
    return int.from_bytes(key_id, "little", signed=True)


def seal_binding(
    inner: service.BindAuthKeyInner,
    permanent: AuthKey,
    msg_id: int,
    rng: Callable[[int], bytes],
    *,
    seq_no: int = 0,
    length: int | None = None,
    msg_key: bytes | None = None,
) -> bytes:
    """encrypted_message, 104 bytes; `length` and `msg_key` are computed unless they are given.

    Draws 16 bytes from `rng`, which stand where a message has its salt and session_id, then 8 of padding.
    """
    data = bytes(inner)
    head = _HEAD.pack(draw(rng, 16), msg_id, seq_no, len(data) if length is None else length)
    key = msg_key_v1(head + data) if msg_key is None else msg_key
    plaintext = head + data + draw(rng, _PADDING_SIZE)
    return permanent.key_id + key + ige_encrypt(plaintext, *derive_v1(permanent.data, key, 0))


def open_binding(encrypted: bytes, permanent: AuthKey) -> tuple[int, service.BindAuthKeyInner] | None:
    """The msg_id and the object in encrypted_message, or None where it is not exactly such a message.

    msg_key, seq_no, length, size and auth_key_id are checked; whether the content fits the request is not.
    """
    if len(encrypted) != 24 + _PLAINTEXT_SIZE + _PADDING_SIZE or encrypted[:8] != permanent.key_id:
        return None
    key = encrypted[8:24]
    plaintext = ige_decrypt(encrypted[24:], *derive_v1(permanent.data, key, 0))[:_PLAINTEXT_SIZE]
    if not hmac.compare_digest(msg_key_v1(plaintext), key):
        return None
    _, msg_id, seq_no, length = _HEAD.unpack_from(plaintext)
    if (seq_no, length) != (0, _INNER_SIZE):
        return None
    try:
        return msg_id, service.decode(plaintext[_HEAD.size :], service.BindAuthKeyInner)
    except tl.DecodeError:
        return None


def bind_request(
    msg_id: int,
    *,
    temporary: AuthKey,
    permanent: AuthKey,
    session_id: int,
    expires_at: int,
    rng: Callable[[int], bytes],
) -> bytes:
    """The boxed auth.bindTempAuthKey to be sent as the message `msg_id` of `session_id`, under `temporary`.

    `expires_at` is unix time by the server's clock.  A request that is sent again under another msg_id has to
    be made again.
    """
    nonce = as_long(draw(rng, 8))
    inner = service.BindAuthKeyInner(
        nonce=nonce,
        temp_auth_key_id=as_long(temporary.key_id),
        perm_auth_key_id=as_long(permanent.key_id),
        temp_session_id=session_id,
        expires_at=expires_at,
    )
    request = api.auth.BindTempAuthKey(
        perm_auth_key_id=inner.perm_auth_key_id,
        nonce=nonce,
        expires_at=expires_at,
        encrypted_message=seal_binding(inner, permanent, msg_id, rng),
    )
    return bytes(request)


def check_lifetime(lifetime: int | None) -> int | None:
    """`lifetime`, None or whole seconds from `MIN_LIFETIME` to `MAX_LIFETIME`; else raise LocalProtocolError."""
    if lifetime is None:
        return None
    # a bool is an int, and a float would only be refused in the middle of the exchange
    if type(lifetime) is not int or not MIN_LIFETIME <= lifetime <= MAX_LIFETIME:
        raise LocalProtocolError(
            f"temp_key_lifetime {lifetime!r:.60}, expected whole seconds from {MIN_LIFETIME} to {MAX_LIFETIME}"
        )
    return lifetime


def last_use(ends: float, lifetime: float, round_trip: float) -> float:
    """Until when a client uses a temporary key whose end is `ends`: `MARGIN` and two round trips before.

    The server's clock was cut to a whole second and has aged on its way to us, and what we send takes a while
    to arrive: a round trip, as long as delays are what they were in the key exchange.  For slower ones there is
    the other, but no more than a quarter of the key's life in all.
    """
    return ends - max(MARGIN, min(MARGIN + 2 * round_trip, lifetime / 4))


def renewal_time(begun: float, expires_at: float, took: float = 0.0) -> float:
    """When to begin with the next temporary key, before the use of one ends: from 20 to 300 seconds.

    That is a tenth of its life, or twice what it `took` to agree on it where that is more.
    """
    return expires_at - min(max((expires_at - begun) / 10, 2 * took, 20.0), 300.0)


@dataclass(frozen=True, slots=True)
class Binding:
    """A temporary key on a server: the auth_key_id it is bound to, and when it expires (unix time)."""

    permanent: bytes
    expires_at: float


class Bindings:
    """Which temporary key is bound to which permanent one; a permanent key has one temporary key at a time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._by_temporary: dict[bytes, Binding] = {}
        self._by_permanent: dict[bytes, bytes] = {}

    def __getitem__(self, temporary: bytes) -> Binding | None:
        """The binding of this auth_key_id; None if there is none, another key has its place, or it is over."""
        binding = self._by_temporary.get(temporary)
        if binding is not None and self._clock() >= binding.expires_at:
            self.forget(temporary)
            return None
        return binding

    def temporary_of(self, permanent: bytes) -> bytes | None:
        """The auth_key_id of the temporary key that acts for this permanent one."""
        return self._by_permanent.get(permanent)

    def bind(
        self,
        request: api.auth.BindTempAuthKey,
        *,
        temporary: AuthKey,
        expires_at: float | None,
        session_id: int,
        msg_id: int,
        permanent: AuthKey | None,
    ) -> Binding:
        """Bind `temporary`, under which the request came as `msg_id` of `session_id`, as the request asks.

        `expires_at` is when that key ends by itself, None for one that is permanent; `permanent` is the key
        that the request names, None where there is no such permanent key.  Raise RpcError for what is not
        right: 400 TEMP_AUTH_KEY_EMPTY, ENCRYPTED_MESSAGE_INVALID, EXPIRES_AT_INVALID or
        TEMP_AUTH_KEY_ALREADY_BOUND.
        """
        if expires_at is None:
            raise RpcError(400, "TEMP_AUTH_KEY_EMPTY")
        opened = None if permanent is None else open_binding(request.encrypted_message, permanent)
        expected = service.BindAuthKeyInner(
            nonce=request.nonce,
            temp_auth_key_id=as_long(temporary.key_id),
            perm_auth_key_id=request.perm_auth_key_id,
            temp_session_id=session_id,
            expires_at=request.expires_at,
        )
        if permanent is None or opened != (msg_id, expected):
            raise RpcError(400, "ENCRYPTED_MESSAGE_INVALID")
        if not self._clock() < request.expires_at <= expires_at + _EXPIRY_TOLERANCE:
            raise RpcError(400, "EXPIRES_AT_INVALID")
        return self._add(temporary.key_id, Binding(permanent.key_id, min(request.expires_at, expires_at)))

    def _add(self, temporary: bytes, binding: Binding) -> Binding:
        before = self._by_temporary.get(temporary)
        if before is not None and before.permanent != binding.permanent:
            raise RpcError(400, "TEMP_AUTH_KEY_ALREADY_BOUND")
        replaced = self._by_permanent.get(binding.permanent)
        if replaced is not None:
            self.forget(replaced)
        self._by_temporary[temporary] = binding
        self._by_permanent[binding.permanent] = temporary
        return binding

    def forget(self, key_id: bytes) -> None:
        """Forget the binding of a key, whichever of the two it is."""
        temporary = self._by_permanent.get(key_id, key_id)
        binding = self._by_temporary.pop(temporary, None)
        if binding is not None and self._by_permanent.get(binding.permanent) == temporary:
            del self._by_permanent[binding.permanent]
