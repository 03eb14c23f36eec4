"""Baseline profiles: the learned, signed and enforced behaviour of an identity."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from answerable.model.behaviour import EntityKind, OriginKind, RunEnvelope
from answerable.model.decision import DecisionEffect

LEARNER_VERSION = "answerable/learner/v3"
PROFILE_SCHEMA = "answerable/baseline/v1"


class _BaselineStruct(
    msgspec.Struct,
    frozen=True,
    gc=False,
    omit_defaults=True,
    forbid_unknown_fields=True,
):
    """Base struct of profile entries; a profile holds about ten thousand of them."""


class BaselineLayer(StrEnum):
    """Layer of a baseline, L1 to L5."""

    CAPABILITY = "L1"
    RESOURCE = "L2"
    FLOW = "L3"
    ORDER = "L4"
    ENVELOPE = "L5"


class GeneralisationLevel(StrEnum):
    """Generalisation level of a pattern."""

    EXACT = "exact"
    PREFIX = "prefix"  # all below one parent
    DOMAIN = "domain"  # one organisation's domain
    TEMPLATE = "template"  # the same but for digits
    TYPE = "type"  # any name, at a selector that leads to trusted fields
    ORIGIN = "origin"  # of a selector: any value with this explanation


class BaselineSubject(_BaselineStruct, frozen=True):
    """Subject of a baseline: an identity, an agent and a server.

    Attributes:
        identity: Identity it acts through.
        agent: Acting agent.
        server: Upstream server that it calls.
    """

    identity: str
    agent: str
    server: str


class ObservationCounts(_BaselineStruct, frozen=True):
    """Observation counts of one entry.

    Attributes:
        count: Observations.
        runs: Distinct runs. Of a generalised pattern: the sum over what it covers.
        days: Distinct days.
        persons: Distinct persons.
        first: NumericDate.
        last: NumericDate.
        example: Evidence id of the last one.
    """

    count: int = 0
    runs: int = 0
    days: int = 0
    persons: int = 0
    first: int = 0
    last: int = 0
    example: str = ""


class EntityPattern(_BaselineStruct, frozen=True):
    """Pattern over entities of one type.

    Attributes:
        kind: The type.
        level: Generalisation level.
        text: An entity, a prefix, a domain or a template.
    """

    kind: EntityKind
    level: GeneralisationLevel
    text: str


class CapabilityEntry(_BaselineStruct, frozen=True):
    """L1 entry: a tool that was called.

    Attributes:
        tool: `SERVER/TOOL`.
        definition: SHA-256 of its pinned definition, hex.
        is_write: As the operator declares it.
    """

    tool: str
    definition: str
    is_write: bool
    tally: ObservationCounts


class EntityEntry(_BaselineStruct, frozen=True):
    """L2 entry: an entity that an argument named.

    Attributes:
        tool: `SERVER/TOOL`.
        path: Argument path.
        sensitive: It names a recipient, payee or role; its pattern is then exact.
        firm: Seen in enough runs, on enough days, for enough persons.
    """

    tool: str
    path: str
    pattern: EntityPattern
    sensitive: bool
    firm: bool
    tally: ObservationCounts


class FlowEntry(_BaselineStruct, frozen=True):
    """L3 entry: the data flow that explains an argument's values.

    Attributes:
        tool: `SERVER/TOOL` that the value goes to.
        path: Argument path.
        kind: Kind of explanation.
        source: Source tool or table.
        selector: Arguments of the source tool, pairs (argument, pattern).
        field: Field path in its result.
        whole: The field was exactly the value.
        trusted: No outsider can write that field.
        sensitive: The argument names a recipient, payee or role.
        firm: Seen in enough runs, on enough days, for enough persons.
    """

    tool: str
    path: str
    kind: OriginKind
    source: str
    selector: tuple[tuple[str, EntityPattern], ...]
    field: str
    whole: bool
    trusted: bool
    sensitive: bool
    firm: bool
    tally: ObservationCounts


class ReadOrderEntry(_BaselineStruct, frozen=True):
    """L4 entry: reads that precede a write.

    Attributes:
        tool: The write tool.
        reads: Minimal sets of reads; one set preceded the write every time.
    """

    tool: str
    reads: tuple[tuple[str, ...], ...]


class BoundMeasure(StrEnum):
    """Measured quantity that is bounded over a run and the agent's recent runs."""

    COUNT = "count"
    SUM = "sum"  # millionths
    RECORDS = "records"
    BYTES = "bytes"


class BoundEntry(_BaselineStruct, frozen=True):
    """L4 entry: upper bound of a quantity.

    Attributes:
        tool: `SERVER/TOOL`.
        path: Summed argument; empty for other measures.
        most: The bound, inclusive.
        samples: Runs it was learned from.
    """

    tool: str
    measure: BoundMeasure
    path: str
    most: int
    samples: int


class EnvelopeEntry(_BaselineStruct, frozen=True):
    """L5 entry: hours, call rates and source networks of runs.

    Attributes:
        seen: Source networks, workloads and regions of runs.
        hours: Runs by hour of the week (0 is Monday 00:00 UTC).
        rates: Runs by the binary logarithm of their calls in the busiest minute.
    """

    seen: tuple[RunEnvelope, ...] = ()
    hours: tuple[tuple[int, int], ...] = ()
    rates: tuple[tuple[int, int], ...] = ()


