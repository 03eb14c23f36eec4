"""Select the signature algorithms of a key type and curve (RFC 7518, RFC 9864 2.2)."""

# Algorithm -> key type and, where the type has curves, the curve. What is not here is
# not accepted: `none`, every HS (a public key is no shared secret), secp256k1, Ed448.
KEY_TYPES: dict[str, tuple[str, str]] = {
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "Ed25519": ("OKP", "Ed25519"),
    "EdDSA": ("OKP", "Ed25519"),  # the older name, RFC 8037 3.1
    "RS256": ("RSA", ""),
    "RS384": ("RSA", ""),
    "RS512": ("RSA", ""),
    "PS256": ("RSA", ""),
    "PS384": ("RSA", ""),
    "PS512": ("RSA", ""),
}

# Octets of one coordinate (RFC 7518 6.2.1.2).
COORDINATE_SIZES = {"P-256": 32, "P-384": 48, "P-521": 66}


def compatible_algorithms(algs: tuple[str, ...], kty: str, crv: str) -> tuple[str, ...]:
    """Return those algorithms that a key of this type and curve can use."""
    return tuple(alg for alg in algs if KEY_TYPES.get(alg) == (kty, crv))
