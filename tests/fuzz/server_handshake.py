"""Whatever a client says in the key exchange, the server does what the documentation says, or HandshakeFailed.

A second server, below, is written after the documentation: both have to give the same answers to the byte,
refuse the same queries with the same transport error, and agree on the same key.  The queries are those of a
client that knows all secrets, and are changed as the input says, inside the encryption too.

    byte 0     bit 0     the server is for one data centre          bit 1     the first key made is taken
               bit 2     keys whose id is odd are refused           bits 3-4  the inner data, one of four forms
    …          lines (`tests.fuzz.scripts`), up to 24; what is said, and the choice:
               0 what is due   1 req_pq_multi   2 req_DH_params, by `_encrypted`   3 set_client_DH_params, by
               `_sealed`   4 req_pq   5 the same as before   6 and 7 the next so many bytes   8 nothing, for a
               hundred times so many seconds
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from hashlib import sha1, sha256
from typing import Any

import gmpy2  # type: ignore[import-untyped]

import tl
from mtproto import service
from mtproto.crypto.aes import ige_decrypt, ige_encrypt
from mtproto.crypto.rsa import PrivateKey
from mtproto.errors import HandshakeFailed
from mtproto.handshake import KeyPair, ServerHandshake
from tests.fuzz.scripts import (
    SECRETS,
    Changes,
    Clock,
    Draws,
    Script,
    computed,
    opened,
    power_mod,
    sealed,
)
from tests.fuzz.verdicts import Broken
from tests.mtproto.by_hand import NEW_NONCE, NONCE, PRIME, PRIMES, A, as_256, new_nonce_hash
from tests.mtproto.helpers import TEST_KEY

__all__ = ["WORDS", "target"]

_DC = 2
_FINGERPRINT = TEST_KEY.public.fingerprint
_P, _Q = (prime.to_bytes(4, "big") for prime in PRIMES)
_PQ = (PRIMES[0] * PRIMES[1]).to_bytes(8, "big")
_FORMS = (service.PQInnerDataDc, service.PQInnerDataTempDc, service.PQInnerData, service.PQInnerDataTemp)
WORDS = (
    *(bytes([line, 0]) for line in range(9)),
    *(bytes([line, 1, field, value]) for line in (1, 2, 3) for field in range(6) for value in (0, 1, 200)),
    *(bytes([2 | choice << 4, 0]) for choice in range(16)),
    *(bytes([3 | choice << 4, 0]) for choice in range(16)),
    *(bytes([2, 16, field, value]) for field in range(8) for value in range(0, 24, 3)),
    *(bytes([3, 16, field, value]) for field in range(4) for value in range(12)),
    *(
        cls.CONSTRUCTOR_ID.to_bytes(4, "little")
        for cls in service.SCHEMA.by_name.values()
        if "onc" in str(cls.FIELDS)
    ),
)
"""Lines that say something."""


class _Key(PrivateKey):
    """The key of the tests, which remembers what it has computed, and knows what was encrypted here."""

    __slots__ = ()

    def power(self, number: int) -> int:
        return _decrypted(number)


_KNOWN: dict[int, int] = {}
"""What was encrypted here: the result and the number."""


@lru_cache(maxsize=1 << 12)
def _computed(number: int) -> int:
    return TEST_KEY.power(number)


def _decrypted(number: int) -> int:
    return _KNOWN[number] if number in _KNOWN else _computed(number)


def _raw_rsa(number: int) -> bytes:
    result = int(gmpy2.powmod(number, TEST_KEY.e, TEST_KEY.n))
    if len(_KNOWN) > 1 << 14:
        _KNOWN.clear()
    _KNOWN[result] = number % TEST_KEY.n
    return as_256(result)


_KEY = _Key(TEST_KEY.n, TEST_KEY.e, TEST_KEY.d, TEST_KEY.p, TEST_KEY.q)
_PAIR = KeyPair(3, PRIME, A)


class _Refused(Exception):
    """What a server does that follows the documentation, and the transport error it answers."""

    def __init__(self, reply: int = -404) -> None:
        super().__init__(reply)
        self.reply = reply


def target(raw: bytes, make: Callable[..., ServerHandshake] = ServerHandshake) -> None:
    """Raise where a server that `make` makes is unlike the documentation's."""
    script = Script(raw)
    options = script.byte()
    clock = Clock()
    taken: set[bytes] = set()

    def is_taken(key_id: bytes) -> bool:
        return bool(options & 2) and (not taken or key_id in taken)

    def is_refused(key_id: bytes) -> bool:
        return bool(options & 4) and key_id[0] % 2 == 1

    dc = _DC if options & 1 else None
    server = make(
        *([_KEY],),
        clock=clock,
        rng=Draws(),
        is_taken=is_taken,
        is_refused=is_refused,
        dc=dc,
        primes=PRIMES,
        pair=_PAIR,
    )
    model = _Server(clock, dc, is_taken, is_refused)
    peer = _Peer(model, _FORMS[options >> 3 & 3])
    for _ in range(24):
        if not script:
            return
        line = script.byte()
        what, choice = line & 15, line >> 4
        if what == 8:
            clock.now += 100 * choice
            continue
        if what in (6, 7):
            peer.last = script.bytes(16 * choice)
        elif what != 5:
            peer.say(what, choice, script)
        _ask(server, model, peer.last)
        taken.update(model.made[:1])


