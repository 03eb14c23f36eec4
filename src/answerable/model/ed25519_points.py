"""Points of Ed25519 that are no public keys: small order, not canonical."""

_FIELD = 2**255 - 19
# y of the eight points whose order divides eight; each stands for two signs of x. Any
# signature can be made to hold under such a key.
SMALL_ORDER = frozenset(
    {
        0,
        1,
        _FIELD - 1,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
    }
)


def is_small_order(key: bytes) -> bool:
    """Return whether an Ed25519 key is a small-order point or not canonical.

    Args:
        key: 32 bytes, RFC 8032 5.1.2.
    """
    y = int.from_bytes(key, "little") & (1 << 255) - 1
    return y >= _FIELD or y in SMALL_ORDER
