"""What a foreign client is told on standard input, and what it prints: one JSON each.

A client runs as a process of its own. It gets a token in the way that its library's
documentation shows, and prints the token; whoever started it judges it.
"""

import json
import sys
from typing import TypedDict


class Assignment(TypedDict):
    """Where to get what.

    Attributes:
        issuer: `iss` of the token service.
        subject: A token that a pinned issuer signed.
        subject_type: Its token type identifier.
        audience: What the token is to be for.
        scope: Scope tokens, a space between.
        client_id: Of the client, where its library wants one.
        ca: File with who signs the service's certificate, empty for plain HTTP.
    """

    issuer: str
    subject: str
    subject_type: str
    audience: str
    scope: str
    client_id: str
    ca: str


def assignment() -> Assignment:
    """Read it."""
    told: Assignment = json.load(sys.stdin)
    return told


def show(token: str, kind: str) -> None:
    """Print what was got."""
    print(json.dumps({"token": token, "kind": kind}))
