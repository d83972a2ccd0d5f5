"""Whatever a server answers in the key exchange, the client does what the documentation says, or HandshakeFailed.

A second client, below, is written after the documentation: both have to send the same queries to the byte,
refuse the same answers for the same check, and agree on the same key.  The answers are those of a server that
knows all secrets, and are changed as the input says, inside the encryption too.

    byte 0     bit 0     the key is a temporary one         bit 1     another RSA key is trusted more
    …          lines (`tests.fuzz.scripts`), up to 24; what is said, and the choice:
               0 what is due   1 resPQ   2 server_DH_params_ok, by `_sealed`   3 server_DH_params_fail
               4 dh_gen_ok   5 dh_gen_retry   6 dh_gen_fail   7 the next so many bytes   8 nothing, for ten
               times so many seconds   9 nothing, and the client starts again
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from hashlib import sha1, sha256
from math import gcd, isqrt
from typing import Any

import gmpy2  # type: ignore[import-untyped]

import tl
from mtproto import service
from mtproto.crypto.aes import ige_encrypt
from mtproto.crypto.rsa import PublicKey
from mtproto.errors import HandshakeFailed
from mtproto.handshake import ClientHandshake
from tests.fuzz.scripts import (
    NOW,
    OTHER_KEY,
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
from tests.mtproto.by_hand import PRIME, PRIMES, SERVER_NONCE, A, as_256, new_nonce_hash
from tests.mtproto.helpers import TEST_KEY
from tests.vectors import load

__all__ = ["WORDS", "target"]

_DC = 2
_EXPIRES_IN = 86400
_LAST_TIME = 2**31 - 366 * 86400
"""A year before 32 bits are too few for the time."""
_GROUPS = {int(prime["p"], 16): prime["good_g"] for prime in load("dh")["good_primes"]}
_OTHER_GROUP = next(p for p in _GROUPS if p != PRIME)
_FINGERPRINT = TEST_KEY.public.fingerprint
WORDS = (
    *(bytes([line, 0]) for line in range(10)),
    *(bytes([line, 1, field, value]) for line in (1, 2, 4) for field in (0, 1, 2) for value in (0, 1, 200)),
    *(bytes([2 | choice << 4, 0]) for choice in range(16)),
    *(bytes([2, 16, field, value]) for field in (2, 3, 4) for value in range(12)),
    *(
        cls.CONSTRUCTOR_ID.to_bytes(4, "little")
        for cls in service.SCHEMA.by_name.values()
        if "onc" in str(cls.FIELDS)
    ),
)
"""Lines that say something."""


class _Refused(Exception):
    """What a client does that follows the documentation; `check` is the id of the rule that was broken."""

    def __init__(self, check: str) -> None:
        super().__init__(check)
        self.check = check


def target(raw: bytes, make: Callable[..., ClientHandshake] = ClientHandshake) -> None:
    """Raise where a client that `make` makes is unlike the documentation's."""
    script = Script(raw)
    options = script.byte()
    keys = [OTHER_KEY, TEST_KEY.public] if options & 2 else [TEST_KEY.public]
    expires_in = _EXPIRES_IN if options & 1 else None
    clock = Clock()
    client = make(keys, dc=_DC, clock=clock, rng=Draws(), expires_in=expires_in)
    model = _Client(keys, expires_in, clock)
    _compare("the first query", client.start(), model.start())
    for _ in range(24):
        if not script:
            return
        line = script.byte()
        what, choice = line & 15, line >> 4
        if what == 8:
            clock.now += 10 * choice
        elif what == 9:
            _compare("the first query", client.start(), model.start())
        else:
            body = script.bytes(16 * choice) if what == 7 else _answer(model, what, choice, script)
            _ask(client, model, body)


def _ask(client: ClientHandshake, model: _Client, body: bytes) -> None:
    """Give both the same answer."""
    expected: bytes | _Refused | None
    try:
        expected = model.receive(body)
    except _Refused as refused:
        expected = refused
    try:
        got = computed(client.receiving(body))
    except HandshakeFailed as error:
        if not isinstance(expected, _Refused) or error.check != expected.check:
            raise Broken(f"{body.hex(' ', -4)}\n is refused: {error}\n expected {expected!r}") from error
    else:
        _compare(body.hex(" ", -4), got, expected)
    result = client.result and (
        *(client.result.auth_key.data, client.result.server_salt),
        *(client.result.time_offset, client.result.expires_at),
    )
    _compare("the result", result, model.result)


