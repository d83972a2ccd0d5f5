"""Arithmetic on big numbers by GMP: the one module that imports gmpy2, and the place where it gets types.

Numbers go in and come out as `int`; only `mpz` gives GMP's own kind, for loops that would otherwise convert
at every step (it behaves as an int in all that such a loop does).

The exponentiations, which take milliseconds, let other threads run meanwhile; gmpy2 does that only where its
context says so.  Its test for primes can't, and holds the interpreter for as long as it takes: primes are the
business of `big_primes`.
"""

from __future__ import annotations

from typing import cast

import gmpy2  # type: ignore[import-untyped]

__all__ = [
    "gcd",
    "invert",
    "jacobi",
    "mpz",
    "powmod",
    "powmod_secret",
]


def mpz(value: int) -> int:
    """`value` as GMP's integer: same value, quicker in a long run of multiplications."""
    return cast(int, gmpy2.mpz(value))


def gcd(a: int, b: int) -> int:
    """The greatest common divisor, 0 or more."""
    return int(gmpy2.gcd(a, b))


def invert(value: int, modulus: int) -> int:
    """The inverse of `value`; raise ZeroDivisionError where there is none."""
    return int(gmpy2.invert(value, modulus))


def jacobi(value: int, modulus: int) -> int:
    """The Jacobi symbol, -1, 0 or 1, of `value` over an odd `modulus` > 0."""
    return int(gmpy2.jacobi(value, modulus))


def powmod(base: int, exponent: int, modulus: int) -> int:
    """base ** exponent % modulus for public numbers: how long it takes depends on all three."""
    with gmpy2.context(allow_release_gil=True):
        return int(gmpy2.powmod(base, exponent, modulus))


def powmod_secret(base: int, exponent: int, modulus: int) -> int:
    """The same for a secret exponent > 0 and an odd modulus: its time does not tell the exponent."""
    with gmpy2.context(allow_release_gil=True):
        return int(gmpy2.powmod_sec(base, exponent, modulus))
