"""Replace the ids in a ruleset by the names of teams, apps, roles and repositories.

Source of the ids of built-in roles:
https://registry.terraform.io/providers/integrations/github/latest/docs/resources/repository_ruleset
"""

from collections.abc import Mapping
from dataclasses import replace

from answerable.reach.github.catalogue import BypassActor, Ruleset

_BUILT_IN_ROLES = {2: "maintain", 4: "write", 5: "admin"}


def resolve_ruleset(
    ruleset: Ruleset,
    teams: Mapping[int, str],
    apps: Mapping[int, str],
    roles: Mapping[int, str],
    repositories: Mapping[str, str],
) -> Ruleset:
    """Replace the ids of bypass actors and repositories; an unknown one stays.

    Args:
        ruleset: Ruleset as collected.
        teams: Slugs by id.
        apps: Slugs by id.
        roles: Names of custom repository roles by id.
        repositories: Names by id.
    """
    names = {
        "Team": teams,
        "Integration": apps,
        "RepositoryRole": {**_BUILT_IN_ROLES, **roles},
    }
    bypass = ruleset.bypass
    return replace(
        ruleset,
        bypass=None
        if bypass is None
        else tuple(_name_actor(each, names.get(each.kind, {})) for each in bypass),
        repositories_include=tuple(
            repositories.get(each, each) for each in ruleset.repositories_include
        ),
    )


def _name_actor(actor: BypassActor, names: Mapping[int, str]) -> BypassActor:
    """Name a bypass actor."""
    return replace(actor, name=actor.name or names.get(actor.id, ""))
