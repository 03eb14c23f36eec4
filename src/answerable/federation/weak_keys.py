"""Detect weak public keys: ROCA moduli and small-order points."""

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
    """Tell whether an RSA modulus has the fingerprint of the ROCA generator."""
    return all(modulus % prime in powers for prime, powers in _SUBGROUPS)


_FIELD = 2**255 - 19
# y of the eight points whose order divides eight; each stands for two signs of x. Any
# signature can be made to hold under such a key.
_SMALL_ORDER = frozenset(
    {
        0,
        1,
        _FIELD - 1,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
    }
)


def is_small_order(key: bytes) -> bool:
    """Tell whether an Ed25519 key is a small-order point or not canonical.

    Args:
        key: 32 bytes, RFC 8032 5.1.2.
    """
    y = int.from_bytes(key, "little") & (1 << 255) - 1
    return y >= _FIELD or y in _SMALL_ORDER
