"""Recorded calls of a subject, and the calls that no trail records."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from answerable.lineage.chain_index import Chains
from answerable.lineage.data_events import is_data_event
from answerable.lineage.stitch_inputs import JointChains
from answerable.model.action_catalogue import Catalogue
from answerable.model.documents.logged_days import RecordedItem
from answerable.model.event import Outcome
from answerable.model.ids import AgentId, CredentialId
from answerable.model.inventory import Inventory
from answerable.model.lineage import Chain
from answerable.presentation.recorded_days import recorded_item
from answerable.services.lineage.stitched_chains import stitched
from answerable.store.chain_queries import (
    Recorded,
    count_calls,
    recorded,
    recorded_days,
)
from answerable.store.store import Store


@dataclass(frozen=True, slots=True)
class Calls:
    """Recorded calls of one action by one identity.

    Attributes:
        action: Action that IAM authorizes.
        last: Time of the latest call, UTC nanoseconds.
    """

    action: str
    identity: str
    outcome: Outcome
    count: int
    last: int


def calls_of(
    store: Store,
    inventory: Inventory,
    subject: str,
    stood: Sequence[JointChains] | None = None,
) -> list[Calls]:
    """Count the recorded calls of a subject on platforms.

    Calls that a mediator saw (`mcp:...`) are no actions of platform policies.

    Args:
        subject: Id of an agent, identity or credential.
        stood: Loaded chains; None to load them.
    """
    acts = _acts(inventory, subject)
    every: Sequence[JointChains] = stitched(store) if stood is None else stood
    if isinstance(stood, Chains):  # its lookups are cached
        every = stood.standing_in.get(subject, ())
    chains = [
        (each.joint, chain)
        for each in every
        if each.joint.believed and not each.joint.key.agent
        for chain in each.chains
        if acts(chain)
    ]
    if not chains:
        return []
    keys = [(joint, chain.valid_from, chain.valid_to) for joint, chain in chains]
    return [
        Calls(
            call.action,
            chains[call.key][1].identity.value,
            call.outcome,
            call.count,
            call.last,
        )
        for call in count_calls(store, keys)
    ]


def _acts(inventory: Inventory, subject: str) -> Callable[[Chain], bool]:
    """Build the test for chains in which a subject acts, directly or by role."""
    if AgentId(subject) in inventory.agents:
        return lambda chain: subject in chain.agent_path
    if CredentialId(subject) in inventory.credentials:
        return lambda chain: (
            subject in chain.credential_path or chain.key.credential == subject
        )
    return lambda chain: subject in chain.identity_path


@dataclass(frozen=True, slots=True)
class Trail:
    """Calls and days that the ingested logs record.

    Attributes:
        logs: Logged services by account.
        catalogue: Catalogue that marks data events.
        days: Days with events, by account and region.
    """

    logs: Mapping[str, Recorded]
    catalogue: Catalogue
    days: Mapping[str, Mapping[str, frozenset[int]]]

    def lacks(self, action: str, accounts: Collection[str]) -> str:
        """Name the log that is needed before "no call" means "unused".

        Args:
            accounts: Accounts that would record its calls.
        """
        if not accounts or not set(accounts) <= self.logs.keys():
            return "cloudtrail"
        service = action.partition(":")[0]
        if is_data_event(self.catalogue, action) and not all(
            service in self.logs[account].data for account in accounts
        ):
            return "data-events"
        return ""

    def since(self, accounts: Collection[str]) -> int:
        """Return the time since which all of these accounts are logged."""
        return max(self.logs[account].since for account in accounts)

    def recorded(self, accounts: Collection[str]) -> list[RecordedItem]:
        """List the recorded days of the logged accounts."""
        return [
            recorded_item(account, self.days[account])
            for account in sorted(accounts)
            if account in self.days
        ]


def trail_of(store: Store, catalogue: Catalogue) -> Trail:
    """Read from the store which calls and days are logged."""
    return Trail(recorded(store), catalogue, recorded_days(store))
