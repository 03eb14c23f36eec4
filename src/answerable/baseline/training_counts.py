"""Count training runs: how often each tool, entity and flow was seen, by whom."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from answerable.baseline.training_run_merge import RunContribution, TrainingState
from answerable.model.baseline import (
    AcceptedDeviation,
    BaselineSubject,
    LearningParameters,
    ObservationCounts,
    UntrustedTextPolicy,
)
from answerable.model.behaviour import (
    AgentRun,
    ArgumentValue,
    CallObservation,
    EntityKind,
    OriginKind,
    ValueOrigin,
)
from answerable.model.time_units import DAY_NS, SECOND_NS

_Key = TypeVar("_Key")
_MAX_WORD = 32  # characters of a name that can be one of a few
_PREFERRED_ORIGINS = (OriginKind.REQUEST, OriginKind.TABLE)


class CapabilityKey(NamedTuple):
    """Key of layer L1."""

    tool: str
    definition: str
    is_write: bool


class EntityKey(NamedTuple):
    """Key of layer L2."""

    tool: str
    path: str
    kind: EntityKind
    text: str
    sensitive: bool


class EdgeKey(NamedTuple):
    """Key of layer L3."""

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
class KeyCount:
    """Counts of one key; sets of days and persons can be merged.

    Attributes:
        days: Distinct days since 1970.
        first: UTC nanoseconds.
        last: UTC nanoseconds and evidence id of the last one.
    """

    count: int = 0
    runs: int = 0
    days: frozenset[int] = frozenset()
    persons: frozenset[str] = frozenset()
    first: int = 0
    last: tuple[int, str] = (0, "")

    def to_profile_counts(self) -> ObservationCounts:
        """Convert counts to those of a profile: days and persons as numbers."""
        return ObservationCounts(
            count=self.count,
            runs=self.runs,
            days=len(self.days),
            persons=len(self.persons),
            first=self.first // SECOND_NS,
            last=self.last[0] // SECOND_NS,
            example=self.last[1],
        )


@dataclass(slots=True)
class LayerCounts:
    """Counts of a set of runs, by layer."""

    capabilities: Mapping[CapabilityKey, KeyCount] = field(default_factory=dict)
    entities: Mapping[EntityKey, KeyCount] = field(default_factory=dict)
    edges: Mapping[EdgeKey, KeyCount] = field(default_factory=dict)


def merge_counts(counts: Iterable[KeyCount]) -> KeyCount:
    """Merge counts: runs are summed, sets of days and persons united."""
    parts = list(counts)
    return KeyCount(
        count=sum(part.count for part in parts),
        runs=sum(part.runs for part in parts),
        days=frozenset().union(*(part.days for part in parts)),
        persons=frozenset().union(*(part.persons for part in parts)),
        first=min(part.first for part in parts),
        last=max(part.last for part in parts),
    )


def select_training_runs(
    state: TrainingState,
    subject: BaselineSubject,
    parameters: LearningParameters,
    now: int,
    accepted: tuple[AcceptedDeviation, ...] = (),
) -> list[AgentRun]:
    """Select the runs that a profile may learn from, oldest first.

    A training run is in the window, belongs to the subject, has no contradictions, no
    denied or pending call, and no untrusted value at a sensitive argument unless the
    owner signed exactly that value.
    """
    begin = (now // DAY_NS - parameters.window_days) * DAY_NS
    signed = {(each.tool, each.path, each.value) for each in accepted}
    runs = [
        each.run
        for each in state.values()
        if (each.run.identity, each.run.agent) == (subject.identity, subject.agent)
        and begin <= each.run.started <= now
        and _is_usable_for_training(each)
        and not (
            parameters.untrusted is UntrustedTextPolicy.SIGNED
            and is_tainted_run(each.run, signed)
        )
    ]
    return sorted(runs, key=lambda run: (run.started, run.id))


def _is_usable_for_training(contribution: RunContribution) -> bool:
    """Return whether a run has no contradiction, denied call or approval request."""
    run = contribution.run
    return not (contribution.conflict or run.denied or run.asked)


def is_tainted_run(run: AgentRun, accepted: set[tuple[str, str, str]]) -> bool:
    """Return whether untrusted text set a sensitive argument of a write in a run."""
    return any(
        call.is_write and is_from_untrusted_only(value)
        for call in run.calls
        for value in call.values
        if (call.tool, value.path, value.text) not in accepted
    )


def is_from_untrusted_only(value: ArgumentValue) -> bool:
    """Return whether a sensitive value came from untrusted text alone."""
    return (
        value.sensitive
        and bool(value.origins)
        and not any(origin.trusted for origin in value.origins)
    )


def select_best_origins(value: ArgumentValue) -> list[ValueOrigin]:
    """Select the origins to learn for a value: those of the best kind only.

    A payee named in the request teaches nothing about the bill that also holds it.
    """
    for kind in _PREFERRED_ORIGINS:
        found = [origin for origin in value.origins if origin.kind is kind]
        if found:
            return found
    rank = [(not origin.trusted, not origin.whole) for origin in value.origins]
    best = min(rank, default=None)
    return [
        origin for origin, at in zip(value.origins, rank, strict=True) if at == best
    ]


def list_flow_edges(call: CallObservation, value: ArgumentValue) -> set[EdgeKey]:
    """Return the flow edges (origin to argument) that one argument value shows."""
    origins = select_best_origins(value)
    if not origins:
        return {
            EdgeKey(
                tool=call.tool,
                path=value.path,
                kind=OriginKind.NONE,
                source="",
                selector=(),
                field="",
                whole=False,
                trusted=True,
                sensitive=value.sensitive,
            )
        }
    return {
        EdgeKey(
            tool=call.tool,
            path=value.path,
            kind=origin.kind,
            source=origin.source,
            selector=origin.selector,
            field=origin.field,
            whole=origin.whole,
            trusted=origin.trusted,
            sensitive=value.sensitive,
        )
        for origin in origins
    }


def list_untrusted_source_edges(call: CallObservation) -> set[EdgeKey]:
    """Return an edge (untrusted source read before, tool) for each such source."""
    return {
        EdgeKey(
            tool=call.tool,
            path="",
            kind=OriginKind.BEFORE,
            source=source,
            selector=(),
            field="",
            whole=False,
            trusted=False,
            sensitive=False,
        )
        for source in call.after
    }


def belongs_to_server(subject: BaselineSubject, tool: str) -> bool:
    """Return whether a tool belongs to the subject's server."""
    return tool.partition("/")[0] == subject.server