def _compare(what: str, got: object, expected: object) -> None:
    if got != expected:
        raise Broken(f"{what}\n gives {got!r}\n expected {expected!r}")


# What the server says


def _answer(model: _Client, what: int, choice: int, script: Script) -> bytes:
    """The answer of a line; with the choices 14 and 15 it is as long as may be, and longer."""
    outer, inner = script.changes()
    if what not in (1, 2, 3, 4, 5, 6):
        what = {"dh": 2, "gen": 4}.get(model.awaits, 1)
    nonces = {"nonce": model.nonce, "server_nonce": model.server_nonce}
    answer: tl.TLObject
    if what == 1:
        pq = (PRIMES[0] * PRIMES[1]).to_bytes(8, "big")
        nonces["server_nonce"] = SERVER_NONCE
        answer = service.ResPQ(**nonces, pq=pq, server_public_key_fingerprints=[_FINGERPRINT])
    elif what == 2:
        answer = service.ServerDHParamsOk(**nonces, encrypted_answer=_sealed(model, choice, inner))
    elif what == 3:
        digest = sha1(model.new_nonce).digest()[4:]
        answer = service.ServerDHParamsFail(**nonces, new_nonce_hash=digest)
    else:
        cls: Any = (service.DhGenOk, service.DhGenRetry, service.DhGenFail)[what - 4]
        number = choice if choice in (1, 2, 3) else what - 3
        answer = cls(**nonces, **{f"new_nonce_hash{what - 3}": model.new_nonce_hash(number)})
    body = outer.of(answer)
    if choice >= 14:
        body = body.ljust(16384 + 4 * (choice - 14), b"\0")
    return body


def _sealed(model: _Client, choice: int, changes: Changes) -> bytes:
    """encrypted_answer; the choice: 1 to 4 other padding, 5 another hash, 6 and 7 other keys, 8 a bad size,

    9 and 10 another group, right and wrong, 11 a hash over the padding too, 12 and 13 of another object.
    """
    prime, g = PRIME, 3
    if choice in (9, 10):
        prime, g = _OTHER_GROUP, 2 if choice == 9 else 8
    inner: tl.TLObject = service.ServerDHInnerData(
        nonce=model.nonce,
        server_nonce=model.server_nonce,
        g=g,
        dh_prime=as_256(prime),
        g_a=as_256(power_mod(g, A, prime)),
        server_time=int(NOW) + 100,
    )
    if choice in (12, 13):
        inner = service.ClientDHInnerData(
            nonce=model.nonce, server_nonce=model.server_nonce, retry_id=0, g_b=as_256(power_mod(g, A, prime))
        )
    data = changes.of(inner)
    padding = bytes(-(20 + len(data)) % 16)
    if 1 <= choice <= 4:
        padding += bytes((0, 4, 16, 32, 48)[choice])
        padding += bytes(-(20 + len(data) + len(padding)) % 16)
    if choice == 11:
        data, padding = data + padding, b""
    if choice == 5:
        key = sealed(data, model.new_nonce, model.server_nonce, padding)
        return key[:16] + bytes(16) + key[32:]
    if choice == 6:
        return sealed(data, bytes(32), model.server_nonce, padding)
    if choice == 7:
        return sealed(data, model.new_nonce, bytes(16), padding)
    return sealed(data, model.new_nonce, model.server_nonce, padding)[: -4 if choice == 8 else None]


# A client after core.telegram.org/mtproto/auth_key


