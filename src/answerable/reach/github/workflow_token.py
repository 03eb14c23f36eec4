"""Permissions of GITHUB_TOKEN: the defaults, what a job states, and actions for them.

Source: https://docs.github.com/actions/reference/github_token-reference
"""

from collections.abc import Mapping

from answerable.reach.github.catalogue import WorkflowJob
from answerable.reach.github.organization_index import RepositoryPlace

Permissions = Mapping[str, str]
NONE, READ, WRITE = "none", "read", "write"
_RANK = (NONE, READ, WRITE)
# Scopes with the permissive and the restricted default.
DEFAULTS: Mapping[str, tuple[str, str]] = {
    "actions": (WRITE, NONE),
    "artifact-metadata": (WRITE, NONE),
    "attestations": (WRITE, NONE),
    "checks": (WRITE, NONE),
    "contents": (WRITE, READ),
    "deployments": (WRITE, NONE),
    "discussions": (WRITE, NONE),
    "id-token": (NONE, NONE),
    "issues": (WRITE, NONE),
    "metadata": (READ, READ),
    "models": (READ, NONE),
    "packages": (WRITE, READ),
    "pages": (WRITE, NONE),
    "pull-requests": (WRITE, NONE),
    "security-events": (WRITE, NONE),
    "statuses": (WRITE, NONE),
}
# Highest access of a scope, where it is not `write`.
_HIGHEST = {"metadata": READ, "models": READ}
_ALL = "all"


def parse_token_action(action: str) -> tuple[str, str] | None:
    """Parse an action on the API as a scope with its access: `contents:write`."""
    scope, _, access = action.partition(":")
    if scope not in DEFAULTS or access not in (READ, WRITE):
        return None
    # An OIDC token is requested, not read.
    valid = access == WRITE if scope == "id-token" else True
    return (
        (scope, access)
        if valid and _includes_access(_get_highest(scope), access)
        else None
    )


def get_token_permissions(
    place: RepositoryPlace, job: WorkflowJob
) -> Permissions | None:
    """Return the permissions of a job's token; None where the default is not known.

    Source: https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax
    """
    if job.permissions is not None:
        return _expand_scopes(job.permissions)
    default = get_default(place)
    if not default:
        return None
    column = 0 if default == WRITE else 1
    return {scope: levels[column] for scope, levels in DEFAULTS.items()}


def get_default(place: RepositoryPlace) -> str:
    """Return the default of a repository: `write`, `read`; empty where not known.

    "If the default is set to the restricted permissions at any of these levels then this
    will apply to the relevant repositories."
    """
    own = place.repository.default_token_permission
    shared = place.index.organization.default_token_permission
    if READ in (own, shared):
        return READ
    return own or shared


def _expand_scopes(stated: tuple[tuple[str, str], ...]) -> Permissions:
    """Expand the scope `all`, and the scopes that are not stated."""
    found = dict(stated)
    whole = found.pop(_ALL, NONE)
    return {
        scope: min(whole, _get_highest(scope), key=_RANK.index)
        if scope not in found
        else found[scope]
        for scope in (*DEFAULTS, *(set(found) - set(DEFAULTS)))
    }


def _get_highest(scope: str) -> str:
    """Return the highest access of a scope."""
    return _HIGHEST.get(scope, WRITE)


def limit_permissions(inner: Permissions, outer: Permissions) -> Permissions:
    """Limit the permissions of a called workflow to those of its caller."""
    return {
        scope: min(access, outer.get(scope, NONE), key=_rank_access)
        for scope, access in inner.items()
    }


def _rank_access(access: str) -> int:
    """Rank an access; an unknown one is the lowest."""
    return _RANK.index(access) if access in _RANK else 0


def _includes_access(held: str, wanted: str) -> bool:
    """Return whether an access includes another."""
    return _rank_access(held) >= _rank_access(wanted)


def has_permission(permissions: Permissions, scope: str, access: str) -> bool:
    """Return whether a token has a permission."""
    return _includes_access(permissions.get(scope, NONE), access)
