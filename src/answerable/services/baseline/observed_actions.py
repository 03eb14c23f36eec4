"""Read the actions of an AWS identity from ingested logs, as IAM names them."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from answerable.baseline.policy_export.aws_profile import ActionsOfCall
from answerable.baseline.policy_export.aws_resources import is_resource_of_action
from answerable.connectors.iam_catalogue.fetch import load_catalogue
from answerable.model.action_catalogue import ActionCatalogue
from answerable.model.errors import UsageError
from answerable.model.observed_action import ObservedAction
from answerable.services.baseline.policy_export import load_actions_of_calls
from answerable.store.observed_call_queries import (
    MAX_ROWS,
    ResourceCallCount,
    count_calls_by_resource,
    list_identities_with_prefix,
)
from answerable.store.store import EvidenceStore

_PASSING = "iam:PassRole"
# Role of a permission set in one account; its hash differs from account to account.
# Source: IAM Identity Center User Guide, "Referencing permission sets in resource
# policies".
_PERMISSION_SET_ROLE = re.compile(r".*/(AWSReservedSSO_.+_)[0-9a-f]{16}")


@dataclass(slots=True)
class _ActionTotal:
    """Running total of one action."""

    resource_sets: set[frozenset[str]] = field(default_factory=set)
    count: int = 0
    last: int = 0
    via: set[str] = field(default_factory=set)

    def add(self, row: ResourceCallCount, resources: Iterable[str]) -> None:
        """Add the calls of one row."""
        self.resource_sets.add(frozenset(resources))
        self.count += row.count
        self.last = max(self.last, row.last)
        if row.invoked_by:
            self.via.add(row.invoked_by)


@dataclass(frozen=True, slots=True)
class ObservedActions:
    """Observed actions of an identity.

    Attributes:
        identities: Identities whose events were read: all roles of a permission set.
        actions: By name.
        catalogue: Actions of the called services.
    """

    identities: tuple[str, ...]
    actions: tuple[ObservedAction, ...]
    catalogue: ActionCatalogue


def is_permission_set_role(identity: str) -> bool:
    """Return whether a role belongs to a permission set of IAM Identity Center."""
    return _PERMISSION_SET_ROLE.fullmatch(identity) is not None


def read_observed_actions(
    store: EvidenceStore, identity: str, *, since: int, until: int
) -> ObservedActions:
    """Read the successful calls of an identity as IAM actions with their resources.

    Args:
        identity: ARN of a role or user. For a role of a permission set, the roles of
            the same set in all accounts count together.
        since: UTC nanoseconds, inclusive.
        until: UTC nanoseconds, exclusive.

    Raises:
        UsageError: The log names too many resources.
    """
    names = [identity]
    match = _PERMISSION_SET_ROLE.fullmatch(identity)
    if match:
        others = list_identities_with_prefix(store, f"/{match[1]}")
        names = sorted({identity, *filter(is_permission_set_role, others)})
    rows = count_calls_by_resource(store, names, since=since, until=until)
    if len(rows) > MAX_ROWS:
        raise UsageError(
            f"the log names more than {MAX_ROWS} resources of {identity}",
            "name a later --since",
        )
    calls = load_actions_of_calls()
    actions = {name for row in rows for name in _list_actions(row, calls)}
    services = {each.partition(":")[0] for each in actions}
    catalogue = load_catalogue({*services, "iam"})
    return ObservedActions(
        tuple(names), tuple(_count_actions(rows, calls, catalogue)), catalogue
    )


def _list_actions(row: ResourceCallCount, calls: ActionsOfCall) -> Sequence[str]:
    """List the IAM actions of a call."""
    known = calls.get(row.action)
    return known or (row.authorised_by or row.action,)


def _count_actions(
    rows: Iterable[ResourceCallCount], calls: ActionsOfCall, catalogue: ActionCatalogue
) -> list[ObservedAction]:
    """Count rows by IAM action; passed roles are calls of `iam:PassRole`."""
    totals: dict[str, _ActionTotal] = defaultdict(_ActionTotal)
    for row in rows:
        for name in _list_actions(row, calls):
            action = catalogue.find_action(name)
            named = [
                each
                for each in row.resources
                if action and is_resource_of_action(catalogue, action, each)
            ]
            totals[str(action or name)].add(row, named)
        for role in row.passed_roles:
            totals[_PASSING].add(row, [role])
    return [
        ObservedAction(
            action=name,
            resource_sets=frozenset(total.resource_sets),
            count=total.count,
            last=total.last,
            via=frozenset(total.via),
        )
        for name, total in sorted(totals.items())
    ]
