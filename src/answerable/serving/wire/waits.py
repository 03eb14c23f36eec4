"""Deadlines of a client connection, by what it waits for."""

from enum import StrEnum


class Wait(StrEnum):
    """Reason that a connection waits: the key of `Limits` that bounds it."""

    FIRST = "first_request"
    REQUEST = "idle"
    HEAD = "head"
    BODY = "body"
    ANSWER = ""  # bounded by the server's own deadlines
