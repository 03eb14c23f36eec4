"""Deadlines of a client connection, by its state."""

from enum import StrEnum

from answerable.model.worker_limits import WorkerLimits


class ConnectionWait(StrEnum):
    """State of a waiting connection: the key of `WorkerLimits` with its deadline."""

    FIRST = "first_request"
    REQUEST = "idle"
    HEAD = "head"
    BODY = "body"
    ANSWER = ""  # bounded by the server's own deadlines


def compute_deadline(wait: ConnectionWait, now: float, limits: WorkerLimits) -> float:
    """Compute when a connection in a state is late; infinity without a bound."""
    if wait is ConnectionWait.ANSWER:
        return float("inf")
    seconds: int = getattr(limits, wait)
    return now + seconds
