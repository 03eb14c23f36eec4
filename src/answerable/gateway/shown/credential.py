"""A credential that a server is shown: how it goes out, and what is known of it."""

import string
from collections.abc import Mapping

import msgspec

from answerable.gateway.shown.leaks import Leaks

LEAST = 8  # characters; a shorter one is in an answer by accident
_VISIBLE = frozenset(string.ascii_letters + string.digits + string.punctuation)


class Credential(msgspec.Struct, frozen=True):
    """What a server is shown.

    Attributes:
        identity: Who the server takes the call to be from: our token service and the
            agent, or the credential itself (`cred:fp/...`).
        digest: What tells it from others on record, hex: SHA-256 of a token, a keyed
            fingerprint of what somebody may have chosen.
        jti: Id of a token, empty without one.
        renewal: NumericDate from which another one is got.
        until: NumericDate from which it is shown no more.
        leaks: Finds it in what comes back.
        field: The field of the request that carries it; empty for a command.
        environment: What carries it to a command; empty for a URL.
    """

    identity: str
    digest: str
    jti: str
    renewal: float
    until: float
    leaks: Leaks
    field: bytes = b""
    environment: Mapping[str, str] = {}

    def __repr__(self) -> str:
        """Show no secret."""
        return f"Credential({self.identity})"


def is_fit(secret: str) -> bool:
    """Say whether a text can stand in a field or a variable as it is, and end nothing."""
    return len(secret) >= LEAST and _VISIBLE.issuperset(secret)
