"""Counting: which runs teach, and how often they did what.

Every layer is a set of keys with counts.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from answerable.baseline.fold import Contribution, State
from answerable.model.baseline import (
    Accepted,
    Subject,
    Tally,
    Terms,
    Untrusted,
)
from answerable.model.behaviour import (
    EntityKind,
    Observation,
    Origin,
    OriginKind,
    Run,
    Value,
)

DAY = 86_400 * 10**9
_SECOND = 10**9
_Key = TypeVar("_Key")
_WORD = 32  # characters of a name that can be one of a few
_CHOICE = (OriginKind.REQUEST, OriginKind.TABLE)


class CapabilityKey(NamedTuple):
    """L1."""

    tool: str
    definition: str
    is_write: bool


class EntityKey(NamedTuple):
    """L2."""

    tool: str
    path: str
    kind: EntityKind
    text: str
    sensitive: bool


class EdgeKey(NamedTuple):
    """L3."""

    tool: str
    path: str
    kind: OriginKind
    source: str
    selector: tuple[tuple[str, str], ...]
    field: str
    whole: bool
    trusted: bool
    sensitive: bool


@dataclass(slots=True)
class Seen:
    """How often one key was seen; sets of days and persons can be put together.

    Attributes:
        count: Times.
        runs: Distinct runs.
        days: Distinct days since 1970.
        persons: Distinct persons.
        first: UTC nanoseconds.
        last: UTC nanoseconds and evidence id of the last one.
    """

    count: int = 0
    runs: int = 0
    days: frozenset[int] = frozenset()
    persons: frozenset[str] = frozenset()
    first: int = 0
    last: tuple[int, str] = (0, "")

    def tally(self) -> Tally:
        """Give the counts as they stand in a profile."""
        return Tally(
            self.count, self.runs, len(self.days), len(self.persons),
            self.first // _SECOND, self.last[0] // _SECOND, self.last[1],
        )  # fmt: skip


@dataclass(slots=True)
class Tallies:
    """What a set of runs did, counted by layer."""

    capabilities: Mapping[CapabilityKey, Seen] = field(default_factory=dict)
    entities: Mapping[EntityKey, Seen] = field(default_factory=dict)
    edges: Mapping[EdgeKey, Seen] = field(default_factory=dict)


def together(each: Iterable[Seen]) -> Seen:
    """Put counts together; runs are summed, days and persons united."""
    parts = list(each)
    return Seen(
        count=sum(part.count for part in parts),
        runs=sum(part.runs for part in parts),
        days=frozenset().union(*(part.days for part in parts)),
        persons=frozenset().union(*(part.persons for part in parts)),
        first=min(part.first for part in parts),
        last=max(part.last for part in parts),
    )


def teaching(
    state: State,
    subject: Subject,
    terms: Terms,
    now: int,
    accepted: tuple[Accepted, ...] = (),
) -> list[Run]:
    """Give the runs that teach, oldest first.

    Those of the last days teach that belong to the subject, contradict themselves
    nowhere, had nothing refused or asked for, and let no stranger's text name who gets
    what, unless the owner has signed that very value.
    """
    begin = (now // DAY - terms.window_days) * DAY
    signed = {(each.tool, each.path, each.value) for each in accepted}
    runs = [
        each.run
        for each in state.values()
        if (each.run.identity, each.run.agent) == (subject.identity, subject.agent)
        and begin <= each.run.started <= now
        and _is_sound(each)
        and not (terms.untrusted is Untrusted.SIGNED and is_tainted(each.run, signed))
    ]
    return sorted(runs, key=lambda run: (run.started, run.id))


def _is_sound(contribution: Contribution) -> bool:
    run = contribution.run
    return not (contribution.conflict or run.denied or run.asked)


def is_tainted(run: Run, signed: set[tuple[str, str, str]]) -> bool:
    """Tell whether text of strangers named who gets what in a write of a run."""
    return any(
        call.is_write and is_strangers(value)
        for call in run.calls
        for value in call.values
        if (call.tool, value.path, value.text) not in signed
    )


def is_strangers(value: Value) -> bool:
    """Tell whether strangers' text is all that explains a sensitive value."""
    return (
        value.sensitive
        and bool(value.origins)
        and not any(origin.trusted for origin in value.origins)
    )


