"""Decide which workflow runs an identity can bring about, and what these may read.

A run is named by the context of its OIDC subject: `ref:refs/heads/main`,
`environment:prod`, `pull_request`. Who can push a workflow file decides all of a run:
its jobs, the permissions of its token, the secrets it names.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from answerable.reach.condition_formula import FALSE, TRUE
from answerable.reach.github.branch_write import (
    Write,
    decide_branch_creation,
    decide_capability,
    decide_tag_creation,
    decide_write,
    find_protection,
    list_branches,
)
from answerable.reach.github.catalogue import (
    Environment,
    WorkflowJob,
)
from answerable.reach.github.decision import (
    NO,
    AccessDecision,
    assume,
    choose_best,
    conjoin_decisions,
)
from answerable.reach.github.environments import (
    ENVIRONMENT,
    can_ref_deploy,
    decide_review,
    find_environment,
    quote_environment,
)
from answerable.reach.github.organization_index import RepositoryPlace
from answerable.reach.github.outside_runs import (
    FORK_JOB,
    decide_fork_run,
    decide_outside_run,
    get_context_of_job,
    list_outside_jobs,
    list_unread_workflows,
)
from answerable.reach.github.ref_patterns import make_name
from answerable.reach.github.repository_access import RepositoryAccess

PULL_REQUEST = "pull_request"
REF = "ref:"
EDIT_WORKFLOW = "edit-workflow"
BY_FORK = "pull-request"
NEW_BRANCH, NEW_TAG = f"{REF}refs/heads/*", f"{REF}refs/tags/*"


@dataclass(frozen=True, slots=True)
class RunWay:
    """Run that an identity can bring about.

    Attributes:
        job: Job of an existing workflow; None if the identity writes the workflow.
    """

    context: str
    decision: AccessDecision
    via: str
    job: WorkflowJob | None = None


def decide_edit_workflow(
    place: RepositoryPlace, access: RepositoryAccess
) -> AccessDecision:
    """Decide whether an identity can push a workflow file that then runs.

    Source: https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax
    """
    ways = [decide_branch_creation(place, access)]
    if ways[0].formula != TRUE:
        ways += [decide_push(place, access, each) for each in list_branches(place)]
        if place.repository.branches is None and ways[0].formula == FALSE:
            role = decide_capability(access, "push")
            if role.formula == TRUE:
                ways.append(
                    AccessDecision(FALSE, missing=(f"branches of {place.name}",))
                )
    return _with_workflows(place, access, choose_best(ways))


def _decide_any_run(place: RepositoryPlace, access: RepositoryAccess) -> AccessDecision:
    """Decide a run of one's own workflow: pushed, merged, or tagged."""
    pushed = decide_edit_workflow(place, access)
    if pushed.formula == TRUE:
        return pushed
    contexts = [*_list_branch_contexts(place), NEW_TAG]
    runs = (decide_run(place, access, each) for each in contexts)
    return choose_best([pushed, *runs])


def decide_edit_workflow_on(
    place: RepositoryPlace, access: RepositoryAccess, branch: str
) -> AccessDecision:
    """Decide whether an identity can push a workflow file to one branch."""
    return _with_workflows(place, access, decide_push(place, access, branch))


def decide_push(
    place: RepositoryPlace, access: RepositoryAccess, branch: str
) -> AccessDecision:
    """Decide a push to a branch, which it creates if no such branch is known."""
    known = branch in list_branches(place)
    ref = f"refs/heads/{branch}"
    push = decide_write(place, access, Write(ref, creates=not known))
    if known or place.repository.branches is not None:
        return push
    existing = decide_write(place, access, Write(ref))
    if existing.formula == push.formula:
        return max(push, existing, key=lambda each: each.rank)
    best = choose_best([push, existing])
    return conjoin_decisions(best, assume(TRUE, f"branches of {place.name}"))


def _with_workflows(
    place: RepositoryPlace, access: RepositoryAccess, push: AccessDecision
) -> AccessDecision:
    """Add that the identity may push workflow files, and that Actions is enabled."""
    if place.repository.actions_enabled is False:
        return NO
    return conjoin_decisions(push, decide_capability(access, "workflows"))


