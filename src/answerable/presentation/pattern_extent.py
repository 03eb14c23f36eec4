"""Extent of a resource pattern that an answer covers, in words."""

from collections.abc import Sequence

from answerable.model.documents.core import CanItem, PartItem, ReachItem

_EXTENTS = {"all": "all of ", "part": "part of ", "none": "any of "}


def extent(item: CanItem | ReachItem) -> str:
    """Describe the extent with a trailing space; empty for a single resource."""
    return _EXTENTS.get(item.get("covers", ""), "")


def told_parts(item: CanItem | ReachItem) -> Sequence[PartItem]:
    """Select the parts that add information to the whole answer."""
    parts = item.get("parts", [])
    alone = item.get("covers") == "all" and len(parts) < 2
    return [] if alone else parts
