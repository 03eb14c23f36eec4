"""Parse public keys from JWKs strictly (RFC 7517, RFC 7518 6, RFC 8037 2)."""

import hashlib
import json
from dataclasses import dataclass

from answerable.federation.algorithms import COORDINATE_SIZES
from answerable.federation.signatures import SignatureVerifier, build_verifier
from answerable.federation.strict_json import (
    AmbiguousInput,
    JsonObject,
    decode_base64url,
    encode_base64url,
)
from answerable.federation.token_errors import TokenFault
from answerable.federation.weak_keys import is_roca
from answerable.model.ed25519_points import is_small_order

MIN_MODULUS = 2048  # bits; SP 800-131A 3
MAX_MODULUS = 8192  # bits; a larger one only costs us time
_MIN_EXPONENT = 65537  # SP 800-56B 6.2
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})


@dataclass(frozen=True, slots=True)
class PublicJwk:
    """A public key, each member in canonical form.

    Attributes:
        kty: `EC`, `OKP` or `RSA`.
        crv: Curve, empty for RSA.
        members: The members of its RFC 7638 3.2 thumbprint, sorted by name.
    """

    kty: str
    crv: str
    members: tuple[tuple[str, str], ...]

    @property
    def thumbprint(self) -> str:
        """Return the SHA-256 thumbprint (RFC 7638 3), base64url."""
        text = json.dumps(dict(self.members), separators=(",", ":"))
        return encode_base64url(hashlib.sha256(text.encode("utf-8")).digest())


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key pinned to one algorithm."""

    alg: str
    jwk: PublicJwk
    _holds: SignatureVerifier

    @classmethod
    def load(cls, jwk: PublicJwk, alg: str) -> "VerificationKey":
        """Load a JWK as a verification key for one algorithm.

        Raises:
            Unread: Its point is not on its curve.
        """
        return cls(alg, jwk, build_verifier(jwk.crv, dict(jwk.members), alg))

    def verify(self, signing_input: bytes, signature: bytes) -> bool:
        """Return whether a signature over the input is valid for this key."""
        return self._holds(signing_input, signature)


def parse_public_jwk(members: JsonObject) -> PublicJwk:
    """Parse a JWK; reject private and weak keys.

    Raises:
        Unread: It is private or symmetric, of an unsupported type or curve, not
            canonical, or weak.
    """
    kty = members.get("kty")
    if kty == "oct":
        raise AmbiguousInput(TokenFault.KEY_SYMMETRIC, "expected no symmetric key")
    if _PRIVATE & members.keys():
        raise AmbiguousInput(TokenFault.KEY_PRIVATE, "expected no private member")
    if kty == "RSA":
        return _parse_rsa(members)
    if kty == "EC":
        return _parse_ec(members)
    if kty == "OKP":
        return _parse_okp(members)
    raise AmbiguousInput(TokenFault.KEY_TYPE, "expected a key of type EC, OKP or RSA")


def _parse_rsa(members: JsonObject) -> PublicJwk:
    """Parse an RSA key of 2048 to 8192 bits without known weaknesses."""
    modulus = _read_base64url_integer(members, "n")
    exponent = _read_base64url_integer(members, "e")
    if not MIN_MODULUS <= modulus.bit_length() <= MAX_MODULUS or modulus % 2 == 0:
        raise AmbiguousInput(
            TokenFault.KEY_WEAK, "expected an RSA modulus of 2048 to 8192 bits"
        )
    if not _MIN_EXPONENT <= exponent < 1 << 32 or exponent % 2 == 0:
        raise AmbiguousInput(
            TokenFault.KEY_WEAK, "expected an odd RSA exponent from 65537 up"
        )
    if is_roca(modulus):
        raise AmbiguousInput(
            TokenFault.KEY_WEAK, "expected no modulus of the ROCA generator"
        )
    named = (
        ("e", _read_text_member(members, "e")),
        ("kty", "RSA"),
        ("n", _read_text_member(members, "n")),
    )
    return PublicJwk("RSA", "", named)


def _parse_ec(members: JsonObject) -> PublicJwk:
    """Parse an EC key on P-256, P-384 or P-521."""
    crv = _read_text_member(members, "crv")
    if crv not in COORDINATE_SIZES:
        raise AmbiguousInput(
            TokenFault.KEY_TYPE, "expected the curve P-256, P-384 or P-521"
        )
    x, y = _read_text_member(members, "x"), _read_text_member(members, "y")
    if {len(decode_base64url(x)), len(decode_base64url(y))} != {COORDINATE_SIZES[crv]}:
        raise AmbiguousInput(
            TokenFault.KEY_SHAPE, "expected coordinates of the curve's full size"
        )
    return PublicJwk("EC", crv, (("crv", crv), ("kty", "EC"), ("x", x), ("y", y)))


def _parse_okp(members: JsonObject) -> PublicJwk:
    """Parse an Ed25519 key that is no small-order point."""
    crv = _read_text_member(members, "crv")
    if crv != "Ed25519":
        raise AmbiguousInput(TokenFault.KEY_TYPE, "expected the curve Ed25519")
    x = _read_text_member(members, "x")
    raw = decode_base64url(x)
    if len(raw) != 32:
        raise AmbiguousInput(
            TokenFault.KEY_SHAPE, "expected an Ed25519 key of 32 octets"
        )
    if is_small_order(raw):
        raise AmbiguousInput(TokenFault.KEY_WEAK, "expected a point of large order")
    return PublicJwk("OKP", crv, (("crv", crv), ("kty", "OKP"), ("x", x)))


def _read_text_member(members: JsonObject, name: str) -> str:
    """Return a required text member of a JWK."""
    value = members.get(name)
    if not isinstance(value, str):
        raise AmbiguousInput(TokenFault.KEY_SHAPE, f"expected {name} to be a string")
    return value


def _read_base64url_integer(members: JsonObject, name: str) -> int:
    """Read a Base64urlUInt in the fewest octets (RFC 7518 2)."""
    data = decode_base64url(_read_text_member(members, name))
    if data[0] == 0:
        raise AmbiguousInput(
            TokenFault.KEY_SHAPE, f"expected {name} without leading zeros"
        )
    return int.from_bytes(data, "big")