def taught(value: Value) -> list[Origin]:
    """Choose the origins that a value teaches: the best of a kind, and none beside.

    A payee that the request names and a bill holds too is no lesson about bills.
    """
    for kind in _CHOICE:
        found = [origin for origin in value.origins if origin.kind is kind]
        if found:
            return found
    rank = [(not origin.trusted, not origin.whole) for origin in value.origins]
    best = min(rank, default=None)
    return [
        origin for origin, at in zip(value.origins, rank, strict=True) if at == best
    ]


def edge_keys(call: Observation, value: Value) -> set[EdgeKey]:
    """Give the edges that one value of one call shows."""
    here = (call.tool, value.path)
    origins = taught(value)
    if not origins:
        return {
            EdgeKey(*here, OriginKind.NONE, "", (), "", False, True, value.sensitive)
        }
    return {
        EdgeKey(
            *here, origin.kind, origin.source, origin.selector, origin.field,
            origin.whole, origin.trusted, value.sensitive,
        )
        for origin in origins
    }  # fmt: skip


def context_keys(call: Observation) -> set[EdgeKey]:
    """Give the edges that say after whose text a call came, whatever it took of it."""
    return {
        EdgeKey(
            call.tool, "", OriginKind.BEFORE, source, (), "", False, False, False
        )
        for source in call.after
    }  # fmt: skip


def is_of(subject: Subject, tool: str) -> bool:
    """Tell whether a tool is one of the subject's server."""
    return tool.partition("/")[0] == subject.server


class _Counter:
    """Counts of one key while they grow."""

    def __init__(self) -> None:
        self.count = 0
        self.runs: set[str] = set()
        self.persons: set[str] = set()
        self.days: set[int] = set()
        self.first = 1 << 63
        self.last = (-1, "")

    def add(self, run: Run, call: Observation) -> None:
        self.count += 1
        self.runs.add(run.id)
        self.days.add(call.at // DAY)
        if run.person:
            self.persons.add(run.person)
        self.first = min(self.first, call.at)
        self.last = max(self.last, (call.at, call.id))

    def seen(self) -> Seen:
        return Seen(
            self.count, len(self.runs), frozenset(self.days), frozenset(self.persons),
            self.first, self.last,
        )  # fmt: skip


def count(runs: Iterable[Run], subject: Subject) -> Tallies:
    """Count what runs did with the tools of one server."""
    tools: dict[CapabilityKey, _Counter] = defaultdict(_Counter)
    entities: dict[EntityKey, _Counter] = defaultdict(_Counter)
    edges: dict[EdgeKey, _Counter] = defaultdict(_Counter)
    for run in runs:
        for call in run.calls:
            if not is_of(subject, call.tool):
                continue
            capability = CapabilityKey(call.tool, call.definition, call.is_write)
            tools[capability].add(run, call)
            for key in context_keys(call):
                edges[key].add(run, call)
            for value in call.values:
                if is_entity(call, value):
                    entities[_entity_key(call, value)].add(run, call)
                for key in edge_keys(call, value):
                    edges[key].add(run, call)
    return Tallies(_seen(tools), _seen(entities), _seen(edges))


def is_entity(call: Observation, value: Value) -> bool:
    """Tell whether a value is remembered as itself.

    A typed or a sensitive one is, and a short name that a write was given: where an
    argument takes one of a few words, those words are what it takes.
    """
    if value.sensitive or value.kind is not EntityKind.NAME:
        return True
    return call.is_write and value.whole and len(value.text) <= _WORD


def _entity_key(call: Observation, value: Value) -> EntityKey:
    return EntityKey(call.tool, value.path, value.kind, value.text, value.sensitive)


def _seen(counters: Mapping[_Key, _Counter]) -> dict[_Key, Seen]:
    return {key: counter.seen() for key, counter in counters.items()}
