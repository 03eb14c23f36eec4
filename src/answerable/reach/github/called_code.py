"""Find the workflows and actions that jobs call, and decide who can change them.

A caller that names a branch or a tag runs what that ref points to. Who pushes the branch
or moves the tag runs code in the caller's jobs; a commit id cannot be moved.

Sources: https://docs.github.com/actions/reference/security/secure-use (pinning actions),
https://docs.github.com/actions/reference/workflows-and-actions/reusing-workflow-configurations
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from answerable.reach.condition_formula import build_atom
from answerable.reach.github.branch_write import Write, decide_write, list_branches
from answerable.reach.github.catalogue import Workflow, WorkflowJob
from answerable.reach.github.decision import (
    NEXT_RUN,
    AccessDecision,
    choose_best,
    conjoin_decisions,
)
from answerable.reach.github.organization_index import RepositoryPlace
from answerable.reach.github.repository_access import RepositoryAccess
from answerable.reach.github.statements import quote
from answerable.reach.github.workflow_token import (
    get_token_permissions,
    limit_permissions,
)

# "You can connect up to four levels of workflows", and each level calls up to 20.
_LEVELS = 4
_LOCAL = ("./", "$/")
_COMMIT = re.compile(r"[0-9a-fA-F]{40}|[0-9a-fA-F]{64}")
ALL_SECRETS = "*"


@dataclass(frozen=True, slots=True)
class CalledCode:
    """Workflow or action of a collected repository that a job calls.

    Attributes:
        place: Repository that holds it.
        ref: Branch or tag, as written.
        job: Job of the caller.
    """

    place: RepositoryPlace
    ref: str
    workflow: Workflow
    job: WorkflowJob
    uses: str


@dataclass(frozen=True, slots=True)
class _Use:
    """Parts of `uses`."""

    owner: str
    repository: str
    path: str
    ref: str

    @property
    def is_movable(self) -> bool:
        """Return whether the ref may point to something else later."""
        return bool(self.ref) and _COMMIT.fullmatch(self.ref) is None


def _parse_use(text: str) -> _Use | None:
    """Parse `OWNER/REPO[/PATH]@REF`; None for a local path or an image."""
    name, mark, ref = text.partition("@")
    parts = name.split("/", 2)
    if not mark or text.startswith((*_LOCAL, "docker:")) or len(parts) < 2:
        return None
    return _Use(parts[0].lower(), parts[1], "/".join(parts[2:]), ref)


def _find_place(place: RepositoryPlace, use: _Use) -> RepositoryPlace | None:
    """Find the collected repository that `uses` names."""
    if use.owner != place.index.login:
        return None
    repository = place.index.get_repository(use.repository)
    return RepositoryPlace(place.index, repository) if repository else None


def list_effective_jobs(
    place: RepositoryPlace, workflow: Workflow, job: WorkflowJob, levels: int = _LEVELS
) -> Iterator[WorkflowJob]:
    """List the jobs that run for a job: itself, or those of the workflow it calls.

    A called job has at most the permissions of the caller, and the secrets that it
    passes.
    """
    if not job.uses:
        yield job
        return
    called = _find_called_workflow(place, workflow, job) if levels else None
    for inner in called[1].jobs if called else ():
        passed = replace(
            inner,
            name=f"{job.name} / {inner.name}",
            permissions=_limit_permissions(place, inner, job),
            secrets=inner.secrets if ALL_SECRETS in job.secrets else job.secrets,
        )
        if called is not None:
            yield from list_effective_jobs(called[0], called[1], passed, levels - 1)


def _limit_permissions(
    place: RepositoryPlace, inner: WorkflowJob, outer: WorkflowJob
) -> tuple[tuple[str, str], ...] | None:
    """Limit the permissions of a called job; None where the caller's are not known."""
    own = get_token_permissions(place, inner) if inner.permissions is not None else None
    bound = get_token_permissions(place, outer)
    if bound is None:
        return inner.permissions
    limited = bound if own is None else limit_permissions(own, bound)
    return tuple(sorted(limited.items()))


def _find_called_workflow(
    place: RepositoryPlace, workflow: Workflow, job: WorkflowJob
) -> tuple[RepositoryPlace, Workflow] | None:
    """Find the workflow that a job calls; None where it was not collected.

    Of another ref than the caller's, the collected version of the file is taken.
    """
    where, path, branch = place, job.uses[2:], workflow.branch
    if not job.uses.startswith(_LOCAL):
        use = _parse_use(job.uses)
        found = _find_place(place, use) if use else None
        if use is None or found is None:
            return None
        where, path, branch = found, use.path, ""
    files = [w for w in where.repository.workflows or () if w.path == path]
    same = [w for w in files if w.branch == branch] or files
    read = next((each for each in same if each.contents_collected), None)
    return (where, read) if read else None


def list_uncollected_calls(place: RepositoryPlace, workflow: Workflow) -> Iterator[str]:
    """List the called workflows of a workflow whose contents were not collected."""
    for job in workflow.jobs:
        if job.uses and _find_called_workflow(place, workflow, job) is None:
            yield f"contents of {job.uses}"


def list_called_code(place: RepositoryPlace) -> tuple[CalledCode, ...]:
    """List the movable workflows and actions of collected repositories that jobs call.

    Actions of other owners are trusted: their repositories are not collected.
    """
    key = ("called code", place.name.lower())
    return place.index.get_or_compute(key, lambda: tuple(_find_called_code(place)))


def _find_called_code(place: RepositoryPlace) -> Iterator[CalledCode]:
    """Find the movable workflows and actions that the jobs of a repository call."""
    for workflow in place.repository.workflows or ():
        if workflow.disabled:
            continue
        for job in workflow.jobs:
            for text in dict.fromkeys((job.uses, *job.actions)):
                use = _parse_use(text) if text else None
                found = _find_place(place, use) if use and use.is_movable else None
                if use and found and found.name.lower() != place.name.lower():
                    yield CalledCode(found, use.ref, workflow, job, text)


def decide_use(place: RepositoryPlace, code: CalledCode) -> AccessDecision:
    """Decide that a job runs changed code: when the workflow of the caller runs again."""
    said = quote(
        "workflow",
        f"repository {place.name}",
        f"{code.workflow.path}: job {code.job.name} uses {code.uses}",
        code.workflow.place,
    )
    runs = build_atom(NEXT_RUN, "Runs", (code.workflow.path,))
    return AccessDecision(runs, (said,))


def decide_ref_change(
    place: RepositoryPlace, access: RepositoryAccess, ref: str
) -> AccessDecision:
    """Decide whether an identity pushes a branch or moves a tag."""
    name = ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
    branches = list_branches(place)
    if ref.startswith("refs/heads/") or (
        name in branches and not ref.startswith("refs/tags/")
    ):
        return decide_write(place, access, Write(f"refs/heads/{name}"))
    ways = [decide_tag_move(place, access, name)]
    if place.repository.branches is None and not ref.startswith("refs/tags/"):
        ways.append(decide_write(place, access, Write(f"refs/heads/{name}")))
    return choose_best(ways)


def decide_tag_move(
    place: RepositoryPlace, access: RepositoryAccess, name: str
) -> AccessDecision:
    """Decide whether an identity moves a tag: an update, or a deletion and a creation."""
    ref = f"refs/tags/{name}"
    replaced = conjoin_decisions(
        decide_write(place, access, Write(ref, deletes=True)),
        decide_write(place, access, Write(ref, creates=True)),
    )
    return choose_best([decide_write(place, access, Write(ref)), replaced])
