"""What a client must not take in a key exchange: checks H1 to H14.

Whoever takes the answer goes on with the next query, or with an encrypted message: that is what is looked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mtproto import service
from mtproto.crypto.dh import TELEGRAM_DH_PRIME, to_256_bytes
from mtproto.crypto.rsa import RsaScheme
from mtproto.testing.hostile.bodies import Answer
from mtproto.testing.hostile.choosing import AnyOf, Refuses, Serve
from mtproto.testing.hostile.conversation import Conversation
from mtproto.testing.hostile.expecting import Expect, ExpectClose, Silence
from mtproto.testing.hostile.happenings import Heard
from mtproto.testing.hostile.key_exchange import KeyExchange
from mtproto.testing.hostile.library.probes import shifted
from mtproto.testing.hostile.nodes import End, Node, Plain, Repeat, Send
from mtproto.testing.hostile.server_steps import DhGen, ResPQ, ServerDHParams
from mtproto.testing.hostile.stage import Stage

__all__ = ["CONVERSATIONS"]

_RIGHT = "closes, begins again, or says nothing more"
_P = TELEGRAM_DH_PRIME
_UNSAFE_PRIME = 2**2048 - 1557
"""The greatest prime below 2**2048; (p - 1) / 2 is none."""
_SHORT_PRIME = int(
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74"
    "020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f1437"
    "4fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed"
    "ee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf05"
    "98da48361c55d39a69163fa8fd24cf5f83655d23dca3ad961c62f356208552bb"
    "9ed529077096966d670c354e4abc9804f1746c08ca237327ffffffffffffffff",
    16,
)
"""A safe prime of 1536 bits, for which g = 2 is right (RFC 3526, group 5)."""
_MARGIN = 2**1984
_RETRIES = 32
_NEAR = 30


def flipped(data: bytes) -> bytes:
    """The bytes with their last bit changed."""
    return data[:-1] + bytes([data[-1] ^ 1])


def _refused(name: str, check: str, *nodes: Node) -> Conversation:
    return Conversation([*nodes, Refuses()], name=name, check=check, right=_RIGHT)


def _res_pq(name: str, check: str, **fields: Any) -> Conversation:
    return _refused(name, check, KeyExchange(before="resPQ"), ResPQ(**fields))


def _params(name: str, check: str, kind: str = "ok", **fields: Any) -> Conversation:
    step = ServerDHParams(kind, **fields)
    return _refused(name, check, KeyExchange(before="server_DH_params_ok"), step)


def _inner(name: str, check: str, **inner: Any) -> Conversation:
    return _params(name, check, inner=inner)


def _dh_gen(name: str, check: str, kind: str = "ok", **fields: Any) -> Conversation:
    return _refused(name, check, KeyExchange(before="dh_gen_ok"), DhGen(kind, **fields))


def _nonces() -> Iterable[Conversation]:
    yield _res_pq("resPQ with another nonce", "H1", nonce=flipped)
    for name in ("nonce", "server_nonce"):
        other: dict[str, Any] = {name: flipped}
        yield _params(f"server_DH_params_ok with another {name}", "H1", **other)
        yield _inner(f"server_DH_inner_data with another {name}", "H1", **other)
        yield _dh_gen(f"dh_gen_ok with another {name}", "H1", **other)
        yield _params(f"server_DH_params_fail with another {name}", "H1", "fail", **other)


def _pq() -> Iterable[Conversation]:
    numbers = {
        "that is a prime": 2**61 - 1,
        "that is even": 2 * (2**61 - 1),
        "that is a square": 2_147_483_647**2,
        "of three primes": 65_537 * 65_539 * 65_543,
        "that is 1": 1,
        "above 2^63": 4_294_967_291 * 4_294_967_279,
    }
    for what, number in numbers.items():
        yield _res_pq(f"pq {what}", "H2", pq=number.to_bytes((number.bit_length() + 7) // 8))
    yield _res_pq("pq of no bytes", "H2", pq=b"")
    yield _res_pq("pq of 16 bytes", "H2", pq=((2**61 - 1) * (2**31 - 1)).to_bytes(16))


def _group() -> Iterable[Conversation]:
    yield _inner("dh_prime that is no prime", "H6", dh_prime=to_256_bytes(_P - 2))
    yield _inner("dh_prime that is not safe", "H6", dh_prime=to_256_bytes(_UNSAFE_PRIME), g=4)
    yield _inner("dh_prime of 1536 bits", "H6", dh_prime=to_256_bytes(_SHORT_PRIME), g=2)
    yield _inner("dh_prime of 128 bytes", "H6", dh_prime=to_256_bytes(_P)[:128], g=4)
    for g in (0, 1, 2, 5, 6, 8):
        yield _inner(f"g = {g}, which does not suit dh_prime", "H7", g=g)
    numbers = {"0": 0, "1": 1, "p - 1": _P - 1, "p": _P, "2^1984 - 1": _MARGIN - 1}
    numbers["p - 2^1984 + 1"] = _P - _MARGIN + 1
    for what, number in numbers.items():
        yield _inner(f"g_a = {what}", "H8", g_a=to_256_bytes(number))
    yield _inner("g_a of 257 bytes", "H8", g_a=lambda g_a: b"\1" + g_a)


def _encrypted() -> Iterable[Conversation]:
    yield _params("encrypted_answer with a wrong SHA1", "H5", answer_hash=bytes(20))
    yield _params("encrypted_answer with 24 bytes of padding", "H5", padding=bytes(24))
    yield _params("encrypted_answer that is cut by 4 bytes", "H5", encrypted_answer=lambda e: e[:-4])
    yield _params("encrypted_answer that is cut by a block", "H5", encrypted_answer=lambda e: e[:-16])
    yield _params("encrypted_answer of no bytes", "H5", encrypted_answer=b"")
    yield _params("encrypted_answer with something else in it", "H5", inner=_other_inner)


def _other_inner(inner: service.ServerDHInnerData) -> bytes:
    other = service.ClientDHInnerData(
        nonce=inner.nonce, server_nonce=inner.server_nonce, retry_id=0, g_b=inner.g_a
    )
    return bytes(other)


def _hash(number: int) -> Any:
    return lambda _, stage: stage.server_exchange.hash_of(number)


def _hashes() -> Iterable[Conversation]:
    yield _dh_gen("dh_gen_ok with a wrong hash", "H10", new_nonce_hash=flipped)
    yield _dh_gen("dh_gen_ok with the hash of dh_gen_retry", "H10", new_nonce_hash=_hash(2))
    yield _dh_gen("dh_gen_retry with a wrong hash", "H10", "retry", new_nonce_hash=flipped)
    yield _dh_gen("dh_gen_retry with the hash of dh_gen_ok", "H10", "retry", new_nonce_hash=_hash(1))
    yield _dh_gen("dh_gen_fail with a wrong hash", "H10", "fail", new_nonce_hash=flipped)
    yield _params("server_DH_params_fail with a wrong hash", "H10", "fail", new_nonce_hash=flipped)


def _retry_id_fits(heard: Heard, stage: Stage) -> bool:
    exchange = stage.server_exchange
    return exchange.client_dh is not None and exchange.client_dh.retry_id == exchange.retry_id


def _is_new_secret(heard: Heard, stage: Stage) -> bool:
    told = stage.server_exchange.g_bs
    return len(set(told)) == len(told)


def _failures() -> Iterable[Conversation]:
    yield _params("server_DH_params_fail", "H10", "fail")
    yield _dh_gen("dh_gen_fail", "H11", "fail")
    again = Expect("set_client_DH_params", where=_retry_id_fits, what="whose retry_id is the aux_hash")
    given_up: list[list[Node]] = [
        [ExpectClose(), End()],
        [Expect("req_pq_multi", "req_pq"), End()],
        [Silence(), End()],
    ]
    yield Conversation(
        [
            KeyExchange(before="dh_gen_ok"),
            Repeat(2, DhGen("retry"), AnyOf(again, *given_up)),
            DhGen("ok"),
            Serve(1),
        ],
        name="dh_gen_retry twice",
        check="H11",
        right="tries again, each time with the auth_key_aux_hash of the key before; or gives up",
    )
    other = Expect("set_client_DH_params", where=_is_new_secret, what="with another g_b")
    yield Conversation(
        [KeyExchange(before="dh_gen_ok"), Repeat(2, DhGen("retry"), AnyOf(other, *given_up))],
        name="another secret after dh_gen_retry",
        check="H9",
        right="tries again with another secret, or gives up",
    )
    yield Conversation(
        [
            KeyExchange(before="dh_gen_ok"),
            Repeat(
                _RETRIES,
                DhGen("retry"),
                AnyOf(Expect("set_client_DH_params"), *given_up),
            ),
            DhGen("retry"),
            Refuses(),
        ],
        name="dh_gen_retry for ever",
        check="H11",
        right=f"gives up before it has tried {_RETRIES} times",
    )


def _is_rsa_pad(heard: Heard, stage: Stage) -> bool:
    return stage.server_exchange.scheme is RsaScheme.RSA_PAD


def _has_factors(heard: Heard, stage: Stage) -> bool:
    exchange, query, inner = stage.server_exchange, heard.value, stage.server_exchange.client_inner
    if not isinstance(query, service.ReqDHParams) or inner is None:
        return False
    return (query.p, query.q) == (inner.p, inner.q) == (exchange.p, exchange.q) and inner.pq == exchange.pq


def _queries() -> Iterable[Conversation]:
    nodes = [KeyExchange(before="resPQ"), ResPQ()]
    yield Conversation(
        [*nodes, Expect("req_DH_params", where=_has_factors, what="with p < q, and pq inside")],
        name="the factors of pq",
        check="H2",
        right="sends p < q in as few bytes as they take, the same inside",
    )
    yield Conversation(
        [*nodes, Expect("req_DH_params", where=_is_rsa_pad, what="in RSA_PAD")],
        name="inner data in RSA_PAD",
        check="H4",
        right="encrypts its inner data with RSA_PAD, not the older scheme",
    )
    yield _res_pq("no fingerprint", "H3", server_public_key_fingerprints=[])
    yield _res_pq("a fingerprint of no key", "H3", server_public_key_fingerprints=[1234567])


def _others() -> Iterable[Conversation]:
    start = KeyExchange(before="resPQ")
    yield _refused("dh_gen_ok in place of resPQ", "H13", start, Plain("dh_gen_ok"))
    yield _res_pq("resPQ whose length is wrong", "H13", length=lambda n: n - 4)
    yield _res_pq("resPQ under an auth_key_id", "H13", auth_key_id=b"hostile!")
    yield _dh_gen("dh_gen_ok cut by 4 bytes", "H13", payload=lambda p: p[:-4], length=lambda n: n - 4)
    yield Conversation(
        [KeyExchange(), Expect("request"), ResPQ(), AnyOf(ExpectClose(), Silence())],
        name="a plain message in a session",
        check="H13",
        right=_RIGHT,
    )


def _times() -> Iterable[Conversation]:
    corrected: list[Node] = [
        Expect("request"),
        Send("bad_msg_notification", error_code=16),
        Expect("request", where=_is_timely, what="of the server's time"),
        Serve(),
    ]
    yield Conversation(
        [
            KeyExchange(before="server_DH_params_ok"),
            ServerDHParams(inner={"server_time": -1}),
            AnyOf(Refuses(), [Expect("set_client_DH_params"), DhGen("ok"), AnyOf(Refuses(), corrected)]),
        ],
        name="server_time that can not be",
        check="H12",
        right="refuses it, or is corrected by bad_msg_notification",
    )
    is_ahead = Expect("request", where=_is_an_hour_ahead, what="of the server's time")
    told = Send("bad_msg_notification", error_code=16, msg_id=shifted(3600))
    yield Conversation(
        [
            KeyExchange(before="server_DH_params_ok"),
            ServerDHParams(inner={"server_time": lambda now: now + 3600}),
            Expect("set_client_DH_params"),
            DhGen("ok"),
            AnyOf(is_ahead, [Expect("request"), told, is_ahead]),
            Send(Answer(), msg_id=shifted(3600)),
            AnyOf(ExpectClose(), Silence(), Expect("request")),
        ],
        name="server_time that is an hour ahead",
        check="H12",
        right="its msg_ids tell the server's time, at the latest after bad_msg_notification",
    )
    salted = Expect("request", where=_has_salt, what="with the salt")
    yield Conversation(
        [KeyExchange(), AnyOf(salted, [Expect("request"), Send("bad_server_salt"), salted]), Serve()],
        name="the first server_salt",
        check="H12",
        right="uses the one that follows from the nonces, at the latest after bad_server_salt",
    )
    yield Conversation(
        [KeyExchange(before="resPQ"), AnyOf(Expect("req_pq_multi", "req_pq", within=90), ExpectClose())],
        name="a server that says nothing",
        check="H14",
        right="closes, or begins again, within a minute and a half",
    )


def _is_timely(heard: Heard, stage: Stage) -> bool:
    return abs(heard.msg_id / 2**32 - stage.clock()) < _NEAR


def _is_an_hour_ahead(heard: Heard, stage: Stage) -> bool:
    return abs(heard.msg_id / 2**32 - stage.clock() - 3600) < _NEAR


def _has_salt(heard: Heard, stage: Stage) -> bool:
    return heard.salt == stage.salt


CONVERSATIONS: tuple[Conversation, ...] = (
    *_nonces(),
    *_pq(),
    *_queries(),
    *_encrypted(),
    *_group(),
    *_hashes(),
    *_failures(),
    *_times(),
    *_others(),
)
