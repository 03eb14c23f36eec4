"""Find the runs that may read a secret, and those that a self-hosted runner takes."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerable.reach.github.catalogue import RunnerGroup, SharedSecret
from answerable.reach.github.environments import ENVIRONMENT
from answerable.reach.github.organization_index import (
    OrganizationIndex,
    RepositoryPlace,
)
from answerable.reach.github.statements import quote
from answerable.reach.platform import DeterminingStatement


@dataclass(frozen=True, slots=True)
class SecretHolder:
    """Holder of a secret that runs of a repository may read.

    Attributes:
        context: Context that a run needs; empty for any.
    """

    place: RepositoryPlace
    context: str
    said: DeterminingStatement


def find_secret_holders(
    index: OrganizationIndex, repository: str, name: str
) -> tuple[list[SecretHolder], list[str]]:
    """Find the holders of a secret, and the missing data that could add one.

    Args:
        repository: Repository whose runs ask; empty for all.

    Source: https://docs.github.com/actions/reference/security/secrets
    """
    holders: list[SecretHolder] = []
    missing: list[str] = []
    shared = index.organization.secrets
    if shared is None:
        missing.append(f"secrets of {index.login}")
    for each in index.repositories.values():
        place = RepositoryPlace(index, each)
        if repository and each.name.lower() != repository.lower():
            continue
        for secret in shared or ():
            if secret.name.upper() == name.upper():
                visible = is_visible(secret, place)
                if visible:
                    holders.append(
                        SecretHolder(
                            place,
                            "",
                            quote(
                                "secret",
                                f"organization {index.login}",
                                f"secret {secret.name}: {secret.visibility}",
                                secret.place,
                            ),
                        )
                    )
                elif visible is None:
                    missing.append(f"repositories of the secret {secret.name}")
        if repository:
            holders += _list_own_holders(place, name, missing)
    return holders, missing


def _list_own_holders(
    place: RepositoryPlace, name: str, missing: list[str]
) -> Iterator[SecretHolder]:
    """List the repository and its environments that hold a secret."""
    repository = place.repository
    if repository.secrets is None:
        missing.append(f"secrets of {place.name}")
    if repository.environments is None:
        missing.append(f"environments of {place.name}")
    holder = f"repository {place.name}"
    if name.upper() in {each.upper() for each in repository.secrets or ()}:
        said = quote("secret", holder, f"{place.name}: secret {name}", repository.place)
        yield SecretHolder(place, "", said)
    for environment in repository.environments or ():
        if environment.secrets is None:
            missing.append(f"secrets of the environment {environment.name}")
        if name.upper() in {each.upper() for each in environment.secrets or ()}:
            text = f"{place.name}: environment {environment.name}: secret {name}"
            said = quote("secret", holder, text, environment.place)
            yield SecretHolder(place, f"{ENVIRONMENT}{environment.name}", said)


def is_visible(secret: SharedSecret, place: RepositoryPlace) -> bool | None:
    """Return whether runs of a repository may read an organization's secret.

    Returns:
        None if the selected repositories or the visibility are not known.
    """
    if secret.visibility == "all":
        return True
    if secret.visibility == "private":
        visibility = place.repository.visibility
        return visibility != "public" if visibility else None
    if secret.repositories is None:
        return None
    return place.name.lower() in {each.lower() for each in secret.repositories}


def find_runner_places(
    index: OrganizationIndex, repository: str, name: str
) -> tuple[list[SecretHolder], list[str]]:
    """Find the repositories whose runs a self-hosted runner takes.

    Source: https://docs.github.com/actions/how-tos/manage-runners/self-hosted-runners/manage-access
    """
    found: list[SecretHolder] = []
    missing: list[str] = []
    groups = index.organization.runner_groups
    if groups is None:
        missing.append(f"runner groups of {index.login}")
    for each in index.repositories.values():
        place = RepositoryPlace(index, each)
        if repository and each.name.lower() != repository.lower():
            continue
        if repository and each.runners is None:
            missing.append(f"runners of {place.name}")
        if repository and name in (each.runners or ()):
            said = quote("runner", f"repository {place.name}", f"runner {name}")
            found.append(SecretHolder(place, "", said))
        for group in groups or ():
            found += _list_group_places(place, group, name, missing)
    return found, missing


def _list_group_places(
    place: RepositoryPlace, group: RunnerGroup, name: str, missing: list[str]
) -> Iterator[SecretHolder]:
    """List the repository if a group of runners takes its runs."""
    if group.runners is None:
        missing.append(f"runners of the group {group.name}")
        return
    public = place.repository.visibility == "public"
    if name not in group.runners or (public and not group.allows_public):
        return
    shared = SharedSecret(group.name, group.visibility, group.repositories)
    visible = is_visible(shared, place)
    if visible is None:
        missing.append(f"repositories of the group {group.name}")
    if visible:
        text = f"runner group {group.name}: {group.visibility}"
        said = quote("runner", f"organization {place.index.login}", text)
        yield SecretHolder(place, "", said)
