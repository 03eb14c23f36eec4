"""Types of the inventory: agents, tools and credentials joined from sightings."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeVar, cast

from answerable.model.agent import Agent
from answerable.model.collection import SourceState, UnreadLog
from answerable.model.coverage import CoverageScope
from answerable.model.credential import Credential
from answerable.model.ids import AgentId, CredentialId, IdentityId, PersonId
from answerable.model.person import Person, PersonMerge, SubjectOwnership
from answerable.model.progress import ProgressCallback
from answerable.model.sighting import ReadProblem, SightedFacts
from answerable.model.tool import Tool

ComputedT = TypeVar("ComputedT")
JoinedT = TypeVar("JoinedT")
# Stages of a derivation: join, compile, follow paths, store them.
DERIVATION_STAGES = 4


@dataclass(frozen=True, slots=True)
class SourceCoverage:
    """Age and completeness of the data of one source.

    Attributes:
        source: `NAME:LOCATION`.
        connector: Connector name.
        at: Time of reading, UTC nanoseconds.
        problems: Unread parts.
        collected: Kinds covered.
        not_collected: Kinds not covered.
        held: In which places kinds are covered whole.
    """

    source: str
    connector: str
    at: int
    problems: tuple[ReadProblem, ...]
    collected: tuple[str, ...]
    not_collected: tuple[str, ...]
    held: tuple[CoverageScope, ...] = ()


@dataclass(frozen=True, slots=True)
class CredentialEntity:
    """Credential with all of its places and the identity it proves.

    Attributes:
        id: Credential id.
        sightings: One per place, most telling first.
        identity: The identity it proves, or None.
        how: Source of that link (`list-access-keys`, `trail`, ...), or for None the
            missing data: `account 123456789012, principal not collected`.
    """

    id: CredentialId
    sightings: tuple[Credential, ...]
    identity: IdentityId | None
    how: str


@dataclass(frozen=True, slots=True)
class ToolUse:
    """Tool with the credentials and identities it acts through.

    Attributes:
        credentials: Stated ones first, then inherited ambient ones; none for a
            read-only tool (file, fetch).
        identities: Identities that they prove, as far as known; of a read-only tool,
            those of the credentials it could read.
        inherited: True when it acts with ambient credentials of the host.
        readable: Credentials in other files of its home or project that it could read.
    """

    tool: Tool
    credentials: tuple[CredentialId, ...]
    identities: tuple[IdentityId, ...]
    inherited: bool
    readable: tuple[CredentialId, ...] = ()


@dataclass(frozen=True, slots=True)
class AgentEntity:
    """Agent with its tools and every identity it can act through."""

    agent: Agent
    tools: tuple[ToolUse, ...]
    identities: tuple[IdentityId, ...]


class DerivedTables(Protocol):
    """Tables of one derived file, each sorted by key and read by row."""

    def section(self, name: str, kind: type[ComputedT]) -> Mapping[str, ComputedT]:
        """Return a table by name, with rows of a type; empty if unknown."""


class DerivedRuns(Protocol):
    """Tables that are derived part by part, and merged by key."""

    def add(self, tables: Mapping[str, Iterable[tuple[str, object]]]) -> None:
        """Write the tables of one part, each sorted by key."""

    def merge(self, name: str) -> Iterable[tuple[str, object]]:
        """Return the rows of a table of all parts by key, as they are encoded."""

    def combine(
        self,
        name: str,
        kind: type[ComputedT],
        join: Callable[[list[ComputedT]], JoinedT],
    ) -> Iterable[tuple[str, JoinedT]]:
        """Return the rows of a table of all parts by key; equal keys give one row."""

    def select_keys(self, name: str, wanted: Collection[str]) -> frozenset[str]:
        """Select the keys that a table of any part has, in one pass over its rows."""


class DerivedState(Protocol):
    """Cached tables derived from one inventory, valid until its input changes."""

    @property
    def generation(self) -> str:
        """Return the identifier of the input of the inventory."""

    @property
    def progress(self) -> ProgressCallback:
        """Return the callback for progress: done, total, next stage."""

    def load(self, name: str) -> DerivedTables | None:
        """Load the tables saved under a name; None if outdated or missing."""

    def save(
        self, name: str, tables: Mapping[str, Iterable[tuple[str, object]]]
    ) -> None:
        """Save tables under a name; a disk error is ignored."""

    def open_runs(self) -> AbstractContextManager[DerivedRuns]:
        """Open runs of tables that are derived part by part."""


class NameEntry(NamedTuple):
    """Spelling of an entity's name.

    Attributes:
        kind: `agent`, `tool`, `identity`, `credential` or `person`.
        id: Its id.
        spelling: As written; empty where it is the id.
    """

    kind: str
    id: str
    spelling: str


@dataclass(frozen=True, slots=True)
class NameTable:
    """Index of all forms of all entities in an inventory.

    Attributes:
        entries: By spelling in lower case.
        principals: Id of each IAM user and role, by account, kind and folded name
            joined with `:`.
    """

    entries: Mapping[str, Sequence[NameEntry]]
    principals: Mapping[str, str]


# Words of the coverage for events that a policy removed, by cause.
REMOVALS = {"retention": "removed by retention", "erasure": "erased by policy"}


@dataclass(frozen=True, slots=True)
class EventGaps:
    """Events that a store lacks, as lines for people.

    Attributes:
        unreadable: Segments and journals that are missing or damaged.
        removed: Events that a policy removed.
        unread: Logs that the last ingestion did not read completely.
    """

    unreadable: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unread: tuple[UnreadLog, ...] = ()


@dataclass(frozen=True, slots=True)
class Inventory:
    """Inventory of agents, tools, credentials, identities and owners of one snapshot.

    Attributes:
        at: Snapshot time, UTC nanoseconds; 0 when nothing was scanned yet.
        name: Snapshot name for `STORE@SNAPSHOT`, empty when nothing was scanned.
        facts: The merged facts, one per id (policies, identities, attachments, ...).
        persons: By id.
        agents: By id.
        credentials: By id.
        owners: Ownership by subject id (agents, identities, credentials).
        coverage: One entry per source.
        own_owners: Ownership of agents and credentials without the evidence that flows
            to them from an assumed role; only where there is such evidence.
        judged_at: Time of the ownership evaluation, UTC nanoseconds; -1 for never.
        names: Index of spellings; None to build it on demand.
        derived: Cache of derived tables; None for no cache.
        scheduled: State of the sources that a collector reads.
        merges: Statements that two ids belong to one person, for lists only.
        read_event_gaps: Reads the events that the store lacks by now; None for a
            snapshot without a store.
    """

    at: int
    name: str
    facts: SightedFacts
    persons: Mapping[PersonId, Person]
    agents: Mapping[AgentId, AgentEntity]
    credentials: Mapping[CredentialId, CredentialEntity]
    owners: Mapping[str, SubjectOwnership]
    coverage: tuple[SourceCoverage, ...]
    judged_at: int = -1
    own_owners: Mapping[str, SubjectOwnership] = field(default_factory=dict)
    names: NameTable | None = field(default=None, compare=False, repr=False)
    derived: DerivedState | None = field(default=None, compare=False, repr=False)
    scheduled: tuple[SourceState, ...] = ()
    merges: tuple[PersonMerge, ...] = ()
    read_event_gaps: Callable[[], EventGaps] | None = field(
        default=None, compare=False, repr=False
    )
    _made: dict[str, tuple[Callable[["Inventory"], object], object]] = field(
        init=False, default_factory=dict, compare=False, repr=False
    )

    def get_or_compute_value(
        self, name: str, compute: Callable[["Inventory"], ComputedT]
    ) -> ComputedT:
        """Return a value computed once from this inventory alone.

        Args:
            name: Cache key; one function for each key.
            compute: Pure function of the inventory.
        """
        if name not in self._made:  # two at once make the same
            self._made.setdefault(name, (compute, compute(self)))
        return cast("ComputedT", self._made[name][1])

    def get_value_if_computed(self, name: str) -> object:
        """Return a computed value by name; None if not computed yet."""
        return self._made.get(name, (None, None))[1]

    def recompute_values_of_previous(self, previous: "Inventory") -> None:
        """Compute now all values that the previous inventory had."""
        for name, (make, _) in list(previous._made.items()):
            self.get_or_compute_value(name, make)