class _Client:
    """It knows what it awaits: "pq", "dh", "gen", or "" when no query is open."""

    def __init__(self, keys: list[PublicKey], expires_in: int | None, clock: Clock) -> None:
        self.keys, self.expires_in, self.clock = keys, expires_in, clock
        self.rng = Draws()
        self.awaits = ""
        self.nonce = self.server_nonce = bytes(16)
        self.new_nonce = bytes(32)
        self.auth_key = bytes(256)
        self.result: tuple[object, ...] | None = None

    def new_nonce_hash(self, number: int) -> bytes:
        return new_nonce_hash(number, self.auth_key, self.new_nonce)

    def start(self) -> bytes:
        self.started = self.clock()
        self.result = None
        self.awaits = "pq"
        self.nonce = self.rng(16)
        return bytes(service.ReqPqMulti(nonce=self.nonce))

    def receive(self, body: bytes) -> bytes | None:
        awaits, self.awaits = self.awaits, ""
        if not awaits:
            raise _Refused("H13")
        if self.clock() >= self.started + 60:
            raise _Refused("H14")
        if len(body) > 16384:
            raise _Refused("H13")
        try:
            answer, size = tl.decode_prefix(service.SCHEMA, body)
        except tl.DecodeError:
            raise _Refused("H13") from None
        trailing = size != len(body)
        if awaits == "pq" and isinstance(answer, service.ResPQ):
            return self.on_pq(answer)
        if awaits == "dh" and isinstance(answer, service.ServerDHParamsOk):
            return self.on_params(answer)
        if awaits == "dh" and isinstance(answer, service.ServerDHParamsFail) and not trailing:
            self.check_nonces(answer)
            raise _Refused("H10")
        if awaits == "gen" and isinstance(answer, service.DhGenOk):
            self.on_ok(answer)
            return None
        if awaits == "gen" and isinstance(answer, service.DhGenRetry) and not trailing:
            return self.on_retry(answer)
        if awaits == "gen" and isinstance(answer, service.DhGenFail) and not trailing:
            self.check_nonces(answer)
            raise _Refused("H11" if answer.new_nonce_hash3 == self.new_nonce_hash(3) else "H10")
        raise _Refused("H13")

    def check_nonces(self, answer: Any) -> None:
        if (answer.nonce, answer.server_nonce) != (self.nonce, self.server_nonce):
            raise _Refused("H1")

    def on_pq(self, answer: service.ResPQ) -> bytes:
        if answer.nonce != self.nonce:
            raise _Refused("H1")
        offered = answer.server_public_key_fingerprints[:64]
        key = next((key for key in self.keys if key.fingerprint in offered), None)
        if key is None:
            raise _Refused("H3")
        primes = _two_primes(answer.pq)
        if primes is None:
            raise _Refused("H2")
        self.server_nonce = answer.server_nonce
        self.new_nonce = self.rng(32)
        p, q = (prime.to_bytes((prime.bit_length() + 7) // 8, "big") for prime in primes)
        common: dict[str, Any] = {
            "pq": answer.pq,
            "p": p,
            "q": q,
            "nonce": self.nonce,
            "server_nonce": self.server_nonce,
            "new_nonce": self.new_nonce,
            "dc": _DC,
        }
        inner: tl.TLObject = service.PQInnerDataDc(**common)
        if self.expires_in is not None:
            inner = service.PQInnerDataTempDc(**common, expires_in=self.expires_in)
            self.expires_at: float | None = self.clock() + self.expires_in
        else:
            self.expires_at = None
        self.awaits = "dh"
        self.retries, self.retry_id = 0, 0
        query = service.ReqDHParams(
            nonce=self.nonce,
            server_nonce=self.server_nonce,
            p=p,
            q=q,
            public_key_fingerprint=key.fingerprint,
            encrypted_data=self.rsa_pad(bytes(inner), key),
        )
        return bytes(query)

    def rsa_pad(self, data: bytes, key: PublicKey) -> bytes:
        padded = data + self.rng(192 - len(data))
        while True:
            temp_key = self.rng(32)
            encrypted = ige_encrypt(padded[::-1] + sha256(temp_key + padded).digest(), temp_key, bytes(32))
            mask = sha256(encrypted).digest()
            number = int.from_bytes(
                bytes(a ^ b for a, b in zip(temp_key, mask, strict=True)) + encrypted, "big"
            )
            if number < key.n:
                return as_256(int(gmpy2.powmod(number, key.e, key.n)))

    def on_params(self, answer: service.ServerDHParamsOk) -> bytes:
        self.check_nonces(answer)
        inner = opened(answer.encrypted_answer, self.new_nonce, self.server_nonce, service.ServerDHInnerData)
        if inner is None:
            raise _Refused("H5")
        self.check_nonces(inner)
        if not 0 <= inner.server_time < _LAST_TIME:
            raise _Refused("H12")
        self.prime, self.g = int.from_bytes(inner.dh_prime, "big"), inner.g
        if len(inner.dh_prime) != 256 or self.prime not in _GROUPS:
            raise _Refused("H6")
        if self.g not in _GROUPS[self.prime]:
            raise _Refused("H7")
        self.g_a = int.from_bytes(inner.g_a, "big")
        if len(inner.g_a) > 256 or not 1 << 1984 <= self.g_a <= self.prime - (1 << 1984):
            raise _Refused("H8")
        self.offset = inner.server_time - self.clock()
        return self.set_params()

    def set_params(self) -> bytes:
        secret = int.from_bytes(self.rng(256), "big")
        self.auth_key = as_256(power_mod(self.g_a, secret, self.prime))
        inner = service.ClientDHInnerData(
            nonce=self.nonce,
            server_nonce=self.server_nonce,
            retry_id=self.retry_id,
            g_b=as_256(power_mod(self.g, secret, self.prime)),
        )
        data = bytes(inner)
        encrypted = sealed(data, self.new_nonce, self.server_nonce, self.rng(-(20 + len(data)) % 16))
        self.awaits = "gen"
        query = service.SetClientDHParams(
            nonce=self.nonce, server_nonce=self.server_nonce, encrypted_data=encrypted
        )
        return bytes(query)

    def on_ok(self, answer: service.DhGenOk) -> None:
        self.check_nonces(answer)
        if answer.new_nonce_hash1 != self.new_nonce_hash(1):
            raise _Refused("H10")
        mixed = bytes(a ^ b for a, b in zip(self.new_nonce[:8], self.server_nonce[:8], strict=True))
        salt = int.from_bytes(mixed, "little", signed=True)
        self.result = (self.auth_key, salt, self.offset, self.expires_at)

    def on_retry(self, answer: service.DhGenRetry) -> bytes:
        self.check_nonces(answer)
        if answer.new_nonce_hash2 != self.new_nonce_hash(2):
            raise _Refused("H10")
        self.retries += 1
        if self.retries > 5:
            raise _Refused("H11")
        self.retry_id = int.from_bytes(sha1(self.auth_key).digest()[:8], "little", signed=True)
        return self.set_params()


@lru_cache(maxsize=1 << 12)
def _two_primes(pq: bytes) -> tuple[int, int] | None:
    """The primes p < q of what may be a pq, else None."""
    n = int.from_bytes(pq, "big")
    if not 1 <= len(pq) <= 8 or not pq[0] or not 3 < n < 1 << 63 or n % 2 == 0:
        return None
    if gmpy2.is_prime(n) or isqrt(n) ** 2 == n:
        return None
    p = next((small for small in range(3, 2000, 2) if n % small == 0), 0) or _factor(n)
    p, q = sorted((p, n // p))
    return (p, q) if gmpy2.is_prime(p) and gmpy2.is_prime(q) and p != q else None


def _factor(n: int) -> int:
    """A factor of a composite number, by Pollard's rho as Floyd had it."""
    for c in range(1, 100):
        slow = fast = gmpy2.mpz(2)
        while True:
            product = gmpy2.mpz(1)
            before = slow, fast
            for _ in range(128):
                slow = (slow * slow + c) % n
                fast = ((fast * fast + c) ** 2 + c) % n
                product = product * (slow - fast) % n
            if gcd(int(product), n) != 1:
                break
        slow, fast = before
        found = 1
        while found == 1:
            slow = (slow * slow + c) % n
            fast = ((fast * fast + c) ** 2 + c) % n
            found = gcd(int(slow - fast), n)
        if found != n:
            return found
    raise Broken(f"{n} resists")
