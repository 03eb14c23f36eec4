"""Unknown cluster identities: secrets that workflows use as a kubeconfig.

A run that reads such a secret acts in the cluster as the identity in it. Neither GitHub
nor the workflow shows that identity, so the step is missing data, stated by its secret.
"""

from collections.abc import Iterator, Sequence

from answerable.model.github_ids import GitHubResource
from answerable.reach.condition_formula import FALSE
from answerable.reach.cross_platform_steps import CrossPlatformSteps
from answerable.reach.github.call_evaluation import find_answer, parse_identity
from answerable.reach.github.organization_index import (
    SOURCE,
    OrganizationIndex,
    Organizations,
    RepositoryPlace,
)
from answerable.reach.github.run_actions import READ_SECRET
from answerable.reach.platform import SubjectIdentity, UnknownSubject


def list_kubeconfig_gaps(
    organizations: Organizations, starts: Sequence[SubjectIdentity]
) -> CrossPlatformSteps:
    """List the kubeconfig secrets that identities read by a run.

    Args:
        starts: Identities; empty for all.
    """
    unknown: dict[UnknownSubject, None] = {}
    for index in organizations.values():
        for secret, because in _list_kubeconfig_secrets(index):
            if not starts or any(_can_read(index, each, secret) for each in starts):
                unknown[UnknownSubject(str(secret), because, SOURCE)] = None
    return CrossPlatformSteps(unknown=tuple(unknown))


def _list_kubeconfig_secrets(
    index: OrganizationIndex,
) -> Iterator[tuple[GitHubResource, str]]:
    """List the secrets that jobs use as a kubeconfig, with the job."""
    host = "" if index.organization.host == "github.com" else index.organization.host
    for repository in index.repositories.values():
        place = RepositoryPlace(index, repository)
        for workflow in repository.workflows or ():
            for job in workflow.jobs:
                for name in job.kubeconfigs:
                    because = (
                        f"{workflow.path} uses it as a kubeconfig in the job {job.name}: "
                        "the identity in it is not known"
                    )
                    yield (
                        GitHubResource(index.login, "secret", place.name, name, host),
                        because,
                    )


def _can_read(
    index: OrganizationIndex, start: SubjectIdentity, secret: GitHubResource
) -> bool:
    """Return whether an identity may read a secret by a run, or that is not known."""
    subject = parse_identity(start.identity)
    if subject is None:
        return False
    found = find_answer(index, subject, READ_SECRET, secret, direct=False)
    return found.decision.formula != FALSE or bool(found.decision.missing)
