"""Detect weak RSA keys: moduli of the ROCA generator."""

# Nemec et al., "The Return of Coppersmith's Attack", CCS 2017, section 2: the primes of
# Infineon's library are powers of 65537 modulo every one of these, so that its moduli
# are too. A modulus from elsewhere is with a chance below 2^-27.
_ROCA_GENERATOR = 65537
_ROCA_PRIMES = (
    3,
    5,
    7,
    11,
    13,
    17,
    19,
    23,
    29,
    31,
    37,
    41,
    43,
    47,
    53,
    59,
    61,
    67,
    71,
    73,
    79,
    83,
    89,
    97,
    101,
    103,
    107,
    109,
    113,
    127,
    131,
    137,
    139,
    149,
    151,
    157,
    163,
    167,
)


def _powers_modulo(prime: int) -> frozenset[int]:
    """List the powers of the ROCA generator modulo a prime."""
    return frozenset(pow(_ROCA_GENERATOR, power, prime) for power in range(prime - 1))


_SUBGROUPS = tuple((prime, _powers_modulo(prime)) for prime in _ROCA_PRIMES)


def is_roca(modulus: int) -> bool:
    """Return whether an RSA modulus has the fingerprint of the ROCA generator."""
    return all(modulus % prime in powers for prime, powers in _SUBGROUPS)