def decide_run(
    place: RepositoryPlace, access: RepositoryAccess, context: str
) -> AccessDecision:
    """Decide whether an identity can bring about a run of its own workflow."""
    if context == PULL_REQUEST or context in (NEW_BRANCH, ""):
        if context == NEW_BRANCH:
            created = decide_branch_creation(place, access)
            return _with_workflows(place, access, created)
        return decide_edit_workflow(place, access)
    if context.startswith(ENVIRONMENT):
        return decide_environment(place, access, context.removeprefix(ENVIRONMENT))
    ref = context.removeprefix(REF)
    if ref.startswith("refs/heads/"):
        branch = make_name(ref.removeprefix("refs/heads/"))
        ref = f"refs/heads/{branch}"
        merge = decide_write(place, access, Write(ref, merges=True))
        push = decide_push(place, access, branch)
        known = branch in list_branches(place)
        ways = [push, merge] if known else [push]
        return _with_workflows(place, access, choose_best(ways))
    if context == NEW_TAG:
        tagged = decide_tag_creation(place, access)
    elif ref.startswith("refs/tags/"):
        tagged = decide_write(place, access, Write(make_name(ref), creates=True))
    else:
        return NO
    return _with_workflows(place, access, tagged)


def decide_environment(
    place: RepositoryPlace, access: RepositoryAccess, name: str
) -> AccessDecision:
    """Decide whether an identity can run a job of its own in an environment.

    A job that names an environment that does not exist creates it.

    Source: https://docs.github.com/actions/how-tos/deploy/configure-and-manage-deployments/manage-environments
    """
    environment = find_environment(place, name)
    anywhere = _decide_any_run(place, access)
    if "environment" in access.removed:
        return anywhere
    if environment is None:
        if place.repository.environments is None:
            gate = assume(TRUE, f"environments of {place.name}")
            return conjoin_decisions(anywhere, gate)
        return anywhere
    if not environment.protection_collected:
        gate = assume(TRUE, f"protection of the environment {environment.name}")
        return conjoin_decisions(anywhere, gate)
    run = anywhere
    contexts = _list_deploying_contexts(place, environment)
    if contexts is not None:
        said = quote_environment(place, environment)
        ways = [decide_run(place, access, each) for each in contexts]
        ways.append(AccessDecision(FALSE, (said,)))
        run = choose_best(ways)
    return conjoin_decisions(run, decide_review(place, access, environment))


def _list_deploying_contexts(
    place: RepositoryPlace, environment: Environment
) -> list[str] | None:
    """List contexts of runs that may use an environment; None for all."""
    if environment.branches is None and not environment.protected_branches:
        return None
    known = [
        branch
        for branch in list_branches(place)
        if can_ref_deploy(place, environment, f"refs/heads/{branch}")
    ]
    if environment.protected_branches:
        if not any(find_protection(place, each) for each in list_branches(place)):
            return None
        return [f"{REF}refs/heads/{each}" for each in known]
    made = map(make_name, environment.branches or ())
    return [
        *(f"{REF}refs/heads/{each}" for each in dict.fromkeys((*known, *made))),
        *(f"{REF}refs/tags/{each}" for each in map(make_name, environment.tags)),
    ]


def list_run_ways(
    place: RepositoryPlace, access: RepositoryAccess, context: str
) -> Iterator[RunWay]:
    """List the ways to a run with a context: a workflow of one's own, or an existing.

    Args:
        context: Context of the run; empty for any.
    """
    for each in (
        [context] if context else [NEW_BRANCH, *_list_branch_contexts(place), NEW_TAG]
    ):
        way = RunWay(each, decide_run(place, access, each), EDIT_WORKFLOW)
        yield way
        if way.decision.formula == TRUE:
            break
    for workflow, job, trigger in list_outside_jobs(place):
        if context in ("", get_context_of_job(place, job)):
            decision = decide_outside_run(place, access, workflow, job, trigger)
            yield RunWay(get_context_of_job(place, job), decision, trigger, job)
    if context in ("", PULL_REQUEST):
        forked = decide_fork_run(place, access)
        yield RunWay(PULL_REQUEST, forked, BY_FORK, FORK_JOB)
    missing = tuple(list_unread_workflows(place))
    if missing and access.has("read"):
        yield RunWay(context, AccessDecision(FALSE, missing=missing), EDIT_WORKFLOW)


def _list_branch_contexts(place: RepositoryPlace) -> list[str]:
    """List the contexts of runs on known branches."""
    return [f"{REF}refs/heads/{each}" for each in list_branches(place)]
