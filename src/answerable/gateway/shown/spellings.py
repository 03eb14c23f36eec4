"""How a secret may be spelled where a server gives it back: pure.

As it is; as it stands in JSON, by the encoders that are about, and in JSON within JSON;
percent-encoded; in hexadecimal; in base64 of either alphabet, at each of three places
within what was encoded. A server that wants to hide it can spell it in other ways.

Of a long secret the last 64 bytes are looked for: without them the rest is of no use,
and what was cut short at its beginning is found, too.
"""

import base64
from collections.abc import Iterator
from urllib.parse import quote

WINDOW = 64  # bytes

# Characters of base64 that are shared with what stands before the secret.
_SHARED = (0, 2, 3)
# encodeURIComponent leaves these (ECMA-262 19.2.6.4), and most leave a slash.
_UNRESERVED = ("", "/", "!'()*")
_GO = "<>&"  # escaped by Go
_NET = "\"'`+<>&"  # escaped by .NET


def spellings(secret: str) -> tuple[bytes, ...]:
    """List every spelling of a secret that is looked for.

    Args:
        secret: Visible ASCII.
    """
    tail = secret[-WINDOW:]
    spelled = {tail, *_percent(tail), *_hex(tail), *_base64(tail)}
    in_json = {each for one in spelled for each in _in_json(one)}
    twice = {_escaped(each) for each in in_json}
    return tuple(sorted(each.encode("ascii") for each in in_json | twice))


def _percent(text: str) -> Iterator[str]:
    for safe in _UNRESERVED:
        quoted = quote(text, safe=safe)
        yield quoted
        head, *rest = quoted.split("%")
        yield head + "".join(f"%{each[:2].lower()}{each[2:]}" for each in rest)


def _hex(text: str) -> Iterator[str]:
    digits = text.encode("ascii").hex()
    yield digits
    yield digits.upper()


def _base64(text: str) -> Iterator[str]:
    for before, shared in enumerate(_SHARED):
        data = bytes(before) + text.encode("ascii")
        whole = len(data) * 8 // 6  # characters that what follows has no part in
        plain = base64.b64encode(data).decode("ascii")[shared:whole]
        yield plain
        yield plain.replace("+", "-").replace("/", "_")


def _in_json(text: str) -> Iterator[str]:
    plain = _escaped(text)
    yield text
    yield plain
    yield plain.replace("/", "\\/")  # PHP
    yield "".join(f"\\u{ord(each):04x}" if each in _GO else each for each in plain)
    back = text.replace("\\", "\\\\")
    yield "".join(f"\\u{ord(each):04X}" if each in _NET else each for each in back)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
