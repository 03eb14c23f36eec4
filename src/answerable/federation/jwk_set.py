"""JWK sets of issuers (RFC 7517 5): bounded, public, one key per kid.

A sign that the issuer lost control rejects the whole set: a symmetric key, a private
key, a duplicate kid. A single unusable key is skipped with its reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from answerable.federation.algorithms import fitting
from answerable.federation.errors import KeySetRefused, Reason
from answerable.federation.jwk import PublicJwk, VerificationKey, read_public_jwk
from answerable.federation.jws_parsing import is_name
from answerable.federation.strict_json import JsonObject, Unread, strict_object

MAX_BYTES = 256 * 1024
MAX_KEYS = 100

_FATAL = {Reason.KEY_SYMMETRIC, Reason.KEY_PRIVATE}


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of one issuer.

    Attributes:
        set_aside: Skipped keys: (position, reason).
    """

    keys: Mapping[str, VerificationKey]
    set_aside: tuple[tuple[int, Reason], ...]


def read_key_set(document: bytes, algs: tuple[str, ...]) -> KeySet:
    """Parse a JWK set.

    Args:
        document: The JSON text, fetched or from the configuration.
        algs: Algorithms pinned for the issuer.

    Raises:
        KeySetRefused: The set is too large or malformed, holds a secret or a duplicate
            kid, or has no usable key.
    """
    keys: dict[str, VerificationKey] = {}
    set_aside: list[tuple[int, Reason]] = []
    for position, members in enumerate(_listed(document)):
        try:
            kid, key = _read_key(members, algs)
        except Unread as unread:
            if unread.reason in _FATAL:
                raise KeySetRefused(unread.reason, unread.message) from None
            set_aside.append((position, unread.reason))
            continue
        if kid in keys:
            raise KeySetRefused(Reason.KEY_DUPLICATE, "expected one key for each kid")
        keys[kid] = key
    if not keys:
        raise KeySetRefused(Reason.KEY_COUNT, "expected a key that can be used")
    return KeySet(MappingProxyType(keys), tuple(set_aside))


def _listed(document: bytes) -> list[JsonObject]:
    if len(document) > MAX_BYTES:
        raise KeySetRefused(Reason.SIZE, f"expected at most {MAX_BYTES} bytes")
    try:
        listed = strict_object(document).get("keys")
    except Unread as unread:
        raise KeySetRefused(unread.reason, unread.message) from None
    if not isinstance(listed, list):
        raise KeySetRefused(Reason.KEY_SHAPE, "expected a list of keys")
    if len(listed) > MAX_KEYS:
        raise KeySetRefused(Reason.KEY_COUNT, f"expected at most {MAX_KEYS} keys")
    if not all(isinstance(members, dict) for members in listed):
        raise KeySetRefused(Reason.KEY_SHAPE, "expected each key as an object")
    return listed


def _read_key(
    members: JsonObject, algs: tuple[str, ...]
) -> tuple[str, VerificationKey]:
    jwk = read_public_jwk(members)
    _check_use(members)
    kid = members.get("kid")
    if not is_name(kid):
        raise Unread(Reason.KID, "expected a printable kid")
    return kid, VerificationKey.of(jwk, _algorithm(members, jwk, algs))


def _check_use(members: JsonObject) -> None:
    """Reject a key for another use (RFC 7517 4.2, 4.3)."""
    if members.get("use", "sig") != "sig":
        raise Unread(Reason.KEY_USE, "expected a key for signatures")
    if members.get("key_ops", ["verify"]) != ["verify"]:
        raise Unread(Reason.KEY_USE, "expected a key to verify with, and nothing else")


def _algorithm(members: JsonObject, jwk: PublicJwk, algs: tuple[str, ...]) -> str:
    """Select the algorithm of a key: its `alg`, else the only compatible one."""
    fit = fitting(algs, jwk.kty, jwk.crv)
    said = members.get("alg")
    if "alg" not in members and len(fit) == 1:
        return fit[0]
    if isinstance(said, str) and said in fit:
        return said
    raise Unread(Reason.KEY_ALG, "expected one pinned algorithm that fits the key")
