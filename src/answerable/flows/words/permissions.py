"""Permissions that read alike, together: under their path, by what they have in common."""

from collections.abc import Sequence
from dataclasses import dataclass

from answerable.model.document import ReachItem


@dataclass(slots=True)
class Block:
    """Items that differ in their action alone.

    Attributes:
        item: The first of them.
        actions: Of all of them.
    """

    item: ReachItem
    actions: list[str]


def by_way(items: Sequence[ReachItem]) -> list[list[Block]]:
    """Put items under the path that leads to them, alike ones together."""
    ways: dict[str, dict[str, Block]] = {}
    for item in items:
        way = repr((item["subject"], item["admin"], item["path"]))
        rest = (item["verdict"], item["resource"], item["conditions"])
        same = repr((rest, item["determining"]))
        block = ways.setdefault(way, {}).setdefault(same, Block(item, []))
        block.actions.append(item["action"])
    return [list(blocks.values()) for blocks in ways.values()]
