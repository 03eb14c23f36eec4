"""Make fake AWS access key ids of a chosen account, and fake secrets."""

import hashlib

_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def make_access_key_id(account: str, name: str, prefix: str = "AKIA") -> str:
    """Make a well-formed AWS access key id that decodes to the account.

    Args:
        name: Any text; the same text gives the same key id.
        prefix: `AKIA` for a long-lived key, `ASIA` for a session.

    Returns:
        Twenty characters.
    """
    noise = int.from_bytes(hashlib.sha256(name.encode()).digest()[:5], "big")
    # 80 bits: a set top bit, 40 bits of account number, 39 arbitrary bits.
    bits = 1 << 79 | int(account) << 39 | noise & (1 << 39) - 1
    letters = (_BASE32[bits >> shift & 31] for shift in range(75, -1, -5))
    return prefix + "".join(letters)


def make_fake_secret(name: str, length: int = 40) -> str:
    """Make a value that looks like a secret and is none."""
    return hashlib.sha512(b"sample " + name.encode()).hexdigest()[:length]
