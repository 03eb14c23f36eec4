"""Parse `application/x-www-form-urlencoded` bodies strictly.

RFC 6749 3.2 and appendix B: each parameter once, UTF-8, and an empty value counts as
absent.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from answerable.federation.denials import DenialReason, ExchangeDenied

MAX_BODY = 64 * 1024  # bytes
MAX_PARAMETERS = 64
_MAX_CACHED = 128  # bytes of a spelling that is kept

FormParameters = Mapping[str, str]

# Unescaped characters (WHATWG URL 5.2, and others that clients leave as they are), a
# plus for a space, complete escapes, and separators.
_ALLOWED = re.compile(rb"(?:[!#$&'()*,./0-9:;=?@A-Z\[\]_a-z~+-]++|%[0-9A-Fa-f]{2})*+")


def parse_form(body: bytes) -> FormParameters:
    """Parse a form body into names and values, each name once; drop empty values.

    Raises:
        Refused: It is too large, malformed, not UTF-8, or names a parameter twice.
    """
    if len(body) > MAX_BODY:
        raise ExchangeDenied(DenialReason.SIZE, "body")
    parts = body.split(b"&") if body else []
    if len(parts) > MAX_PARAMETERS:
        raise ExchangeDenied(DenialReason.SIZE, "parameters")
    if not _ALLOWED.fullmatch(body):
        raise ExchangeDenied(DenialReason.FORM)
    form: dict[str, str] = {}
    for part in parts:
        name, equals, value = part.partition(b"=")
        if not name or not equals:
            raise ExchangeDenied(DenialReason.FORM)
        spelled = _decode_part(name)
        if spelled in form:
            raise ExchangeDenied(DenialReason.DUPLICATE_PARAMETER)
        form[spelled] = _decode_part(value)
    return {name: value for name, value in form.items() if value}


def _decode_part(text: bytes) -> str:
    """Decode one percent-encoded form name or value."""
    if b"%" not in text and b"+" not in text:
        return text.decode("ascii")
    return (_cached_unescape if len(text) <= _MAX_CACHED else _unescape_part)(text)


def _unescape_part(text: bytes) -> str:
    """Decode `+` and percent escapes of a name or value as UTF-8."""
    try:
        return unquote_to_bytes(text.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        raise ExchangeDenied(DenialReason.FORM) from None


# Names of grants and of token types, and audiences: the same in every request.
_cached_unescape = lru_cache(maxsize=512)(_unescape_part)
