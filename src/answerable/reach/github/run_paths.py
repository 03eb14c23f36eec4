"""Find paths of identities to workflow runs, whose tokens other platforms accept."""

from collections.abc import Collection, Container, Iterator, Sequence
from dataclasses import dataclass, replace

from answerable.model.github_ids import GitHubResource, parse_resource_id
from answerable.model.ids import IdentityId
from answerable.reach.condition_formula import FALSE, TRUE, Formula, conjoin_hops
from answerable.reach.github.access_states import WORKFLOW_KIND
from answerable.reach.github.call_evaluation import find_index, parse_identity
from answerable.reach.github.identity_lists import list_identities
from answerable.reach.github.organization_index import (
    Organizations,
    RepositoryPlace,
)
from answerable.reach.github.run_actions import (
    MINT_OIDC,
    build_run_hop,
    can_job_act,
    is_unrelated,
    iterate_run_paths,
    list_run_decisions,
)
from answerable.reach.platform import PathHop, SubjectIdentity

_IN_WORKFLOW = "runs as"


@dataclass(frozen=True, slots=True)
class _WorkflowRun:
    """Workflow run, with its repository: None where that was not collected."""

    resource: GitHubResource
    key: IdentityId
    place: RepositoryPlace | None


def find_paths_to_runs(
    organizations: Organizations,
    starts: Sequence[SubjectIdentity],
    targets: Collection[IdentityId],
) -> Iterator[SubjectIdentity]:
    """Find the paths of identities to the workflow runs of `targets`."""
    runs = _list_runs(organizations, targets)
    for start in starts:
        if start.identity in targets:
            yield start
        for run, hops, _ in _iterate_paths(organizations, start, runs):
            yield replace(start, identity=run.key, hops=(*start.hops, *hops))


def find_nearest_paths_to_runs(
    organizations: Organizations,
    targets: Collection[IdentityId],
    skipped: Container[str],
) -> Iterator[SubjectIdentity]:
    """Find one path of each collected identity to any of the runs of `targets`."""
    runs = _list_runs(organizations, targets)
    for start in _list_all_starts(organizations):
        if start.subject in skipped:
            continue
        best: tuple[_WorkflowRun, tuple[PathHop, ...], Formula] | None = None
        for found in _iterate_paths(organizations, start, runs):
            best = best or found
            if found[2] == TRUE:
                best = found
                break
        if best is not None:
            yield replace(start, identity=best[0].key, hops=best[1])


def _list_runs(
    organizations: Organizations, targets: Collection[IdentityId]
) -> list[_WorkflowRun]:
    """List the workflow runs among some identities."""
    return [
        _WorkflowRun(each, key, _find_place(organizations, each))
        for key in targets
        if (each := parse_resource_id(key)) and each.kind == "run"
    ]


def _iterate_paths(
    organizations: Organizations, start: SubjectIdentity, runs: Sequence[_WorkflowRun]
) -> Iterator[tuple[_WorkflowRun, tuple[PathHop, ...], Formula]]:
    """Yield the runs that an identity brings about, with the hops and their condition."""
    subject = parse_identity(start.identity)
    login = subject.name.lower() if subject and subject.kind == "user" else ""
    for run in runs:
        unrelated = run.place and login and is_unrelated(run.place, login)
        if run.key != start.identity and not unrelated:
            hops = _find_hops_to_run(organizations, start, run.resource)
            if hops is not None:
                yield run, hops, conjoin_hops(*(each.formula for each in hops))


def _find_place(
    organizations: Organizations, run: GitHubResource
) -> RepositoryPlace | None:
    """Find the repository of a run; None where it was not collected."""
    index = find_index(organizations, str(run))
    repository = index.get_repository(run.repository) if index else None
    return RepositoryPlace(index, repository) if index and repository else None


def _list_all_starts(organizations: Organizations) -> Iterator[SubjectIdentity]:
    """List every identity of every organization."""
    seen: set[str] = set()
    for index in organizations.values():
        for subject in list_identities(index):
            key = str(subject)
            if key not in seen:
                seen.add(key)
                yield SubjectIdentity(key, IdentityId(key))


def _find_hops_to_run(
    organizations: Organizations, start: SubjectIdentity, run: GitHubResource
) -> tuple[PathHop, ...] | None:
    """Find the best hops from an identity to a run; None where no way leads to it."""
    subject = parse_identity(start.identity)
    index = find_index(organizations, str(run))
    repository = index.get_repository(run.repository) if index else None
    if subject is None or index is None or repository is None or subject.kind == "run":
        return None
    place = RepositoryPlace(index, repository)
    best: tuple[tuple[int, int], tuple[PathHop, ...]] | None = None
    if subject.kind == WORKFLOW_KIND:
        ways = list_run_decisions(index, subject, MINT_OIDC, run, direct=True)
        for decision, _ in ways:
            if decision.formula != FALSE:
                said = decision.determining
                hop = PathHop(
                    start.identity, _IN_WORKFLOW, str(run), decision.formula, said
                )
                return (hop,)
        return None
    for state_hops, way in iterate_run_paths(place, subject, run.name):
        if way.job is not None and not can_job_act(place, way.job, MINT_OIDC, ""):
            continue
        hops = (*state_hops, build_run_hop(place, start.identity, way))
        formula = conjoin_hops(*(each.formula for each in hops))
        if formula == FALSE:
            continue
        atoms = min((len(each) for each in formula), default=0)
        rank = (-atoms, -len(hops))
        if best is None or rank > best[0]:
            best = (rank, hops)
    return best[1] if best else None
