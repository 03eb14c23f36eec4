"""The document of what is granted, reachable, used and blocked: shapes only."""

from typing import TypedDict


class ExercisedItem(TypedDict):
    """A pattern of actions as policies write it, and whether it is made use of.

    `used` and `blocked` are null where the trail does not tell.
    """

    subject: str
    action: str
    resources: list[str]
    granted: str
    reachable: str
    admin: bool
    used: int | None
    last_used: str | None
    used_by: list[str]
    blocked: int | None
    last_blocked: str | None


class UsedItem(TypedDict):
    """`answerable reach --used`: an action, and whether it is made use of.

    `used` and `blocked` are null where the trail does not tell.
    """

    subject: str
    service: str
    action: str
    granted: str
    reachable: str
    used: int | None
    last_used: str | None
    used_by: list[str]
    blocked: int | None
    last_blocked: str | None
    recorded_since: str | None
