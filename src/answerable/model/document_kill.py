"""The document of `answerable kill` and `answerable revive`. See docs/cli.md."""

from typing import TypedDict


class KillEffectItem(TypedDict):
    """One thing that a kill ends, or that lives on after it.

    `state` is `dead`, `waiting` (where no server runs that would read it), `refused`,
    `lives`, `revived` or `not-known`; `until` is RFC 3339 UTC, null where no end is
    known or none is to come; `count` is null where nothing is counted.
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
