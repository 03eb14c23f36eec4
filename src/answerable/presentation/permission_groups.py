"""Group permission items by path, verdict and conditions for display."""

from collections.abc import Sequence
from dataclasses import dataclass

from answerable.model.documents.shared_shapes import ReachItem


@dataclass(slots=True)
class PermissionBlock:
    """Items that differ only in their action.

    Attributes:
        item: The first item.
        actions: Actions of all items.
    """

    item: ReachItem
    actions: list[str]


def group_permissions_by_path(
    items: Sequence[ReachItem],
) -> list[list[PermissionBlock]]:
    """Group permission items by path, and join those that differ in the action."""
    ways: dict[str, dict[str, PermissionBlock]] = {}
    for item in items:
        way = repr((item["subject"], item["admin"], item["path"]))
        rest = (item["verdict"], item["resource"], item["conditions"])
        same = repr((rest, item["determining"]))
        block = ways.setdefault(way, {}).setdefault(same, PermissionBlock(item, []))
        block.actions.append(item["action"])
    return [list(blocks.values()) for blocks in ways.values()]
