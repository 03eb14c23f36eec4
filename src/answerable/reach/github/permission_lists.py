"""List callers of a call, rows of identities, and paths to workflow runs."""

from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase

from answerable.model.github_ids import GitHubResource, parse_resource_id
from answerable.model.ids import IdentityId
from answerable.reach.answer_items import build_item_without_statements, cut_answer_page
from answerable.reach.condition_formula import FALSE, Verdict, conjoin_hops
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
from answerable.reach.github.vocabulary import ACTIONS
from answerable.reach.platform import (
    Answer,
    AnswerList,
    PageBounds,
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
