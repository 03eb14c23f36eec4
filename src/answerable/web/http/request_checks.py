"""Check host, origin and fetch metadata of a request before anything else.

Another page can make a browser send requests, but cannot set Host, Origin or
`Sec-Fetch-Site` (Fetch 2.1, Fetch Metadata 2.3). Without `Sec-Fetch-Site`, Origin
decides; a client that sends neither is no page, and still needs the session's CSRF
token for changes.
"""

from collections.abc import Mapping

from answerable.server.wire.host_check import ServedNames
from answerable.web.http.errors import RequestRejected

# Header fields that we read; a repeated one is rejected.
SINGLE_FIELDS = (
    "authorization",
    "content-length",
    "content-type",
    "dpop",
    "host",
    "hx-request",
    "if-none-match",
    "last-event-id",
    "origin",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "x-csrf-token",
)
MAX_HEAD = 32 << 10  # bytes
ALLOWED_METHODS = ("GET", "HEAD", "POST")


def parse_headers(raw: list[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """Parse the header fields by lower-case name; a known field may occur once.

    Raises:
        RequestRejected: A known field is repeated, or the head is too large.
    """
    if sum(len(name) + len(value) for name, value in raw) > MAX_HEAD:
        raise RequestRejected(431, "head", "the request header is too large")
    fields: dict[str, str] = {}
    for name_sent, value in raw:
        name = name_sent.decode("latin-1").lower()
        if name in fields and name in SINGLE_FIELDS:
            raise RequestRejected(400, "repeated-header", f"{name} is sent twice")
        fields[name] = value.decode("latin-1")
    return fields


def check_request(
    method: str,
    path: str,
    fields: Mapping[str, str],
    served_names: ServedNames,
    url: str,
) -> None:
    """Reject a request for another host, from another origin, or by another method.

    Args:
        served_names: Hosts of the listener.
        url: Public scheme and authority.

    Raises:
        RequestRejected: A check failed.
    """
    host = fields.get("host", "").lower()
    if not served_names.accepts_host(host, path):
        says = "unknown host name"
        raise RequestRejected(
            421, "misdirected", says, "use the address that the server printed"
        )
    if method not in ALLOWED_METHODS:
        raise RequestRejected(405, "method", "only GET and POST are supported")
    site = fields.get("sec-fetch-site", "")
    if method != "POST":
        _check_cross_site_get(site, fields)
        return
    origin = fields.get("origin", "").lower()
    scheme = "https" if url.startswith("https:") else "http"
    own_origins = {f"{scheme}://{host}", *served_names.origins}
    # Our pages set `no-referrer`, so their forms send the origin `null`.
    is_own_origin = origin in own_origins or (
        origin in ("", "null") and site == "same-origin"
    )
    if site not in ("", "same-origin") or not (is_own_origin or origin == site == ""):
        raise RequestRejected(
            403,
            "other-origin",
            "another site sent this request",
            "open this page itself",
        )


def _check_cross_site_get(site: str, fields: Mapping[str, str]) -> None:
    """Reject a cross-site GET, except a top-level navigation."""
    if site in ("", "same-origin", "none"):
        return
    mode, dest = fields.get("sec-fetch-mode"), fields.get("sec-fetch-dest")
    if mode != "navigate" or dest != "document":
        raise RequestRejected(403, "other-origin", "another site sent this request")


def security_headers(url: str) -> dict[str, str]:
    """Return the security headers of every response: CSP, HSTS and others."""
    csp = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'"
    )
    fields = {
        "content-security-policy": csp,
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
    }
    if url.startswith("https:"):
        fields["strict-transport-security"] = "max-age=31536000"
    return fields
