"""Evaluate one call on a cluster for the identities of a question."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from answerable.model.kubernetes_ids import KubernetesResource
from answerable.reach.condition_formula import (
    FALSE,
    TRUE,
    build_atom,
    conjoin_hops,
    disjoin,
)
from answerable.reach.kubernetes.answer_building import (
    NAMES,
    SOURCE,
    FoundAccess,
    build_access_answer,
    build_not_known_answer,
)
from answerable.reach.kubernetes.call_parsing import build_request_of_call
from answerable.reach.kubernetes.cluster_access import AccessPath, ClusterAccess
from answerable.reach.kubernetes.rule_matching import KubernetesRequest
from answerable.reach.kubernetes.subject_keys import SubjectKey, build_subject_key
from answerable.reach.platform import (
    Answer,
    Question,
    SubjectIdentity,
    UnknownSubject,
)

ADMISSION_WORD = "admission"
WRITE_VERBS = ("create", "update", "patch", "delete", "deletecollection")
_UNNAMED_VERBS = ("list", "watch", "deletecollection")
_WEBHOOKS = "validatingwebhookconfigurations"


@dataclass(frozen=True, slots=True)
class _Found:
    """Access of the best identity so far, with its rank."""

    rank: tuple[int, int]
    start: SubjectIdentity
    access: FoundAccess


def evaluate_call(
    access: ClusterAccess | None, question: Question, resource: KubernetesResource
) -> Answer:
    """Evaluate one call for the identities of a question; the best answer of all."""
    if access is None:
        what = f"no scan describes the cluster {resource.cluster}"
        missing = UnknownSubject(str(resource), what, SOURCE)
        return build_not_known_answer(question, [missing])
    request = build_request_of_call(question.action, resource)
    best: _Found | None = None
    unknown: list[UnknownSubject] = []
    words: set[str] = set()
    for start in question.identities:
        subject = access.parse_subject(start.identity)
        if subject is None:
            continue
        found = find_access(access, start, (request, resource), direct=question.direct)
        rank = rank_access(start, found)
        if best is None or rank > best.rank:
            best = _Found(rank, start, found)
        if found.formula == FALSE:
            keys = access.index.list_subject_keys(subject)
            gaps = list_missing_kinds(access, request, keys)
            words |= gaps
            unknown += _explain_gaps(access, start, gaps)
    call = question.action, str(resource)
    if best is None:
        missing_subjects = (e.unknown for e in question.identities if e.unknown)
        return build_not_known_answer(question, missing_subjects)
    if best.access.formula == FALSE and unknown:
        unread = bool(access.index.cluster.unread)
        return build_not_known_answer(question, unknown, words, unread=unread)
    return build_access_answer(
        best.start, best.access, call, list_assumptions(access, request, best.access)
    )


def find_access(
    access: ClusterAccess,
    start: SubjectIdentity,
    call: tuple[KubernetesRequest, KubernetesResource],
    *,
    direct: bool,
) -> FoundAccess:
    """Find the access of one identity to a call, or to some objects of it."""
    subject = access.parse_subject(start.identity)
    if subject is None:
        return FoundAccess(None, FALSE)
    number = access.get_number(subject)
    path = access.find_path(number, call[0], direct=direct)
    leading = [hop.formula for hop in start.hops]
    if path is not None:
        formula = conjoin_hops(*leading, path.formula)
        return FoundAccess(path, formula, admin=_is_admin(access, path))
    parts = tuple(_find_parts(access, number, call, direct=direct))
    if not parts:
        return FoundAccess(None, FALSE)
    names = tuple(str(each) for each, _ in parts)
    any_part = disjoin(*(each.formula for _, each in parts))
    formula = conjoin_hops(*leading, build_atom(NAMES, "Matches", names), any_part)
    return FoundAccess(None, formula, parts)


def _find_parts(
    access: ClusterAccess,
    number: int,
    call: tuple[KubernetesRequest, KubernetesResource],
    *,
    direct: bool,
) -> Iterator[tuple[KubernetesResource, AccessPath]]:
    """Yield the objects to which rules limit a call that names none."""
    request, resource = call
    unnamed = request.verb in _UNNAMED_VERBS or (
        request.verb == "create" and not request.subresource
    )
    if request.name or request.url or unnamed:
        return
    for name in access.graph.list_limited_names(request):
        path = access.find_path(number, replace(request, name=name), direct=direct)
        if path is not None:
            yield replace(resource, name=name), path


def _is_admin(access: ClusterAccess, path: AccessPath) -> bool:
    """Return whether the end of a path may do everything in the cluster."""
    everything = KubernetesRequest("*", "*", "*")
    return bool(access.graph.find_allowed(everything) >> path.number & 1)


def rank_access(start: SubjectIdentity, found: FoundAccess) -> tuple[int, int]:
    """Rank the access of identities: always, only-if, never; fewer steps first."""
    certain = 2 if found.formula == TRUE else int(found.formula != FALSE)
    hops = len(found.path.hops) if found.path else 0
    return certain, -hops - len(start.hops)


def list_missing_kinds(
    access: ClusterAccess, request: KubernetesRequest, keys: frozenset[SubjectKey]
) -> set[str]:
    """List the kinds that were not collected and could allow a request.

    Args:
        keys: User name and groups of the subject.
    """
    index = access.index
    namespace = "" if request.url else request.namespace
    missing = set()
    if not index.collected.includes("clusterrolebindings"):
        missing.add(_name_kind("clusterrolebindings", index.name))
    if namespace and not index.collected.includes("rolebindings", namespace):
        missing.add(_name_kind("rolebindings", index.name))
    for scope in dict.fromkeys(("", namespace)):
        for binding in index.dangling.get(scope, ()):
            subjects = {build_subject_key(each, binding) for each in binding.subjects}
            kind = "roles" if binding.role_kind == "Role" else "clusterroles"
            if subjects & keys and not index.collected.includes(kind, scope):
                missing.add(_name_kind(kind, index.name))
    for kind, name in keys:
        for policy in index.unknown_policies.get(name, ()) if kind == "user" else ():
            missing.add(f"k8s-access-policy ({policy})")
    if index.cluster.unread:
        missing.add(_name_kind("unread-objects", index.name))
    return missing


def explain_incomplete_list(
    access: ClusterAccess, start: SubjectIdentity
) -> tuple[list[UnknownSubject], frozenset[str]]:
    """Explain why a list of an identity's permissions may lack some.

    Returns:
        The reasons, and the missing kinds in the words of coverage.
    """
    subject = access.parse_subject(start.identity)
    keys = access.index.list_subject_keys(subject) if subject else frozenset()
    gaps = list_missing_kinds(access, KubernetesRequest("*"), keys)
    if not access.index.collected.includes("rolebindings"):
        gaps.add(_name_kind("rolebindings", access.index.name))
    return list(_explain_gaps(access, start, gaps)), frozenset(gaps)


def _name_kind(kind: str, cluster: str) -> str:
    """Name a missing kind in the words of coverage."""
    return f"k8s-{kind} (cluster {cluster})"


def _explain_gaps(
    access: ClusterAccess, start: SubjectIdentity, gaps: set[str]
) -> Iterator[UnknownSubject]:
    """Yield the reasons why nothing allows a call and yet it is not known."""
    if start.unknown:
        yield start.unknown
    for gap in sorted(gaps):
        kind = gap.partition(" (")[0].removeprefix("k8s-")
        what = f"the {kind} of {access.index.name} were not collected"
        if kind == "access-policy":
            what = (
                f"the rules of an access policy are not known: {gap.partition(' ')[2]}"
            )
        elif kind == "unread-objects":
            what = f"objects of {access.index.name} could not be parsed"
        yield UnknownSubject(start.identity, what, SOURCE)


def list_assumptions(
    access: ClusterAccess, request: KubernetesRequest, found: FoundAccess
) -> list[str]:
    """List what could still refuse a call that the authorizers allow."""
    if found.formula == FALSE or request.verb not in WRITE_VERBS:
        return []
    index = access.index
    if not index.collected.includes(_WEBHOOKS):
        return [ADMISSION_WORD]
    called = f"{request.group}/{request.resource}"
    return [ADMISSION_WORD] if called in index.cluster.webhook_kinds else []
