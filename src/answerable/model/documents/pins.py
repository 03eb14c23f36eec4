"""JSON output about pinned MCP tool definitions. See docs/cli.md."""

from typing import TypedDict


class SimilarNameItem(TypedDict):
    """Item with a similar name: `same`, `confusable` or `near`."""

    id: str
    how: str


class DefinitionFieldItem(TypedDict):
    """Changed field of a definition, in canonical JSON; None where it is absent."""

    field: str
    pinned: str | None
    seen: str | None


class PinnedItem(TypedDict):
    """Pin of an item: its time and approver.

    `proven` says whether the log contains that approval; None where none is needed.
    """

    sha256: str
    how: str
    at: str
    person: str | None
    statement: str | None
    proven: bool | None


class DefinitionDiffItem(TypedDict):
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
    differences: list[DefinitionFieldItem]
    alike: list[SimilarNameItem]


class DefinitionApprovalItem(TypedDict):
    """`answerable tools approve`: an approved item and the signed statement."""

    id: str
    server: str
    sha256: str
    person: str
    statement: str
