"""List callers of a call, rows of identities, and paths to workflow runs."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from answerable.model.github_ids import GitHubResource, parse_resource_id
from answerable.model.ids import IdentityId
from answerable.reach.answer_items import build_item_without_statements, cut_answer_page
from answerable.reach.formula import FALSE, Verdict, conjoin_hops
from answerable.reach.github.access_states import WORKFLOW_KIND
from answerable.reach.github.branch_write import list_branches
from answerable.reach.github.call_evaluation import (
    build_answer,
    evaluate_call,
    find_answer,
    find_index,
    parse_identity,
)
from answerable.reach.github.identity_lists import list_identities
from answerable.reach.github.organization_index import (
    SOURCE,
    OrganizationIndex,
    Organizations,
    RepositoryPlace,
)
from answerable.reach.github.run_actions import (
    MINT_OIDC,
    build_run_hop,
    can_job_act,
    iterate_run_paths,
    list_run_decisions,
)
from answerable.reach.github.vocabulary import ACTIONS
from answerable.reach.platform import (
    Answer,
    AnswerList,
    PageBounds,
    PathHop,
    Question,
    SubjectIdentity,
    UnknownSubject,
)

_ORDER = (Verdict.ALWAYS, Verdict.ONLY_IF, Verdict.NOT_KNOWN)
_IN_WORKFLOW = "runs as"


def list_callers_of_call(
    organizations: Organizations,
    question: Question,
    resource: GitHubResource,
    page: PageBounds,
) -> AnswerList:
    """List all identities that can make one call, the surest first."""
    index = find_index(organizations, str(resource))
    if index is None:
        return cut_answer_page([evaluate_call(organizations, question, resource)], page)
    answers = []
    for subject in list_identities(index):
        key = str(subject)
        start = SubjectIdentity(key, IdentityId(key))
        asked = replace(question, subject=key, identities=(start,))
        answers.append(evaluate_call(organizations, asked, resource))
    found = [each for each in answers if each.verdict is not Verdict.NEVER]
    found.sort(key=lambda each: (_ORDER.index(each.verdict), len(each.item["path"])))
    missing = frozenset[str]().union(*(each.not_collected for each in answers))
    missing |= frozenset(_list_missing_callers(index, resource))
    return replace(cut_answer_page(found, page, "callers"), not_collected=missing)


def _list_missing_callers(
    index: OrganizationIndex, resource: GitHubResource
) -> Iterator[str]:
    """List the kinds of identities that were not collected."""
    organization = index.organization
    for word, listed in (
        ("members", organization.members),
        ("teams", organization.teams),
        ("installations", organization.installations),
        ("personal access tokens", organization.tokens),
    ):
        if listed is None:
            yield f"{word} of {index.login}"
    repository = index.get_repository(resource.repository)
    if repository is not None and repository.deploy_keys is None:
        yield f"deploy keys of {repository.name}"
    if repository is not None and repository.collaborators is None:
        yield f"collaborators of {repository.name}"


def list_rows_of_identities(
    organizations: Organizations, question: Question
) -> list[Answer]:
    """List what the identities of a question can do, those of missing data last."""
    rows: list[Answer] = []
    last: list[Answer] = []
    for start in question.identities:
        subject = parse_identity(start.identity)
        if start.unknown:
            last.append(_build_unknown_row(question, start.unknown))
        for index in organizations.values():
            if subject is None:
                continue
            gaps: dict[str, None] = {}
            for resource, action in list_possible_calls(index, question):
                found = find_answer(
                    index, subject, action, resource, direct=question.direct
                )
                leading = (hop.formula for hop in start.hops)
                formula = conjoin_hops(*leading, found.decision.formula)
                if formula == FALSE:
                    gaps |= dict.fromkeys(found.decision.missing)
                    continue
                decision = replace(found.decision, formula=formula)
                found = replace(found, decision=decision)
                rows.append(build_answer(start, found, action, str(resource)))
            if gaps:
                because = f"not collected: {', '.join(list(gaps)[:4])}"
                unknown = UnknownSubject(start.identity, because, SOURCE)
                last.append(
                    replace(
                        _build_unknown_row(question, unknown),
                        not_collected=frozenset(gaps),
                    )
                )
    return [*rows, *last]


def _build_unknown_row(question: Question, unknown: UnknownSubject) -> Answer:
    """Build the row of an identity whose data is missing."""
    item = build_item_without_statements(
        question.subject, question.action, question.resource, Verdict.NOT_KNOWN
    )
    return Answer(item, (unknown,))


def list_possible_calls(
    index: OrganizationIndex, question: Question
) -> Iterator[tuple[GitHubResource, str]]:
    """List the calls on collected resources that match the globs of a question."""
    for text in _list_resources(index):
        resource = parse_resource_id(text)
        if resource is None or not fnmatchcase(text, question.resource):
            continue
        for action in ACTIONS[resource.kind]:
            if fnmatchcase(action, question.action.lower()):
                yield resource, action


def _list_resources(index: OrganizationIndex) -> Iterator[str]:
    """List the ids of the collected resources."""
    yield index.build_id("organization")
    for shared in index.organization.secrets or ():
        yield index.build_id("secret", "", shared.name)
    for group in index.organization.runner_groups or ():
        for runner in group.runners or ():
            yield index.build_id("runner", "", runner)
    for each in index.repositories.values():
        place = RepositoryPlace(index, each)
        yield index.build_id("repo", each.name)
        for branch in list_branches(place):
            yield index.build_id("branch", each.name, branch)
        secrets = dict.fromkeys(each.secrets or ())
        for environment in each.environments or ():
            yield index.build_id("environment", each.name, environment.name)
            secrets |= dict.fromkeys(environment.secrets or ())
        for secret in secrets:
            yield index.build_id("secret", each.name, secret)
        for runner in each.runners or ():
            yield index.build_id("runner", each.name, runner)


def find_paths_to_runs(
    organizations: Organizations,
    starts: Sequence[SubjectIdentity],
    targets: Collection[IdentityId],
) -> Iterator[SubjectIdentity]:
    """Find the paths of identities to the workflow runs of `targets`."""
    runs = [
        (each, key, _find_place(organizations, each))
        for key in targets
        if (each := parse_resource_id(key)) and each.kind == "run"
    ]
    for start in starts or list(_list_all_starts(organizations)):
        if start.identity in targets:
            yield start
        subject = parse_identity(start.identity)
        login = subject.name if subject and subject.kind == "user" else ""
        for run, key, place in runs:
            unrelated = place and login and _has_no_grant(place, login)
            if key != start.identity and not unrelated:
                hops = _find_hops_to_run(organizations, start, run)
                if hops is not None:
                    yield replace(start, identity=key, hops=(*start.hops, *hops))


def _find_place(
    organizations: Organizations, run: GitHubResource
) -> RepositoryPlace | None:
    """Find the repository of a run; None where it was not collected."""
    index = find_index(organizations, str(run))
    repository = index.get_repository(run.repository) if index else None
    return RepositoryPlace(index, repository) if index and repository else None


def _has_no_grant(place: RepositoryPlace, login: str) -> bool:
    """Tell whether a member has no grant on a private repository.

    False where a list that could grant was not collected.
    """
    index, repository = place.index, place.repository
    if (
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
    return not (
        any(slug.lower() in mine for slug, _ in repository.teams)
        or any(each.lower() == login for each, _ in repository.collaborators)
    )


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
