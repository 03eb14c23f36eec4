"""Parsing of the action and the resource of a permission query."""

from answerable.connectors.iam_catalogue.fetch import load
from answerable.flows.asked import Asked
from answerable.model.inventory import Inventory
from answerable.reach import words
from answerable.reach.action_names import check_action_glob, read_action
from answerable.reach.rows.rows import Filter, make_filter
from answerable.reach.used_names import UsedNames, used_names


def call_of(asked: Asked, action: str, resource: str) -> tuple[str, str]:
    """Parse the action and the resource of one call.

    Raises:
        UsageError: One of them is unknown; the hint has the nearest spelling.
    """
    facts = asked.inventory.facts

    def used() -> UsedNames:
        return _used(asked.inventory)

    spelled = read_action(action, load, used)
    return spelled, words.read_resource(resource, facts, load, used)


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
    return make_filter(action, words.read_resource_glob(resource, facts, load, used))


def _used(inventory: Inventory) -> UsedNames:
    return inventory.once("names in policies", lambda each: used_names(each.facts))
