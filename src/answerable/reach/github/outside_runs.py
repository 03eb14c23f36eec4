"""Decide the runs that an account without write access causes.

Source: https://docs.github.com/actions/reference/security/securely-using-pull_request_target
"""

from collections.abc import Iterator

from answerable.reach.condition_formula import FALSE, build_atom
from answerable.reach.github.branch_write import decide_capability
from answerable.reach.github.called_code import (
    list_effective_jobs,
    list_uncollected_calls,
)
from answerable.reach.github.catalogue import Workflow, WorkflowJob
from answerable.reach.github.decision import (
    FORK_APPROVAL,
    NO,
    TRIGGER,
    AccessDecision,
    conjoin_decisions,
)
from answerable.reach.github.environments import (
    ENVIRONMENT,
    can_ref_deploy,
    decide_review,
    find_environment,
)
from answerable.reach.github.organization_index import REPORTED, RepositoryPlace
from answerable.reach.github.repository_access import RepositoryAccess
from answerable.reach.github.statements import quote
from answerable.reach.github.vocabulary import OUTSIDE_TRIGGERS

_CALLERS = ("user", "pat")
# Job of the workflow file in a pull request from a fork: its author writes it. "Maximum
# access for pull requests from public forked repositories" is read; no secrets.
# Source: https://docs.github.com/actions/reference/github_token-reference
FORK_JOB = WorkflowJob(
    "pull request from a fork", permissions=(("all", "read"),), runner=("*",)
)


def list_outside_jobs(
    place: RepositoryPlace,
) -> Iterator[tuple[Workflow, WorkflowJob, str]]:
    """List the jobs in which an account without write access runs code of its own.

    The job has an event that outsiders cause, and checks out the head of their pull
    request or puts their text into a script.

    Source: https://docs.github.com/actions/reference/security/secure-use
    """
    for workflow, trigger in _list_outside_workflows(place):
        for job in workflow.jobs:
            for each in list_effective_jobs(place, workflow, job):
                if each.checks_out_head or each.injections:
                    yield workflow, each, trigger


def _list_outside_workflows(place: RepositoryPlace) -> Iterator[tuple[Workflow, str]]:
    """List the workflows of the default branch with an event that outsiders cause."""
    default = place.repository.default_branch
    for workflow in place.repository.workflows or ():
        other = workflow.branch and default and workflow.branch != default
        trigger = next((e for e in workflow.triggers if e in OUTSIDE_TRIGGERS), "")
        if trigger and not (workflow.disabled or other):
            yield workflow, trigger


def list_unread_workflows(place: RepositoryPlace) -> Iterator[str]:
    """List the workflows that were not collected: outsiders may cause their runs."""
    if place.repository.workflows is None:
        key = place.index.build_id("repo", place.name).lower()
        said = f" ({REPORTED})" if key in place.index.reported else ""
        yield f"workflows of {place.name}{said}"
    for workflow in place.repository.workflows or ():
        if not workflow.contents_collected and not workflow.disabled:
            yield f"contents of {workflow.path}"
    for workflow, _ in _list_outside_workflows(place):
        yield from list_uncollected_calls(place, workflow)


def get_context_of_job(place: RepositoryPlace, job: WorkflowJob) -> str:
    """Return the context of a job that runs on the default branch."""
    if job.environment:
        return f"{ENVIRONMENT}{job.environment}"
    return f"ref:refs/heads/{place.repository.default_branch}"


def decide_outside_run(
    place: RepositoryPlace,
    access: RepositoryAccess,
    workflow: Workflow,
    job: WorkflowJob,
    trigger: str,
) -> AccessDecision:
    """Decide whether an identity that reads the repository can cause such a run."""
    reads = decide_capability(access, "read")
    if place.repository.actions_enabled is False or access.kind not in _CALLERS:
        return NO
    said = quote(
        "workflow",
        f"repository {place.name}",
        f"{workflow.path}: job {job.name} on {trigger}",
        workflow.place,
    )
    parts = [reads, AccessDecision(build_atom(TRIGGER, "Equals", (trigger,)), (said,))]
    environment = find_environment(place, job.environment) if job.environment else None
    if environment is not None:
        ref = f"refs/heads/{place.repository.default_branch}"
        if not can_ref_deploy(place, environment, ref):
            return NO
        parts.append(decide_review(place, access, environment))
    return conjoin_decisions(*parts)


def decide_fork_run(place: RepositoryPlace, access: RepositoryAccess) -> AccessDecision:
    """Decide whether an identity runs a job of its own by a pull request from a fork.

    Source: https://docs.github.com/actions/how-tos/manage-workflow-runs/approve-runs-from-forks
    """
    repository = place.repository
    if repository.actions_enabled is False or access.kind not in _CALLERS:
        return NO
    reads = decide_capability(access, "read")
    if reads.formula == FALSE:
        return reads
    if repository.visibility != "public":
        # Private repositories have a setting of their own, which is off by default.
        word = f"settings of {place.name} for pull requests from forks"
        return AccessDecision(FALSE, missing=(word,))
    policy = repository.fork_approval or "policy not collected"
    said = quote(
        "workflow",
        f"repository {place.name}",
        f"approval of pull requests from forks: {policy}",
        repository.place,
    )
    approved = AccessDecision(build_atom(FORK_APPROVAL, "Equals", (policy,)), (said,))
    return conjoin_decisions(reads, approved)
