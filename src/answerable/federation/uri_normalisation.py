"""Normalise URIs by syntax and scheme (RFC 3986 6.2.2, 6.2.3)."""

from functools import lru_cache
from urllib.parse import urlsplit

_PORTS = {"https": 443, "http": 80}
_UNRESERVED = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
)
_HEX = frozenset("0123456789ABCDEFabcdef")
_MAX = 4096


# The same few are named by every proof.
@lru_cache(maxsize=256)
def normalise_uri(text: str) -> str | None:
    """Normalise an http(s) URI without query and fragment; None if it is none.

    Normalised are the case of scheme and host, the default port, escapes of unreserved
    characters, the case of escapes, dot segments and an empty path. User info,
    backslashes, spaces and non-ASCII are rejected.
    """
    if not 0 < len(text) <= _MAX or not text.isascii() or not text.isprintable():
        return None
    if " " in text or "\\" in text:
        return None
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    scheme = parts.scheme  # urlsplit lowers it, and the host
    if scheme not in _PORTS or not host or "@" in parts.netloc:
        return None
    path = _normalise_escapes(parts.path)
    if path is None or "%" in host:
        return None
    at = f"[{host}]" if ":" in host else host
    if port is not None and port != _PORTS[scheme]:
        at += f":{port}"
    return f"{scheme}://{at}{_remove_dot_segments(path) or '/'}"


def _normalise_escapes(path: str) -> str | None:
    """Decode escapes of unreserved characters, upper-case the others."""
    first, *rest = path.split("%")
    whole = [first]
    for piece in rest:
        code = piece[:2]
        if len(code) != 2 or not _HEX.issuperset(code):
            return None
        letter = chr(int(code, 16))
        whole.append(letter if letter in _UNRESERVED else "%" + code.upper())
        whole.append(piece[2:])
    return "".join(whole)


def _remove_dot_segments(path: str) -> str:
    """Remove dot segments (RFC 3986 5.2.4)."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for position, segment in enumerate(segments):
        last = position == len(segments) - 1
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
            continue
        if last:
            kept.append("")
    return "".join("/" + segment for segment in kept)
