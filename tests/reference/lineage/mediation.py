"""Reference mediation verdict, by linear search over calls.

It goes through all calls for each act, and shares with the fast version the nouns and
the two bounds alone.
"""

from collections.abc import Sequence

from answerable.lineage.gateway_mediation import (
    CLOCK_SKEW,
    MAX_UNENDED,
    GatewayCall,
    GatewayRecords,
    MediationVerdict,
    PlatformEvent,
)


def verdict_of(
    act: PlatformEvent, calls: Sequence[GatewayCall], records: GatewayRecords
) -> MediationVerdict:
    """Return the mediation verdict on one event."""
    if not act.agents:
        return MediationVerdict.AGENT_MISSING
    if not any(agent in records.covered for agent in act.agents):
        return MediationVerdict.NOT_COVERED
    kin = [call for call in calls if _are_kin(act, call)]
    through = [call for call in kin if _carries(act, call)]
    if any(_within(act.at, call.start, call.end) for call in through):
        return MediationVerdict.MEDIATED
    if any(_within(act.at, call.start, call.latest_end) for call in through):
        return MediationVerdict.END_UNKNOWN
    if not any(first <= act.at <= last for first, last in records.spans):
        return MediationVerdict.NO_RECORDS
    if any(
        _within(act.at, before, after + MAX_UNENDED) for before, after in records.gaps
    ):
        return MediationVerdict.RECORDS_MISSING
    if any(_within(act.at, call.start, call.end) for call in kin):
        return MediationVerdict.OTHER_TOOL
    return MediationVerdict.NO_CALL


def count_without_act(
    calls: Sequence[GatewayCall], acts: Sequence[PlatformEvent]
) -> int:
    """Count the calls without any event that they could have caused."""
    return sum(
        not any(
            _are_kin(act, call)
            and _carries(act, call)
            and _within(act.at, call.start, call.latest_end)
            for act in acts
        )
        for call in calls
    )


def _within(at: int, start: int, end: int) -> bool:
    return start - CLOCK_SKEW <= at <= end + CLOCK_SKEW


def _are_kin(act: PlatformEvent, call: GatewayCall) -> bool:
    """Return whether one of the two acted for the other, or they are one."""
    return act.agents[-1] in call.agents or call.agents[-1] in act.agents


def _carries(act: PlatformEvent, call: GatewayCall) -> bool:
    if not act.tool:
        return True
    return act.tool.rsplit("/", 1)[0] == "/".join(call.tool.split("/")[:2])
