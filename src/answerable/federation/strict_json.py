"""Decode base64url and JSON strictly: no duplicates, bounded depth and numbers.

Parsers differ on duplicate members, padding, spare bits, huge numbers and depth. Input
with more than one reading is rejected before any library parses it.
"""

import binascii
import json
from collections.abc import Mapping
from typing import NoReturn

from answerable.federation.token_errors import TokenFault

JsonObject = Mapping[str, object]

# A number with a fraction or an exponent; nothing of ours is one.
FRACTION = object()

MAX_DEPTH = 16
_MAX_DIGITS = 19  # what fits 64 bits, sign included
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")


class AmbiguousInput(ValueError):  # noqa: N818 - an answer between modules, not an outcome
    """The bytes have no single reading.

    Args:
        message: The expectation; never a part of the bytes.
    """

    def __init__(self, reason: TokenFault, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def decode_base64url(text: str) -> bytes:
    """Decode canonical unpadded base64url (RFC 7515 2).

    Raises:
        Unread: A letter, the length, padding or a spare bit is wrong, or it is empty.
    """
    try:
        padded = text.encode("ascii").translate(_FROM_URL) + b"==="[: -len(text) % 4]
        data = binascii.a2b_base64(padded)
    except ValueError:  # binascii.Error and UnicodeEncodeError are such
        data = b""
    # Bytes have one canonical encoding; reject every other one.
    if not data or encode_base64url(data) != text:
        raise AmbiguousInput(
            TokenFault.ENCODING, "expected canonical base64url without padding"
        )
    return data


def encode_base64url(data: bytes) -> str:
    """Encode as unpadded base64url (RFC 7515 2)."""
    spelled = binascii.b2a_base64(data, newline=False).translate(_TO_URL)
    return spelled.rstrip(b"=").decode("ascii")


def decode_json_object(data: bytes) -> JsonObject:
    """Decode a JSON object.

    Non-integers become `FRACTION`. Lone surrogates, duplicate members at any depth,
    NaN, and integers beyond 19 digits are rejected.

    Raises:
        Unread: The bytes are not such an object.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise AmbiguousInput(TokenFault.JSON, "expected UTF-8") from None
    _check_nesting_depth(text)
    try:
        value = _decode(text)
    except AmbiguousInput:
        raise
    except (ValueError, RecursionError):
        raise AmbiguousInput(TokenFault.JSON, "expected one JSON object") from None
    if not isinstance(value, dict):
        raise AmbiguousInput(TokenFault.JSON, "expected one JSON object")
    if "\\u" in text:
        _check_surrogates(value)
    return value


def _check_nesting_depth(text: str) -> None:
    """Reject JSON that is nested more deeply than `MAX_DEPTH`."""
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return
    depth = 0
    quoted = escaped = False
    for letter in text:
        if escaped:
            escaped = False
        elif quoted:
            escaped = letter == "\\"
            quoted = letter != '"'
        elif letter == '"':
            quoted = True
        elif letter in "{[":
            depth += 1
            if depth > MAX_DEPTH:
                raise AmbiguousInput(
                    TokenFault.DEPTH, f"expected JSON of at most {MAX_DEPTH} levels"
                )
        elif letter in "}]":
            depth -= 1


def _check_surrogates(value: object) -> None:
    """Reject lone surrogates, which cannot be encoded later."""
    try:
        json.dumps(value, ensure_ascii=False, default=repr).encode("utf-8")
    except UnicodeEncodeError:
        raise AmbiguousInput(
            TokenFault.JSON, "expected whole characters in JSON strings"
        ) from None


def _build_unique_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return the members of a JSON object; reject a duplicate name."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise AmbiguousInput(
            TokenFault.DUPLICATE_MEMBER, "expected each JSON member only once"
        )
    return members


def _replace_fraction(_: str) -> object:
    """Replace a number with a fraction by the marker `FRACTION`."""
    return FRACTION


def _parse_integer(text: str) -> int:
    """Parse an integer with a bounded number of digits."""
    if len(text) > _MAX_DIGITS:
        raise AmbiguousInput(
            TokenFault.NUMBER, f"expected integers of at most {_MAX_DIGITS} digits"
        )
    return int(text)


def _reject_constant(_: str) -> NoReturn:
    """Reject `NaN` and `Infinity`, which are not JSON."""
    raise AmbiguousInput(TokenFault.NUMBER, "expected JSON numbers")


# Made once: it takes longer to make than to decode with.
_decode = json.JSONDecoder(
    object_pairs_hook=_build_unique_members,
    parse_float=_replace_fraction,
    parse_int=_parse_integer,
    parse_constant=_reject_constant,
).decode
