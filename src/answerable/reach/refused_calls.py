"""Explanation of a call that no platform takes."""

from collections.abc import Sequence

from answerable.model.errors import UsageError
from answerable.model.inventory import Inventory
from answerable.reach.platform import PermissionPlatform, Question


def find_knowing_error(
    platforms: Sequence[PermissionPlatform], inventory: Inventory, question: Question
) -> UsageError | None:
    """Find what a platform with collected identities, which knows the action, says."""
    kinds = {each.kind for each in inventory.facts.iterate_identities()}
    described = {each.platform for each in inventory.facts.catalogues}
    for platform in platforms:
        collected = platform.name in described or any(
            kind.startswith(platform.kinds) for kind in kinds
        )
        actions = platform.suggest_actions(question.action) if collected else ()
        if any(name == question.action.lower() for name, _ in actions):
            try:
                platform.parse_call(inventory, question.action, question.resource)
            except UsageError as error:
                return error
    return None
