"""JSON output of the trace commands: chains and their hops. See docs/cli.md."""

from typing import Annotated, NotRequired, TypedDict

from answerable.model.documents.columns import Column


class HopItem(TypedDict):
    """Hop of a chain row."""

    value: Annotated[str, Column("the value; empty if the value is missing")]
    status: Annotated[str, Column("`observed`, `declared`, `inferred` or `missing`")]
    source: Annotated[
        str,
        Column(
            "the source of the value; for a missing hop, the source that would supply the value"
        ),
    ]


class HopsItem(TypedDict):
    """The six hop columns, always in this order."""

    person: Annotated[HopItem, Column("the accountable person", "", 2, "hop", floor=11)]
    agent: Annotated[HopItem, Column("the agent", "", 6, "hop", floor=11)]
    tool: Annotated[
        HopItem, Column("the tool that the agent called", "", 7, "hop", floor=11)
    ]
    identity: Annotated[
        HopItem, Column("the identity that acted", "", 4, "hop", floor=11)
    ]
    action: Annotated[HopItem, Column("the action", "", 0, "hop", floor=11)]
    resource: Annotated[HopItem, Column("the resource", "", 5, "hop", floor=11)]


class TraceItem(TypedDict):
    """`answerable trace`.

    `identity_owner` is the owner of the acting identity; an assumed role's owner is not
    the person of the call.
    """

    event_time: Annotated[
        str, Column("time of the event, UTC", "time (UTC)", 3, "second")
    ]
    hops: Annotated[HopsItem, Column("the six hops")]
    outcome: Annotated[str, Column("result on the platform", "", 1)]
    event_id: Annotated[str, Column("for `evidence prove`", "event", 8)]
    source: Annotated[str, Column("the log")]
    written_by: Annotated[str, Column("the party that writes the log")]
    source_ip: Annotated[str, Column("as recorded by the platform")]
    credential: Annotated[str, Column("as named in the log")]
    agent_path: Annotated[list[str], Column("root to leaf")]
    identity_path: Annotated[list[str], Column("assumed identities, origin first")]
    credential_path: Annotated[list[str], Column("likewise, if known")]
    credential_from: Annotated[
        str | None,
        Column("start of the lifetime of the acting credential", format="second"),
    ]
    credential_to: Annotated[str | None, Column("the end", format="second")]
    run: Annotated[
        str, Column("run or delegation that got the acting credential, if known")
    ]
    decision_id: Annotated[
        str, Column("id of a recorded decision, empty if there is none")
    ]
    facts: Annotated[dict[str, str], Column("further facts of the record")]
    identity_owner: Annotated[
        HopItem,
        Column(
            "owner of the acting identity. An assumed role serves many callers: its owner is never the person"
        ),
    ]


class HopStatusCountItem(TypedDict):
    """`answerable trace --score`: counts of one hop by status, for one source's events.

    `can` says when the source itself identifies the hop, `no` for never; `supplied_by`
    is the source of the missing data.
    """

    source: Annotated[str, Column("the log", "", 2)]
    hop: Annotated[str, Column("the hop", "", 0)]
    observed: Annotated[
        int, Column("events with the hop observed", "", 1, "count", right=True)
    ]
    declared: Annotated[
        int, Column("events with the hop declared", "", 1, "count", right=True)
    ]
    inferred: Annotated[
        int, Column("events with the hop inferred", "", 1, "count", right=True)
    ]
    missing: Annotated[
        int, Column("events with the hop missing", "", 1, "count", right=True)
    ]
    can: Annotated[
        str,
        Column("condition under which this source supplies it", "from this source", 3),
    ]
    field: Annotated[
        str, Column("fields of the source's records that contain the hop", "", 4)
    ]
    events: Annotated[int, Column("events of the source")]
    supplied_by: Annotated[str, Column("sources that would supply the rest")]


class EventCountItem(TypedDict):
    """`answerable trace --by`: the requested fields and the counts of their events.

    A field is null where it is missing; `day` is a date, UTC. `first` and `last` are
    the times of the first and the last event.
    """

    person: NotRequired[str | None]
    agent: NotRequired[str | None]
    tool: NotRequired[str | None]
    identity: NotRequired[str | None]
    credential: NotRequired[str | None]
    action: NotRequired[str | None]
    resource: NotRequired[str | None]
    outcome: NotRequired[str | None]
    source: NotRequired[str | None]
    day: NotRequired[str]
    events: int
    denied: int
    outcome_unknown: int
    first: str
    last: str


class SavedQueryItem(TypedDict):
    """`answerable trace --saved`: one saved query."""

    name: Annotated[str, Column("the name", "", 0)]
    query: Annotated[
        str, Column("the filter, as in the search box of the web page", "", 0, floor=16)
    ]
    by: Annotated[str, Column("fields to count by; empty for rows", "", 1)]
    saved_at: Annotated[
        str, Column("time at which the query was saved", "saved", 2, "time")
    ]
    saved_by: Annotated[
        str, Column("login name of the operating system; not verified", "by user", 3)
    ]


class FirstSeenItem(TypedDict):
    """`answerable trace --first-seen`: a value that had not occurred before."""

    state: Annotated[
        str,
        Column(
            "`new`, or `not-known`: the store does not cover the time before the window",
            "",
            0,
        ),
    ]
    field: Annotated[str, Column("field of `--by`", "", 1)]
    value: Annotated[str, Column("the value", "", 0, floor=16)]
    events: Annotated[
        int, Column("number of events in the window", "", 2, "count", right=True)
    ]
    denied: Annotated[
        int, Column("number of denied events", "", 3, "count", right=True)
    ]
    outcome_unknown: Annotated[
        int, Column("number of events without an outcome in the log")
    ]
    first: Annotated[
        str, Column("time of the first event in the window", "", 2, "second")
    ]
    last: Annotated[str, Column("time of the last event in the window")]
    why: Annotated[
        str, Column("with `not-known`: the gap in the store's records", "", 3)
    ]


class WindowChangeItem(TypedDict):
    """`answerable trace --compare`: a group of events whose count differs.

    A field is null where it is missing; `first` and `last` are in the later window.
    """

    state: str
    person: NotRequired[str | None]
    agent: NotRequired[str | None]
    tool: NotRequired[str | None]
    identity: NotRequired[str | None]
    credential: NotRequired[str | None]
    action: NotRequired[str | None]
    resource: NotRequired[str | None]
    outcome: NotRequired[str | None]
    source: NotRequired[str | None]
    day: NotRequired[str]
    events_before: int
    events: int
    first: str | None
    last: str | None
    why: str


class UnmediatedEventItem(TraceItem):
    """`answerable trace --unmediated`; `why` is `no-call` or `other-tool`."""

    why: Annotated[str, Column("why it counts as unmediated, see below")]
