"""Behaviour: what a run did, call by call, and where each of its values came from.

Nothing here was said by an agent of itself. Arguments are the act that is judged; an
origin is found by us, in what the agent was given.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

import msgspec

from answerable.model.written import WrittenBy

Json = bool | int | float | str | list["Json"] | dict[str, "Json"] | None


class EntityKind(StrEnum):
    """Types of entities that arguments hold."""

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
    """How a value is explained."""

    REQUEST = "request"  # a person's own, attested request holds it
    TABLE = "table"  # an owner's table lists it
    CONSTANT = "constant"  # the profile holds it
    EARLIER = "earlier"  # an earlier result holds it
    BEFORE = "before"  # strangers' text was read before, whatever it says
    NONE = "none"  # nothing does: words of the agent's own


@dataclass(frozen=True, slots=True)
class ToolFacts:
    """What the operator and the pins say of one tool.

    Paths are as `arguments.leaves` writes them: `recipients[]`, `[].sender`, empty for
    the value itself; one that ends in `*` stands for all that begins like it.

    Attributes:
        definition: SHA-256 of the pinned definition, hex; a changed one is a new tool.
        is_write: It may change something; so is what nobody named a read.
        sensitive: Arguments that name who gets what: a payee, a recipient, a role.
        trusted: Fields of its results that no stranger writes.
        summed: Arguments whose sum over a run is bounded, e.g. `amount`.
        kinds: Types of arguments that their spelling does not show, by path.
    """

    definition: str = ""
    is_write: bool = True
    sensitive: tuple[str, ...] = ()
    trusted: tuple[str, ...] = ()
    summed: tuple[str, ...] = ()
    kinds: tuple[tuple[str, EntityKind], ...] = ()


Facts = Mapping[str, ToolFacts]  # by `SERVER/TOOL`
NOTHING_SAID = ToolFacts()
NO_FACTS: Facts = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Table:
    """What an owner knows: payees, recipients, hosts.

    Attributes:
        name: Its name.
        values: What it lists.
        sinks: Arguments that it is about, pairs (`SERVER/TOOL`, path); it explains
            nothing elsewhere.
        written_by: Who could have written it.
    """

    name: str
    values: frozenset[str]
    sinks: frozenset[tuple[str, str]]
    written_by: WrittenBy


@dataclass(frozen=True, slots=True)
class Asked:
    """A person's request, as something captured it.

    Attributes:
        values: What it names, in canonical spelling.
        written_by: Who could have written it: `person` where the person signed it with
            a key of their own. A prompt that the agent's host passes is self-reported,
            and explains nothing.
        id: Evidence id of what was signed, hex.
    """

    values: frozenset[str]
    written_by: WrittenBy
    id: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """One explanation of one value.

    Attributes:
        kind: How it is explained.
        source: Of an earlier result, its tool; of a table, its name.
        selector: With what that tool was called, pairs (argument, token). A token is
            `EXPLAINED-BY=KIND:TEXT`, with nothing before the sign where nothing did.
        field: Field path in that result.
        whole: The field is the value, and not a text that holds it.
        trusted: No stranger writes that field, and nothing that the run itself wrote
            had put the value there.
        call: Evidence id of the call whose result it was.
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


UNEXPLAINED = Origin(OriginKind.NONE)


@dataclass(frozen=True, slots=True)
class Value:
    """One entity of a call's arguments.

    Attributes:
        path: Argument path.
        kind: Its type.
        text: Its canonical spelling.
        sensitive: It stands at an argument that names who gets what.
        whole: It is the whole argument.
        origins: All that explains it; empty where nothing does.
        tabled: An owner's table is about this argument.
    """

    path: str
    kind: EntityKind
    text: str
    sensitive: bool = False
    whole: bool = True
    origins: tuple[Origin, ...] = ()
    tabled: bool = False


@dataclass(frozen=True, slots=True)
class Observation:
    """One call, as it is judged and as it is learned from.

    Attributes:
        id: Evidence id (decision id), hex.
        at: UTC nanoseconds.
        tool: `SERVER/TOOL`.
        definition: SHA-256 of the tool's pinned definition, hex.
        is_write: By the operator's word.
        values: Entities of its arguments.
        numbers: Arguments that are summed, pairs (path, millionths).
        digest: SHA-256 of its arguments in canonical JSON, hex.
        size: Bytes of its result, 0 until there is one.
        records: Records in its result.
        untrusted: Its result holds text that strangers write.
        crowded: Its arguments hold more entities than are looked at.
        after: Tools whose results held text of strangers, read before it.
    """

    id: str
    at: int
    tool: str
    definition: str = ""
    is_write: bool = True
    values: tuple[Value, ...] = ()
    numbers: tuple[tuple[str, int], ...] = ()
    digest: str = ""
    size: int = 0
    records: int = 0
    untrusted: bool = False
    crowded: bool = False
    after: tuple[str, ...] = ()


class Envelope(
    msgspec.Struct,
    frozen=True,
    gc=False,
    omit_defaults=True,
    forbid_unknown_fields=True,
):
    """From where and as what a run acted; empty where nothing trustworthy says so.

    Attributes:
        network: Source network.
        workload: Attested workload.
        region: Region.
    """

    network: str = ""
    workload: str = ""
    region: str = ""


NOWHERE = Envelope()


@dataclass(frozen=True, slots=True)
class Run:
    """What one attested start of an agent did: the contribution to learning.

    Attributes:
        id: Name of the attested start.
        agent: Whose.
        identity: Through which identity.
        person: For whom, empty where for nobody.
        started: UTC nanoseconds.
        written_by: Who could have written this; what is self-reported teaches nothing.
        envelope: From where.
        calls: What it did. A run may be handed over in parts: they are put together.
        denied: Something of it was refused.
        asked: Something of it waits for its owner.
    """

    id: str
    agent: str
    identity: str
    person: str
    started: int
    written_by: WrittenBy
    envelope: Envelope = NOWHERE
    calls: tuple[Observation, ...] = ()
    denied: bool = False
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """What the same agent did so far, in this run and in those shortly before it.

    Attributes:
        reads: Tools that were read.
        counts: Calls by tool.
        sums: Sums by (tool, argument), in millionths.
        sizes: Bytes that came back, by tool.
        records: Records that came back, by tool.
        untrusted: Something came back that strangers write.
        lately: Calls within the last minute.
    """

    reads: frozenset[str] = frozenset()
    counts: Mapping[str, int] = field(default_factory=dict)
    sums: Mapping[tuple[str, str], int] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    records: Mapping[str, int] = field(default_factory=dict)
    untrusted: bool = False
    lately: int = 0


NO_PROGRESS = Progress()
