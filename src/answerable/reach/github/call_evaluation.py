"""Evaluate one call for the identities of a question."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from answerable.model.github_ids import (
    GitHubResource,
    GitHubSubject,
    parse_resource_id,
    parse_subject_id,
)
from answerable.reach.answer_items import (
    build_condition_alternatives,
    build_determining_items,
    build_item_without_statements,
    build_path_hop_item,
)
from answerable.reach.condition_formula import (
    FALSE,
    TRUE,
    Verdict,
    conjoin_hops,
    get_verdict,
)
from answerable.reach.github.access_states import AccessState, iterate_states
from answerable.reach.github.branch_write import (
    Write,
    decide_branch_creation,
    decide_capability,
    decide_tag_creation,
    decide_write,
    list_branches,
)
from answerable.reach.github.decision import (
    NO,
    AccessDecision,
    choose_best,
    classify,
)
from answerable.reach.github.environments import ENVIRONMENT
from answerable.reach.github.organization_index import (
    REPORTED,
    SOURCE,
    OrganizationIndex,
    OrganizationIndexes,
    Organizations,
    RepositoryPlace,
)
from answerable.reach.github.organization_permissions import (
    decide_organization_action,
)
from answerable.reach.github.repository_access import RepositoryAccess
from answerable.reach.github.run_actions import is_run_action, list_run_decisions
from answerable.reach.github.vocabulary import ACTIONS
from answerable.reach.github.workflow_runs import (
    decide_edit_workflow,
    decide_edit_workflow_on,
    decide_push,
    list_run_ways,
)
from answerable.reach.platform import (
    Answer,
    PathHop,
    Question,
    SubjectIdentity,
    UnknownSubject,
)


@dataclass(frozen=True, slots=True)
class ReachedDecision:
    """AccessDecision at the end of a path."""

    decision: AccessDecision
    hops: tuple[PathHop, ...] = ()

    @property
    def rank(self) -> tuple[int, ...]:
        """Rank: by verdict, then the shorter path, then fewer assumptions."""
        certain, *rest = self.decision.rank
        return (certain, -len(self.hops), *rest)


def find_index(organizations: Organizations, key: str) -> OrganizationIndex | None:
    """Find the organization of an id of a resource or an identity."""
    resource, subject = parse_resource_id(key), parse_subject_id(key)
    for each in organizations.values():
        host = "" if each.organization.host == "github.com" else each.organization.host
        for parsed in (subject, resource):
            same = parsed and parsed.organization.lower() == each.login
            if parsed and same and parsed.host == host:
                return each
    return None


def parse_identity(key: str) -> GitHubSubject | None:
    """Parse an identity: a run counts as one, named by its context."""
    resource = parse_resource_id(key)
    if resource is not None and resource.kind == "run":
        return GitHubSubject(
            "run",
            resource.name,
            resource.organization,
            resource.repository,
            resource.host,
        )
    return parse_subject_id(key)


def evaluate_call(
    organizations: Organizations, question: Question, resource: GitHubResource
) -> Answer:
    """Evaluate one call for the identities of a question; the best answer of all."""
    index = find_index(organizations, str(resource))
    missing = _explain_uncollected(organizations, index, resource)
    if index is None or missing is not None:
        return build_not_known(question, [missing] if missing else [])
    best: tuple[SubjectIdentity, ReachedDecision] | None = None
    unknown: list[UnknownSubject] = []
    for start in question.identities:
        subject = parse_identity(start.identity)
        if subject is None:
            continue
        found = find_answer(
            index, subject, question.action, resource, direct=question.direct
        )
        leading = conjoin_hops(*(hop.formula for hop in start.hops))
        decision = replace(
            found.decision, formula=conjoin_hops(leading, found.decision.formula)
        )
        found = replace(found, decision=decision)
        if best is None or found.rank > best[1].rank:
            best = (start, found)
        if decision.formula == FALSE:
            unknown += _list_unknown(start, decision)
    if best is None:
        gaps = [each.unknown for each in question.identities if each.unknown]
        return build_not_known(question, gaps)
    if best[1].decision.formula == FALSE and unknown:
        return build_not_known(question, unknown)
    return build_answer(best[0], best[1], question.action, str(resource))


def _list_unknown(
    start: SubjectIdentity, decision: AccessDecision
) -> Iterator[UnknownSubject]:
    """List the missing data that could allow a call for an identity."""
    if start.unknown:
        yield start.unknown
    if decision.missing:
        because = f"not collected: {', '.join(decision.missing[:4])}"
        yield UnknownSubject(start.identity, because, SOURCE)


def find_answer(
    index: OrganizationIndex,
    subject: GitHubSubject,
    action: str,
    resource: GitHubResource,
    *,
    direct: bool,
) -> ReachedDecision:
    """Find the best way of one identity to a call."""
    if resource.kind == "organization":
        return ReachedDecision(decide_organization_action(index, subject, action))
    if is_run_action(action):
        ways = list_run_decisions(index, subject, action, resource, direct=direct)
        listed: list[ReachedDecision] = []
        for decision, hops in ways:
            listed.append(ReachedDecision(decision, hops))
            # No other way is surer or shorter.
            sure = decision.formula == TRUE and not decision.assuming
            if sure and len(hops) <= 1:
                break
        return _choose_best_answer(listed)
    repository = index.get_repository(resource.repository)
    if repository is None:
        return ReachedDecision(NO)
    place = RepositoryPlace(index, repository)
    found: list[ReachedDecision] = []
    for state in iterate_states(place, subject, direct=direct):
        decision = decide_action(place, state.access, action, resource)
        found.append(_add_entry_steps(state, decision))
        if found[-1].decision.formula == TRUE:
            break
    return _choose_best_answer(found)


def _add_entry_steps(state: AccessState, decision: AccessDecision) -> ReachedDecision:
    """Add the steps to an access to the decision after them."""
    formula = conjoin_hops(state.formula, decision.formula)
    return ReachedDecision(replace(decision, formula=formula), state.hops)


def _choose_best_answer(found: list[ReachedDecision]) -> ReachedDecision:
    """Choose the best answer; what could add a way stays missing."""
    if not found:
        return ReachedDecision(NO)
    best = max(found, key=lambda each: each.rank)
    joined = choose_best(each.decision for each in found)
    decision = replace(best.decision, missing=joined.missing)
    return ReachedDecision(decision, best.hops)


def decide_action(
    place: RepositoryPlace,
    access: RepositoryAccess,
    action: str,
    resource: GitHubResource,
) -> AccessDecision:
    """Decide an action on a repository by direct access, without a path of steps."""
    capability = ACTIONS[resource.kind].get(action)
    if capability is not None:
        return decide_capability(access, capability)
    decider = _DECIDERS.get((resource.kind, action))
    return decider(place, access, resource.name) if decider else NO


def _decide_push_anywhere(
    place: RepositoryPlace, access: RepositoryAccess, _name: str
) -> AccessDecision:
    """Decide a push to some branch, a known one or a new one."""
    pushes = (decide_push(place, access, each) for each in list_branches(place))
    return choose_best([decide_branch_creation(place, access), *pushes])


def _decide_merge(
    place: RepositoryPlace, access: RepositoryAccess, name: str
) -> AccessDecision:
    """Decide the merge of a pull request into a branch."""
    return decide_write(place, access, Write(f"refs/heads/{name}", merges=True))


def _decide_tag(
    place: RepositoryPlace, access: RepositoryAccess, name: str
) -> AccessDecision:
    """Decide the push of a tag; `*` is a name of the pusher's choice."""
    if name == "*":
        return decide_tag_creation(place, access)
    return decide_write(place, access, Write(f"refs/tags/{name}", creates=True))


