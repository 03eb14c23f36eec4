"""JSON output of the commands `answerable kill` and `answerable revive`."""

from typing import TypedDict


class RevocationEffectItem(TypedDict):
    """Effect of a revocation on one thing that it ends or leaves running.

    `state` is `dead`, `waiting` (no server is running to apply it), `refused`,
    `lives`, `revived` or `not-known`; `until` is RFC 3339 UTC, null without a
    known end; `count` is null where nothing is counted.
    """

    act: str
    subject: str
    what: str
    where: str
    state: str
    until: str | None
    count: int | None
    id: str | None
    note: str
