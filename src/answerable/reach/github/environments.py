"""Decide the protection of environments: reviewers, branches, rules of apps.

Source: https://docs.github.com/actions/reference/workflows-and-actions/deployments-and-environments
"""

from answerable.reach.condition_formula import TRUE, build_atom
from answerable.reach.github.branch_write import find_protection, list_branches
from answerable.reach.github.catalogue import Environment, WorkflowJob
from answerable.reach.github.decision import (
    CUSTOM_GATE,
    REVIEW,
    AccessDecision,
    assume,
    conjoin_decisions,
)
from answerable.reach.github.organization_index import RepositoryPlace
from answerable.reach.github.ref_patterns import matches
from answerable.reach.github.repository_access import RepositoryAccess
from answerable.reach.github.statements import DENY, format_environment_statement, quote
from answerable.reach.platform import DeterminingStatement

ENVIRONMENT = "environment:"


def find_environment(place: RepositoryPlace, name: str) -> Environment | None:
    """Find an environment by its name; letters fold."""
    listed = place.repository.environments or ()
    return next((e for e in listed if e.name.lower() == name.lower()), None)


def decide_review(
    place: RepositoryPlace, access: RepositoryAccess, environment: Environment
) -> AccessDecision:
    """Decide the reviewers' gate of an environment, and those of apps.

    Source: https://docs.github.com/actions/reference/workflows-and-actions/deployments-and-environments
    """
    said = quote_environment(place, environment)
    admin = access.capabilities.get("admin")
    if admin is not None and environment.admins_bypass:
        return AccessDecision(TRUE, admin)
    parts = [AccessDecision(TRUE)]
    if environment.reviewers:
        own = any(each.lower() in access.names for each in environment.reviewers)
        if own and not environment.prevents_self_review:
            parts.append(AccessDecision(TRUE, (said,)))
        else:
            atom = build_atom(REVIEW, "ApprovedBy", tuple(environment.reviewers))
            parts.append(AccessDecision(atom, (said,)))
    if environment.custom_rules:
        gate = build_atom(CUSTOM_GATE, "Pass", tuple(environment.custom_rules))
        parts.append(AccessDecision(gate, (said,)))
    return conjoin_decisions(*parts)


def decide_job_environment(place: RepositoryPlace, job: WorkflowJob) -> AccessDecision:
    """Decide the gates of a job's environment, for a run that the caller starts."""
    if not job.environment:
        return AccessDecision(TRUE)
    if place.repository.environments is None:
        return assume(TRUE, f"environments of {place.name}")
    environment = find_environment(place, job.environment)
    if environment is None:
        return AccessDecision(TRUE)
    if not environment.protection_collected:
        return assume(TRUE, f"protection of the environment {environment.name}")
    return decide_review(place, RepositoryAccess(), environment)


def can_ref_deploy(place: RepositoryPlace, environment: Environment, ref: str) -> bool:
    """Return whether a run on a ref may use an environment."""
    name = ref.split("/", 2)[-1]
    if environment.protected_branches:
        protected = [
            branch for branch in list_branches(place) if find_protection(place, branch)
        ]
        return name in protected or not protected
    return environment.branches is None or any(
        matches(each, name) for each in environment.branches
    )


def quote_environment(
    place: RepositoryPlace, environment: Environment
) -> DeterminingStatement:
    """Quote the protection of an environment."""
    return quote(
        "environment",
        f"repository {place.name}",
        format_environment_statement(place.name, environment),
        environment.place,
        DENY,
    )
