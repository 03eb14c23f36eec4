"""Baselines: what an identity does, as it was learned, signed and is held to."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from answerable.model.behaviour import EntityKind, Envelope, OriginKind
from answerable.model.decision import Effect

LEARNER = "answerable/learner/v3"
SCHEMA = "answerable/baseline/v1"


class _Noun(
    msgspec.Struct,
    frozen=True,
    gc=False,
    omit_defaults=True,
    forbid_unknown_fields=True,
):
    """What stands in a document; a struct, since one holds ten thousand of these."""


class BaselineLayer(StrEnum):
    """The five layers."""

    CAPABILITY = "L1"
    RESOURCE = "L2"
    FLOW = "L3"
    ORDER = "L4"
    ENVELOPE = "L5"


class Level(StrEnum):
    """How far a pattern has climbed from what was seen."""

    EXACT = "exact"
    PREFIX = "prefix"  # all below one parent
    DOMAIN = "domain"  # one organisation's domain
    TEMPLATE = "template"  # the same but for digits
    TYPE = "type"  # any name, at a selector that leads to trusted fields
    ORIGIN = "origin"  # of a selector: whatever is explained in that way


class Subject(_Noun, frozen=True):
    """Whose behaviour a baseline is.

    Attributes:
        identity: Through which identity.
        agent: Which agent.
        server: Upstream server whose tools it is about.
    """

    identity: str
    agent: str
    server: str


class Tally(_Noun, frozen=True):
    """How often something was seen.

    Attributes:
        count: Times.
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


class Pattern(_Noun, frozen=True):
    """Entities of one type.

    Attributes:
        kind: The type.
        level: How far it has climbed.
        text: An entity, a prefix, a domain or a template.
    """

    kind: EntityKind
    level: Level
    text: str


class Capability(_Noun, frozen=True):
    """L1: a tool that was called.

    Attributes:
        tool: `SERVER/TOOL`.
        definition: SHA-256 of its pinned definition, hex.
        is_write: By the operator's word.
        tally: How often.
    """

    tool: str
    definition: str
    is_write: bool
    tally: Tally


class Entity(_Noun, frozen=True):
    """L2: what an argument named.

    Attributes:
        tool: `SERVER/TOOL`.
        path: Argument path.
        pattern: What.
        sensitive: It names who gets what; then the pattern is exact.
        firm: Seen in enough runs, on enough days, for enough persons.
        tally: How often.
    """

    tool: str
    path: str
    pattern: Pattern
    sensitive: bool
    firm: bool
    tally: Tally


class Edge(_Noun, frozen=True):
    """L3: from where an argument's values came.

    Attributes:
        tool: `SERVER/TOOL` that the value goes to.
        path: Argument path.
        kind: How the value was explained.
        source: Tool or table that it came from.
        selector: With what that tool was called, pairs (argument, pattern).
        field: Field path in its result.
        whole: The field was the value.
        trusted: No stranger writes that field.
        sensitive: The argument names who gets what.
        firm: Seen in enough runs, on enough days, for enough persons.
        tally: How often.
    """

    tool: str
    path: str
    kind: OriginKind
    source: str
    selector: tuple[tuple[str, Pattern], ...]
    field: str
    whole: bool
    trusted: bool
    sensitive: bool
    firm: bool
    tally: Tally


class Order(_Noun, frozen=True):
    """L4: what was read before a write, at least.

    Attributes:
        tool: The write.
        reads: Minimal sets of reads; one of them had come first every time.
    """

    tool: str
    reads: tuple[tuple[str, ...], ...]


class Measure(StrEnum):
    """What is bounded over a run, with what the same agent did shortly before."""

    COUNT = "count"
    SUM = "sum"  # millionths
    RECORDS = "records"
    BYTES = "bytes"


class Bound(_Noun, frozen=True):
    """L4: how much, at most.

    Attributes:
        tool: `SERVER/TOOL`.
        measure: Of what.
        path: Of a sum, the argument.
        most: The bound, inclusive.
        samples: Runs that it was learned from.
    """

    tool: str
    measure: Measure
    path: str
    most: int
    samples: int


class Surroundings(_Noun, frozen=True):
    """L5: when, how fast and from where.

    Attributes:
        seen: Networks, workloads and regions that runs came from.
        hours: Runs by hour of the week (0 is Monday 00:00 UTC).
        rates: Runs by the binary logarithm of their calls in the busiest minute.
    """

    seen: tuple[Envelope, ...] = ()
    hours: tuple[tuple[int, int], ...] = ()
    rates: tuple[tuple[int, int], ...] = ()


