"""Decide the actions that only workflow runs take: secrets, runners, OIDC tokens."""

from collections.abc import Iterator
from dataclasses import replace

from answerable.model.github_ids import GitHubResource, GitHubSubject
from answerable.reach.formula import FALSE, TRUE, conjoin_hops
from answerable.reach.github.access_states import (
    WORKFLOW_KIND,
    iterate_states,
    list_jobs,
)
from answerable.reach.github.catalogue import WorkflowJob
from answerable.reach.github.decision import AccessDecision
from answerable.reach.github.organization_index import (
    OrganizationIndex,
    RepositoryPlace,
)
from answerable.reach.github.secret_holders import (
    SecretHolder,
    find_runner_places,
    find_secret_holders,
)
from answerable.reach.github.statements import quote
from answerable.reach.github.workflow_runs import (
    ENVIRONMENT,
    RunWay,
    list_run_ways,
)
from answerable.reach.platform import PathHop

READ_SECRET, RUN_JOB, MINT_OIDC = "read-secret", "run-job", "mint-oidc"
RUN_ACTIONS = frozenset((READ_SECRET, RUN_JOB, MINT_OIDC))
RunDecision = tuple[AccessDecision, tuple[PathHop, ...]]


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
        return find_secret_holders(index, resource.repository, resource.name)
    if action == RUN_JOB:
        return find_runner_places(index, resource.repository, resource.name)
    repository = index.get_repository(resource.repository)
    if repository is None:
        return [], []
    context = resource.name if resource.kind == "run" else ""
    said = quote("run", f"repository {repository.name}", "permissions id-token: write")
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
            action == MINT_OIDC
            and holder.context == f"ref:refs/heads/{workflow.branch}"
            and not context
        )
        if fits and can_job_act(job, action, resource.name):
            text = f"{workflow.path}: job {job.name}"
            said = quote("workflow", f"repository {place.name}", text, workflow.place)
            yield AccessDecision(TRUE, (said, holder.said)), ()


def can_job_act(job: WorkflowJob, action: str, name: str) -> bool:
    """Tell whether an existing job reads a secret, or may get an OIDC token."""
    if action == READ_SECRET:
        return "*" in job.secrets or name.upper() in {s.upper() for s in job.secrets}
    if action == MINT_OIDC:
        return ("id-token", "write") in (job.permissions or ())
    return "self-hosted" in job.runner or "*" in job.runner or name in job.runner


def _list_decisions_by_runs(
    holder: SecretHolder, subject: GitHubSubject, action: str, resource: GitHubResource
) -> Iterator[RunDecision]:
    """List the decisions on an action by the runs that an identity brings about."""
    place = holder.place
    for state in iterate_states(place, subject, direct=False):
        for way in list_run_ways(place, state.access, holder.context):
            if way.job is not None and not can_job_act(way.job, action, resource.name):
                continue
            hop = build_run_hop(place, str(subject), way)
            hops = (*state.hops, hop)
            formula = conjoin_hops(*(each.formula for each in hops))
            decision = replace(
                way.decision, formula=formula, determining=(holder.said,)
            )
            yield decision, hops
            if formula == TRUE:
                return


def build_run_hop(place: RepositoryPlace, origin: str, way: RunWay) -> PathHop:
    """Build the hop from an identity to a run."""
    return PathHop(
        origin,
        way.via,
        place.index.build_id("run", place.name, way.context),
        way.decision.formula,
        way.decision.determining,
    )
