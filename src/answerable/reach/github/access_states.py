"""List the accesses of an identity to a repository: its own, and those after steps."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from answerable.model.github_ids import GitHubSubject
from answerable.reach.condition_formula import TRUE, Formula, build_atom, conjoin_hops
from answerable.reach.github.catalogue import Workflow, WorkflowJob
from answerable.reach.github.decision import ROLE_EDIT
from answerable.reach.github.organization_index import (
    OrganizationIndex,
    RepositoryPlace,
)
from answerable.reach.github.repository_access import RepositoryAccess, find_access
from answerable.reach.github.role_grants import Proof
from answerable.reach.github.statements import format_organization_role_statement, quote
from answerable.reach.github.vocabulary import (
    CAPABILITIES_OF_DEPLOY_KEY,
    CAPABILITIES_OF_PERMISSION,
    CAPABILITIES_OF_ROLE,
)
from answerable.reach.github.workflow_token import get_token_permissions
from answerable.reach.platform import PathHop

WORKFLOW_KIND = "workflow"


@dataclass(frozen=True, slots=True)
class AccessStep:
    """Step by which an identity gets more access.

    Attributes:
        needs: Capability that takes the step.
        removes: Gate that it removes.
        becomes: Kind of the identity after it; empty for the same one.
    """

    via: str
    needs: str
    source: str
    removes: str = ""
    becomes: str = ""


ACCESS_STEPS = (
    AccessStep(
        "manage-protection",
        "edit_repo_protections",
        "https://docs.github.com/organizations/managing-user-access-to-your-organizations-repositories/managing-repository-roles/about-custom-repository-roles",
        removes="protection",
    ),
    AccessStep(
        "manage-environments",
        "manage_environments",
        "https://docs.github.com/actions/how-tos/deploy/configure-and-manage-deployments/manage-environments",
        removes="environment",
    ),
    AccessStep(
        "manage-keys",
        "manage_deploy_keys",
        "https://docs.github.com/authentication/connecting-to-github-with-ssh/managing-deploy-keys",
        becomes="deploy-key",
    ),
)
# Permission of an organization role that lets its holder edit that role.
# Source: https://docs.github.com/organizations/managing-peoples-access-to-your-organization-with-roles/permissions-of-custom-organization-roles
ROLE_EDITING = "write_organization_custom_org_role"


@dataclass(frozen=True, slots=True)
class AccessState:
    """Access with the steps to it."""

    access: RepositoryAccess
    hops: tuple[PathHop, ...] = ()

    @property
    def formula(self) -> Formula:
        """Condition of the steps."""
        return conjoin_hops(*(hop.formula for hop in self.hops))


def iterate_states(
    place: RepositoryPlace, subject: GitHubSubject, *, direct: bool
) -> Iterator[AccessState]:
    """Yield the access of an identity, then those after steps, nearest first."""
    start = AccessState(find_own_access(place, subject))
    if direct or subject.kind in (WORKFLOW_KIND, "team"):
        yield start
        return
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = deque([start, *_list_role_edits(place, subject, start)])
    while waiting:
        state = waiting.popleft()
        access = state.access
        key = (access.kind + ("!" if _edits_roles(state) else ""), access.removed)
        if key in seen:
            continue
        seen.add(key)
        yield state
        for step in ACCESS_STEPS:
            proof = access.capabilities.get(step.needs)
            if proof is not None and step.removes not in access.removed:
                hop = PathHop(
                    str(subject) if not state.hops else state.hops[-1].to,
                    step.via,
                    place.index.build_id("repo", place.name),
                    TRUE,
                    proof,
                )
                waiting.append(
                    AccessState(_apply_step(access, step, proof), (*state.hops, hop))
                )


def _apply_step(
    access: RepositoryAccess, step: AccessStep, proof: Proof
) -> RepositoryAccess:
    """Return the access after a step."""
    if step.becomes:
        names = CAPABILITIES_OF_DEPLOY_KEY[False]
        return RepositoryAccess(step.becomes, dict.fromkeys(names, proof))
    return replace(access, removed=access.removed | {step.removes})


def _edits_roles(state: AccessState) -> bool:
    """Return whether a state follows an edit of an organization role."""
    return any(hop.via == "manage-roles" for hop in state.hops)


def _list_role_edits(
    place: RepositoryPlace, subject: GitHubSubject, start: AccessState
) -> Iterator[AccessState]:
    """List the access of a user that edits its own organization role."""
    proof = find_organization_permission(place.index, subject, ROLE_EDITING)
    if proof and not start.access.is_owner and not place.repository.archived:
        condition = build_atom(ROLE_EDIT, "Allows", (ROLE_EDITING,))
        hop = PathHop(
            str(subject),
            "manage-roles",
            place.index.build_id("organization"),
            condition,
            proof,
        )
        gained = dict.fromkeys(CAPABILITIES_OF_ROLE["admin"], proof)
        own = start.access
        access = replace(
            own,
            capabilities={**gained, **own.capabilities},
            roles=own.roles | {"admin"},
        )
        yield AccessState(access, (hop,))


def find_organization_permission(
    index: OrganizationIndex, subject: GitHubSubject, permission: str
) -> Proof:
    """Find the proof that a user or a team has a permission of the organization."""
    held: list[tuple[str, str]] = []
    if subject.kind == "user":
        member = index.members.get(subject.name.lower())
        held += [
            (f"user/{subject.name}", r)
            for r in (member.organization_roles if member else ())
        ]
        teams = list(index.list_teams_of_user(subject.name))
    else:
        teams = index.list_team_chain(subject.name) if subject.kind == "team" else []
    for slug in teams:
        team = index.teams.get(slug)
        held += [(f"team/{slug}", r) for r in (team.organization_roles if team else ())]
    for holder, name in held:
        role = index.organization_roles.get(name.lower())
        if role is not None and permission in {p.lower() for p in role.permissions}:
            text = format_organization_role_statement(holder, role.name)
            return (quote("role", f"organization {index.login}", text),)
    return ()


def find_own_access(place: RepositoryPlace, subject: GitHubSubject) -> RepositoryAccess:
    """Find the access of an identity, also of the token of a workflow."""
    if subject.kind != WORKFLOW_KIND:
        return find_access(place, subject)
    if subject.repository.lower() != place.name.lower():
        return find_access(place, subject)  # as any account
    found: dict[str, Proof] = {}
    missing: list[str] = []
    for workflow, job in list_jobs(place, subject.name):
        permissions = get_token_permissions(place, job)
        if permissions is None:
            missing.append(f"default permissions of GITHUB_TOKEN in {place.name}")
        said = quote(
            "workflow",
            f"repository {place.name}",
            f"{workflow.path}: permissions of job {job.name}",
            workflow.place,
        )
        for pair in (permissions or {}).items():
            for name in CAPABILITIES_OF_PERMISSION.get(pair, ()):
                # GITHUB_TOKEN has no permission for workflow files.
                if name != "workflows":
                    found.setdefault(name, (said,))
    if place.repository.workflows is None:
        missing.append(f"workflows of {place.name}")
    access = find_access(place, subject)
    return replace(
        access,
        capabilities={**access.capabilities, **found},
        missing=(*access.missing, *dict.fromkeys(missing)),
    )


def list_jobs(
    place: RepositoryPlace, path: str
) -> Iterator[tuple[Workflow, WorkflowJob]]:
    """List the jobs of a workflow file, on every branch."""
    for workflow in place.repository.workflows or ():
        if workflow.path == path:
            for job in workflow.jobs:
                yield workflow, job
