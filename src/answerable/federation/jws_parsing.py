"""Parse a compact JWS before any key is used (RFC 7515, RFC 8725).

The result is unverified. The header does not choose the algorithm: it must equal the
one pinned to the key. `jwk`, `jku`, `x5u` and `x5c` are ignored.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeGuard

import msgspec

from answerable.federation.algorithms import KEY_TYPES
from answerable.federation.strict_json import (
    AmbiguousInput,
    JsonObject,
    decode_base64url,
    decode_json_object,
)
from answerable.federation.token_errors import TokenFault, TokenMalformed, TokenRejected

MAX_TOKEN = 16 * 1024  # characters
MAX_NAME = 1024  # characters of one id inside a token
_MAX_CACHED = 1024  # headers that are kept, of as many characters each at most


@dataclass(frozen=True, slots=True, eq=False)
class JoseHeader:
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


class UnverifiedToken(msgspec.Struct, frozen=True, gc=False):
    """A well-formed token; nothing in it is verified.

    Attributes:
        payload: The JSON claims.
        sha256: Digest of the whole text.
    """

    head: JoseHeader
    payload: JsonObject
    signing_input: bytes
    signature: bytes
    sha256: bytes


def parse_jws(unverified_token: str) -> UnverifiedToken:
    """Parse a compact JWS into header, payload and signature, all unverified.

    Raises:
        TokenMalformed: The text is no compact JWS of a JSON object.
        TokenRejected: It needs an unsupported algorithm or extension.
    """
    if not 0 < len(unverified_token) <= MAX_TOKEN:
        raise TokenMalformed(
            TokenFault.SIZE, f"expected a token of at most {MAX_TOKEN} characters"
        )
    segments = unverified_token.split(".", 5)
    if len(segments) != 3:
        raise TokenMalformed(
            TokenFault.SEGMENTS, "expected a compact JWS: three segments"
        )
    try:
        first = segments[0]
        head = (_cached_header if len(first) <= _MAX_CACHED else _parse_header)(first)
        payload = decode_json_object(decode_base64url(segments[1]))
        signature = decode_base64url(segments[2])
    except AmbiguousInput as unread:
        raise TokenMalformed(unread.reason, unread.message) from None
    whole = unverified_token.encode("ascii")
    return UnverifiedToken(
        head=head,
        payload=payload,
        signing_input=whole[: -len(segments[2]) - 1],
        signature=signature,
        sha256=hashlib.sha256(whole).digest(),
    )


def _parse_header(segment: str) -> JoseHeader:
    """Parse the base64url header segment of a JWS.

    Raises:
        Unread: It is not a JSON object.
        TokenRejected: A member is invalid, or names an extension.
    """
    header = decode_json_object(decode_base64url(segment))
    alg = header.get("alg")
    if not isinstance(alg, str) or alg not in KEY_TYPES:
        raise TokenRejected(TokenFault.ALG, "expected a supported signature algorithm")
    # RFC 7515 4.1.11: an unknown extension is rejected; none are supported.
    if "crit" in header:
        raise TokenRejected(TokenFault.CRIT, "expected no critical header parameters")
    if "b64" in header:
        raise TokenRejected(TokenFault.B64, "expected an encoded payload (no RFC 7797)")
    kid = header.get("kid", "")
    if not isinstance(kid, str) or ("kid" in header and not is_identifier(kid)):
        raise TokenRejected(TokenFault.KID, "expected a printable key id")
    typ = header.get("typ", "")
    if not isinstance(typ, str):
        raise TokenRejected(TokenFault.TYP, "expected typ to be a media type")
    # RFC 7515 4.1.9: a media type, whose case means nothing.
    kept = len(segment) <= _MAX_CACHED
    return JoseHeader(header, alg, kid, typ.lower().removeprefix("application/"), kept)


# All tokens of one key have one header, and so have all proofs of one client.
_cached_header = lru_cache(maxsize=_MAX_CACHED)(_parse_header)


def is_identifier(value: object) -> TypeGuard[str]:
    """Return whether a value can be an id: printable text, not empty, bounded."""
    if not isinstance(value, str):
        return False
    return 0 < len(value) <= MAX_NAME and value.isprintable()
