"""Admission: what a token has to be before any key is looked for (RFC 7515, 8725).

Nothing here believes the token. The header chooses no algorithm: it says one, and the
key that it names has its own, which has to be the same. `jwk`, `jku`, `x5u` and `x5c`
are never looked at.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeGuard

import msgspec

from answerable.federate.algorithms import KINDS
from answerable.federate.errors import Reason, TokenMalformed, TokenRefused
from answerable.federate.strict import JsonObject, Unread, strict_object, unbase64url

MAX_TOKEN = 16 * 1024  # characters
MAX_NAME = 1024  # characters of one id inside a token
_KEPT = 1024  # headers that are kept, of as many characters each at most


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A JOSE header. Those that many tokens share are read once, and are one object.

    Attributes:
        header: The JSON object.
        alg: One of the algorithms we know.
        kid: Empty where it does not say.
        typ: Lower case, without `application/`; empty where it does not say.
        kept: It is short enough to be kept for the next token.
    """

    header: JsonObject
    alg: str
    kid: str
    typ: str
    kept: bool


class Admitted(msgspec.Struct, frozen=True, gc=False):
    """A token that is well formed; nothing in it is believed.

    Attributes:
        head: Its header.
        payload: The JSON object it carries.
        signing_input: What was signed.
        signature: Decoded.
        sha256: Digest of the whole text.
    """

    head: Head
    payload: JsonObject
    signing_input: bytes
    signature: bytes
    sha256: bytes


def admit(unverified_token: str) -> Admitted:
    """Take a compact JWS apart.

    Raises:
        TokenMalformed: The text is no compact JWS of a JSON object.
        TokenRefused: It is one that asks for what we do not do.
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
    """Read the first segment.

    Raises:
        Unread: It is no JSON object.
        TokenRefused: A member is not what it has to be, or asks for an extension.
    """
    header = strict_object(unbase64url(segment))
    alg = header.get("alg")
    if not isinstance(alg, str) or alg not in KINDS:
        raise TokenRefused(Reason.ALG, "expected a signature algorithm we accept")
    # RFC 7515 4.1.11: whoever does not understand an extension refuses. We know none.
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