def _decide_deployment(
    place: RepositoryPlace, access: RepositoryAccess, name: str
) -> AccessDecision:
    """Decide whether an identity brings about a job in an environment."""
    ways = list_run_ways(place, access, f"{ENVIRONMENT}{name}")
    return choose_best(each.decision for each in ways)


_DECIDERS: Mapping[
    tuple[str, str], Callable[[RepositoryPlace, RepositoryAccess, str], AccessDecision]
] = {
    ("repo", "push"): _decide_push_anywhere,
    ("repo", "create-branch"): lambda place, access, _: decide_branch_creation(
        place, access
    ),
    ("repo", "edit-workflow"): lambda place, access, _: decide_edit_workflow(
        place, access
    ),
    ("branch", "push"): decide_push,
    ("branch", "edit-workflow"): decide_edit_workflow_on,
    ("branch", "merge"): _decide_merge,
    ("tag", "push"): _decide_tag,
    ("environment", "deploy"): _decide_deployment,
}


def _explain_uncollected(
    organizations: Organizations,
    index: OrganizationIndex | None,
    resource: GitHubResource,
) -> UnknownSubject | None:
    """Explain why nothing is known about a resource; None where it was collected."""
    key = str(resource)
    if index is None:
        what = f"no scan describes the organization {resource.organization}"
        if _is_reported(organizations, resource):
            what += f"; {REPORTED}"
        return UnknownSubject(key, what, SOURCE)
    if not resource.repository or index.get_repository(resource.repository):
        return None
    absent = index.organization.repositories is not None
    what = f"the scan of {index.login} contains no repository {resource.repository}"
    return UnknownSubject(key, what, SOURCE, absent=absent)


def _is_reported(organizations: Organizations, resource: GitHubResource) -> bool:
    """Return whether a working copy states the workflows of a resource's repository."""
    if not resource.repository or not isinstance(organizations, OrganizationIndexes):
        return False
    repository = replace(resource, kind="repo", name="")
    return str(repository).lower() in organizations.reported


def build_not_known(question: Question, unknown: list[UnknownSubject]) -> Answer:
    """Build the answer `not-known`."""
    item = build_item_without_statements(
        question.subject, question.action, question.resource, Verdict.NOT_KNOWN
    )
    listed = tuple(dict.fromkeys(unknown))
    words = frozenset(f"{each.id}: {each.because}" for each in listed)
    return Answer(item, listed, words)


def build_answer(
    start: SubjectIdentity, found: ReachedDecision, action: str, resource: str
) -> Answer:
    """Build the answer, with its proof, for the identity at the end of a path."""
    decision = found.decision
    verdict = get_verdict(decision.formula)
    never = verdict is Verdict.NEVER
    hops = () if never else (*start.hops, *found.hops)
    words = sorted(decision.assuming)
    layers = {each.statement for each in decision.determining}
    return Answer(
        {
            "subject": start.subject,
            "action": action,
            "resource": resource,
            "verdict": verdict.value,
            "conditions": build_condition_alternatives(
                decision.formula, classify=classify
            ),
            "admin": not never and any(each.startswith("owner ") for each in layers),
            "determining": build_determining_items(decision.determining),
            "path": [build_path_hop_item(hop, classify=classify) for hop in hops],
            "assuming": words,
        },
        not_collected=frozenset((*words, *decision.missing)),
    )
