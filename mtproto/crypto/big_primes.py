"""Whether the 2048-bit number that a server calls its dh_prime is a safe prime: p and (p - 1) / 2 both prime.

The number may have been made to deceive, so q = (p - 1) / 2 is put to a test that no composite number is known
to pass: Baillie-PSW, which is Miller-Rabin to base 2 and a Lucas test, and more rounds of Miller-Rabin whose
bases depend on the number.  Then one exponentiation proves p (Pocklington): since q is a prime greater than
the square root of p, p is prime if 2 ** (p - 1) = 1 modulo p and 2 ** 2 - 1 has no factor in common with it.

All of it is in small pieces: exponentiations that let other threads run, and a loop of the interpreter's.
GMP's own test is quicker and stops everything else in the process while it runs.

Specification: core.telegram.org/mtproto/security_guidelines (validation of DH parameters); check H6.
"""

from __future__ import annotations

from hashlib import sha256

from mtproto.crypto.bignum import gcd, jacobi, mpz, powmod

__all__ = ["MILLER_RABIN_ROUNDS", "is_big_prime", "is_lucas_probable_prime", "is_safe_prime"]

MILLER_RABIN_ROUNDS = 8
"""Rounds of Miller-Rabin behind that to base 2."""

# The product of the odd primes below 100: most composite numbers have one of them as a factor.
_SMALL = 1152783981972759212376551073665878035
_MAX_PARAMETER = 1000


def is_safe_prime(p: int) -> bool:
    """Whether p and (p - 1) / 2 are prime, for p > 200; a "no" is certain, and so is the step from q to p."""
    q = p >> 1
    if p % 4 != 3 or gcd(p, _SMALL) != 1:
        return False
    # The one exponentiation first: it is what refuses a p made of a prime q, which else would cost all the others.
    return powmod(2, p - 1, p) == 1 and is_big_prime(q)


def is_big_prime(n: int) -> bool:
    """Whether `n` > 100, odd, is prime, as far as one can tell; see the module."""
    if n % 2 == 0 or gcd(n, _SMALL) != 1 or not _is_strong_probable_prime(n, 2):
        return False
    return is_lucas_probable_prime(n) and all(_is_strong_probable_prime(n, base) for base in _bases(n))


def _bases(n: int) -> list[int]:
    """Bases for Miller-Rabin that nobody can choose `n` for: they are a hash of it."""
    data = n.to_bytes((n.bit_length() + 7) // 8, "big")
    digests = (sha256(bytes([index]) + data).digest() for index in range(MILLER_RABIN_ROUNDS))
    return [3 + int.from_bytes(digest, "big") % (n - 5) for digest in digests]


def _is_strong_probable_prime(n: int, base: int) -> bool:
    twos = ((n - 1) & -(n - 1)).bit_length() - 1
    x = powmod(base, (n - 1) >> twos, n)
    if x in (1, n - 1):
        return True
    for _ in range(twos - 1):
        x = x * x % n
        if x == n - 1:
            return True
    return False


def is_lucas_probable_prime(n: int) -> bool:
    """Whether the odd `n` passes the extra strong Lucas test, as every prime > 2 does.

    With Q = 1 and the least P >= 3 for which D = P * P - 4 is no square modulo n.  Sources: Grantham,
    Frobenius Pseudoprimes, 2001 (the test); Crandall and Pomerance, Prime Numbers, 3.6 (its arithmetic).
    """
    parameter = _lucas_parameter(n)
    if parameter is None:
        return False
    twos = ((n + 1) & -(n + 1)).bit_length() - 1
    v, following = _lucas_chain(parameter, (n + 1) >> twos, n)
    # U is 0 just if 2 * V(k+1) = P * V(k).
    if v in (2, n - 2) and (2 * following - parameter * v) % n == 0:
        return True
    for _ in range(twos - 1):
        if v == 0:
            return True
        v = (v * v - 2) % n
    return False


def _lucas_parameter(n: int) -> int | None:
    """P; None where looking for it has shown that `n` is composite: a factor in common, or a square."""
    for parameter in range(3, _MAX_PARAMETER):
        symbol = jacobi(parameter * parameter - 4, n)
        if symbol == -1:
            return parameter
        if symbol == 0 and gcd(parameter * parameter - 4, n) != n:
            return None
    return None  # a square has no such P; of other numbers one in 2**900 has none so small


def _lucas_chain(parameter: int, k: int, n: int) -> tuple[int, int]:
    """V(k) and V(k + 1) modulo n of the Lucas sequence with P = `parameter` and Q = 1."""
    modulus, low, high = mpz(n), mpz(2), mpz(parameter)
    for bit in bin(k)[2:]:
        mixed = (low * high - parameter) % modulus
        if bit == "1":
            low, high = mixed, (high * high - 2) % modulus
        else:
            low, high = (low * low - 2) % modulus, mixed
    return int(low), int(high)
