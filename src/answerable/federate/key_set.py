"""JWK sets of issuers (RFC 7517 5): bounded, public, one key for each kid.

What shows that an issuer lost control of its set refuses the whole set: a symmetric
key, a private one, one kid twice. A single key that we cannot or will not use is set
aside, with the reason, and the others serve.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from answerable.federate.admission import is_name
from answerable.federate.algorithms import fitting
from answerable.federate.errors import KeySetRefused, Reason
from answerable.federate.jwk import PublicJwk, VerificationKey, read_public_jwk
from answerable.federate.strict import JsonObject, Unread, strict_object

MAX_BYTES = 256 * 1024
MAX_KEYS = 100

_FATAL = {Reason.KEY_SYMMETRIC, Reason.KEY_PRIVATE}


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of one issuer.

    Attributes:
        keys: By kid.
        set_aside: Keys of the set that are not used: (position, reason).
    """

    keys: Mapping[str, VerificationKey]
    set_aside: tuple[tuple[int, Reason], ...]


def read_key_set(document: bytes, algs: tuple[str, ...]) -> KeySet:
    """Read a JWK set.

    Args:
        document: The JSON text, as fetched or as written in the configuration.
        algs: Algorithms pinned for the issuer.

    Raises:
        KeySetRefused: The set is too large, malformed, holds a secret or one kid
            twice, or leaves no key to verify with.
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
    """Refuse a key that is there for something else (RFC 7517 4.2, 4.3)."""
    if members.get("use", "sig") != "sig":
        raise Unread(Reason.KEY_USE, "expected a key for signatures")
    if members.get("key_ops", ["verify"]) != ["verify"]:
        raise Unread(Reason.KEY_USE, "expected a key to verify with, and nothing else")


def _algorithm(members: JsonObject, jwk: PublicJwk, algs: tuple[str, ...]) -> str:
    """Choose the one algorithm of a key: what it says, else the only one that fits."""
    fit = fitting(algs, jwk.kty, jwk.crv)
    said = members.get("alg")
    if "alg" not in members and len(fit) == 1:
        return fit[0]
    if isinstance(said, str) and said in fit:
        return said
    raise Unread(Reason.KEY_ALG, "expected one pinned algorithm that fits the key")
