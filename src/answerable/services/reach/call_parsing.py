"""Parsing of the action and the resource of a permission query."""

from answerable.connectors.iam_catalogue.fetch import load
from answerable.model.inventory import Inventory
from answerable.reach.aws import resource_arguments
from answerable.reach.aws.action_names import check_action_glob, read_action
from answerable.reach.aws.permission_rows.row_types import Filter, make_filter
from answerable.reach.aws.policy_names import UsedNames, used_names
from answerable.services.reach.query_context import Asked


def call_of(asked: Asked, action: str, resource: str) -> tuple[str, str]:
    """Parse the action and the resource of one call.

    Raises:
        UsageError: One of them is unknown; the hint has the nearest spelling.
    """
    facts = asked.inventory.facts

    def used() -> UsedNames:
        return _used(asked.inventory)

    spelled = read_action(action, load, used)
    return spelled, resource_arguments.read_resource(resource, facts, load, used)


def wanted_of(asked: Asked, action: str, resource: str) -> Filter:
    """Parse the action and resource globs of a list.

    Raises:
        UsageError: No action or no resource can match; the hint has the nearest
            spelling.
    """
    facts = asked.inventory.facts

    def used() -> UsedNames:
        return _used(asked.inventory)

    if action.strip("*"):
        check_action_glob(action, load, used)
    return make_filter(
        action, resource_arguments.read_resource_glob(resource, facts, load, used)
    )


def _used(inventory: Inventory) -> UsedNames:
    return inventory.once("names in policies", lambda each: used_names(each.facts))
