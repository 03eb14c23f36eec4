"""Encode an HTTP/1.1 response of our own: status line, fields and body."""

from collections.abc import Mapping

_PHRASES = {
    200: "OK",
    201: "Created",
    204: "No Content",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    503: "Service Unavailable",
}


def encode_response(
    status: int, fields: Mapping[str, str], body: bytes, *, closes: bool
) -> bytes:
    """Encode status, header fields and body as an HTTP/1.1 response.

    Args:
        status: HTTP status.
        fields: Header fields, except the length.
        body: The complete body.
        closes: The connection closes after the response.
    """
    lines = [f"HTTP/1.1 {status} {_PHRASES.get(status, '')}\r\n"]
    lines += [f"{name}: {value}\r\n" for name, value in fields.items()]
    if status != 204:
        lines.append(f"content-length: {len(body)}\r\n")
    lines.append("connection: close\r\n\r\n" if closes else "\r\n")
    return "".join(lines).encode("latin-1") + body
