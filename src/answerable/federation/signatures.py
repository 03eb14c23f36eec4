"""Verify JWS signatures (RFC 7518 3.3 to 3.5, RFC 8037 3.1) with `cryptography`.

Verifies one signature with one key and parses no token. A test compares the results
with a JOSE library, which would take a third longer. `cryptography` is imported lazily.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from answerable.federation.algorithms import COORDINATE_SIZES
from answerable.federation.strict_json import AmbiguousInput, decode_base64url
from answerable.federation.token_errors import TokenFault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.hashes import HashAlgorithm

SignatureVerifier = Callable[[bytes, bytes], bool]


def build_verifier(
    crv: str, members: "Mapping[str, str]", alg: str
) -> SignatureVerifier:
    """Build a verifier for a public key and one algorithm.

    Args:
        crv: Its curve, empty for RSA.
        members: Validated members of its JWK.
        alg: One of `algorithms.KINDS`.

    Returns:
        Function of (input, signature).

    Raises:
        Unread: The key is invalid, e.g. off its curve.
    """
    try:
        if crv in COORDINATE_SIZES:
            return _ecdsa_verifier(
                _load_ec_key(crv, members), COORDINATE_SIZES[crv], _hash_algorithm(alg)
            )
        if crv:
            return _eddsa_verifier(decode_base64url(members["x"]))
        return _rsa_verifier(
            _load_rsa_key(members), _hash_algorithm(alg), is_pss=alg.startswith("PS")
        )
    except ValueError:
        raise AmbiguousInput(
            TokenFault.KEY_POINT, "expected a point on the curve"
        ) from None


def _hash_algorithm(alg: str) -> "HashAlgorithm":
    """Return the hash function of an algorithm name, by its last three digits."""
    from cryptography.hazmat.primitives import hashes

    kinds: dict[str, HashAlgorithm]
    kinds = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
    return kinds[alg[-3:]]


def _decode_integer(text: str) -> int:
    return int.from_bytes(decode_base64url(text), "big")


def _load_ec_key(crv: str, members: "Mapping[str, str]") -> "EllipticCurvePublicKey":
    """Load an EC public key from its JWK coordinates."""
    from cryptography.hazmat.primitives.asymmetric import ec

    curves: dict[str, ec.EllipticCurve]
    curves = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
    x, y = _decode_integer(members["x"]), _decode_integer(members["y"])
    return ec.EllipticCurvePublicNumbers(x, y, curves[crv]).public_key()


def _load_rsa_key(members: "Mapping[str, str]") -> "RSAPublicKey":
    """Load an RSA public key from its JWK modulus and exponent."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.RSAPublicNumbers(
        _decode_integer(members["e"]), _decode_integer(members["n"])
    ).public_key()


def _ecdsa_verifier(
    key: "EllipticCurvePublicKey", size: int, digest: "HashAlgorithm"
) -> SignatureVerifier:
    """Build an ECDSA verifier; RFC 7518 3.4: r and s in the curve's full size."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    verify, ecdsa, read = key.verify, ECDSA(digest), int.from_bytes

    def holds(signed: bytes, signature: bytes) -> bool:
        if len(signature) != 2 * size:
            return False
        r, s = read(signature[:size], "big"), read(signature[size:], "big")
        try:
            verify(encode_dss_signature(r, s), signed, ecdsa)
        except InvalidSignature:
            return False
        return True

    return holds


def _rsa_verifier(
    key: "RSAPublicKey", digest: "HashAlgorithm", *, is_pss: bool
) -> SignatureVerifier:
    """Build an RSA verifier; RFC 7518 3.3 and 3.5: the salt is as long as the digest."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import padding

    pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
    verify, padded = key.verify, pss if is_pss else padding.PKCS1v15()

    def holds(signed: bytes, signature: bytes) -> bool:
        try:
            verify(signature, signed, padded, digest)
        except InvalidSignature:
            return False
        return True

    return holds


def _eddsa_verifier(public_key: bytes) -> SignatureVerifier:
    """Build an Ed25519 verifier for an encoded public key of 32 bytes."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    verify = Ed25519PublicKey.from_public_bytes(public_key).verify

    def holds(signed: bytes, signature: bytes) -> bool:
        try:
            verify(signature, signed)
        except InvalidSignature:
            return False
        return True

    return holds
