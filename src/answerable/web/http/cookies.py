"""The cookie of a session: sent to us alone, and read only where there is one of it.

A neighbour at another port of the same host can set a cookie of our name: the browser
sends both, and which is ours cannot be told (RFC 6265 8.5, 8.6). Then neither counts.
"""

_NAME = "answerable"


def cookie_name(url: str, port: int) -> str:
    """Name the cookie of a listener.

    Over TLS its name has it bound to host and path (RFC 6265bis 4.1.3.2); two of us on
    one machine, at two ports, do not take each other's away.
    """
    return f"__Host-{_NAME}" if url.startswith("https:") else f"{_NAME}-{port}"


def pending_name(name: str) -> str:
    """Name the cookie of a sign-in under way, by that of the session it may become."""
    return f"{name}-pending"


def read_cookie(fields: list[str], name: str) -> str:
    """Read the one cookie of that name; empty where there is none, or more than one."""
    found = [
        value.strip()
        for field in fields
        for key, equals, value in (each.partition("=") for each in field.split(";"))
        if equals and key.strip() == name
    ]
    return found[0] if len(found) == 1 else ""


def set_cookie(name: str, value: str, *, lives: int) -> str:
    """Write `Set-Cookie`.

    Args:
        name: Of the cookie.
        value: Letters, digits, `-` and `_` alone.
        lives: Seconds; 0 takes it away.
    """
    secure = "; Secure" if name.startswith("__Host-") else ""
    return f"{name}={value}; Path=/; Max-Age={lives}; HttpOnly; SameSite=Lax{secure}"