def _ask(server: ServerHandshake, model: _Server, body: bytes) -> None:
    """Give both the same query."""
    expected: bytes | _Refused
    try:
        expected = model.receive(body)
    except _Refused as refused:
        expected = refused
    try:
        got = computed(server.receiving(body))
    except HandshakeFailed as error:
        if not isinstance(expected, _Refused) or error.reply != expected.reply or not error.check:
            raise Broken(f"{body.hex(' ', -4)}\n is refused: {error}\n expected {expected!r}") from error
    else:
        if got != expected:
            raise Broken(f"{body.hex(' ', -4)}\n gives {got!r}\n expected {expected!r}")
    result = server.result and (
        server.result.auth_key.data,
        server.result.server_salt,
        server.result.expires_at,
    )
    if result != model.result:
        raise Broken(f"{body.hex(' ', -4)}\n leads to {result!r}\n expected {model.result!r}")


# What the client says


class _Peer:
    """A client that knows what the server knows."""

    def __init__(self, model: _Server, form: Any) -> None:
        self.model = model
        self.form = form
        self.last = b""
        self.retry = 0

    def say(self, what: int, choice: int, script: Script) -> None:
        """Make `last` the query of a line; with the choices 14 and 15 it is as long as may be, and longer."""
        outer, inner = script.changes()
        if what not in (1, 2, 3, 4):
            what = {"dh": 2, "gen": 3}.get(self.model.awaits, 1)
        nonces = {"nonce": NONCE, "server_nonce": self.model.server_nonce}
        query: tl.TLObject
        if what in (1, 4):
            query = service.ReqPqMulti(nonce=NONCE) if what == 1 else service.ReqPq(nonce=NONCE)
        elif what == 2:
            encrypted = self._encrypted(choice, inner)
            query = service.ReqDHParams(
                **nonces, p=_P, q=_Q, public_key_fingerprint=_FINGERPRINT, encrypted_data=encrypted
            )
        else:
            query = service.SetClientDHParams(**nonces, encrypted_data=self._sealed(choice, inner))
        self.last = outer.of(query)
        if choice >= 14:
            self.last = self.last.ljust(4096 + 4 * (choice - 14), b"\0")

    def _encrypted(self, choice: int, changes: Changes) -> bytes:
        """encrypted_data of req_DH_params; the choice: 0 RSA_PAD, 1 SHA1, 2 to 6 damaged RSA_PAD, 7 to 9 SHA1,

        10 a number greater than n, 11 too long, 12 zero padding, 13 n - 1.
        """
        fields = {"dc": _DC, "expires_in": 86400}
        inner = self.form(
            pq=_PQ,
            p=_P,
            q=_Q,
            nonce=NONCE,
            server_nonce=self.model.server_nonce,
            new_nonce=NEW_NONCE,
            **{name: value for name, value in fields.items() if name in self.form.__slots__},
        )
        data = changes.of(inner)
        if choice in (1, 7, 8, 9):
            block = bytearray((sha1(data).digest() + data).ljust(255, b"\x5a")[:255])
            if choice in (7, 8):
                block[(0, 40)[choice - 7]] ^= 1
            number = int.from_bytes(block, "big") | (1 << 2040 if choice == 9 else 0)
            return _raw_rsa(number)
        padded = data.ljust(192, b"\0" if choice == 12 else b"\x33")[:192]
        if choice == 10:
            return _beyond(padded)
        block = bytearray(_rsa_pad(padded, is_wrong=choice == 5))
        if 2 <= choice <= 4:
            block[(31, 32, 255)[choice - 2]] ^= 1
        encrypted = _raw_rsa(int.from_bytes(block, "big"))
        if choice == 6:
            return encrypted[:-1] + bytes([encrypted[-1] ^ 1])
        if choice == 11:
            return encrypted + b"\0"
        return _raw_rsa(TEST_KEY.n - 1) if choice == 13 else encrypted

    def _sealed(self, choice: int, changes: Changes) -> bytes:
        """encrypted_data of set_client_DH_params; the choice: 0 to 2 one of three secrets, 3 and 4 more padding,

        5 another hash, 6 and 7 other keys, 8 a bad size, 9 and 10 another retry_id, 11 a hash over the padding
        too, 12 another object.
        """
        model = self.model
        g_b = as_256(power_mod(3, int.from_bytes(SECRETS[choice % 3], "big"), PRIME))
        retry_id = model.retry_id + (choice in (9, 10)) * (choice * 2 - 19)
        retry_id = max(-(2**63), min(retry_id, 2**63 - 1))
        nonces = {"nonce": NONCE, "server_nonce": model.server_nonce}
        inner: tl.TLObject = service.ClientDHInnerData(**nonces, retry_id=retry_id, g_b=g_b)
        if choice == 12:
            inner = service.DhGenOk(**nonces, new_nonce_hash1=bytes(16))
        data = changes.of(inner)
        padding = bytes(-(20 + len(data)) % 16 + (16 if choice in (3, 4) else 0))
        if choice == 11:
            data, padding = data + padding, b""
        if choice == 5:
            encrypted = sealed(data, model.new_nonce, model.server_nonce, padding)
            return encrypted[:16] + bytes(16) + encrypted[32:]
        if choice == 6:
            return sealed(data, bytes(32), model.server_nonce, padding)
        if choice == 7:
            return sealed(data, model.new_nonce, bytes(16), padding)
        return sealed(data, model.new_nonce, model.server_nonce, padding)[: -4 if choice == 8 else None]


