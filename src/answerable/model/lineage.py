"""Types of lineage: the chain of hops behind an event, each with evidence status.

The event is sealed; a chain is derived and is rebuilt when later facts improve it. A
chain depends on the actor and its credential, not on the resource, so events share
chains: a `ChainRow` is an event joined to the `LineageChain` of its key.
"""

from dataclasses import dataclass
from enum import StrEnum

from answerable.model.event import AuditEvent


class HopStatus(StrEnum):
    """Evidence status of a hop; see docs/glossary.md."""

    OBSERVED = "observed"
    DECLARED = "declared"
    INFERRED = "inferred"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Hop:
    """Hop of a chain.

    Attributes:
        value: Id, empty when missing.
        source: Record or source of the value; for a missing hop, the source that would
            supply it.
    """

    value: str
    status: HopStatus
    source: str


@dataclass(frozen=True, slots=True)
class ChainKey:
    """Chain key: the joint values of an event that determine its chain.

    Attributes:
        identity: As in the event.
        credential: As in the event.
        session: As in the event.
        person: As in the event.
        run: As in the event.
        agent: As in the event.
        tool: As in the event.
    """

    identity: str
    credential: str
    session: str
    person: str
    run: str
    agent: str = ""
    tool: str = ""


@dataclass(frozen=True, slots=True)
class LineageChain:
    """Chain of one key during one interval.

    Attributes:
        key: The joints.
        valid_from: UTC nanoseconds, inclusive.
        valid_to: UTC nanoseconds, exclusive.
        person: Person hop.
        agent: Agent hop (the leaf).
        agent_path: Agents from root to leaf.
        tool: Tool hop.
        identity: Identity hop.
        identity_owner: Owner of the acting identity. An assumed role serves many, so
            its owner is never the person hop.
        identity_path: Principals from the origin to the acting identity, in order of
            role assumption. The first is a person's user, a workload or a service.
        credential_path: Credentials of the path, origin first, where known.
        credential_from: Issue time of the acting credential, 0 where not known.
        credential_to: Its expiry, 0 where not known.
        delegation_id: Delegation recorded by a mediator, may be empty.
    """

    key: ChainKey
    valid_from: int
    valid_to: int
    person: Hop
    agent: Hop
    agent_path: tuple[str, ...]
    tool: Hop
    identity: Hop
    identity_owner: Hop
    identity_path: tuple[str, ...]
    credential_path: tuple[str, ...]
    credential_from: int
    credential_to: int
    delegation_id: str

    @property
    def acting_credential(self) -> str:
        """Return the last credential of the path, empty if none is known."""
        return self.credential_path[-1] if self.credential_path else ""


@dataclass(frozen=True, slots=True)
class ChainRow:
    """Event with its chain."""

    event: AuditEvent
    chain: LineageChain


@dataclass(frozen=True, slots=True)
class CredentialIssuance:
    """Issuance of a credential under another one.

    Attributes:
        at: UTC nanoseconds.
        credential: Issued credential.
        identity: Identity it acts as.
        until: Expiry, UTC nanoseconds, 0 where not said.
        event: Hex event id of the record.
        source: Log source.
        chain: Delegated agents, root first, according to our own token service.
        owner: Attested owner of the last agent at that time, from the same source.
    """

    at: int
    credential: str
    identity: str
    until: int
    parent: ChainKey
    event: str
    source: str
    chain: tuple[str, ...] = ()
    owner: str = ""

    def describe_event(self) -> str:
        """Describe the event that issued the credential, by log and id."""
        return f"{self.source} event {self.event}"


@dataclass(frozen=True, slots=True)
class CredentialPresentation:
    """Presentation of a credential to a server, in calls that a gateway recorded.

    Attributes:
        credential: Credential, as the server's platform logs it.
        start: UTC nanoseconds, inclusive.
        end: UTC nanoseconds, inclusive: the last time at which a call was open.
        parent: Caller of the gateway, with its tool.
        event: Hex event id of the first call.
        source: Log source.
    """

    credential: str
    start: int
    end: int
    parent: ChainKey
    event: str
    source: str


@dataclass(frozen=True, slots=True)
class DeclaredUse:
    """Declared users and owner of a subject, while one snapshot was current.

    Attributes:
        subject: Identity, credential or agent id.
        valid_from: UTC nanoseconds, inclusive.
        valid_to: UTC nanoseconds, exclusive.
        person: Owner, empty for none. For an agent or a credential it is based on
            evidence about the subject itself, not on the owner of a role it uses.
        agents: Agents that can act through the subject.
        tools: Tools of those agents that carry it, pairs (agent, tool).
        source: Snapshot, and the place in it that names the owner.
        hindsight: True for the time before the first snapshot, whose content is assumed
            to apply already; that is an inference.
        uses: Declarations of use: triples (agent, tool, source) with the snapshot and
            place; the tool is empty where a platform declares the use.
    """

    subject: str
    valid_from: int
    valid_to: int
    person: str
    owner_state: str
    agents: tuple[str, ...]
    tools: tuple[tuple[str, str], ...]
    source: str
    hindsight: bool = False
    uses: tuple[tuple[str, str, str], ...] = ()

    def get_declaration_source(self, agent: str, tool: str = "") -> str:
        """Return the snapshot and file that declare a use."""
        return next(
            (
                source
                for user, carrier, source in self.uses
                if user == agent and tool in ("", carrier)
            ),
            self.source,
        )
