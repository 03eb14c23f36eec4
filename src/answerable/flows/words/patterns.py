"""Words for how much of a resource pattern an answer allows."""

from collections.abc import Sequence

from answerable.model.document import CanItem, PartItem, ReachItem

_EXTENTS = {"all": "all of ", "part": "part of ", "none": "any of "}


def extent(item: CanItem | ReachItem) -> str:
    """Say how much of a pattern, with a space behind; empty for a single resource."""
    return _EXTENTS.get(item.get("covers", ""), "")


def told_parts(item: CanItem | ReachItem) -> Sequence[PartItem]:
    """Give the parts that say more than the answer as a whole does."""
    parts = item.get("parts", [])
    alone = item.get("covers") == "all" and len(parts) < 2
    return [] if alone else parts
