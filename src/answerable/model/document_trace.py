"""Documents of lineage rows: `trace`, `trace-by`, `trace-score`, `trace-unmediated`."""

from typing import NotRequired, TypedDict


class HopItem(TypedDict):
    """One hop of a lineage row."""

    value: str
    status: str
    source: str


class HopsItem(TypedDict):
    """The six columns, always in this order."""

    person: HopItem
    agent: HopItem
    tool: HopItem
    identity: HopItem
    action: HopItem
    resource: HopItem


class TraceItem(TypedDict):
    """`answerable trace`.

    `identity_owner` is who owns the acting identity; an assumed role's owner is not
    the person of the call.
    """

    event_id: str
    event_time: str
    source: str
    outcome: str
    written_by: str
    source_ip: str
    credential: str
    agent_path: list[str]
    identity_path: list[str]
    credential_path: list[str]
    credential_from: str | None
    credential_to: str | None
    decision_id: str
    facts: dict[str, str]
    identity_owner: HopItem
    hops: HopsItem


class ScoreItem(TypedDict):
    """`answerable trace --score`: how often a hop is known how, in one source's events.

    `can` says when the source itself tells of the hop, `no` where it never does;
    `supplied_by` what would supply what is missing.
    """

    source: str
    hop: str
    events: int
    observed: int
    declared: int
    inferred: int
    missing: int
    can: str
    supplied_by: str


class CountItem(TypedDict):
    """`answerable trace --by`: the fields asked for, and how many events have them.

    A field is null where it is missing; `day` is a date, UTC.
    """

    person: NotRequired[str | None]
    agent: NotRequired[str | None]
    tool: NotRequired[str | None]
    identity: NotRequired[str | None]
    action: NotRequired[str | None]
    resource: NotRequired[str | None]
    outcome: NotRequired[str | None]
    day: NotRequired[str]
    events: int


class UnmediatedItem(TraceItem):
    """`answerable trace --unmediated`; `why` is `no-call` or `other-tool`."""

    why: str
