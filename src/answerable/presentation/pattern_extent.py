"""Extent of a resource pattern that an answer covers, in words."""

from collections.abc import Sequence

from answerable.model.documents.core import (
    AllowedPartItem,
    PermissionCheckItem,
    ReachItem,
)

_EXTENTS = {"all": "all of ", "part": "part of ", "none": "any of "}


def describe_extent(item: PermissionCheckItem | ReachItem) -> str:
    """Describe the extent with a trailing space; empty for a single resource."""
    return _EXTENTS.get(item.get("covers", ""), "")


def select_parts(item: PermissionCheckItem | ReachItem) -> Sequence[AllowedPartItem]:
    """Select the parts that add information to the whole answer."""
    parts = item.get("parts", [])
    alone = item.get("covers") == "all" and len(parts) < 2
    return [] if alone else parts
