"""The documents' word on answers that are not known: shapes only."""

from typing import TypedDict


class UnknownItem(TypedDict):
    """A subject whose permissions were not collected.

    `source` is the source of `scan` that would tell, empty where none is known.
    """

    id: str
    because: str
    source: str


class NotEvaluatedItem(TypedDict):
    """Identities of one kind whose permissions were not collected."""

    kind: str
    count: int
    source: str


class LookedItem(TypedDict):
    """Over which identities, accounts and platforms `who-can` looked."""

    identities: int
    accounts: list[str]
    platforms: list[str]
    not_evaluated: list[NotEvaluatedItem]