class LayerConfidence(_BaselineStruct, frozen=True):
    """Coverage estimate of one layer: the share of future calls that would be new.

    Attributes:
        samples: Observations, counted once per run.
        singletons: Observations from exactly one run.
        unseen: Good-Turing estimate of the share of calls to come that bring something
            new, in millionths.
        most: Upper end of its Wilson interval at 95 %, in millionths.
    """

    layer: BaselineLayer
    samples: int
    singletons: int
    unseen: int
    most: int


class BaselineStage(StrEnum):
    """Rollout stage of a profile; its owner signs each change."""

    SHADOW = "shadow"  # would-be denials are recorded, not enforced
    ENFORCE = "enforce"
    OFF = "off"  # withdrawn


class UnexplainedEntityPolicy(StrEnum):
    """Policy for a sensitive entity without an explanation."""

    DENY = "deny"
    ASK = "ask"
    LEARNED = "learned"  # allowed where runs that were learned from did the same


class UntrustedTextPolicy(StrEnum):
    """Policy for sensitive values that come from outsiders' text."""

    SIGNED = "signed"  # once the owner has signed that very value
    LEARNED = "learned"  # once runs that were learned from did it that way


class ReferenceTablePolicy(StrEnum):
    """Policy for arguments that a reference table covers."""

    EXPLAIN = "explain"  # one explanation among others
    REQUIRE = "require"  # an unlisted value needs approval, unless requested


class Strictness(_BaselineStruct, frozen=True):
    """Strictness of enforcement; the defaults are the strict values.

    Attributes:
        unexplained: Policy for unexplained sensitive entities.
        untrusted: Policy for values from outsiders' text.
        tables: Policy for covered arguments.
        provisional: Effect on a sensitive flow that too few runs have shown.
        new: Effect on a tool, an edge or a resource that no run has shown.
    """

    unexplained: UnexplainedEntityPolicy = UnexplainedEntityPolicy.DENY
    untrusted: UntrustedTextPolicy = UntrustedTextPolicy.SIGNED
    tables: ReferenceTablePolicy = ReferenceTablePolicy.EXPLAIN
    provisional: DecisionEffect = DecisionEffect.ASK
    new: DecisionEffect = DecisionEffect.ASK


class AcceptedDeviation(_BaselineStruct, frozen=True):
    """Value or call that an owner signed by name, beyond what was learned.

    Attributes:
        tool: `SERVER/TOOL`.
        path: Argument that takes the value; empty for a whole call.
        value: The value; of a call, SHA-256 of its arguments, hex.
        source: Tool whose untrusted text may name the value, empty for any origin.
    """

    tool: str
    path: str
    value: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class LearningParameters:
    """Learning parameters of a profile.

    Attributes:
        window_days: Days that count, back from now.
        min_runs: Distinct runs that make an entry firm.
        min_days: Distinct days, unless all runs were on fewer.
        min_persons: Distinct persons, unless all runs were for fewer.
        children: Distinct children that generalise a pattern.
        climb_days: Distinct days that generalise it.
        span: Nanoseconds over which runs of one agent count together.
        untrusted: Policy for sensitive values from outsiders' text; where it needs a
            signature, a run that used such a value is not learned from.
        ready_runs: Runs from which a profile can leave shadow.
        ready_unseen: Unseen mass per layer below which it can, in millionths.
    """

    window_days: int = 90
    min_runs: int = 3
    min_days: int = 2
    min_persons: int = 2
    children: int = 5
    climb_days: int = 3
    span: int = 3_600 * 10**9
    untrusted: UntrustedTextPolicy = UntrustedTextPolicy.SIGNED
    ready_runs: int = 40
    ready_unseen: int = 30_000


class BaselineProfile(
    _BaselineStruct, frozen=True, tag_field="schema", tag=PROFILE_SCHEMA
):
    """Baseline profile as it is signed and enforced.

    Attributes:
        runs: Runs it was learned from; 0 for the cold-start profile, which checks value
            origins alone.
        learned_at: NumericDate.
        until: NumericDate from which it is stale.
        parent: Digest of the preceding profile, hex; empty for the first.
        root: Merkle root of the runs it was learned from, hex.
        capabilities: L1.
        entities: L2.
        edges: L3.
        orders: L4.
        bounds: L4.
        surroundings: L5.
        accepted: Deviations that the owner signed by name.
        renames: Tools under their new names, pairs (old, new).
        learner: Version of the learner.
    """

    subject: BaselineSubject
    runs: int = 0
    learned_at: int = 0
    until: int = 0
    parent: str = ""
    root: str = ""
    capabilities: tuple[CapabilityEntry, ...] = ()
    entities: tuple[EntityEntry, ...] = ()
    edges: tuple[FlowEntry, ...] = ()
    orders: tuple[ReadOrderEntry, ...] = ()
    bounds: tuple[BoundEntry, ...] = ()
    surroundings: EnvelopeEntry = EnvelopeEntry()
    confidence: tuple[LayerConfidence, ...] = ()
    stance: Strictness = Strictness()
    accepted: tuple[AcceptedDeviation, ...] = ()
    renames: tuple[tuple[str, str], ...] = ()
    learner: str = LEARNER_VERSION
