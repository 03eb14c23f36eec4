"""List the callers of one call, and the rows of identities, page by page."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from answerable.model.ids import IdentityId
from answerable.model.kubernetes_ids import KubernetesResource, parse_subject_id
from answerable.reach.answer_items import cut_answer_page
from answerable.reach.condition_formula import Verdict
from answerable.reach.kubernetes.access_graph import iterate_bits
from answerable.reach.kubernetes.answer_building import build_not_known_answer
from answerable.reach.kubernetes.call_evaluation import (
    evaluate_call,
    explain_incomplete_list,
    list_missing_kinds,
)
from answerable.reach.kubernetes.call_parsing import build_request_of_call
from answerable.reach.kubernetes.cluster_access import ClusterAccess
from answerable.reach.kubernetes.identity_resolution import resolve_identity
from answerable.reach.kubernetes.permission_rows import iterate_permission_rows
from answerable.reach.kubernetes.rule_matching import KubernetesRequest
from answerable.reach.platform import (
    Answer,
    AnswerList,
    PageBounds,
    Question,
    SubjectIdentity,
)

_ORDER = (Verdict.ALWAYS, Verdict.ONLY_IF, Verdict.NOT_KNOWN)


def list_callers_of_call(
    access: ClusterAccess,
    question: Question,
    resource: KubernetesResource,
    page: PageBounds,
) -> AnswerList:
    """List the identities of a cluster that can make a call, the surest first."""
    answers = list(_iterate_callers(access, question, resource))
    answers.sort(key=lambda each: _ORDER.index(each.verdict))
    missing = frozenset().union(*(each.not_collected for each in answers))
    return replace(cut_answer_page(answers, page, "callers"), not_collected=missing)


def _iterate_callers(
    access: ClusterAccess, question: Question, resource: KubernetesResource
) -> Iterator[Answer]:
    """Yield the answers of all identities that can, or may, make a call."""
    request = build_request_of_call(question.action, resource)
    candidates = _find_candidates(access, request, direct=question.direct)
    graph = access.graph
    for number in iterate_bits(graph.named):
        identity = IdentityId(graph.ids[number])
        start = resolve_identity(
            {access.index.name: access}, SubjectIdentity(identity, identity)
        )
        subject = access.parse_subject(identity)
        if not isinstance(start, SubjectIdentity) or subject is None:
            continue
        if not candidates >> number & 1 and not start.unknown:
            keys = access.index.list_subject_keys(subject)
            if not list_missing_kinds(access, request, keys):
                continue
        asked = replace(question, subject=identity, identities=(start,))
        answer = evaluate_call(access, asked, resource)
        if answer.verdict is not Verdict.NEVER:
            yield answer


def _find_candidates(
    access: ClusterAccess, request: KubernetesRequest, *, direct: bool
) -> int:
    """Return the bits of all nodes that may make a call, or some objects of it."""
    graph = access.graph
    allowed = graph.find_allowed(request)
    for name in graph.list_limited_names(request):
        allowed |= graph.find_allowed(replace(request, name=name))
    if direct:
        return allowed
    for constrained in access.list_constrained_requests(request):
        allowed |= graph.find_allowed(constrained)
    return allowed | access.search_back(allowed).found


def list_rows_of_identities(
    clusters: Mapping[str, ClusterAccess], question: Question
) -> list[Answer]:
    """List the rows of a question, those of missing data last."""
    last: list[Answer] = []
    for each in question.identities:
        subject = parse_subject_id(each.identity)
        access = clusters.get(subject.cluster) if subject else None
        reasons = [each.unknown] if each.unknown else []
        words: frozenset[str] = frozenset()
        if access is not None:
            reasons, words = explain_incomplete_list(access, each)
        if reasons:
            last.append(build_not_known_answer(question, reasons, words))
    return [*iterate_permission_rows(clusters, question), *last]
