"""What signs, as the rest of the door knows it."""

from collections.abc import Mapping
from typing import Protocol

from answerable.federate.key_set import KeySet


class Signing(Protocol):
    """The keys of the service."""

    def sign(self, claims: Mapping[str, object], typ: str) -> str:
        """Sign claims with the active key: a compact JWS."""

    def jwks(self) -> bytes:
        """Give the public keys of all replicas (RFC 7517 5)."""

    def key_set(self) -> KeySet:
        """Give the same keys to verify with."""
