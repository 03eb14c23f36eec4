"""The document of `answerable login`. See docs/cli.md."""

from typing import TypedDict


class LoginItem(TypedDict):
    """Who is signed in; `expires_at` is RFC 3339 UTC. The token is no part of it."""

    person: str
    issuer: str
    iss: str
    expires_at: str
    place: str
