"""JSON output of the command `answerable login`. See docs/cli.md."""

from typing import TypedDict


class LoginItem(TypedDict):
    """Current sign-in; `expires_at` is RFC 3339 UTC. It does not contain the token."""

    person: str
    issuer: str
    iss: str
    expires_at: str
    place: str
