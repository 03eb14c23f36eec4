"""Decide the actions that only workflow runs take: secrets, runners, OIDC tokens."""

from collections.abc import Iterator
from dataclasses import replace

from answerable.model.github_ids import GitHubResource, GitHubSubject
from answerable.reach.condition_formula import FALSE, TRUE, conjoin_hops
from answerable.reach.github.access_states import (
    WORKFLOW_KIND,
    iterate_states,
    list_jobs,
)
from answerable.reach.github.called_code import (
    decide_ref_change,
    decide_use,
    list_called_code,
)
from answerable.reach.github.catalogue import WorkflowJob
from answerable.reach.github.decision import AccessDecision, conjoin_decisions
from answerable.reach.github.environments import ENVIRONMENT, decide_job_environment
from answerable.reach.github.organization_index import (
    OrganizationIndex,
    RepositoryPlace,
)
from answerable.reach.github.outside_runs import get_context_of_job
from answerable.reach.github.secret_holders import (
    SecretHolder,
    find_runner_places,
    find_secret_holders,
)
from answerable.reach.github.statements import quote
from answerable.reach.github.workflow_runs import (
    RunWay,
    list_run_ways,
)
from answerable.reach.github.workflow_token import (
    get_token_permissions,
    has_permission,
    parse_token_action,
)
from answerable.reach.platform import PathHop

READ_SECRET, RUN_JOB, MINT_OIDC = "read-secret", "run-job", "mint-oidc"
_RUN_ACTIONS = frozenset((READ_SECRET, RUN_JOB, MINT_OIDC))
CHANGE_CALLED_CODE = "change-called-code"
RunDecision = tuple[AccessDecision, tuple[PathHop, ...]]
RunChange = tuple[tuple[PathHop, ...], AccessDecision]


def is_run_action(action: str) -> bool:
    """Return whether only runs take an action: also what their token does on the API."""
    return action in _RUN_ACTIONS or parse_token_action(action) is not None


def list_run_decisions(
    index: OrganizationIndex,
    subject: GitHubSubject,
    action: str,
    resource: GitHubResource,
    *,
    direct: bool,
) -> Iterator[RunDecision]:
    """List the ways of an identity to an action of a run, with the hops to the run."""
    holders, missing = _find_holders(index, action, resource)
    if missing:
        yield AccessDecision(FALSE, missing=tuple(dict.fromkeys(missing))), ()
    if subject.kind == "user":  # the surest ways first
        login = subject.name.lower()
        holders = sorted(holders, key=lambda e: login not in _list_logins(e.place))
    for holder in holders:
        if subject.kind in ("run", WORKFLOW_KIND):
            yield from _list_own_decisions(holder, subject, action, resource)
        elif not direct:
            yield from _list_decisions_by_runs(holder, subject, action, resource)


def _find_holders(
    index: OrganizationIndex, action: str, resource: GitHubResource
) -> tuple[list[SecretHolder], list[str]]:
    """Find the repositories and contexts whose runs take an action."""
    if action == READ_SECRET:
        name = resource.repository, resource.name
        return index.get_or_compute(
            ("secret holders", *name), lambda: find_secret_holders(index, *name)
        )
    if action == RUN_JOB:
        return find_runner_places(index, resource.repository, resource.name)
    repository = index.get_repository(resource.repository)
    if repository is None:
        return [], []
    context = resource.name if resource.kind == "run" else ""
    scope, access = parse_token_action(action) or ("id-token", "write")
    text = f"permissions {scope}: {access}"
    said = quote("run", f"repository {repository.name}", text)
    place = RepositoryPlace(index, repository)
    return [SecretHolder(place, context, said)], []


def _list_own_decisions(
    holder: SecretHolder, subject: GitHubSubject, action: str, resource: GitHubResource
) -> Iterator[RunDecision]:
    """List the decisions on an action of a run itself, or of a workflow file."""
    place = holder.place
    if subject.repository.lower() != place.name.lower():
        return
    if subject.kind == "run":
        if not holder.context or holder.context == subject.name:
            yield AccessDecision(TRUE, (holder.said,)), ()
        return
    if place.repository.workflows is None:
        yield AccessDecision(FALSE, missing=(f"workflows of {place.name}",)), ()
    for workflow, job in list_jobs(place, subject.name):
        context = f"{ENVIRONMENT}{job.environment}" if job.environment else ""
        fits = holder.context in ("", context) or (
            action not in (READ_SECRET, RUN_JOB)
            and holder.context == f"ref:refs/heads/{workflow.branch}"
            and not context
        )
        acts = fits and can_job_act(place, job, action, resource.name)
        if acts is None:
            word = f"default permissions of GITHUB_TOKEN in {place.name}"
            yield AccessDecision(FALSE, missing=(word,)), ()
        if acts:
            text = f"{workflow.path}: job {job.name}"
            said = quote("workflow", f"repository {place.name}", text, workflow.place)
            yield AccessDecision(TRUE, (said, holder.said)), ()


