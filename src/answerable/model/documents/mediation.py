"""JSON output about gateways and the events they mediated. See docs/cli.md."""

from typing import TypedDict

UnjudgedEventsItem = TypedDict(
    "UnjudgedEventsItem",
    {
        "agent-missing": int,
        "agent-not-covered": int,
        "no-gateway-records": int,
        "records-missing": int,
        "end-unknown": int,
    },
)


class MediationItem(TypedDict):
    """Counts of platform events by mediation, and the gateway records behind them.

    Attributes:
        events: Platform events that match the query.
        mediated: Events during an open call that could have caused them.
        by_token: Events that calls cannot decide, whose credential our token service
            issued to the agent.
        unmediated: Events without such a call.
        untold: Events without a result, by reason.
        agents: Agents that call through a gateway.
        calls: Calls that gateways forwarded, in the queried time span.
        calls_with_identity: Of those, calls of tools that carry an identity of a
            platform.
        calls_without_event: Of those, calls without a platform event. Null where the
            query excludes events.
        first: First gateway record, RFC 3339; null without any.
        last: Last gateway record.
        gaps: Gaps in recorders' sequence numbers.
        clocks_s: Seconds by which clocks may differ.
        unended_s: Assumed maximum duration of a call without a recorded end, seconds.
    """

    events: int
    mediated: int
    by_token: int
    unmediated: int
    untold: UnjudgedEventsItem
    agents: list[str]
    calls: int
    calls_with_identity: int
    calls_without_event: int | None
    first: str | None
    last: str | None
    gaps: int
    clocks_s: int
    unended_s: int
