"""Parse the action and the resource of a permission query."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from answerable.model.inventory import Inventory
from answerable.reach.aws import resource_argument_parser
from answerable.reach.aws.action_validation import (
    LoadCatalogue,
    check_action_glob,
    parse_action,
)

if TYPE_CHECKING:
    from answerable.reach.aws.compiled.accounts import CompiledAccounts
    from answerable.reach.aws.permission_rows.row_types import RowFilter
    from answerable.reach.aws.policy_vocabulary import PolicyNames


def parse_call(
    inventory: Inventory, load_catalogue: LoadCatalogue, action: str, resource: str
) -> tuple[str, str]:
    """Parse the action and the resource of one call.

    Raises:
        UsageError: One of them is unknown; the hint has the nearest spelling.
    """
    facts = inventory.facts

    def used() -> "PolicyNames":
        return _collect_names_used_in_policies(inventory)

    spelled = parse_action(action, load_catalogue, used)
    return spelled, resource_argument_parser.parse_resource_argument(
        resource, facts, load_catalogue, used
    )


def parse_permission_filter(
    inventory: Inventory, load_catalogue: LoadCatalogue, action: str, resource: str
) -> "RowFilter":
    """Parse the action and resource globs of a list.

    Raises:
        UsageError: No action or no resource can match; the hint has the nearest
            spelling.
    """
    from answerable.reach.aws.permission_rows.row_types import parse_row_filter

    facts = inventory.facts

    def used() -> "PolicyNames":
        return _collect_names_used_in_policies(inventory)

    if action.strip("*"):
        check_action_glob(action, load_catalogue, used)
    return parse_row_filter(
        action,
        resource_argument_parser.parse_resource_glob_argument(
            resource, facts, load_catalogue, used
        ),
    )


def suggest_services_or_actions(
    load_catalogue: LoadCatalogue, prefix: str
) -> Iterable[tuple[str, str]]:
    """Suggest services first, then the actions of the named service."""
    service, colon, name = prefix.lower().partition(":")
    if not colon:
        known = sorted(load_catalogue(()).known)
        return [(f"{one}:", "service") for one in known if one.startswith(service)]
    entry = load_catalogue({service}).services.get(service)
    if entry is None:
        return []
    starting = [e for key, e in entry.actions.items() if key.startswith(name)]
    holding = [e for key, e in entry.actions.items() if name in key[1:]]
    listed = dict.fromkeys((*starting, *holding))
    return [(str(action), action.access) for action in listed]


def _collect_names_used_in_policies(inventory: Inventory) -> "PolicyNames":
    """Collect the actions and services that the policies name, once per snapshot."""
    from answerable.reach.aws.policy_vocabulary import collect_policy_names

    return inventory.get_or_compute_value(
        "names in policies", lambda each: collect_policy_names(each.facts)
    )


def is_pattern_question(
    accounts: "CompiledAccounts", action: str, resource: str
) -> bool:
    """Return whether a question is about all resources of a pattern.

    Args:
        accounts: The compiled accounts.
        action: The action.
        resource: An ARN, a pattern, or `*`, which is no pattern for an action without
            resources.
    """
    call = accounts.get_cached_request(action, resource)
    return call is not None and call.wild
