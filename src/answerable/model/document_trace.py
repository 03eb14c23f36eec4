"""Documents of lineage rows: `trace`, `trace-score` and `trace-unmediated`."""

from typing import TypedDict


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


class UnmediatedItem(TraceItem):
    """`answerable trace --unmediated`; `why` is `no-call` or `other-tool`."""

    why: str
