"""Build answers on Kubernetes in the terms of the documents."""

from collections.abc import Iterable
from dataclasses import dataclass

from answerable.model.documents.shared_shapes import AllowedPartItem, ReachItem
from answerable.model.kubernetes_ids import KubernetesResource
from answerable.reach.answer_items import (
    build_condition_alternatives,
    build_determining_items,
    build_item_without_statements,
    build_path_hop_item,
)
from answerable.reach.condition_formula import (
    ConditionAtom,
    Formula,
    Verdict,
    conjoin_hops,
    get_verdict,
)
from answerable.reach.kubernetes.cluster_access import AccessPath
from answerable.reach.platform import (
    Answer,
    Question,
    SubjectIdentity,
    UnknownSubject,
)

SOURCE = "k8s"
NAMES = "answerable:resource"
_OBJECT = ("operation", "the object of the call")
_OTHER = ("depends", "")


def classify_condition(atom: ConditionAtom) -> tuple[str, str]:
    """Return the author of a condition, and a text on who can satisfy it."""
    return _OBJECT if atom.key == NAMES else _OTHER


@dataclass(frozen=True, slots=True)
class FoundAccess:
    """Access of one identity to a call.

    Attributes:
        path: Way in which the call is allowed; None where it is not.
        formula: Condition of the call and of all steps to it.
        parts: Objects that are allowed where not all are.
        admin: Whether the end of the path may do everything.
    """

    path: AccessPath | None
    formula: Formula
    parts: tuple[tuple[KubernetesResource, AccessPath], ...] = ()
    admin: bool = False


def build_not_known_answer(
    question: Question,
    unknown: Iterable[UnknownSubject],
    words: Iterable[str] = (),
    *,
    unread: bool = False,
) -> Answer:
    """Build the answer `not-known`."""
    item = build_item_without_statements(
        question.subject, question.action, question.resource, Verdict.NOT_KNOWN
    )
    return Answer(item, tuple(dict.fromkeys(unknown)), frozenset(words), unread)


def build_access_answer(
    start: SubjectIdentity,
    found: FoundAccess,
    call: tuple[str, str],
    assuming: Iterable[str] = (),
) -> Answer:
    """Build the answer about the access of one identity."""
    verdict = get_verdict(found.formula)
    path = found.path or (found.parts[0][1] if found.parts else None)
    hops = (*start.hops, *path.hops) if path else ()
    words = sorted(assuming)
    item: ReachItem = {
        "subject": start.subject,
        "action": call[0],
        "resource": call[1],
        "verdict": verdict.value,
        "conditions": build_condition_alternatives(
            found.formula, classify=classify_condition
        ),
        "admin": found.admin and verdict is not Verdict.NEVER,
        "determining": build_determining_items(path.determining if path else ()),
        "path": [build_path_hop_item(hop, classify=classify_condition) for hop in hops],
        "assuming": words,
    }
    if found.parts:
        item["covers"] = "part"
        item["parts"] = [_build_part(start, *part) for part in found.parts]
    return Answer(item, not_collected=frozenset(words))


def _build_part(
    start: SubjectIdentity, resource: KubernetesResource, path: AccessPath
) -> AllowedPartItem:
    """Build the item of one object of a call on several."""
    hops = (*start.hops, *path.hops)
    formula = conjoin_hops(*(hop.formula for hop in hops))
    return {
        "resource": str(resource),
        "verdict": get_verdict(formula).value,
        "conditions": build_condition_alternatives(
            formula, classify=classify_condition
        ),
        "determining": build_determining_items(path.determining),
        "path": [build_path_hop_item(hop, classify=classify_condition) for hop in hops],
    }
