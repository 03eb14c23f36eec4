"""Parsing of a compact JWS before any key is used (RFC 7515, 8725).

The result is unverified. The header does not choose the algorithm: it must equal the
one pinned to the key. `jwk`, `jku`, `x5u` and `x5c` are ignored.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeGuard

import msgspec

from answerable.federation.algorithms import KINDS
from answerable.federation.errors import Reason, TokenMalformed, TokenRefused
from answerable.federation.strict_json import (
    JsonObject,
    Unread,
    strict_object,
    unbase64url,
)

MAX_TOKEN = 16 * 1024  # characters
MAX_NAME = 1024  # characters of one id inside a token
_KEPT = 1024  # headers that are kept, of as many characters each at most


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A JOSE header; short headers are cached and shared between tokens.

    Attributes:
        typ: Lower case, without `application/`; empty if absent.
        kept: Whether it is short enough to be cached.
    """

    header: JsonObject
    alg: str
    kid: str
    typ: str
    kept: bool


class Admitted(msgspec.Struct, frozen=True, gc=False):
    """A well-formed token; nothing in it is verified.

    Attributes:
        payload: The JSON claims.
        sha256: Digest of the whole text.
    """

    head: Head
    payload: JsonObject
    signing_input: bytes
    signature: bytes
    sha256: bytes


def admit(unverified_token: str) -> Admitted:
    """Parse a compact JWS.

    Raises:
        TokenMalformed: The text is no compact JWS of a JSON object.
        TokenRefused: It needs an unsupported algorithm or extension.
    """
    if not 0 < len(unverified_token) <= MAX_TOKEN:
        raise TokenMalformed(
            Reason.SIZE, f"expected a token of at most {MAX_TOKEN} characters"
        )
    segments = unverified_token.split(".", 5)
    if len(segments) != 3:
        raise TokenMalformed(Reason.SEGMENTS, "expected a compact JWS: three segments")
    try:
        first = segments[0]
        head = (_kept_head if len(first) <= _KEPT else _read_head)(first)
        payload = strict_object(unbase64url(segments[1]))
        signature = unbase64url(segments[2])
    except Unread as unread:
        raise TokenMalformed(unread.reason, unread.message) from None
    whole = unverified_token.encode("ascii")
    return Admitted(
        head=head,
        payload=payload,
        signing_input=whole[: -len(segments[2]) - 1],
        signature=signature,
        sha256=hashlib.sha256(whole).digest(),
    )


def _read_head(segment: str) -> Head:
    """Parse the header segment.

    Raises:
        Unread: It is not a JSON object.
        TokenRefused: A member is invalid, or names an extension.
    """
    header = strict_object(unbase64url(segment))
    alg = header.get("alg")
    if not isinstance(alg, str) or alg not in KINDS:
        raise TokenRefused(Reason.ALG, "expected a signature algorithm we accept")
    # RFC 7515 4.1.11: an unknown extension is rejected; none are supported.
    if "crit" in header:
        raise TokenRefused(Reason.CRIT, "expected no critical header parameters")
    if "b64" in header:
        raise TokenRefused(Reason.B64, "expected an encoded payload (no RFC 7797)")
    kid = header.get("kid", "")
    if not isinstance(kid, str) or ("kid" in header and not is_name(kid)):
        raise TokenRefused(Reason.KID, "expected a printable key id")
    typ = header.get("typ", "")
    if not isinstance(typ, str):
        raise TokenRefused(Reason.TYP, "expected a media type as typ")
    # RFC 7515 4.1.9: a media type, whose case means nothing.
    kept = len(segment) <= _KEPT
    return Head(header, alg, kid, typ.lower().removeprefix("application/"), kept)


# All tokens of one key have one header, and so have all proofs of one client.
_kept_head = lru_cache(maxsize=_KEPT)(_read_head)


def is_name(value: object) -> TypeGuard[str]:
    """Tell whether a value can be an id: printable text, not empty, bounded."""
    if not isinstance(value, str):
        return False
    return 0 < len(value) <= MAX_NAME and value.isprintable()
