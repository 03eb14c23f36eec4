"""Read and format session cookies, bound to host and port; repeated ones are ignored.

A service on another port of the host can set a cookie of the same name, and the browser
sends both (RFC 6265 8.5, 8.6). Then neither is accepted.
"""

_NAME = "answerable"


def cookie_name(url: str, port: int) -> str:
    """Return the name of the session cookie of a listener.

    Over TLS the `__Host-` prefix binds it to host and path (RFC 6265bis 4.1.3.2);
    without TLS the name contains the port.
    """
    return f"__Host-{_NAME}" if url.startswith("https:") else f"{_NAME}-{port}"


def pending_cookie_name(name: str) -> str:
    """Return the name of the cookie that keeps a pending sign-in."""
    return f"{name}-pending"


def read_cookie(fields: list[str], name: str) -> str:
    """Return the one cookie of that name; empty if absent or repeated."""
    found = [
        value.strip()
        for field in fields
        for key, equals, value in (each.partition("=") for each in field.split(";"))
        if equals and key.strip() == name
    ]
    return found[0] if len(found) == 1 else ""


def format_set_cookie(name: str, value: str, *, max_age: int) -> str:
    """Format `Set-Cookie`.

    Args:
        value: Letters, digits, `-` and `_` only.
        max_age: Seconds; 0 deletes the cookie.
    """
    secure = "; Secure" if name.startswith("__Host-") else ""
    return f"{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}"
