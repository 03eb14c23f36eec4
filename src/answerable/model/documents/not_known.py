"""JSON output of `not-known` answers: subjects and kinds without permission data."""

from typing import TypedDict


class UncollectedSubjectItem(TypedDict):
    """Subject without collected permissions.

    `source` is the `scan` source that would supply them, empty where none is known.
    """

    id: str
    because: str
    source: str


class NotEvaluatedKindItem(TypedDict):
    """Identities of one kind without collected permissions."""

    kind: str
    count: int
    source: str


class SearchScopeItem(TypedDict):
    """Search scope of `who-can`: identities, accounts and platforms."""

    identities: int
    accounts: list[str]
    platforms: list[str]
    not_evaluated: list[NotEvaluatedKindItem]
