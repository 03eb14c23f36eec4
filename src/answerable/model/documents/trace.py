"""JSON output of the trace commands: chains and their hops. See docs/cli.md."""

from typing import NotRequired, TypedDict


class HopItem(TypedDict):
    """Hop of a chain row."""

    value: str
    status: str
    source: str


class HopsItem(TypedDict):
    """The six hop columns, always in this order."""

    person: HopItem
    agent: HopItem
    tool: HopItem
    identity: HopItem
    action: HopItem
    resource: HopItem


class TraceItem(TypedDict):
    """`answerable trace`.

    `identity_owner` is the owner of the acting identity; an assumed role's owner is not
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


class HopStatusCountItem(TypedDict):
    """`answerable trace --score`: counts of one hop by status, for one source's events.

    `can` says when the source itself identifies the hop, `no` for never; `supplied_by`
    is the source of the missing data.
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


class EventCountItem(TypedDict):
    """`answerable trace --by`: the requested fields and the number of events.

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


class UnmediatedEventItem(TraceItem):
    """`answerable trace --unmediated`; `why` is `no-call` or `other-tool`."""

    why: str
