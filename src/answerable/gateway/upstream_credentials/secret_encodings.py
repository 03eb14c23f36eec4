"""List the encoded forms of a secret (base64, hex, JSON) to search for in responses.

The secret as it is, in hexadecimal, and in base64 of either alphabet at each of three
offsets in the encoded text. Escapes of JSON, URLs and HTML are no encodings here:
`escapes` decodes them before the search. A server that wants to hide the secret can
encode it in other ways.

For a long secret the last 64 bytes are searched: without them the rest is useless, and
a secret that was cut at its beginning is found, too.
"""

import base64
from collections.abc import Iterator

from answerable.gateway.upstream_credentials.escape_decoder import (
    decode_escape_layers,
    remove_backslashes,
)

WINDOW = 64  # bytes
MIN_ENCODED = 6  # bytes; shorter ones occur in answers by accident

# Characters of base64 that are shared with the text before the secret.
_SHARED = (0, 2, 3)


def list_secret_encodings(secret: str) -> tuple[bytes, ...]:
    """List encodings of a secret (base64, percent...), backslashes removed.

    A secret with escapes of its own, such as a URL with `%40` in its password, is
    searched for as it is and as the layers below them.
    """
    data = secret.encode("ascii")
    tails = {data[-WINDOW:], *(each[-WINDOW:] for each in decode_escape_layers(data))}
    encoded = {
        remove_backslashes(each)
        for tail in tails
        for each in _iterate_hex_and_base64(tail)
    }
    return tuple(sorted(each for each in encoded if len(each) >= MIN_ENCODED))


def list_escaped_secret_encodings(secret: str) -> tuple[bytes, ...]:
    """List the JSON-escaped forms of a secret that is mostly backslashes.

    Without its backslashes it is too short to be searched for. Empty for other secrets.
    """
    tail = secret[-WINDOW:].encode("ascii")
    if len(remove_backslashes(tail)) >= MIN_ENCODED:
        return ()
    once = _escape_json(tail)
    by_php = once.replace(b"/", b"\\/")
    return tail, once, by_php, _escape_json(once), _escape_json(by_php)


def _iterate_hex_and_base64(data_end: bytes) -> Iterator[bytes]:
    """Yield a text, its hex form, and its base64 forms at each alignment."""
    digits = data_end.hex()
    yield from (data_end, digits.encode("ascii"), digits.upper().encode("ascii"))
    for before, shared in enumerate(_SHARED):
        data = bytes(before) + data_end
        whole = len(data) * 8 // 6  # characters that what follows has no part in
        plain = base64.b64encode(data)[shared:whole]
        yield plain
        yield plain.translate(bytes.maketrans(b"+/", b"-_"))


def _escape_json(text: bytes) -> bytes:
    """Escape a text as in a JSON string."""
    return text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
