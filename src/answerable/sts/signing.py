"""The signing keys as the endpoints use them: one to sign with, a set to verify with."""

from collections.abc import Mapping

from answerable.federate.key_set import KeySet, read_key_set
from answerable.sts.keys.ring import Ring

ALGS = ("ES256",)


class Signing:
    """The keys of the service.

    Args:
        ring: Holds them.
    """

    def __init__(self, ring: Ring) -> None:
        self.ring = ring
        self._jwks = b""
        self._set = KeySet({}, ())

    def sign(self, claims: Mapping[str, object], typ: str, now: float) -> str:
        """Sign claims: a compact JWS.

        Raises:
            NoSigningKey: No key may sign now.
        """
        return self.ring.sign(claims, typ, now).decode("ascii")

    def jwks(self) -> bytes:
        """Give the public keys of all replicas (RFC 7517 5)."""
        return self.ring.jwks()

    def key_set(self) -> KeySet:
        """Give the same keys to verify with."""
        jwks = self.ring.jwks()
        if jwks != self._jwks:
            self._set, self._jwks = read_key_set(jwks, ALGS), jwks
        return self._set