class _KeyCounter:
    """Growing counts of one key."""

    def __init__(self) -> None:
        self.count = 0
        self.runs: set[str] = set()
        self.persons: set[str] = set()
        self.days: set[int] = set()
        self.first = 1 << 63
        self.last = (-1, "")

    def add_call(self, run: AgentRun, call: CallObservation) -> None:
        """Add one call of a run to the counts."""
        self.count += 1
        self.runs.add(run.id)
        self.days.add(call.at // DAY_NS)
        if run.person:
            self.persons.add(run.person)
        self.first = min(self.first, call.at)
        self.last = max(self.last, (call.at, call.id))

    def to_key_count(self) -> KeyCount:
        """Return the finished counts as an immutable `KeyCount`."""
        return KeyCount(
            self.count,
            len(self.runs),
            frozenset(self.days),
            frozenset(self.persons),
            self.first,
            self.last,
        )


def count_calls_of_runs(
    runs: Iterable[AgentRun], subject: BaselineSubject
) -> LayerCounts:
    """Count, over training runs, calls and arguments at one server's tools."""
    tools: dict[CapabilityKey, _KeyCounter] = defaultdict(_KeyCounter)
    entities: dict[EntityKey, _KeyCounter] = defaultdict(_KeyCounter)
    edges: dict[EdgeKey, _KeyCounter] = defaultdict(_KeyCounter)
    for run in runs:
        for call in run.calls:
            if not belongs_to_server(subject, call.tool):
                continue
            capability = CapabilityKey(call.tool, call.definition, call.is_write)
            tools[capability].add_call(run, call)
            for key in list_untrusted_source_edges(call):
                edges[key].add_call(run, call)
            for value in call.values:
                if is_learned_as_entity(call, value):
                    entities[_build_entity_key(call, value)].add_call(run, call)
                for key in list_flow_edges(call, value):
                    edges[key].add_call(run, call)
    return LayerCounts(
        _freeze_counts(tools), _freeze_counts(entities), _freeze_counts(edges)
    )


def is_learned_as_entity(call: CallObservation, value: ArgumentValue) -> bool:
    """Return whether an argument value is learned as one of a known set.

    Typed and sensitive values are, and short names given to a write: an argument may
    take one of a few words.
    """
    if value.sensitive or value.kind is not EntityKind.NAME:
        return True
    return call.is_write and value.whole and len(value.text) <= _MAX_WORD


def _build_entity_key(call: CallObservation, value: ArgumentValue) -> EntityKey:
    """Build the key by which an argument value is counted as an entity."""
    return EntityKey(call.tool, value.path, value.kind, value.text, value.sensitive)


def _freeze_counts(counters: Mapping[_Key, _KeyCounter]) -> dict[_Key, KeyCount]:
    """Convert counters to immutable counts, by key."""
    return {key: counter.to_key_count() for key, counter in counters.items()}
