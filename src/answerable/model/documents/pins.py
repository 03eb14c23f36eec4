"""JSON output about pinned MCP tool definitions. See docs/cli.md."""

from typing import Annotated, TypedDict

from answerable.model.documents.columns import Column


class SimilarNameItem(TypedDict):
    """Item with a similar name: `same`, `confusable` or `near`."""

    id: Annotated[str, Column("id of the other item")]
    how: Annotated[str, Column("`same`, `confusable` or `near`")]


class DefinitionFieldItem(TypedDict):
    """Changed field of a definition, in canonical JSON; None where it is absent."""

    field: Annotated[str, Column("the field")]
    pinned: Annotated[str | None, Column("the JSON as pinned; null if absent")]
    seen: Annotated[str | None, Column("the JSON as seen; null if absent")]


class PinnedItem(TypedDict):
    """Pin of an item: its time and approver.

    `proven` says whether the log contains that approval; None where none is needed.
    """

    sha256: Annotated[str, Column("the digest")]
    how: Annotated[str, Column("`first-use` or `approved`")]
    at: Annotated[str, Column("time of the pin", format="time")]
    person: Annotated[str | None, Column("the person who approved the item")]
    statement: Annotated[str | None, Column("digest of the signed statement")]
    proven: Annotated[
        bool | None, Column("whether the log contains the approval; null for none")
    ]


class DefinitionDiffItem(TypedDict):
    """`answerable tools diff`: one item of a server, or the server itself.

    `state` is `new`, `changed`, `shadows`, `ambiguous` or `another-server` in
    quarantine; else `pinned`, `approved` or `unproven`.
    """

    id: Annotated[
        str,
        Column(
            "`server:NAME`, `tool:mcp/SERVER/NAME`, `prompt:mcp/...`, `template:mcp/...`, `instructions:mcp/SERVER`"
        ),
    ]
    server: Annotated[str, Column("the server")]
    kind: Annotated[str, Column("the kind")]
    name: Annotated[str, Column("the name")]
    state: Annotated[
        str,
        Column(
            "`new`, `changed`, `shadows`, `ambiguous`, `another-server`; `pinned`, `approved` and `unproven` pass"
        ),
    ]
    quarantined: Annotated[bool, Column("whether calls of the item are blocked")]
    since: Annotated[str | None, Column("start of this state", format="time")]
    pinned: Annotated[PinnedItem | None, Column("the approved definition")]
    seen: Annotated[
        str | None,
        Column("digest of the last seen definition, null if nothing differs"),
    ]
    differences: Annotated[list[DefinitionFieldItem], Column("changed fields")]
    alike: Annotated[list[SimilarNameItem], Column("confusable names")]


class DefinitionApprovalItem(TypedDict):
    """`answerable tools approve`: an approved item and the signed statement."""

    id: Annotated[str, Column("the approved items")]
    server: Annotated[str, Column("the server")]
    sha256: Annotated[str, Column("digest of the definition")]
    person: Annotated[str, Column("the person who approved the item")]
    statement: Annotated[str, Column("digest of the signed statement in the log")]
