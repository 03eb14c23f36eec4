"""Types of observed behaviour: a run's calls, and each argument value's origins.

Nothing here is self-reported. Arguments are the act that is assessed; an origin is
derived by us from the data that the agent was given.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

import msgspec

from answerable.model.provenance import WrittenBy

JsonValue = bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"] | None


class EntityKind(StrEnum):
    """Type of an entity in an argument."""

    ARN = "arn"
    S3 = "s3"  # s3://BUCKET/KEY
    URL = "url"
    EMAIL = "email"
    IBAN = "iban"
    HOST = "host"
    PATH = "path"
    REPO = "repo"
    NAMESPACE = "namespace"
    NAME = "name"  # any other value that stands for itself: an id, a title, a number


class OriginKind(StrEnum):
    """Kind of explanation of a value."""

    REQUEST = "request"  # a person's own, attested request holds it
    TABLE = "table"  # an owner's table lists it
    CONSTANT = "constant"  # the profile holds it
    EARLIER = "earlier"  # an earlier result holds it
    BEFORE = "before"  # untrusted text was read before, with any content
    NONE = "none"  # no explanation: the agent's own words


@dataclass(frozen=True, slots=True)
class ToolFacts:
    """Facts about one tool from the operator and its pinned definition.

    Paths are as `arguments.leaves` writes them: `recipients[]`, `[].sender`, empty for
    the value itself; a trailing `*` matches every path with that prefix.

    Attributes:
        definition: SHA-256 of the pinned definition, hex; a changed one is a new tool.
        is_write: It may change something; true for every tool not declared a read.
        sensitive: Arguments that name a payee, a recipient or a role.
        trusted: Result fields that no outsider can write.
        summed: Arguments whose sum over a run is bounded, e.g. `amount`.
        kinds: Argument types that the value's spelling does not show, by path.
    """

    definition: str = ""
    is_write: bool = True
    sensitive: tuple[str, ...] = ()
    trusted: tuple[str, ...] = ()
    summed: tuple[str, ...] = ()
    kinds: tuple[tuple[str, EntityKind], ...] = ()


ToolFactsByName = Mapping[str, ToolFacts]  # by `SERVER/TOOL`
DEFAULT_TOOL_FACTS = ToolFacts()
NO_TOOL_FACTS: ToolFactsByName = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ReferenceTable:
    """Reference table of an owner: known payees, recipients or hosts.

    Attributes:
        values: Listed values.
        sinks: Arguments it covers, pairs (`SERVER/TOOL`, path); it explains no others.
    """

    name: str
    values: frozenset[str]
    sinks: frozenset[tuple[str, str]]
    written_by: WrittenBy


@dataclass(frozen=True, slots=True)
class RequestedValues:
    """Values of a person's request, as captured.

    Attributes:
        values: Named values, in canonical spelling.
        written_by: `person` where the person signed it with their own key. A prompt
            that the agent's host passes is self-reported and explains nothing.
        id: Evidence id of what was signed, hex.
    """

    values: frozenset[str]
    written_by: WrittenBy
    id: str = ""


@dataclass(frozen=True, slots=True)
class ValueOrigin:
    """One explanation of one value.

    Attributes:
        kind: Kind of explanation.
        source: Tool of an earlier result, or name of a table.
        selector: Arguments of that tool, pairs (argument, token). A token is
            `EXPLAINED-BY=KIND:TEXT`, with an empty left side for an unexplained one.
        field: Field path in that result.
        whole: The field is exactly the value, not a text that contains it.
        trusted: No outsider can write that field, and the run itself did not put the
            value there.
        call: Evidence id of the call with that result.
        start: First byte in the field's text (UTF-8).
        end: Byte after the last.
    """

    kind: OriginKind
    source: str = ""
    selector: tuple[tuple[str, str], ...] = ()
    field: str = ""
    whole: bool = False
    trusted: bool = True
    call: str = ""
    start: int = 0
    end: int = 0


UNEXPLAINED = ValueOrigin(OriginKind.NONE)


@dataclass(frozen=True, slots=True)
class ArgumentValue:
    """Entity in a call's arguments, with its origins.

    Attributes:
        path: Argument path.
        text: Its canonical spelling.
        sensitive: The argument names a payee, a recipient or a role.
        whole: It is the whole argument.
        origins: Every explanation; empty for none.
        tabled: A reference table covers this argument.
    """

    path: str
    kind: EntityKind
    text: str
    sensitive: bool = False
    whole: bool = True
    origins: tuple[ValueOrigin, ...] = ()
    tabled: bool = False


@dataclass(frozen=True, slots=True)
class CallObservation:
    """Observed call, the unit of assessment and learning.

    Attributes:
        id: Evidence id (decision id), hex.
        at: UTC nanoseconds.
        tool: `SERVER/TOOL`.
        definition: SHA-256 of the tool's pinned definition, hex.
        is_write: As the operator declares it.
        values: Entities of its arguments.
        numbers: Arguments that are summed, pairs (path, millionths).
        digest: SHA-256 of its arguments in canonical JSON, hex.
        size: Bytes of its result, 0 until there is one.
        records: Records in its result.
        untrusted: Its result contains outsiders' text.
        crowded: Its arguments contain more entities than are examined.
        after: Tools read before it whose results contained outsiders' text.
    """

    id: str
    at: int
    tool: str
    definition: str = ""
    is_write: bool = True
    values: tuple[ArgumentValue, ...] = ()
    numbers: tuple[tuple[str, int], ...] = ()
    digest: str = ""
    size: int = 0
    records: int = 0
    untrusted: bool = False
    crowded: bool = False
    after: tuple[str, ...] = ()


class RunEnvelope(
    msgspec.Struct,
    frozen=True,
    gc=False,
    omit_defaults=True,
    forbid_unknown_fields=True,
):
    """Source network, workload and region of a run; empty without a trusted source.

    Attributes:
        network: Source network.
        workload: Attested workload.
        region: Region.
    """

    network: str = ""
    workload: str = ""
    region: str = ""


UNKNOWN_ENVELOPE = RunEnvelope()


@dataclass(frozen=True, slots=True)
class AgentRun:
    """Run: everything that one attested start of an agent did.

    Attributes:
        id: Name of the attested start.
        identity: Identity it acts through.
        person: Person it acts for, empty for none.
        started: UTC nanoseconds.
        written_by: Possible author; a self-reported run is not learned from.
        calls: Its calls. A run may arrive in parts, which are merged.
        denied: At least one call was denied.
        asked: At least one call waits for its owner's approval.
    """

    id: str
    agent: str
    identity: str
    person: str
    started: int
    written_by: WrittenBy
    envelope: RunEnvelope = UNKNOWN_ENVELOPE
    calls: tuple[CallObservation, ...] = ()
    denied: bool = False
    asked: bool = False


@dataclass(frozen=True, slots=True)
class RunProgress:
    """Running totals of an agent in its current and recent runs.

    Attributes:
        reads: Read tools called so far.
        counts: Calls by tool.
        sums: Sums by (tool, argument), in millionths.
        sizes: Result bytes, by tool.
        records: Result records, by tool.
        untrusted: A result contained outsiders' text.
        lately: Calls in the last minute.
    """

    reads: frozenset[str] = frozenset()
    counts: Mapping[str, int] = field(default_factory=dict)
    sums: Mapping[tuple[str, str], int] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    records: Mapping[str, int] = field(default_factory=dict)
    untrusted: bool = False
    lately: int = 0


NO_PROGRESS = RunProgress()
