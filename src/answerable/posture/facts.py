"""Facts that rules read: the inventory, and what reach and logs show on request."""

from collections import defaultdict
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, cast

from answerable.model.documents.shared_shapes import PathItem
from answerable.model.inventory import Inventory, ToolUse
from answerable.model.policy import Policy, PolicyAttachment, PolicyLayer, Statement
from answerable.model.provenance import FactProvenance
from answerable.posture.severity import ReachLevel, Trigger

NO_LOG = "no ingested log covers its calls"
GATEWAY_POLICIES = "gateway-policies"  # kind of data that no scan collects


@dataclass(frozen=True, slots=True)
class ToolOfAgent:
    """Tool with the agent that has it."""

    agent: str
    use: ToolUse


@dataclass(frozen=True, slots=True)
class PolicyWithTarget:
    """Policy with one of its targets."""

    target: str
    layer: PolicyLayer
    policy: Policy


@dataclass(frozen=True, slots=True)
class IdentityReach:
    """Reach of one identity.

    Attributes:
        text: Reason for the level, in words.
        missing: Data without which the level is not known; empty if it is known.
        source: Source of `scan` that has the missing data.
    """

    level: ReachLevel
    text: str
    missing: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class OutsideEntry:
    """Role that principals outside of its organisation can assume.

    Attributes:
        principals: Principals that the trust policy admits; `*` for anyone.
        conditional: Whether conditions apply.
    """

    identity: str
    principals: tuple[str, ...]
    conditional: bool


@dataclass(frozen=True, slots=True)
class PlatformEntry:
    """Grant outside of AWS by which outsiders act as an identity.

    Attributes:
        rule: Id of the rule that lists it.
        subject: Identity or resource that the grant opens.
        grantee: Identity whose reach outsiders get.
        title: The grant in words.
        statement: Binding or provider that grants it.
        repair: Repair in words.
    """

    rule: str
    platform: str
    subject: str
    grantee: str
    title: str
    trigger: Trigger
    statement: str
    repair: str
    seen: FactProvenance
    place: str = ""


@dataclass(frozen=True, slots=True)
class EntryGap:
    """Grants of a platform that cannot be judged.

    Attributes:
        subject: Platform, identity or provider.
        missing: The missing data.
        source: Source of `scan` that has it; empty for none.
    """

    rule: str
    platform: str
    subject: str
    missing: str
    source: str = ""


class ReachView(Protocol):
    """Reach of the snapshot's identities, computed on the first request."""

    def get_reach(self, identity: str) -> IdentityReach:
        """Return the reach of an identity."""

    def list_administrators(self) -> Iterable[str]:
        """List the identities that are or can become administrators."""

    def list_accounts_without_paths(self) -> Sequence[str]:
        """List the AWS accounts with paths that end where identities are too many."""

    def list_outside_entries(self) -> Iterable[OutsideEntry]:
        """List the roles whose trust policy admits outsiders."""

    def list_platform_entries(self) -> Sequence[PlatformEntry | EntryGap]:
        """List the grants to outsiders on other platforms, and what is not judged."""

    def find_administrator_path(self, identity: str) -> tuple[PathItem, ...]:
        """Return the steps to an administrator; empty for an administrator."""


@dataclass(frozen=True, slots=True)
class UsageCount:
    """Logged use of one identity.

    Attributes:
        count: Number of calls.
        last: Time of the latest call, UTC nanoseconds; 0 for none.
        days: UTC days since 1970 of which all events of the log are stored.
    """

    count: int
    last: int
    days: frozenset[int]


@dataclass(frozen=True, slots=True)
class GrantedActionUse:
    """Logged use of the actions that an identity's policies grant.

    Attributes:
        granted: Number of granted actions.
        unused: Granted actions whose calls the logs record, and that have none.
        not_recorded: Granted actions whose calls the logs do not record.
        days: Number of days of which all events of the log are stored.
    """

    granted: int
    unused: tuple[str, ...]
    not_recorded: tuple[str, ...]
    days: int


class NoLogs:
    """Logged use without any log."""

    @property
    def sources(self) -> frozenset[str]:
        """Return that no log was ingested."""
        return frozenset()

    def get_use(self, identity: str) -> UsageCount | None:
        """Return that the use of an identity is not known."""
        return None

    def load_uses(self, identities: Collection[str]) -> None:
        """Read nothing, since there is no log."""

    def find_log_gap(self, identity: str) -> str:
        """Return that nothing covers the calls of an identity."""
        return NO_LOG


class SchemaState(Enum):
    """State of the argument schema that the gateway enforces for a tool."""

    CLOSED = "closed"
    OPEN = "open"
    NOT_APPROVED = "not approved"
    NOT_SEEN = "not seen"


