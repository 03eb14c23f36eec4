"""What a coverage record says of gateways, and of what passed them. See docs/cli.md."""

from typing import TypedDict

UntoldItem = TypedDict(
    "UntoldItem",
    {
        "agent-missing": int,
        "agent-not-covered": int,
        "no-gateway-records": int,
        "records-missing": int,
        "end-unknown": int,
    },
)


class MediationItem(TypedDict):
    """How many events of platforms were judged, and against what.

    Attributes:
        events: Of platforms that fit the question.
        mediated: A call was open that could have led to them.
        unmediated: None was.
        untold: How many it cannot be told of, by reason.
        agents: Agents that call through a gateway.
        calls: Calls that gateways let go on, in the span asked for.
        calls_with_identity: Of those, calls of tools that carry an identity of a
            platform.
        calls_without_event: Of those, calls to which the platforms logged nothing. Not
            judged. Null where the question leaves events out.
        first: First gateway record, RFC 3339; null without any.
        last: Last gateway record.
        gaps: How often a recorder's numbers show that records are missing.
        clocks_s: Seconds by which clocks may differ.
        unended_s: Seconds for which a call may be open whose end is not known.
    """

    events: int
    mediated: int
    unmediated: int
    untold: UntoldItem
    agents: list[str]
    calls: int
    calls_with_identity: int
    calls_without_event: int | None
    first: str | None
    last: str | None
    gaps: int
    clocks_s: int
    unended_s: int
