"""Sign token claims as compact JWS (RFC 7515 7.1) with ES256.

Uses `cryptography` directly: a JOSE library would double the cost. A test checks that
signed tokens verify with `federation.token_verification`.
"""

from collections.abc import Mapping

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from answerable.federation.strict_json import encode_base64url

_ES256 = ec.ECDSA(hashes.SHA256())
_COORDINATE_SIZE = 32  # of r, and of s (RFC 7518 3.4)


class Es256Signer:
    """Signer with one key.

    Args:
        private: A P-256 key.
    """

    def __init__(self, kid: str, private: ec.EllipticCurvePrivateKey) -> None:
        self.kid = kid
        self._private = private
        self._heads: dict[str, bytes] = {}
        self._encode = msgspec.json.Encoder().encode

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        """Return the public key."""
        return self._private.public_key()

    def sign(self, claims: Mapping[str, object], typ: str) -> bytes:
        """Sign claims as a compact JWS.

        Args:
            claims: JSON values.
            typ: Type of the token, e.g. `at+jwt` (RFC 9068 2.1).
        """
        head = self._heads.get(typ)
        if head is None:
            head = self._heads[typ] = self._encode_header(typ)
        signed = head + encode_base64url(self._encode(claims)).encode("ascii")
        r, s = decode_dss_signature(self._private.sign(signed, _ES256))
        signature = r.to_bytes(_COORDINATE_SIZE, "big") + s.to_bytes(
            _COORDINATE_SIZE, "big"
        )
        return signed + b"." + encode_base64url(signature).encode("ascii")

    def _encode_header(self, typ: str) -> bytes:
        """Encode the JWS header as base64url."""
        said = {"alg": "ES256", "typ": typ, "kid": self.kid}
        return encode_base64url(self._encode(said)).encode("ascii") + b"."
