"""Compute the deadline of a client connection by its state."""

from enum import StrEnum

from answerable.model.worker_limits import WorkerLimits


class ConnectionWait(StrEnum):
    """State of a waiting connection: the key of `WorkerLimits` with its deadline."""

    FIRST = "first_request"
    REQUEST = "idle"
    HEAD = "head"
    BODY = "body"
    ANSWER = ""  # bounded by the server's own deadlines


def compute_deadline(state: ConnectionWait, now: float, limits: WorkerLimits) -> float:
    """Return the time at which a connection in a state is late, or infinity."""
    if state is ConnectionWait.ANSWER:
        return float("inf")
    seconds: int = getattr(limits, state)
    return now + seconds
