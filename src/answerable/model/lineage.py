"""Lineage: the chain behind an event, hop by hop, each with how it is known.

Sealed is the event; a chain is derived, rebuildable, and rebuilt when later facts
improve it. A chain depends on who acted and with what, not on what was touched, so
events share chains: a `LineageRow` is an event joined to the `Chain` of its key.
"""

from dataclasses import dataclass
from enum import StrEnum

from answerable.model.event import AuditEvent


class HopStatus(StrEnum):
    """How a hop is known; see docs/glossary.md."""

    OBSERVED = "observed"
    DECLARED = "declared"
    INFERRED = "inferred"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Hop:
    """One link of a chain.

    Attributes:
        value: Id, empty when missing.
        status: How it is known.
        source: The record or source that says so; for a missing hop, the source that
            would supply it.
    """

    value: str
    status: HopStatus
    source: str


@dataclass(frozen=True, slots=True)
class ChainKey:
    """What a chain depends on: the joints an event carries.

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
class Chain:
    """Who stands behind one key during one interval.

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
        identity_path: Principals from the origin to the acting identity: who assumed
            what. The first is a person's user, a workload or a service.
        credential_path: Credentials likewise, origin first, where known.
        credential_from: When the acting credential was issued, 0 where not known.
        credential_to: When it expires, 0 where not known.
        delegation_id: Where a mediator recorded one.
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


@dataclass(frozen=True, slots=True)
class LineageRow:
    """An event with its chain."""

    event: AuditEvent
    chain: Chain


@dataclass(frozen=True, slots=True)
class Issuance:
    """A record that one credential was issued under another.

    Attributes:
        at: UTC nanoseconds.
        credential: What was issued.
        identity: Whom it acts as.
        until: Expiry, UTC nanoseconds, 0 where not said.
        parent: The caller's joints.
        event: Hex event id of the record.
        source: Log source.
        chain: Agents that it was given to act for each other, root first, where our
            own token service says so.
        owner: Attested owner of the last of them at that moment, likewise.
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


@dataclass(frozen=True, slots=True)
class DeclaredUse:
    """The inventory's word, while a snapshot stood: who uses this, who answers for it.

    Attributes:
        subject: Identity, credential or agent id.
        valid_from: UTC nanoseconds, inclusive.
        valid_to: UTC nanoseconds, exclusive.
        person: Owner, empty where none is named. Of an agent or a credential it rests
            on evidence about that very one, not on the owner of a role that it uses.
        owner_state: How the owner is known.
        agents: Agents that can act through the subject.
        tools: Tools of those agents that carry it, pairs (agent, tool).
        source: Snapshot, and the place in it that names the owner.
        hindsight: True for the time before the first snapshot: what that snapshot saw
            is taken to have stood already, which is an inference.
        uses: Snapshot and place of the configuration that says who uses the subject:
            triples (agent, tool, source), the tool empty where a platform says so.
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

    def source_of(self, agent: str, tool: str = "") -> str:
        """Snapshot and place that say that an agent, or its tool, uses the subject."""
        return next(
            (
                source
                for user, carrier, source in self.uses
                if user == agent and tool in ("", carrier)
            ),
            self.source,
        )
