"""JSON output about granted, reachable, used and blocked permissions."""

from typing import TypedDict


class PatternUsageItem(TypedDict):
    """Usage of an action pattern as written in policies.

    `used` and `blocked` are null where the trail has no data.
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


class ActionUsageItem(TypedDict):
    """`answerable reach --used`: usage of one action.

    `used` and `blocked` are null where the trail has no data.
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