class Confidence(_Noun, frozen=True):
    """How much of what comes next a layer has not seen yet.

    Attributes:
        layer: The layer.
        samples: What was seen, counted once per run.
        singletons: What one run alone has shown.
        unseen: Good-Turing estimate of the share of calls to come that bring something
            new, in millionths.
        most: Upper end of its Wilson interval at 95 %, in millionths.
    """

    layer: BaselineLayer
    samples: int
    singletons: int
    unseen: int
    most: int


class Stage(StrEnum):
    """How far a profile has come; its owner signs each step."""

    SHADOW = "shadow"  # what would be held back is recorded
    ENFORCE = "enforce"
    OFF = "off"  # taken back


class Unexplained(StrEnum):
    """What becomes of a sensitive entity that nothing explains."""

    DENY = "deny"
    ASK = "ask"
    LEARNED = "learned"  # allowed where runs that were learned from did the same


class Untrusted(StrEnum):
    """When text of strangers may name who gets what."""

    SIGNED = "signed"  # once the owner has signed that very value
    LEARNED = "learned"  # once runs that were learned from did it that way


class Tables(StrEnum):
    """What an owner's table is for the arguments that it is about."""

    EXPLAIN = "explain"  # one explanation among others
    REQUIRE = "require"  # what it does not list is asked for, unless requested


class Stance(_Noun, frozen=True):
    """How strictly a profile is held to; the default is the strict one.

    Attributes:
        unexplained: Of sensitive entities that nothing explains.
        untrusted: Of what strangers' text names.
        tables: What owners' tables are.
        provisional: Effect on a sensitive flow that too few runs have shown.
        new: Effect on a tool, an edge or a resource that no run has shown.
    """

    unexplained: Unexplained = Unexplained.DENY
    untrusted: Untrusted = Untrusted.SIGNED
    tables: Tables = Tables.EXPLAIN
    provisional: Effect = Effect.ASK
    new: Effect = Effect.ASK


class Accepted(_Noun, frozen=True):
    """What an owner has signed by name, beyond what was learned.

    Attributes:
        tool: `SERVER/TOOL`.
        path: Argument that takes the value; empty where a call is accepted whole.
        value: The value; of a call, SHA-256 of its arguments, hex.
        source: Tool whose untrusted text may name the value, empty for any origin.
    """

    tool: str
    path: str
    value: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms a profile is learned.

    Attributes:
        window_days: Days that count, back from now.
        min_runs: Distinct runs that make something firm.
        min_days: Distinct days, unless all runs were on fewer.
        min_persons: Distinct persons, unless all runs were for fewer.
        children: Distinct children from which a pattern climbs.
        climb_days: Distinct days from which it climbs.
        span: Nanoseconds over which runs of one agent count together.
        untrusted: When text of strangers may name who gets what; where it takes a
            signature, a run in which it did teaches nothing.
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
    untrusted: Untrusted = Untrusted.SIGNED
    ready_runs: int = 40
    ready_unseen: int = 30_000


class Profile(_Noun, frozen=True, tag_field="schema", tag=SCHEMA):
    """A baseline as it is held to.

    Attributes:
        subject: Whose.
        runs: Runs that it was learned from; 0 for the cold profile, which holds to
            origins alone.
        learned_at: NumericDate.
        until: NumericDate from which it is stale.
        parent: Digest of the profile before it, hex; empty for the first.
        root: Merkle root of the runs that it was learned from, hex.
        capabilities: L1.
        entities: L2.
        edges: L3.
        orders: L4.
        bounds: L4.
        surroundings: L5.
        confidence: Of each layer.
        stance: How strictly it is held to.
        accepted: What the owner signed by name.
        renames: Tools under their new names, pairs (old, new).
        learner: Version of the learner.
    """

    subject: Subject
    runs: int = 0
    learned_at: int = 0
    until: int = 0
    parent: str = ""
    root: str = ""
    capabilities: tuple[Capability, ...] = ()
    entities: tuple[Entity, ...] = ()
    edges: tuple[Edge, ...] = ()
    orders: tuple[Order, ...] = ()
    bounds: tuple[Bound, ...] = ()
    surroundings: Surroundings = Surroundings()
    confidence: tuple[Confidence, ...] = ()
    stance: Stance = Stance()
    accepted: tuple[Accepted, ...] = ()
    renames: tuple[tuple[str, str], ...] = ()
    learner: str = LEARNER
