"""Decide whether a gateway call could have caused an agent's platform event.

An event that no call could have caused is unmediated: the agent, or another holder of
its credential, bypassed the gateway. Missing records never count as evidence.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from answerable.model.time_units import SECOND_NS

_MILLISECOND = 1_000_000
# Clocks of gateway and platform differ, and a platform may log whole seconds.
CLOCK_SKEW = 5 * SECOND_NS
# Longest duration assumed for a call without a recorded end.
MAX_UNENDED = 15 * 60 * SECOND_NS

# Streams stay open for hours and carry notifications; no action runs under them.
# A session's stream of an older revision has no method.
_STREAM_METHODS = frozenset({"mcp:subscriptions/listen", "mcp:request"})
# The server may continue after these: the client left, or the response was unreadable.
_UNKNOWN_ENDS = frozenset({"unknown", "upstream-error", "never recorded"})
_NOT_FORWARDED = frozenset({"", "withheld"})


class MediationVerdict(StrEnum):
    """Verdict on the mediation of a platform event."""

    MEDIATED = "mediated"
    ISSUANCE_RECORD = "issuance-record"  # our token service issued the credential
    NO_CALL = "no-call"  # unmediated: no call of the agent was open
    OTHER_TOOL = "other-tool"  # unmediated: calls were, none through its tool
    AGENT_MISSING = "agent-missing"
    NOT_COVERED = "agent-not-covered"
    NO_RECORDS = "no-gateway-records"
    RECORDS_MISSING = "records-missing"
    END_UNKNOWN = "end-unknown"


UNMEDIATED = frozenset({MediationVerdict.NO_CALL, MediationVerdict.OTHER_TOOL})


@dataclass(frozen=True, slots=True)
class GatewayCall:
    """Call that a gateway forwarded.

    Attributes:
        agents: Delegation chain of agents, root first.
        tool: `tool:mcp/SERVER/TOOL`.
        start: Time of the decision, UTC nanoseconds.
        end: Last time at which it was certainly open.
        latest_end: Last time at which it may have been open; `end` if that is known.
    """

    agents: tuple[str, ...]
    tool: str
    start: int
    end: int
    latest_end: int


@dataclass(frozen=True, slots=True)
class PlatformEvent:
    """Event that a platform logged.

    Attributes:
        agents: Agents behind it, root first; empty where none is known.
        tool: Tool that holds its identity, empty where the inventory has none.
        at: UTC nanoseconds.
    """

    agents: tuple[str, ...]
    tool: str
    at: int


@dataclass(frozen=True, slots=True)
class GatewayRecords:
    """Coverage of the gateway records in the store.

    Attributes:
        covered: Agents that call through a gateway.
        spans: Times of the first and last record of each recorder, inclusive.
        gaps: Intervals with missing records, by a recorder's numbers: from the record
            before (0 where there is none) to the record after.
    """

    covered: frozenset[str] = frozenset()
    spans: tuple[tuple[int, int], ...] = ()
    gaps: tuple[tuple[int, int], ...] = ()


def parse_gateway_call(
    agents: tuple[str, ...],
    tool: str,
    action: str,
    at: int,
    ended: str,
    milliseconds: str,
    task: str,
) -> GatewayCall | None:
    """Parse a gateway's audit event into a call with start and end.

    Args:
        agents: Root first.
        tool: As the event names it.
        action: `mcp:METHOD`.
        at: UTC nanoseconds.
        ended: Outcome; empty where the call was withheld.
        milliseconds: Between decision and end, rounded down; empty without an end.
        task: Id of a task it started that continues; empty for none.

    Returns:
        None where no action could run under it: it was not forwarded, or is a stream.
    """
    if not agents or action in _STREAM_METHODS or ended in _NOT_FORWARDED:
        return None
    took = int(milliseconds) + 1 if milliseconds.isdecimal() else 0
    end = at + took * _MILLISECOND
    known = bool(milliseconds) and ended not in _UNKNOWN_ENDS and not task
    return GatewayCall(agents, tool, at, end, end if known else end + MAX_UNENDED)


def get_server_of_called_tool(tool: str) -> str:
    """Return the MCP server of a call's tool name `SERVER/TOOL`."""
    return tool.removeprefix("tool:mcp/").partition("/")[0]


def get_server_of_inventory_tool(tool: str) -> str:
    """Return the MCP server in the id of an inventory tool."""
    return tool.removeprefix("tool:mcp/").rpartition("/")[0]


@dataclass(slots=True)
class IntervalSet:
    """Set of closed intervals with a membership test for a time.

    Two sorted lists of starts and ends: the difference of their ranks is the number of
    open intervals.
    """

    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    def add_interval(self, start: int, end: int) -> None:
        """Add a time span, merging it with those it overlaps."""
        self.starts.append(start)
        self.ends.append(end)

    def sort_intervals(self) -> None:
        """Sort the intervals; required before `contains_time`."""
        self.starts.sort()
        self.ends.sort()

    def contains_time(self, at: int) -> bool:
        """Return whether some interval contains a time."""
        return bisect_right(self.starts, at) > bisect_left(self.ends, at)


