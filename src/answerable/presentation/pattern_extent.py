"""Describe how much of a resource pattern an answer covers."""

from collections.abc import Sequence

from answerable.model.documents.shared_shapes import (
    AllowedPartItem,
    PermissionCheckItem,
    ReachItem,
)

_EXTENTS = {"all": "all of ", "part": "part of ", "none": "any of "}


def describe_covered_extent(item: PermissionCheckItem | ReachItem) -> str:
    """Describe how much of a pattern is covered, with a trailing space."""
    return _EXTENTS.get(item.get("covers", ""), "")


def select_pattern_parts(
    item: PermissionCheckItem | ReachItem,
) -> Sequence[AllowedPartItem]:
    """Select the parts of a pattern to list; none if one part is the whole answer."""
    parts = item.get("parts", [])
    alone = item.get("covers") == "all" and len(parts) < 2
    return [] if alone else parts
