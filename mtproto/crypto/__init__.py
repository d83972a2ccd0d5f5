"""The cryptography of MTProto 2.0: functions of bytes and numbers that know nothing of TL or connections.

`aes` AES-IGE · `ctr` AES-CTR · `kdf` message keys · `auth_key` the authorization key · `rsa`,
`telegram_keys` the first step of the key exchange · `dh` the second · `primes` pq.  What a peer sent and is
wrong is HandshakeFailed or None; what the caller got wrong is ValueError.

Specification: core.telegram.org/mtproto/description, core.telegram.org/mtproto/auth_key.
"""

from __future__ import annotations

from mtproto.crypto.aes import ige_decrypt, ige_encrypt
from mtproto.crypto.auth_key import AuthKey, dh_params_fail_hash, initial_salt
from mtproto.crypto.ctr import KeyStream, key_stream
from mtproto.crypto.dh import (
    KNOWN_PRIMES,
    TELEGRAM_DH_PRIME,
    check_group,
    check_public,
    power,
    read_public,
    to_256_bytes,
)
from mtproto.crypto.factoring import factorize
from mtproto.crypto.kdf import MessageKdf, derive, msg_key, msg_key_large, quick_ack_token, tmp_aes
from mtproto.crypto.primes import is_prime, minimal_bytes, random_semiprime
from mtproto.crypto.rsa import (
    DecryptedInnerData,
    PrivateKey,
    PublicKey,
    RsaScheme,
    Sha1Padded,
    decrypt_inner_data,
    rsa_pad_decrypt,
    rsa_pad_encrypt,
    sha1_padded_decrypt,
    sha1_padded_encrypt,
)
from mtproto.crypto.telegram_keys import PRODUCTION_KEYS, TEST_KEYS

__all__ = [
    "KNOWN_PRIMES",
    "PRODUCTION_KEYS",
    "TELEGRAM_DH_PRIME",
    "TEST_KEYS",
    "AuthKey",
    "DecryptedInnerData",
    "KeyStream",
    "MessageKdf",
    "PrivateKey",
    "PublicKey",
    "RsaScheme",
    "Sha1Padded",
    "check_group",
    "check_public",
    "decrypt_inner_data",
    "derive",
    "dh_params_fail_hash",
    "factorize",
    "ige_decrypt",
    "ige_encrypt",
    "initial_salt",
    "is_prime",
    "key_stream",
    "minimal_bytes",
    "msg_key",
    "msg_key_large",
    "power",
    "quick_ack_token",
    "random_semiprime",
    "read_public",
    "rsa_pad_decrypt",
    "rsa_pad_encrypt",
    "sha1_padded_decrypt",
    "sha1_padded_encrypt",
    "tmp_aes",
    "to_256_bytes",
]
