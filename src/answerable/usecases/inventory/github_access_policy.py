"""Render the manifest of the GitHub App that a live scan of GitHub needs.

It is built from the permissions that the connector declares. Rulesets of an
organization need write access to its administration.

Source: https://docs.github.com/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
"""

import json
from collections.abc import Sequence

from answerable.connectors.github.declaration import DECLARATION
from answerable.connectors.github.endpoints import ENDPOINTS
from answerable.model.errors import UsageError

FORM = "github-app"
_RANK = ("read", "write")
# Permissions of an organization whose name does not begin with `organization_`.
_PLAIN = ("members",)


def render_app_manifest(source_names: Sequence[str]) -> str:
    """Render the manifest of a GitHub App as JSON.

    Raises:
        UsageError: Another source than `github` is named.
    """
    if list(source_names) != [DECLARATION.name]:
        raise UsageError(
            f"--policy {FORM} is for an organization of GitHub "
            f"(got {', '.join(source_names) or 'no source'})",
            f"name it: answerable where --policy {FORM} {DECLARATION.name}:ORG",
        )
    permissions: dict[str, str] = {}
    for endpoint in ENDPOINTS:
        text = endpoint.permission.partition(" (")[0]
        scope, _, access = text.partition(": ")
        if not access:
            continue
        owner, _, name = scope.rpartition(" ")
        if owner and name not in _PLAIN:
            name = f"{owner}_{name}"
        permissions[name] = max(permissions.get(name, access), access, key=_RANK.index)
    manifest = {
        "name": "answerable-read",
        "url": "https://example.com",
        "public": False,
        "hook_attributes": {"url": "https://example.com", "active": False},
        "default_events": [],
        "default_permissions": dict(sorted(permissions.items())),
    }
    return json.dumps(manifest, indent=2) + "\n"
