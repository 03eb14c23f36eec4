"""Represent a credential for a server: how it is sent, and how records name it."""

import string
from collections.abc import Mapping

import msgspec

from answerable.gateway.upstream_credentials.leak_filter import SecretPatterns

MIN_LENGTH = 8  # characters; a shorter one occurs in answers by accident
_VISIBLE = frozenset(string.ascii_letters + string.digits + string.punctuation)


class PresentedCredential(msgspec.Struct, frozen=True):
    """Credential to present to a server.

    Attributes:
        identity: Principal that the server sees: our token service and the agent, or
            the credential itself (`cred:fp/...`).
        digest: Digest for the record, hex: SHA-256 of a token, a keyed fingerprint of a
            secret that a person may have chosen.
        jti: Id of a token, empty without one.
        renewal: NumericDate from which it is renewed.
        until: NumericDate from which it is no longer used.
        leaks: Patterns that find it in answers.
        field: HTTP field that carries it; empty for a command.
        environment: Variables that carry it to a command; empty for a URL.
    """

    identity: str
    digest: str
    jti: str
    renewal: float
    until: float
    leaks: SecretPatterns
    field: bytes = b""
    environment: Mapping[str, str] = {}

    def __repr__(self) -> str:
        """Show no secret."""
        return f"Credential({self.identity})"


def is_sendable(secret: str) -> bool:
    """Return whether a secret can be sent unchanged in a field or a variable."""
    return len(secret) >= MIN_LENGTH and _VISIBLE.issuperset(secret)