@lru_cache(maxsize=1 << 12)
def _rsa_pad(padded: bytes, *, is_wrong: bool = False, first: int = 0) -> bytes:
    """key_aes_encrypted of 192 bytes, by the first temp_key of a fixed row that fits, or with a wrong hash."""
    for attempt in range(first, 256):
        temp_key = bytes([attempt]) * 32
        digest = bytes(32) if is_wrong else sha256(temp_key + padded).digest()
        encrypted = ige_encrypt(padded[::-1] + digest, temp_key, bytes(32))
        block = _xor(temp_key, sha256(encrypted).digest()) + encrypted
        if int.from_bytes(block, "big") < TEST_KEY.n:
            return block
    raise Broken("no temp_key fits")


@lru_cache(maxsize=1 << 12)
def _beyond(padded: bytes) -> bytes:
    """What is right modulo n, and greater than n."""
    for first in range(64):
        number = int.from_bytes(_raw_rsa(int.from_bytes(_rsa_pad(padded, first=first), "big")), "big")
        if number + TEST_KEY.n < 1 << 2048:
            return as_256(number + TEST_KEY.n)
    return as_256((1 << 2048) - 1)


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


# A server after core.telegram.org/mtproto/auth_key


class _Server:
    """It knows what it awaits besides a new beginning: "dh", "gen" or nothing."""

    def __init__(
        self,
        clock: Clock,
        dc: int | None,
        is_taken: Callable[[bytes], bool],
        is_refused: Callable[[bytes], bool],
    ) -> None:
        self.clock, self.dc, self.is_taken, self.is_refused = clock, dc, is_taken, is_refused
        self.rng = Draws()
        self.awaits = ""
        self.nonce = self.server_nonce = bytes(16)
        self.new_nonce = bytes(32)
        self.retry_id = 0
        self.started = 0.0
        self.expires_at: float | None = None
        self.last: tuple[bytes, bytes] | None = None
        self.made: list[bytes] = []
        self.result: tuple[object, ...] | None = None

    def receive(self, body: bytes) -> bytes:
        is_over = self.clock() - self.started > 600
        if self.last and self.last[0] == body and not is_over:
            return self.last[1]
        awaits, self.awaits, self.last, self.result = self.awaits, "", None, None
        if len(body) > 4096:
            raise _Refused
        try:
            query = service.decode(body)
        except tl.DecodeError:
            raise _Refused from None
        answer: tl.TLObject
        if isinstance(query, service.ReqPqMulti | service.ReqPq):
            self.started = self.clock()
            answer = self.on_pq(query.nonce)
        elif is_over:
            raise _Refused
        elif isinstance(query, service.ReqDHParams) and awaits == "dh":
            answer = self.on_dh(query)
        elif isinstance(query, service.SetClientDHParams) and awaits == "gen":
            answer = self.on_set(query)
        else:
            raise _Refused
        self.last = body, bytes(answer)
        return bytes(answer)

    def on_pq(self, nonce: bytes) -> tl.TLObject:
        self.nonce, self.server_nonce = nonce, self.rng(16)
        self.awaits, self.retry_id = "dh", 0
        return service.ResPQ(
            nonce=nonce,
            server_nonce=self.server_nonce,
            pq=_PQ,
            server_public_key_fingerprints=[_FINGERPRINT],
        )

    def on_dh(self, query: service.ReqDHParams) -> tl.TLObject:
        if (query.nonce, query.server_nonce) != (self.nonce, self.server_nonce):
            raise _Refused
        if (query.p, query.q, query.public_key_fingerprint) != (_P, _Q, _FINGERPRINT):
            raise _Refused
        inner = _inner_data(query.encrypted_data)
        if (inner.pq, inner.p, inner.q) != (_PQ, _P, _Q):
            raise _Refused
        if (inner.nonce, inner.server_nonce) != (self.nonce, self.server_nonce):
            raise _Refused
        lifetime = getattr(inner, "expires_in", None)
        if lifetime is not None and lifetime < 1:
            raise _Refused
        if self.dc is not None and abs(getattr(inner, "dc", self.dc)) != self.dc:
            raise _Refused(-444)
        self.expires_at = None if lifetime is None else self.clock() + lifetime
        self.new_nonce = inner.new_nonce
        answer = service.ServerDHInnerData(
            nonce=self.nonce,
            server_nonce=self.server_nonce,
            g=3,
            dh_prime=as_256(PRIME),
            g_a=as_256(_PAIR.public),
            server_time=int(self.clock()),
        )
        data = bytes(answer)
        encrypted = sealed(data, self.new_nonce, self.server_nonce, self.rng(-(20 + len(data)) % 16))
        self.awaits = "gen"
        return service.ServerDHParamsOk(
            nonce=self.nonce, server_nonce=self.server_nonce, encrypted_answer=encrypted
        )

    def on_set(self, query: service.SetClientDHParams) -> tl.TLObject:
        nonces = {"nonce": self.nonce, "server_nonce": self.server_nonce}
        if (query.nonce, query.server_nonce) != (self.nonce, self.server_nonce):
            raise _Refused
        inner = opened(query.encrypted_data, self.new_nonce, self.server_nonce, service.ClientDHInnerData)
        if inner is None or (inner.nonce, inner.server_nonce) != (self.nonce, self.server_nonce):
            raise _Refused
        g_b = int.from_bytes(inner.g_b, "big")
        if inner.retry_id != self.retry_id or len(inner.g_b) > 256:
            raise _Refused
        if not 1 << 1984 <= g_b <= PRIME - (1 << 1984):
            raise _Refused
        key = as_256(power_mod(g_b, A, PRIME))
        digest = sha1(key).digest()
        self.made.append(digest[-8:])
        if self.is_refused(digest[-8:]):
            return service.DhGenFail(**nonces, new_nonce_hash3=new_nonce_hash(3, key, self.new_nonce))
        if self.is_taken(digest[-8:]):
            self.awaits, self.retry_id = "gen", int.from_bytes(digest[:8], "little", signed=True)
            return service.DhGenRetry(**nonces, new_nonce_hash2=new_nonce_hash(2, key, self.new_nonce))
        salt = int.from_bytes(_xor(self.new_nonce[:8], self.server_nonce[:8]), "little", signed=True)
        self.result = (key, salt, self.expires_at)
        return service.DhGenOk(**nonces, new_nonce_hash1=new_nonce_hash(1, key, self.new_nonce))


def _inner_data(encrypted: bytes) -> Any:
    """What the client encrypted, in either scheme."""
    number = int.from_bytes(encrypted, "big")
    if len(encrypted) != 256 or number >= TEST_KEY.n:
        raise _Refused
    block = as_256(_decrypted(number))
    temp_key = _xor(block[:32], sha256(block[32:]).digest())
    with_hash = ige_decrypt(block[32:], temp_key, bytes(32))
    padded = with_hash[:192][::-1]
    if sha256(temp_key + padded).digest() == with_hash[192:]:
        inner, size = _prefix(padded)
        if size <= 144:
            return inner
    inner, size = _prefix(block[21:])
    if block[0] or sha1(block[21 : 21 + size]).digest() != block[1:21]:
        raise _Refused
    return inner


def _prefix(data: bytes) -> tuple[Any, int]:
    try:
        return tl.decode_prefix(service.SCHEMA, data, service.TypePQInnerData)
    except tl.DecodeError:
        raise _Refused from None
