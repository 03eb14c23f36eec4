"""Sign tokens for the endpoints with the active key, and publish the key set."""

from collections.abc import Mapping

from answerable.federation.jwk_set import IssuerKeySet, parse_key_set
from answerable.sts.signing_keys.key_ring import KeyRing

SIGNING_ALGORITHMS = ("ES256",)


class TokenSigning:
    """Signing and verification keys of the service."""

    def __init__(self, ring: KeyRing) -> None:
        self.ring = ring
        self._jwks = b""
        self._set = IssuerKeySet({}, ())

    def sign(self, claims: Mapping[str, object], typ: str, now: float) -> str:
        """Sign claims as a compact JWS.

        Raises:
            SigningUnavailable: No key is active.
        """
        return self.ring.sign(claims, typ, now).decode("ascii")

    def jwks(self) -> bytes:
        """Return the public keys of all replicas (RFC 7517 5)."""
        return self.ring.jwks()

    def key_set(self) -> IssuerKeySet:
        """Return the same keys, parsed for verification."""
        jwks = self.ring.jwks()
        if jwks != self._jwks:
            self._set, self._jwks = parse_key_set(jwks, SIGNING_ALGORITHMS), jwks
        return self._set
