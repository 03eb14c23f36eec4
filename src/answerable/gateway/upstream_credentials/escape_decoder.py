r"""Decode the escapes of JSON, URLs and HTML, one layer at a time. Pure.

It exists to search text, not to read it: each layer replaces `\u00XX`, `%XX` and HTML
references to ASCII by the characters that they stand for. Backslashes stay, and a search
leaves them out on both sides, so `\/` is `/`, and an escape within an escape is found
however many backslashes stand before it. Each step is a search or a replacement of
`bytes`: a regular expression with a callback takes 15 times as long for a text that is
nothing but escapes.
"""

import re
from binascii import a2b_qp
from collections.abc import Iterator

MAX_LAYERS = 3  # escapes within escapes that are decoded
MAX_ESCAPE = 12  # bytes that one character is escaped with, at most, where a piece ends
# The last byte of a piece is one of these where the piece ends with an escape, or in one.
ESCAPE_BYTES = frozenset(rb"\%&#ux0123456789abcdefABCDEFmpltgqos;")

_BEGIN = re.compile(rb"[\\%&]")
_PERCENT = re.compile(rb"%[0-7][0-9A-Fa-f]")
# Written by html.escape (Python), html/template (Go), Handlebars, Mustache, Django,
# ASP.NET and htmlspecialchars (PHP).
_HTML = {
    b"&lt;": b"<",
    b"&gt;": b">",
    b"&quot;": b'"',
    b"&apos;": b"'",
    b"&#34;": b'"',
    b"&#39;": b"'",
    b"&#43;": b"+",
    b"&#61;": b"=",
    b"&#039;": b"'",
    b"&#x22;": b'"',
    b"&#x27;": b"'",
    b"&#x2B;": b"+",
    b"&#x2F;": b"/",
    b"&#x3D;": b"=",
    b"&#x60;": b"`",
    b"&amp;": b"&",
}
_REFERENCE = re.compile(rb"&(?:#[x0346]|amp;|apos;|gt;|lt;|quot;)")
# Quoted-printable (RFC 2045 6.7) is percent-encoding with another sign, and has a
# decoder in C. It reads line breaks, which no search needs, and `==` in ways of its own.
_EQUALS, _APART = b"\x01", b"\x02"
_TO_QUOTED = bytes.maketrans(b"=\r\n\x01\x02", _EQUALS + b"    ")
_FROM_QUOTED = bytes.maketrans(_EQUALS, b"=")


def decode_escape_layers(data: bytes) -> Iterator[bytes]:
    """Yield a text, then each layer below its escapes; backslashes stay.

    Escapes of JSON, of URLs and of HTML are a layer each, in this order, so that a text
    with `%40` in it that JSON escapes is also found with `%40` in it.
    """
    yield data
    for _ in range(MAX_LAYERS):
        above = data
        for decode in (_decode_json, _decode_percent, _decode_html):
            below = decode(data)
            if below is not data:
                data = below
                yield data
        if data is above:
            return


def remove_backslashes(data: bytes) -> bytes:
    """Delete backslashes, so that an escaped secret is recognised."""
    return data.translate(None, b"\\") if b"\\" in data else data


def find_first_escape(data: bytes) -> int:
    """Find where the first escape may begin; the length of the text without one."""
    found = next(_BEGIN.finditer(data), None)
    return len(data) if found is None else found.start()


def _decode_json(data: bytes) -> bytes:
    """Decode the Unicode escapes of JSON."""
    return _decode_hex_escape(data, b"\\u00") if b"\\u00" in data else data


def _decode_percent(data: bytes) -> bytes:
    """Decode percent-encoding, so that an encoded secret is recognised."""
    if b"%" in data and _pattern_occurs(_PERCENT, data):
        return _decode_hex_escape(data, b"%")
    return data


def _decode_html(data: bytes) -> bytes:
    """Decode HTML character references."""
    if b"&" in data and _pattern_occurs(_REFERENCE, data):
        for reference, character in _HTML.items():
            data = data.replace(reference, character)
    return data


def _pattern_occurs(pattern: re.Pattern[bytes], data: bytes) -> bool:
    """Return whether a regular expression matches anywhere in the bytes."""
    return next(pattern.finditer(data), None) is not None


def _decode_hex_escape(data: bytes, sign: bytes) -> bytes:
    """Decode a sign and two hexadecimal digits; a sign without them stays."""
    data = data.translate(_TO_QUOTED)
    for digits in (b"3D", b"3d"):
        data = data.replace(sign + digits, _EQUALS)
    data = data.replace(sign, b"=")
    while b"==" in data:
        data = data.replace(b"==", b"=" + _APART + b"=")
    data = a2b_qp(data + _APART).replace(b"=", sign)
    return data.translate(_FROM_QUOTED, _APART)
