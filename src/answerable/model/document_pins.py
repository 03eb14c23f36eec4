"""The documents about pinned definitions: shapes only. See docs/cli.md."""

from typing import TypedDict


class AlikeItem(TypedDict):
    """Another item that is named like one: `same`, `confusable` or `near`."""

    id: str
    how: str


class DifferenceItem(TypedDict):
    """One field of a definition, in canonical JSON; None where it has none."""

    field: str
    pinned: str | None
    seen: str | None


class PinnedItem(TypedDict):
    """What an item is held to: since when, and on whose word.

    `proven` says whether the log holds that word; None where nobody's is needed.
    """

    sha256: str
    how: str
    at: str
    person: str | None
    statement: str | None
    proven: bool | None


class ToolsDiffItem(TypedDict):
    """`answerable tools diff`: one item of a server, or the server itself.

    `state` is `new`, `changed`, `shadows`, `ambiguous` or `another-server` in
    quarantine; else `pinned`, `approved` or `unproven`.
    """

    id: str
    server: str
    kind: str
    name: str
    state: str
    quarantined: bool
    since: str | None
    pinned: PinnedItem | None
    seen: str | None
    differences: list[DifferenceItem]
    alike: list[AlikeItem]


class ToolsApproveItem(TypedDict):
    """`answerable tools approve`: what a person approved, and what they signed."""

    id: str
    server: str
    sha256: str
    person: str
    statement: str
