"""Count the recorded calls of an identity, and find the logs that a count lacks."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from answerable.lineage.chain_index import ChainIndex
from answerable.lineage.chain_stitching_types import ChainTimeline
from answerable.lineage.cloudtrail_data_events import is_cloudtrail_data_event
from answerable.model.action_catalogue import ActionCatalogue
from answerable.model.documents.logged_days import LoggedDaysItem
from answerable.model.event import EventOutcome
from answerable.model.ids import AgentId, CredentialId
from answerable.model.inventory import Inventory
from answerable.model.lineage import LineageChain
from answerable.presentation.recorded_days import build_recorded_item
from answerable.services.lineage.chain_cache import load_or_compute_chains
from answerable.store.event_queries import (
    AccountLogSpan,
    count_calls_by_chain_key,
    count_successful_calls_by_chain_key,
    read_account_log_spans,
    read_logged_days,
)
from answerable.store.store import EvidenceStore


@dataclass(frozen=True, slots=True)
class CallCount:
    """Recorded calls of one action by one identity.

    Attributes:
        action: Action that IAM authorizes.
        last: Time of the latest call, UTC nanoseconds.
    """

    action: str
    identity: str
    outcome: EventOutcome
    count: int
    last: int


def count_recorded_calls(
    store: EvidenceStore,
    inventory: Inventory,
    subject: str,
    loaded_chains: Sequence[ChainTimeline] | None = None,
) -> list[CallCount]:
    """Count the recorded platform calls of a subject, by action, identity and outcome.

    Calls that a mediator saw (`mcp:...`) are no actions of platform policies.

    Args:
        subject: Id of an agent, identity or credential.
        loaded_chains: Loaded chains; None to load them.
    """
    acts = _build_subject_predicate(inventory, subject)
    every: Sequence[ChainTimeline] = (
        load_or_compute_chains(store) if loaded_chains is None else loaded_chains
    )
    if isinstance(loaded_chains, ChainIndex):  # its lookups are cached
        every = loaded_chains.chains_by_id.get(subject, ())
    chains = [
        (each.chain_key, chain)
        for each in every
        if each.chain_key.believed and not each.chain_key.key.agent
        for chain in each.chains
        if acts(chain)
    ]
    if not chains:
        return []
    keys = [(joint, chain.valid_from, chain.valid_to) for joint, chain in chains]
    found: dict[tuple[str, str, EventOutcome], CallCount] = {}
    for call in count_calls_by_chain_key(store, keys):
        identity = chains[call.key][1].identity.value
        counted = (call.action, identity, call.outcome)
        count, last = call.count, call.last
        if counted in found:  # in another session of the same identity
            count += found[counted].count
            last = max(last, found[counted].last)
        found[counted] = CallCount(*counted, count=count, last=last)
    return list(found.values())


def count_successful_calls(
    store: EvidenceStore, identities: Collection[str], chains: ChainIndex
) -> dict[str, tuple[int, int]]:
    """Count the platform calls of identities that were not denied, by one query.

    Returns:
        Number of calls and time of the latest (UTC nanoseconds), by identity with calls.
    """
    wanted = frozenset(identities)
    found = [
        (each.chain_key, chain, names)
        for each in {
            each.chain_key: each
            for name in wanted
            for each in chains.chains_by_id.get(name, ())
        }.values()
        if each.chain_key.believed and not each.chain_key.key.agent
        for chain in each.chains
        if (names := wanted.intersection(chain.identity_path))
    ]
    if not found:
        return {}
    keys = [(joint, chain.valid_from, chain.valid_to) for joint, chain, _ in found]
    counted: dict[str, tuple[int, int]] = {}
    for n, (count, last) in count_successful_calls_by_chain_key(store, keys).items():
        for name in found[n][2]:
            known = counted.get(name, (0, 0))
            counted[name] = known[0] + count, max(known[1], last)
    return counted


def _build_subject_predicate(
    inventory: Inventory, subject: str
) -> Callable[[LineageChain], bool]:
    """Build a predicate for chains in which a subject acts, directly or by role."""
    if AgentId(subject) in inventory.agents:
        return lambda chain: subject in chain.agent_path
    if CredentialId(subject) in inventory.credentials:
        return lambda chain: (
            subject in chain.credential_path or chain.key.credential == subject
        )
    return lambda chain: subject in chain.identity_path


@dataclass(frozen=True, slots=True)
class LogCoverage:
    """Calls and days that the ingested logs record.

    Attributes:
        logs: Logged services by account.
        catalogue: Catalogue that marks data events.
        days: Days with events, by account and region.
    """

    logs: Mapping[str, AccountLogSpan]
    catalogue: ActionCatalogue
    days: Mapping[str, Mapping[str, frozenset[int]]]

    def find_missing_log(self, action: str, accounts: Collection[str]) -> str:
        """Name the missing log without which "no call" does not mean "unused".

        Args:
            accounts: Accounts that would record its calls.
        """
        if not accounts or not set(accounts) <= self.logs.keys():
            return "cloudtrail"
        service = action.partition(":")[0]
        if is_cloudtrail_data_event(self.catalogue, action) and not all(
            service in self.logs[account].data for account in accounts
        ):
            return "data-events"
        return ""

    def get_recording_start(self, accounts: Collection[str]) -> int:
        """Return the time since which all of these accounts are logged."""
        return max(self.logs[account].since for account in accounts)

    def list_recorded_days(self, accounts: Collection[str]) -> list[LoggedDaysItem]:
        """List the days that are in the logs, for each account."""
        return [
            build_recorded_item(account, self.days[account])
            for account in sorted(accounts)
            if account in self.days
        ]


def read_log_coverage(store: EvidenceStore, catalogue: ActionCatalogue) -> LogCoverage:
    """Read which accounts, days and data events the ingested logs cover."""
    return LogCoverage(
        read_account_log_spans(store), catalogue, read_logged_days(store)
    )
