"""JSON output of `not-known` answers: subjects and kinds without permission data."""

from typing import Annotated, TypedDict

from answerable.model.documents.columns import Column


class UncollectedSubjectItem(TypedDict):
    """Subject without collected permissions.

    `source` is the `scan` source that would supply them, empty where none is known.
    """

    id: Annotated[
        str, Column("identity or credential whose permissions were not collected")
    ]
    because: Annotated[str, Column("the missing data")]
    source: Annotated[
        str,
        Column(
            "source of `scan` that would supply the data; empty if no such source is known"
        ),
    ]


class NotEvaluatedKindItem(TypedDict):
    """Identities of one kind without collected permissions."""

    kind: str
    count: int
    source: str


class SearchScopeItem(TypedDict):
    """Search scope of `who-can`: identities, accounts and platforms.

    `source` is the `scan` source that collects the identities of the platform.
    """

    identities: int
    accounts: list[str]
    platforms: list[str]
    source: str
    not_evaluated: list[NotEvaluatedKindItem]
