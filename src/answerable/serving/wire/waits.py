"""Deadlines of a client connection, by its state."""

from enum import StrEnum


class Wait(StrEnum):
    """State of a waiting connection: the key of `Limits` with its deadline."""

    FIRST = "first_request"
    REQUEST = "idle"
    HEAD = "head"
    BODY = "body"
    ANSWER = ""  # bounded by the server's own deadlines