AgentServer = tuple[str, str]  # agent, server; an empty server for any


class _OpenCalls:
    """Intervals of open calls, by agent and by agents in its delegation chain."""

    def __init__(self) -> None:
        self._on_path: dict[AgentServer, IntervalSet] = defaultdict(IntervalSet)
        self._own: dict[AgentServer, IntervalSet] = defaultdict(IntervalSet)

    def add_gateway_call(self, call: GatewayCall, end: int) -> None:
        """Add the time of a call, for its own agent and those above it."""
        for server in ("", get_server_of_called_tool(call.tool)):
            for agent in set(call.agents):
                self._on_path[agent, server].add_interval(
                    call.start - CLOCK_SKEW, end + CLOCK_SKEW
                )
            own = self._own[call.agents[-1], server]
            own.add_interval(call.start - CLOCK_SKEW, end + CLOCK_SKEW)

    def sort_call_intervals(self) -> None:
        """Sort all intervals; required before `may_call_have_caused_event`."""
        for spans in (*self._on_path.values(), *self._own.values()):
            spans.sort_intervals()

    def may_call_have_caused_event(self, event: PlatformEvent, server: str) -> bool:
        """Return whether a gateway call was open when an event happened."""
        keys = [(agent, server) for agent in event.agents]
        found = [self._own[key] for key in keys if key in self._own]
        leaf = self._on_path.get(keys[-1])
        found += [leaf] if leaf is not None else []
        return any(spans.contains_time(event.at) for spans in found)


class MediationJudge:
    """Judge of platform events, in logarithmic time in the number of calls.

    Args:
        calls: All calls that could have been open.
        records: Coverage of the gateway records.
    """

    def __init__(self, calls: Iterable[GatewayCall], records: GatewayRecords) -> None:
        self._covered = records.covered
        self._surely, self._perhaps = _OpenCalls(), _OpenCalls()
        for call in calls:
            self._surely.add_gateway_call(call, call.end)
            if call.latest_end > call.end:
                self._perhaps.add_gateway_call(call, call.latest_end)
        self._recorded, self._missing = IntervalSet(), IntervalSet()
        for start, end in records.spans:
            self._recorded.add_interval(start, end)
        for start, end in records.gaps:
            self._missing.add_interval(
                start - CLOCK_SKEW, end + MAX_UNENDED + CLOCK_SKEW
            )
        for open_calls in (self._surely, self._perhaps):
            open_calls.sort_call_intervals()
        for spans in (self._recorded, self._missing):
            spans.sort_intervals()

    def may_gateway_call_have_caused(self, event: PlatformEvent) -> MediationVerdict:
        """Return whether some gateway call may have caused a platform event."""
        if not event.agents:
            return MediationVerdict.AGENT_MISSING
        if self._covered.isdisjoint(event.agents):
            return MediationVerdict.NOT_COVERED
        server = get_server_of_inventory_tool(event.tool)
        if self._surely.may_call_have_caused_event(event, server):
            return MediationVerdict.MEDIATED
        if self._perhaps.may_call_have_caused_event(event, server):
            return MediationVerdict.END_UNKNOWN
        if not self._recorded.contains_time(event.at):
            return MediationVerdict.NO_RECORDS
        if self._missing.contains_time(event.at):
            return MediationVerdict.RECORDS_MISSING
        other = server and self._surely.may_call_have_caused_event(event, "")
        return MediationVerdict.OTHER_TOOL if other else MediationVerdict.NO_CALL


def count_gateway_calls_without_event(
    calls: Iterable[GatewayCall], events: Iterable[PlatformEvent]
) -> int:
    """Count the calls without any event that they could have caused.

    Args:
        calls: Calls to count.
        events: All platform events of agents.
    """
    by_leaf: dict[AgentServer, list[int]] = defaultdict(list)
    by_path: dict[AgentServer, list[int]] = defaultdict(list)
    for act in events:
        server = get_server_of_inventory_tool(act.tool)
        by_leaf[act.agents[-1], server].append(act.at)
        for agent in set(act.agents):
            by_path[agent, server].append(act.at)
    for times in (*by_leaf.values(), *by_path.values()):
        times.sort()
    return sum(not _has_event_during_call(call, by_leaf, by_path) for call in calls)


def _has_event_during_call(
    call: GatewayCall,
    by_leaf: dict[AgentServer, list[int]],
    by_path: dict[AgentServer, list[int]],
) -> bool:
    """Return whether an event occurred during a call."""
    first, last = call.start - CLOCK_SKEW, call.latest_end + CLOCK_SKEW
    servers = ("", get_server_of_called_tool(call.tool))
    lists: list[Sequence[int]] = [
        by_leaf.get((agent, server), ()) for agent in call.agents for server in servers
    ]
    lists += [by_path.get((call.agents[-1], server), ()) for server in servers]
    return any(bisect_right(times, last) > bisect_left(times, first) for times in lists)
