"""Deadlines of a client connection, by its state."""

from enum import StrEnum

from answerable.model.worker_limits import Limits


class Wait(StrEnum):
    """State of a waiting connection: the key of `Limits` with its deadline."""

    FIRST = "first_request"
    REQUEST = "idle"
    HEAD = "head"
    BODY = "body"
    ANSWER = ""  # bounded by the server's own deadlines


def deadline_of(wait: Wait, now: float, limits: Limits) -> float:
    """Compute when a connection in a state is late; infinity without a bound."""
    if wait is Wait.ANSWER:
        return float("inf")
    seconds: int = getattr(limits, wait)
    return now + seconds