@dataclass(frozen=True, slots=True)
class ArgumentLimit:
    """Limit on arguments of one tool by one policy of the gateway.

    Attributes:
        tool: Id of the tool; of all tools of a server with the name `*`.
        policy: `FILE:ID` of the policy.
        agent: The one agent that the policy is about; empty for any.
        reads: Argument that it reads, with dots between.
        schema: State of the schema of the object that has the argument.
        place: File of the policy, with a pointer to it.
    """

    tool: str
    policy: str
    agent: str
    reads: str
    schema: SchemaState
    place: str


class UseView(Protocol):
    """Logged use of identities."""

    @property
    def sources(self) -> frozenset[str]:
        """Return the sources of the ingested logs."""

    def get_use(self, identity: str) -> UsageCount | None:
        """Return the use of an identity; None if no log covers it."""

    def load_uses(self, identities: Collection[str]) -> None:
        """Read the use of several identities at once, for later questions."""

    def find_log_gap(self, identity: str) -> str:
        """Name the evidence that an identity's calls lack; empty if a log covers them."""


@dataclass(frozen=True, slots=True)
class PostureFacts:
    """Facts of one snapshot.

    Attributes:
        inventory: Inventory, with owners assessed at `now`.
        now: UTC nanoseconds.
        reach: Reach of its identities.
        use: Logged use of its identities.
        bounded: Agents with a signed baseline in force.
        asserted_by_caller: Tells whether the caller sets a condition key about itself.
        action_use: Returns the use of the granted actions of an identity; None if no
            log covers it.
        argument_limits: Limits by policies of the gateway; None if its configuration
            was not read.
    """

    inventory: Inventory
    now: int
    reach: ReachView
    use: UseView = field(default_factory=NoLogs)
    bounded: frozenset[str] = frozenset()
    asserted_by_caller: Callable[[str], bool] = lambda _: False
    action_use: Callable[[str], GrantedActionUse | None] = lambda _: None
    argument_limits: Sequence[ArgumentLimit] | None = None

    def list_tools_of_credential(self, credential: str) -> Sequence[ToolOfAgent]:
        """List the tools that use a credential."""
        return self.inventory.get_or_compute_value(
            "posture: tools of credentials", _group_tools_by_credential
        ).get(credential, ())

    def list_agents_of_identity(self, identity: str) -> Sequence[str]:
        """List the agents that act as an identity."""
        return self.inventory.get_or_compute_value(
            "posture: agents of identities", _group_agents_by_identity
        ).get(identity, ())

    def list_attached_policies(
        self, layers: Collection[PolicyLayer], is_relevant: Callable[[Statement], bool]
    ) -> Sequence[PolicyWithTarget]:
        """List the attached policies that have a relevant statement.

        All policies are read once, and only these stay in memory.
        """
        facts = self.inventory.facts
        policies = {
            each.id: each
            for each in cast("Iterator[Policy]", facts.iterate("policies"))
            if any(map(is_relevant, each.statements))
        }
        if not policies:
            return ()
        return [
            PolicyWithTarget(each.target, each.layer, policies[each.policy])
            for each in cast("Iterator[PolicyAttachment]", facts.iterate("attachments"))
            if each.policy in policies and each.layer in layers
        ]

    def get_policy(self, policy: str) -> Policy | None:
        """Return a collected policy; None if it was not collected."""
        return self.inventory.facts.policies_by_id().get(policy)

    def is_collected(self, word: str) -> bool:
        """Return whether a source collected a kind of data."""
        if word == GATEWAY_POLICIES:
            return self.argument_limits is not None
        return any(word in each.collected for each in self.inventory.coverage)

    def has_connector(self, name: str) -> bool:
        """Return whether a source of a connector was scanned."""
        return any(each.connector == name for each in self.inventory.coverage)


def _group_tools_by_credential(
    inventory: Inventory,
) -> Mapping[str, list[ToolOfAgent]]:
    """Group the tools of agents by the credentials that they use."""
    found: dict[str, list[ToolOfAgent]] = defaultdict(list)
    for key, entity in sorted(inventory.agents.items()):
        for use in entity.tools:
            for credential in dict.fromkeys(use.credentials):
                found[credential].append(ToolOfAgent(key, use))
    return found


def _group_agents_by_identity(inventory: Inventory) -> Mapping[str, list[str]]:
    """Group the agents by the identities that they act as."""
    found: dict[str, list[str]] = defaultdict(list)
    for key, entity in sorted(inventory.agents.items()):
        for identity in dict.fromkeys(entity.identities):
            found[identity].append(key)
    return found
