"""Parse the JWK set of an issuer (RFC 7517 5): bounded, public, one key per kid.

A sign that the issuer lost control rejects the whole set: a symmetric key, a private
key, a duplicate kid. A single unusable key is skipped with its reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from answerable.federation.algorithms import compatible_algorithms
from answerable.federation.jwk import PublicJwk, VerificationKey, parse_public_jwk
from answerable.federation.jws_parsing import is_identifier
from answerable.federation.strict_json import (
    AmbiguousInput,
    JsonObject,
    decode_json_object,
)
from answerable.federation.token_errors import KeySetRejected, TokenFault

MAX_BYTES = 256 * 1024
MAX_KEYS = 100

_FATAL = {TokenFault.KEY_SYMMETRIC, TokenFault.KEY_PRIVATE}


@dataclass(frozen=True, slots=True)
class IssuerKeySet:
    """The keys of one issuer.

    Attributes:
        set_aside: Skipped keys: (position, reason).
    """

    keys: Mapping[str, VerificationKey]
    set_aside: tuple[tuple[int, TokenFault], ...]


def parse_key_set(document: bytes, algs: tuple[str, ...]) -> IssuerKeySet:
    """Parse a JWK set into verification keys by kid.

    Args:
        document: The JSON text, fetched or from the configuration.
        algs: Algorithms pinned for the issuer.

    Raises:
        KeySetRejected: The set is too large or malformed, holds a secret or a duplicate
            kid, or has no usable key.
    """
    keys: dict[str, VerificationKey] = {}
    set_aside: list[tuple[int, TokenFault]] = []
    for position, members in enumerate(_parse_document(document)):
        try:
            kid, key = _parse_key(members, algs)
        except AmbiguousInput as unread:
            if unread.reason in _FATAL:
                raise KeySetRejected(unread.reason, unread.message) from None
            set_aside.append((position, unread.reason))
            continue
        if kid in keys:
            raise KeySetRejected(
                TokenFault.KEY_DUPLICATE, "expected one key for each kid"
            )
        keys[kid] = key
    if not keys:
        raise KeySetRejected(TokenFault.KEY_COUNT, "expected a usable key")
    return IssuerKeySet(MappingProxyType(keys), tuple(set_aside))


def _parse_document(document: bytes) -> list[JsonObject]:
    """Decode the `keys` list of a JWK set, within size limits."""
    if len(document) > MAX_BYTES:
        raise KeySetRejected(TokenFault.SIZE, f"expected at most {MAX_BYTES} bytes")
    try:
        listed = decode_json_object(document).get("keys")
    except AmbiguousInput as unread:
        raise KeySetRejected(unread.reason, unread.message) from None
    if not isinstance(listed, list):
        raise KeySetRejected(TokenFault.KEY_SHAPE, "expected a list of keys")
    if len(listed) > MAX_KEYS:
        raise KeySetRejected(TokenFault.KEY_COUNT, f"expected at most {MAX_KEYS} keys")
    if not all(isinstance(members, dict) for members in listed):
        raise KeySetRejected(TokenFault.KEY_SHAPE, "expected each key to be an object")
    return listed


def _parse_key(
    members: JsonObject, algs: tuple[str, ...]
) -> tuple[str, VerificationKey]:
    """Parse a JWK; return its `kid` and the key that verifies signatures."""
    jwk = parse_public_jwk(members)
    _check_key_use(members)
    kid = members.get("kid")
    if not is_identifier(kid):
        raise AmbiguousInput(TokenFault.KID, "expected a printable kid")
    return kid, VerificationKey.load(jwk, _select_algorithm(members, jwk, algs))


def _check_key_use(members: JsonObject) -> None:
    """Reject a key whose `use` or `key_ops` is not signature verification."""
    if members.get("use", "sig") != "sig":
        raise AmbiguousInput(TokenFault.KEY_USE, "expected a key for signatures")
    if members.get("key_ops", ["verify"]) != ["verify"]:
        raise AmbiguousInput(
            TokenFault.KEY_USE, "expected a key whose only operation is verification"
        )


def _select_algorithm(
    members: JsonObject, jwk: PublicJwk, algs: tuple[str, ...]
) -> str:
    """Select the algorithm of a key: its `alg`, else the only compatible one."""
    fit = compatible_algorithms(algs, jwk.kty, jwk.crv)
    said = members.get("alg")
    if "alg" not in members and len(fit) == 1:
        return fit[0]
    if isinstance(said, str) and said in fit:
        return said
    raise AmbiguousInput(
        TokenFault.KEY_ALG, "expected one pinned algorithm that fits the key"
    )
