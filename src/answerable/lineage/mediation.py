"""Whether a gateway's call could have led to what a platform logged of an agent.

What no call could have led to is unmediated use: the agent, or whoever holds its
credential, went past the gateway. Unknown is never no, in either direction.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

_SECOND = 1_000_000_000
_MILLISECOND = 1_000_000
# Clocks of gateway and platform differ, and a platform may log whole seconds.
CLOCKS = 5 * _SECOND
# How long a call may go on whose end nobody knows.
UNENDED = 15 * 60 * _SECOND

# Streams stay open for hours and carry news to the client; nothing acts under them.
# A session's stream of an older revision has no method.
_STREAMS = frozenset({"mcp:subscriptions/listen", "mcp:request"})
# The server may go on after these: the client left, or nothing readable came back.
_OPEN_ENDED = frozenset({"unknown", "upstream-error", "never recorded"})
_NEVER_WENT_ON = frozenset({"", "withheld"})


class Verdict(StrEnum):
    """What can be told of an event."""

    MEDIATED = "mediated"
    NO_CALL = "no-call"  # unmediated: no call of the agent was open
    OTHER_TOOL = "other-tool"  # unmediated: calls were, none through its tool
    AGENT_MISSING = "agent-missing"
    NOT_COVERED = "agent-not-covered"
    NO_RECORDS = "no-gateway-records"
    RECORDS_MISSING = "records-missing"
    END_UNKNOWN = "end-unknown"


UNMEDIATED = frozenset({Verdict.NO_CALL, Verdict.OTHER_TOOL})


@dataclass(frozen=True, slots=True)
class Call:
    """A call that a gateway let go on.

    Attributes:
        agents: Agents that acted for each other, root first.
        tool: `tool:mcp/SERVER/TOOL`.
        start: Its decision, UTC nanoseconds.
        end: Last moment at which it was surely open.
        perhaps: Last moment at which it may have been; `end` where that is known.
    """

    agents: tuple[str, ...]
    tool: str
    start: int
    end: int
    perhaps: int


@dataclass(frozen=True, slots=True)
class Act:
    """What a platform logged.

    Attributes:
        agents: Agents behind it, root first; empty where none is known.
        tool: Tool that carries its identity, empty where the inventory names none.
        at: UTC nanoseconds.
    """

    agents: tuple[str, ...]
    tool: str
    at: int


@dataclass(frozen=True, slots=True)
class Records:
    """What the store holds of gateways.

    Attributes:
        covered: Agents that call through a gateway.
        spans: From first to last record of each recorder; both count.
        gaps: Where a recorder's numbers show that records are missing: from the record
            before (0 where there is none) to the record after.
    """

    covered: frozenset[str] = frozenset()
    spans: tuple[tuple[int, int], ...] = ()
    gaps: tuple[tuple[int, int], ...] = ()


def call_of(
    agents: tuple[str, ...],
    tool: str,
    action: str,
    at: int,
    ended: str,
    milliseconds: str,
    task: str,
) -> Call | None:
    """Make a call of what a gateway's event says.

    Args:
        agents: Root first.
        tool: As the event names it.
        action: `mcp:METHOD`.
        at: UTC nanoseconds.
        ended: How it ended; empty where it was held back.
        milliseconds: Between decision and end, rounded down; empty without an end.
        task: Id of the task that it made, which goes on; empty for none.

    Returns:
        None where nothing could act under it: it never went on, or is a stream.
    """
    if not agents or action in _STREAMS or ended in _NEVER_WENT_ON:
        return None
    took = int(milliseconds) + 1 if milliseconds.isdecimal() else 0
    end = at + took * _MILLISECOND
    known = bool(milliseconds) and ended not in _OPEN_ENDED and not task
    return Call(agents, tool, at, end, end if known else end + UNENDED)


def server_of(tool: str) -> str:
    """Give the server of a call's tool; a gateway's server has no slash in its name."""
    return tool.removeprefix("tool:mcp/").partition("/")[0]


def carrier_of(tool: str) -> str:
    """Give the server of a tool of the inventory, where one server is one tool."""
    return tool.removeprefix("tool:mcp/").rpartition("/")[0]


@dataclass(slots=True)
class Spans:
    """Intervals, closed, of which it is asked whether one holds a moment.

    Any number of intervals is two sorted lists: those that began, less those that
    ended, are open.
    """

    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    def add(self, start: int, end: int) -> None:
        """Take one more."""
        self.starts.append(start)
        self.ends.append(end)

    def sort(self) -> None:
        """Make them ready to be asked."""
        self.starts.sort()
        self.ends.sort()

    def holds(self, at: int) -> bool:
        """Tell whether one of them holds the moment."""
        return bisect_right(self.starts, at) > bisect_left(self.ends, at)


Key = tuple[str, str]  # agent, server; an empty server for any


class _Open:
    """When calls were open: of an agent, or of any that acts for it."""

    def __init__(self) -> None:
        self._on_path: dict[Key, Spans] = defaultdict(Spans)
        self._own: dict[Key, Spans] = defaultdict(Spans)

    def add(self, call: Call, end: int) -> None:
        for server in ("", server_of(call.tool)):
            for agent in set(call.agents):
                self._on_path[agent, server].add(call.start - CLOCKS, end + CLOCKS)
            own = self._own[call.agents[-1], server]
            own.add(call.start - CLOCKS, end + CLOCKS)

    def sort(self) -> None:
        for spans in (*self._on_path.values(), *self._own.values()):
            spans.sort()

    def holds(self, act: Act, server: str) -> bool:
        keys = [(agent, server) for agent in act.agents]
        found = [self._own[key] for key in keys if key in self._own]
        leaf = self._on_path.get(keys[-1])
        found += [leaf] if leaf is not None else []
        return any(spans.holds(act.at) for spans in found)


class Judge:
    """Judges acts one by one, each in the logarithm of the number of calls.

    Args:
        calls: All that could have been open.
        records: What is known of the gateways.
    """

    def __init__(self, calls: Iterable[Call], records: Records) -> None:
        self._covered = records.covered
        self._surely, self._perhaps = _Open(), _Open()
        for call in calls:
            self._surely.add(call, call.end)
            if call.perhaps > call.end:
                self._perhaps.add(call, call.perhaps)
        self._recorded, self._missing = Spans(), Spans()
        for start, end in records.spans:
            self._recorded.add(start, end)
        for start, end in records.gaps:
            self._missing.add(start - CLOCKS, end + UNENDED + CLOCKS)
        for each in (self._surely, self._perhaps, self._recorded, self._missing):
            each.sort()

    def judge(self, act: Act) -> Verdict:
        """Say what can be told of an act."""
        if not act.agents:
            return Verdict.AGENT_MISSING
        if self._covered.isdisjoint(act.agents):
            return Verdict.NOT_COVERED
        server = carrier_of(act.tool)
        if self._surely.holds(act, server):
            return Verdict.MEDIATED
        if self._perhaps.holds(act, server):
            return Verdict.END_UNKNOWN
        if not self._recorded.holds(act.at):
            return Verdict.NO_RECORDS
        if self._missing.holds(act.at):
            return Verdict.RECORDS_MISSING
        other = server and self._surely.holds(act, "")
        return Verdict.OTHER_TOOL if other else Verdict.NO_CALL


def without_act(calls: Iterable[Call], acts: Iterable[Act]) -> int:
    """Count the calls to which no act is there that they could have led to.

    Args:
        calls: Those to count among.
        acts: All that the platforms logged of agents.
    """
    by_leaf: dict[Key, list[int]] = defaultdict(list)
    by_path: dict[Key, list[int]] = defaultdict(list)
    for act in acts:
        server = carrier_of(act.tool)
        by_leaf[act.agents[-1], server].append(act.at)
        for agent in set(act.agents):
            by_path[agent, server].append(act.at)
    for times in (*by_leaf.values(), *by_path.values()):
        times.sort()
    return sum(not _has_act(call, by_leaf, by_path) for call in calls)


def _has_act(
    call: Call,
    by_leaf: dict[Key, list[int]],
    by_path: dict[Key, list[int]],
) -> bool:
    first, last = call.start - CLOCKS, call.perhaps + CLOCKS
    servers = ("", server_of(call.tool))
    lists: list[Sequence[int]] = [
        by_leaf.get((agent, server), ()) for agent in call.agents for server in servers
    ]
    lists += [by_path.get((call.agents[-1], server), ()) for server in servers]
    return any(bisect_right(times, last) > bisect_left(times, first) for times in lists)
