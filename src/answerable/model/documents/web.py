"""JSON output that only the HTTP API `/api/v1` has. See docs/api.md."""

from typing import TypedDict

from answerable.model.documents.trace import HopItem


class StatementDraftItem(TypedDict):
    """Statement to be signed.

    `payload` is the DSSE payload of type `type` in base64, to be signed with the owner
    key `key`.
    """

    key: str
    type: str
    payload: str


class OwnershipDraftItem(StatementDraftItem):
    """Statement by which the caller attests one entity `id`, to be signed."""

    id: str


class BulkResultItem(TypedDict):
    """Result for one of several entities: whether it was recorded, else the reason."""

    id: str
    recorded: bool
    said: str


class OwnerRequestItem(TypedDict):
    """Request to a person to attest that they own an entity.

    `state` is `open` until the entity has an attested owner, then `answered`. It is
    `not-known` if no current scan contains the entity.
    """

    subject: str
    person: str
    state: str
    by: str
    at: str
    note: str


class ActionResultItem(TypedDict):
    """Result of an action, in one sentence."""

    said: str


class RevocationItem(TypedDict):
    """Killed subject, with its operator, time and reason; null where not known.

    `ended` has the delegations that ended with the kill. They stay ended if the subject is
    `revived`.
    """

    subject: str
    by: str | None
    at: str | None
    reason: str | None
    ended: list[str]
    revived: bool


class VerificationCheckItem(TypedDict):
    """Check of the last complete verification; `of` is the log size at that time."""

    check: str
    ok: bool
    detail: str
    hint: str
    at: str
    of: int


class OverviewItem(TypedDict):
    """One count of the overview; `count` is null where it is not known.

    `complete` is false where a source was not collected that could change the count.
    `page` is the path of the list that has the counted rows, empty without one.
    """

    question: str
    measure: str
    count: int | None
    complete: bool
    page: str


class SearchItem(TypedDict):
    """Name or id that a search found, with its page.

    `match` is `exact`, `contains`, or `similar` for a suggestion; `title` is that of a
    finding, else empty.
    """

    kind: str
    id: str
    title: str
    match: str
    page: str


class ChainActionItem(TypedDict):
    """One action of a summarized chain.

    `resource` is its resource, or with `resource_is_prefix` the beginning that all its
    resources share; empty without one.
    """

    action: str
    events: int
    denied: int
    outcome_unknown: int
    first: str
    last: str
    resource: str
    resource_is_prefix: bool


class ChainSummaryItem(TypedDict):
    """One path from person to identity, with the counts of all its events.

    `resource` is that of its events, or with `resource_is_prefix` the beginning that
    all of them share.
    """

    person: HopItem
    agent: HopItem
    tool: HopItem
    identity: HopItem
    agent_path: list[str]
    identity_path: list[str]
    events: int
    denied: int
    outcome_unknown: int
    first: str
    last: str
    resource: str
    resource_is_prefix: bool
    actions: list[ChainActionItem]


class EventFacetItem(TypedDict):
    """One value of a field with its counts; `value` is null where it is missing."""

    field: str
    value: str | None
    events: int
    denied: int
    outcome_unknown: int
    first: str
    last: str
