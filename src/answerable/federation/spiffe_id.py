"""Parse SPIFFE IDs and their trust domains (SPIFFE-ID 2)."""

_DOMAIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-_")
_PATH = _DOMAIN | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_SCHEME = "spiffe://"
_MAX = 2048  # bytes of an id
_MAX_DOMAIN = 255


def is_trust_domain(text: str) -> bool:
    """Return whether a text is exactly `spiffe://DOMAIN`."""
    domain = text.removeprefix(_SCHEME)
    whole = text.startswith(_SCHEME) and 0 < len(domain) <= _MAX_DOMAIN
    return whole and _DOMAIN.issuperset(domain)


def parse_trust_domain(text: object) -> str:
    """Return `spiffe://DOMAIN` of a workload's SPIFFE ID; empty if it is not one.

    A path has no empty segments, dot segments or escapes (SPIFFE-ID 2.2); an id without
    a path names the trust domain itself, which is no workload.
    """
    if not isinstance(text, str) or not text.startswith(_SCHEME) or len(text) > _MAX:
        return ""
    domain, slash, path = text.removeprefix(_SCHEME).partition("/")
    named = _SCHEME + domain
    segments = path.split("/")
    plain = all(
        segment and segment not in (".", "..") and _PATH.issuperset(segment)
        for segment in segments
    )
    return named if slash and plain and is_trust_domain(named) else ""
