"""Parse a permission and a resource of Google Cloud."""

import re
from difflib import get_close_matches

from answerable.model.errors import UsageError
from answerable.model.google_cloud_ids import (
    expand_resource_name,
    is_resource,
    normalise_permission,
)
from answerable.reach.gcp.estate_access import EstateAccess

_PERMISSION = re.compile(r"[a-zA-Z][\w.-]*\.[\w./-]+\.[\w-]+|[\w.-]+/[\w.-]+")
_RESOURCE_HINT = (
    "write a full resource name (//storage.googleapis.com/BUCKET), projects/ID, "
    "folders/NUMBER, organizations/NUMBER, gs://BUCKET or a service account"
)


def parse_call(access: EstateAccess, action: str, resource: str) -> tuple[str, str]:
    """Parse a permission, and the name of a resource.

    Raises:
        UsageError: One of them is unknown; the hint has the nearest spelling.
    """
    return _parse_permission(access, action), _parse_resource(access, resource)


def _parse_permission(access: EstateAccess, text: str) -> str:
    """Parse a permission: `storage.objects.get`, or with the host of its service."""
    known = access.index.roles.known
    name = normalise_permission(text)
    if name in known:
        return name
    folded = {each.lower(): each for each in known}
    if name.lower() in folded:
        return folded[name.lower()]
    close = get_close_matches(name, known, n=1, cutoff=0.8)
    what = "unknown permission" if _PERMISSION.fullmatch(text) else "not a permission"
    hint = (
        f"no role of the catalogue ({access.index.roles.date or 'none'}) contains "
        "this permission; "
    )
    hint += "newer roles: answerable scan gcp-roles:FILE"
    if close:
        hint = f"did you mean {close[0]!r}?"
    raise UsageError(f"{what} (got {text[:80]!r})", hint)


def _parse_resource(access: EstateAccess, text: str) -> str:
    """Parse a full resource name or a short form; a known name without its path."""
    full = expand_resource_name(text)
    tree = access.index.tree
    if is_resource(full):
        return tree.normalise(full)
    ends = [
        each
        for each in (*tree.resources, *access.index.by_resource)
        if each.rpartition("/")[2] == text
    ]
    names = list(dict.fromkeys(ends))
    if len(names) == 1:
        return names[0]
    if names:
        listed = ", ".join(names[:3])
        raise UsageError(f"several resources are named {text[:80]!r}", listed)
    raise UsageError(f"not a resource (got {text[:80]!r})", _RESOURCE_HINT)
