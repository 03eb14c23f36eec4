"""Find the capabilities of an identity on a repository, each with its proof."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from answerable.model.github_ids import GitHubSubject
from answerable.reach.github.catalogue import (
    ROLES,
    AccessToken,
    AppInstallation,
    Repository,
)
from answerable.reach.github.organization_index import (
    OrganizationIndex,
    RepositoryPlace,
)
from answerable.reach.github.role_grants import (
    ROLE,
    Proof,
    RoleGrant,
    list_grants_of_chain,
    list_grants_of_user,
)
from answerable.reach.github.statements import (
    format_base_role_statement,
    format_deploy_key_statement,
    format_installation_statement,
    format_token_statement,
    quote,
)
from answerable.reach.github.vocabulary import (
    CAPABILITIES_OF_DEPLOY_KEY,
    CAPABILITIES_OF_PERMISSION,
    CAPABILITIES_OF_ROLE,
    PUSH_BYPASSES,
)

ANYONE = "*"  # login of an account that is no member and no collaborator


@dataclass(frozen=True, slots=True)
class RepositoryAccess:
    """Access of an identity to a repository.

    Attributes:
        kind: Kind of the identity: `user`, `app`, `deploy-key` ...
        capabilities: Each with its proof.
        names: Names by which allowances and bypass lists may mention it: `user/ana`,
            `team/dev`, `app/bot`.
        roles: Repository roles that it has, custom ones included.
        is_owner: Whether it acts as an owner of the organization.
        missing: Missing data that could give it more, in the words of coverage.
        removed: Gates that a step has removed: `protection`, `environment`.
    """

    kind: str = ""
    capabilities: Mapping[str, Proof] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    is_owner: bool = False
    missing: tuple[str, ...] = ()
    removed: frozenset[str] = frozenset()

    def has(self, capability: str) -> bool:
        """Return whether the identity has a capability."""
        return capability in self.capabilities


def find_access(place: RepositoryPlace, subject: GitHubSubject) -> RepositoryAccess:
    """Find the access of an identity to a repository."""
    finders: Mapping[
        str, Callable[[RepositoryPlace, GitHubSubject], RepositoryAccess]
    ] = {
        "user": _find_access_of_user,
        "team": _find_access_of_team,
        "app": _find_access_of_app,
        "pat": _find_access_of_token,
        "deploy-key": _find_access_of_deploy_key,
    }
    finder = finders.get(subject.kind)
    found = finder(place, subject) if finder else RepositoryAccess(subject.kind)
    return _limit_archived(place, _add_public_read(place, found))


def _add_public_read(
    place: RepositoryPlace, access: RepositoryAccess
) -> RepositoryAccess:
    """Add that anyone reads a public repository.

    Source: https://docs.github.com/repositories/creating-and-managing-repositories/about-repositories
    """
    repository = place.repository
    if access.has("read"):
        return access
    if repository.visibility == "public":
        said = quote(ROLE, f"repository {place.name}", "visibility public")
        return replace(access, capabilities={**access.capabilities, "read": (said,)})
    if not repository.visibility:
        word = f"visibility of {place.name}"
        return replace(access, missing=(*access.missing, word))
    return access


def _limit_archived(
    place: RepositoryPlace, access: RepositoryAccess
) -> RepositoryAccess:
    """Limit the access to an archived repository: it is read-only for everyone.

    Source: https://docs.github.com/repositories/archiving-a-github-repository/archiving-repositories
    """
    if not place.repository.archived:
        return access
    kept = {
        name: proof
        for name, proof in access.capabilities.items()
        if name in ("read", "admin")
    }
    return replace(access, capabilities=kept)


def _find_access_of_user(
    place: RepositoryPlace, subject: GitHubSubject
) -> RepositoryAccess:
    """Find the access of a user: the union of all grants."""
    index, login = place.index, subject.name.lower()
    member = index.members.get(login)
    names = {f"user/{login}", *(f"team/{s}" for s in index.list_teams_of_user(login))}
    grants = [*list_grants_of_user(place, login)]
    is_owner = member is not None and member.role == "owner"
    missing: list[str] = []
    if login != ANYONE:
        missing += _list_missing_of_user(place, login, is_owner=is_owner)
    return _build_access(
        index,
        RepositoryAccess(
            "user",
            names=frozenset(names),
            is_owner=is_owner,
            missing=tuple(missing),
        ),
        grants,
    )


def _list_missing_of_user(
    place: RepositoryPlace, login: str, *, is_owner: bool
) -> Iterator[str]:
    """List the missing data that could give a user more: to an owner, only a team."""
    index, repository = place.index, place.repository
    organization = index.organization
    if not index.has_all_team_members:
        yield f"members of the teams of {index.login}"
    if is_owner:
        return
    if organization.members is None:
        yield f"members of {index.login}"
    member = index.members.get(login)
    if (member or organization.members is None) and not organization.base_role:
        yield f"base role of {index.login}"
    if repository.collaborators is None:
        yield f"collaborators of {place.name}"
    if repository.teams is None:
        yield f"teams of {place.name}"
    if organization.organization_roles is None:
        yield f"organization roles of {index.login}"


def _find_access_of_team(
    place: RepositoryPlace, subject: GitHubSubject
) -> RepositoryAccess:
    """Find the access that a team gives to its members."""
    index, slug = place.index, subject.name.lower()
    chain = index.list_team_chain(slug)
    grants = [
        grant
        for length in range(1, len(chain) + 1)
        for grant in list_grants_of_chain(place, chain[:length], ())
    ]
    missing = [] if place.repository.teams is not None else [f"teams of {place.name}"]
    if index.organization.organization_roles is None:
        missing.append(f"organization roles of {index.login}")
    base = index.organization.base_role
    if base:
        said = quote(
            ROLE, f"organization {index.login}", format_base_role_statement(base)
        )
        grants.append(RoleGrant(base, (said,)))
    else:
        missing.append(f"base role of {index.login}")
    access = RepositoryAccess(
        "team",
        names=frozenset(f"team/{each}" for each in chain),
        missing=tuple(missing),
    )
    return _build_access(index, access, grants)


def _build_access(
    index: OrganizationIndex, access: RepositoryAccess, grants: Iterable[RoleGrant]
) -> RepositoryAccess:
    """Build the union of roles: the strongest decides.

    Source: https://docs.github.com/organizations/managing-user-access-to-your-organizations-repositories/managing-repository-roles/about-access-to-repositories
    """
    capabilities: dict[str, Proof] = {}
    roles: set[str] = set()
    missing = list(access.missing)
    for grant in grants:
        roles.add(grant.role.lower())
        base, proof, extras = _resolve_role(index, grant)
        if base is None:
            missing.append(f"custom role {grant.role}")
            base = "read"
        roles.add(base)
        for name in (*CAPABILITIES_OF_ROLE.get(base, ()), *extras):
            if name not in capabilities or len(proof) < len(capabilities[name]):
                capabilities[name] = proof
    return replace(
        access,
        capabilities=capabilities,
        roles=frozenset(roles),
        missing=tuple(dict.fromkeys(missing)),
    )


def _resolve_role(
    index: OrganizationIndex, grant: RoleGrant
) -> tuple[str | None, Proof, tuple[str, ...]]:
    """Resolve a role to its base, with its proof and the additional permissions.

    Source: https://docs.github.com/organizations/managing-user-access-to-your-organizations-repositories/managing-repository-roles/about-custom-repository-roles
    """
    name = grant.role.lower()
    if name in ROLES:
        return name, grant.proof, ()
    role = index.repository_roles.get(name)
    if role is None:
        return None, grant.proof, ()
    said = quote(ROLE, f"role {role.name}", f"role {role.name}: base {role.base}")
    extras = tuple(each.lower() for each in role.permissions)
    return role.base.lower(), (*grant.proof, said), extras


def _find_access_of_app(
    place: RepositoryPlace, subject: GitHubSubject
) -> RepositoryAccess:
    """Find the access of an app's installation: its permissions and repositories.

    Source: https://docs.github.com/apps/creating-github-apps/registering-a-github-app/choosing-permissions-for-a-github-app
    """
    index = place.index
    names = frozenset([f"app/{subject.name.lower()}"])
    found: dict[str, Proof] = {}
    missing: list[str] = []
    if index.organization.installations is None:
        missing.append(f"installations of apps in {index.login}")
    for app in index.organization.installations or ():
        if app.slug.lower() != subject.name.lower() or app.suspended:
            continue
        selected = _is_selected(app, place.repository)
        if selected is None:
            missing.append(f"repositories of the app {app.slug}")
        elif selected:
            said = quote(
                "installation",
                f"organization {index.login}",
                format_installation_statement(app),
                app.place,
            )
            for name in _list_capabilities(app.permissions):
                found.setdefault(name, (said,))
    return RepositoryAccess(
        "app", capabilities=found, names=names, missing=tuple(missing)
    )


def _is_selected(
    holder: AppInstallation | AccessToken, repository: Repository
) -> bool | None:
    """Return whether an installation or a token covers a repository; None: not known."""
    if holder.selection == "all":
        return True
    if holder.selection == "none":
        return False
    if holder.repositories is None:
        return None
    return repository.name.lower() in {each.lower() for each in holder.repositories}


def _list_capabilities(permissions: Iterable[tuple[str, str]]) -> Iterator[str]:
    """List the capabilities of permissions."""
    for name, access in permissions:
        yield from CAPABILITIES_OF_PERMISSION.get((name, access), ())


def _find_access_of_token(
    place: RepositoryPlace, subject: GitHubSubject
) -> RepositoryAccess:
    """Find the access of a personal access token: at most its owner's.

    A pending token reads public repositories only.

    Source: https://docs.github.com/authentication/keeping-your-account-and-data-secure/managing-your-personal-access-tokens
    """
    index = place.index
    token = next(
        (t for t in index.organization.tokens or () if str(t.id) == subject.name),
        None,
    )
    if index.organization.tokens is None:
        word = f"personal access tokens of {index.login}"
        return RepositoryAccess("pat", missing=(word,))
    if token is None or token.pending or token.expired:
        return RepositoryAccess("pat")
    owner = find_access(place, GitHubSubject("user", token.owner))
    said = quote(
        "token",
        f"organization {index.login}",
        format_token_statement(token),
        token.place,
    )
    selected = _is_selected(token, place.repository)
    allowed = set(_list_capabilities(token.permissions))
    if "push" in allowed:
        allowed |= PUSH_BYPASSES  # protections judge the owner, not the token
    found = {
        name: (said, *proof)
        for name, proof in owner.capabilities.items()
        if name in allowed and selected
    }
    missing = owner.missing if selected is not False and allowed else ()
    if selected is None:
        missing = (*missing, f"repositories of the token {token.id}")
    return replace(owner, kind="pat", capabilities=found, missing=missing)


def _find_access_of_deploy_key(
    place: RepositoryPlace, subject: GitHubSubject
) -> RepositoryAccess:
    """Find the access of a deploy key to its repository."""
    if subject.repository.lower() != place.name.lower():
        return RepositoryAccess("deploy-key")
    keys = place.repository.deploy_keys
    for key in keys or ():
        if str(key.id) == subject.name:
            said = quote(
                "deploy key",
                f"repository {place.name}",
                format_deploy_key_statement(place.name, key),
                key.place,
            )
            names = CAPABILITIES_OF_DEPLOY_KEY[key.read_only]
            return RepositoryAccess("deploy-key", dict.fromkeys(names, (said,)))
    missing = () if keys is not None else (f"deploy keys of {place.name}",)
    return RepositoryAccess("deploy-key", missing=missing)
