"""The inventory: sightings joined into entities. Built by the inventory room."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeVar, cast

from answerable.model.agent import Agent
from answerable.model.coverage import Held
from answerable.model.credential import Credential
from answerable.model.ids import AgentId, CredentialId, IdentityId, PersonId
from answerable.model.person import Ownership, Person
from answerable.model.sighting import Facts, Problem
from answerable.model.tool import Tool

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class SourceCoverage:
    """How old and how whole the view of one source is.

    Attributes:
        source: `NAME:LOCATION`.
        connector: Connector name.
        at: When it was read, UTC nanoseconds.
        problems: What could not be read.
        collected: Kinds covered.
        not_collected: Kinds not covered.
        held: In which places kinds are covered whole.
    """

    source: str
    connector: str
    at: int
    problems: tuple[Problem, ...]
    collected: tuple[str, ...]
    not_collected: tuple[str, ...]
    held: tuple[Held, ...] = ()


@dataclass(frozen=True, slots=True)
class CredentialEntity:
    """A credential with every place it lies and the identity it proves.

    Attributes:
        id: Credential id.
        sightings: One per place, most telling first.
        identity: The identity it proves, or None.
        how: How that is known (`list-access-keys`, `trail`, ...), or for None what is
            missing: `account 123456789012, principal not collected`.
    """

    id: CredentialId
    sightings: tuple[Credential, ...]
    identity: IdentityId | None
    how: str


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool with the credentials and identities it acts through.

    Attributes:
        tool: The tool.
        credentials: Stated ones first, then inherited ambient ones; none of a tool that
            only reads (file, fetch).
        identities: What they prove, as far as known; of a tool that only reads, what
            the credentials prove that it could read.
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
    """An agent with its tools and every identity it can act through."""

    agent: Agent
    tools: tuple[ToolUse, ...]
    identities: tuple[IdentityId, ...]


class DerivedTables(Protocol):
    """Tables of one derived file; each is sorted by key and read by row."""

    def section(self, name: str, kind: type[Made]) -> Mapping[str, Made]:
        """Give a table by name, its rows of a type; an unknown one is empty."""


class DerivedState(Protocol):
    """Tables derived from one inventory, kept until what it was joined from changes."""

    def load(self, name: str) -> DerivedTables | None:
        """Open what was kept under a name; None where nothing fresh is kept."""

    def save(
        self, name: str, tables: Mapping[str, Iterable[tuple[str, object]]]
    ) -> None:
        """Keep tables under a name; a disk that refuses is no error."""


class NameEntry(NamedTuple):
    """One spelling of one thing.

    Attributes:
        kind: `agent`, `tool`, `identity`, `credential` or `person`.
        id: Its id.
        spelling: As it is written; empty where it is the id.
    """

    kind: str
    id: str
    spelling: str


@dataclass(frozen=True, slots=True)
class NameTable:
    """Every spelling of everything in an inventory.

    Attributes:
        entries: By spelling in lower case.
        principals: Id of each IAM user and role, by account, kind and folded name
            joined with `:`.
    """

    entries: Mapping[str, Sequence[NameEntry]]
    principals: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Inventory:
    """Who and what exists, joined, as of one snapshot.

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
        judged_at: At which moment ownership was judged, UTC nanoseconds; -1 for never.
        names: Spellings of everything, where they are kept ready; None to derive them.
        derived: What else is derived from it and kept; None where nothing is.
    """

    at: int
    name: str
    facts: Facts
    persons: Mapping[PersonId, Person]
    agents: Mapping[AgentId, AgentEntity]
    credentials: Mapping[CredentialId, CredentialEntity]
    owners: Mapping[str, Ownership]
    coverage: tuple[SourceCoverage, ...]
    judged_at: int = -1
    own_owners: Mapping[str, Ownership] = field(default_factory=dict)
    names: NameTable | None = field(default=None, compare=False, repr=False)
    derived: DerivedState | None = field(default=None, compare=False, repr=False)
    _made: dict[str, tuple[Callable[["Inventory"], object], object]] = field(
        init=False, default_factory=dict, compare=False, repr=False
    )

    def once(self, name: str, make: Callable[["Inventory"], Made]) -> Made:
        """Give what is made of this inventory alone, made when first asked for.

        Args:
            name: Of what is made; always made in the same way.
            make: Pure: it gives the same whenever it is called.
        """
        if name not in self._made:  # two at once make the same
            self._made.setdefault(name, (make, make(self)))
        return cast("Made", self._made[name][1])

    def made(self, name: str) -> object:
        """Give what was made under a name, None where nobody asked for it yet."""
        return self._made.get(name, (None, None))[1]

    def follow(self, before: "Inventory") -> None:
        """Make now what was asked of the inventory before this one."""
        for name, (make, _) in list(before._made.items()):
            self.once(name, make)