def can_job_act(
    place: RepositoryPlace, job: WorkflowJob, action: str, name: str
) -> bool | None:
    """Return whether an existing job takes an action; None where that is not known."""
    if action == READ_SECRET:
        return "*" in job.secrets or name.upper() in {s.upper() for s in job.secrets}
    if action == RUN_JOB:
        return "self-hosted" in job.runner or "*" in job.runner or name in job.runner
    permissions = get_token_permissions(place, job)
    if permissions is None:
        # No default grants an OIDC token.
        return False if action == MINT_OIDC else None
    scope, access = parse_token_action(action) or ("id-token", "write")
    return has_permission(permissions, scope, access)


def _list_decisions_by_runs(
    holder: SecretHolder, subject: GitHubSubject, action: str, resource: GitHubResource
) -> Iterator[RunDecision]:
    """List the decisions on an action by the runs that an identity brings about."""
    place = holder.place
    if subject.kind == "user" and is_unrelated(place, subject.name.lower()):
        return
    for state_hops, way in iterate_run_paths(place, subject, holder.context):
        acts = way.job is None or can_job_act(place, way.job, action, resource.name)
        if acts is None:
            word = f"default permissions of GITHUB_TOKEN in {place.name}"
            yield AccessDecision(FALSE, missing=(word,)), ()
        if not acts:
            continue
        hop = build_run_hop(place, str(subject), way)
        hops = (*state_hops, hop)
        formula = conjoin_hops(*(each.formula for each in hops))
        decision = replace(way.decision, formula=formula, determining=(holder.said,))
        yield decision, hops
        if formula == TRUE:
            return


def is_unrelated(place: RepositoryPlace, login: str) -> bool:
    """Return whether a member brings about no run of a private repository.

    False where a list that could grant was not collected, and where its jobs call code
    of other repositories.
    """
    index, repository = place.index, place.repository
    if list_called_code(place) or (
        index.organization.base_role != "none"
        or repository.visibility != "private"
        or repository.collaborators is None
        or repository.teams is None
        or not index.has_all_team_members
    ):
        return False
    member = index.members.get(login)
    if member is None or member.role == "owner" or member.organization_roles:
        return False
    # A chain leads from the joined team to the one that has the grant.
    teams = index.list_teams_of_user(login) if repository.teams else {}
    mine = {slug for chain in teams.values() for slug in chain}
    return login not in _list_logins(place) and not any(
        slug.lower() in mine for slug, _ in repository.teams
    )


def _list_logins(place: RepositoryPlace) -> frozenset[str]:
    """List the logins of the collaborators of a repository, in lower case."""

    def find() -> frozenset[str]:
        return frozenset(who.lower() for who, _ in place.repository.collaborators or ())

    return place.index.get_or_compute(("logins", place.name.lower()), find)


def iterate_run_paths(
    place: RepositoryPlace, subject: GitHubSubject, context: str
) -> Iterator[tuple[tuple[PathHop, ...], RunWay]]:
    """Yield the runs of a repository that an identity brings about, with the steps."""
    for state in iterate_states(place, subject, direct=False):
        for way in list_run_ways(place, state.access, context):
            yield state.hops, way
    for code in list_called_code(place):
        changes = _list_ref_changes(code.place, subject, code.ref)
        job = replace(code.job, runner=("*",)) if code.job.uses else code.job
        where = get_context_of_job(place, job)
        if not changes or context not in ("", where):
            continue
        parts = (decide_use(place, code), decide_job_environment(place, job))
        for hops, changed in changes:
            decision = conjoin_decisions(changed, *parts)
            yield hops, RunWay(where, decision, CHANGE_CALLED_CODE, job)


def _list_ref_changes(
    place: RepositoryPlace, subject: GitHubSubject, ref: str
) -> tuple[RunChange, ...]:
    """List the ways of an identity to change what a ref points to, or missing data."""

    def find() -> Iterator[RunChange]:
        for state in iterate_states(place, subject, direct=False):
            changed = decide_ref_change(place, state.access, ref)
            if changed.formula != FALSE or changed.missing:
                yield state.hops, changed

    key = ("ref change", str(subject), place.name.lower(), ref)
    return place.index.get_or_compute(key, lambda: tuple(find()))


def build_run_hop(place: RepositoryPlace, origin: str, way: RunWay) -> PathHop:
    """Build the hop from an identity to a run."""
    return PathHop(
        origin,
        way.via,
        place.index.build_id("run", place.name, way.context),
        way.decision.formula,
        way.decision.determining,
    )
