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
        requested_type: Token type identifier of what is wanted, empty for the usual one.
        actor: A token of the agent that is to act for the subject, empty without one.
        ca: File with who signs the service's certificate, empty for plain HTTP.
        certificate: File with a client certificate, empty without one.
        key: File with its key.
    """

    issuer: str
    subject: str
    subject_type: str
    audience: str
    scope: str
    client_id: str
    requested_type: str
    actor: str
    ca: str
    certificate: str
    key: str


def assignment() -> Assignment:
    """Read it."""
    told: Assignment = json.load(sys.stdin)
    return told


def show(token: str, kind: str, *, used: bool = False) -> None:
    """Print what was got, and whether the token was put to use with its key."""
    print(json.dumps({"token": token, "kind": kind, "used": used}))
