"""Build answers on Google Cloud in the terms of the documents."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from answerable.model.documents.shared_shapes import ReachItem
from answerable.reach.answer_items import (
    build_condition_alternatives,
    build_determining_items,
    build_item_without_statements,
    build_path_hop_item,
)
from answerable.reach.condition_formula import (
    FALSE,
    ConditionAtom,
    Formula,
    Verdict,
    conjoin_hops,
    get_verdict,
)
from answerable.reach.gcp.access_evaluation import (
    BOUNDARY,
    DENY_RULES,
    ENFORCEMENT,
    PREDEFINED_ROLES,
    AccessGap,
)
from answerable.reach.gcp.pool_tokens import ASSERTION, AUDIENCE
from answerable.reach.gcp.principals import MEMBERSHIP
from answerable.reach.gcp.step_rules import (
    CLUSTER,
    EXISTS,
    INVOKE,
    KEY_POLICY,
    LOGIN,
    TEMPLATE,
)
from answerable.reach.platform import (
    Answer,
    DeterminingStatement,
    PathHop,
    Question,
    SubjectIdentity,
    UnknownSubject,
)

SOURCE = "gcp"
ROLES_SOURCE = "gcp-roles"
_AUTHORS = {
    MEMBERSHIP: ("platform", "the members of the group or set were not collected"),
    DENY_RULES: (
        "platform",
        "the rules of the deny policy were not collected or not understood",
    ),
    ENFORCEMENT: (
        "platform",
        "whether the enforcement version covers the permission is not known",
    ),
    BOUNDARY: ("platform", "the access boundary was not collected"),
    TEMPLATE: ("depends", "an instance is created from the template"),
    LOGIN: ("depends", "the instance accepts the login and is reachable"),
    EXISTS: ("platform", "such a workload exists; it was not collected"),
    INVOKE: ("depends", "the target of the trigger forwards the token"),
    CLUSTER: ("depends", "the cluster's RBAC or nodes give access to the account"),
    KEY_POLICY: ("platform", "no organization policy blocks keys"),
    ASSERTION: ("depends", "the issuer of the token decides its claims"),
    AUDIENCE: ("depends", "the token was issued for that audience"),
    "request.time": ("platform", "the time of the request"),
    "api.getAttribute": ("operation", "an argument of the request"),
    "resource.tags": ("depends", "tags of the resource"),
    "gcp:condition": ("depends", "the condition could not be evaluated"),
}


def classify_condition(atom: ConditionAtom) -> tuple[str, str]:
    """Return the author of a condition, and a text on who can satisfy it."""
    known = _AUTHORS.get(atom.key)
    if known is not None:
        return known
    if atom.key.startswith("resource."):
        return "operation", "the resource of the request"
    if atom.key.startswith(("assertion.", "attribute.", "google.")):
        return _AUTHORS[ASSERTION]
    return "depends", ""


@dataclass(frozen=True, slots=True)
class GoogleAccess:
    """Access of one identity to a call, with the path to it.

    Attributes:
        gaps: Missing data without which it does not exist.
    """

    formula: Formula
    hops: tuple[PathHop, ...] = ()
    statements: tuple[DeterminingStatement, ...] = ()
    gaps: tuple[AccessGap, ...] = ()
    assumed: tuple[str, ...] = ()
    admin: bool = False

    @property
    def verdict(self) -> Verdict:
        """Verdict, with the conditions of all steps."""
        if self.gaps:
            return Verdict.NOT_KNOWN
        return get_verdict(self.total)

    @property
    def total(self) -> Formula:
        """Condition of the call and of all steps to it."""
        if self.formula == FALSE:
            return FALSE
        return conjoin_hops(*(hop.formula for hop in self.hops), self.formula)


def explain_gaps(gaps: Iterable[AccessGap]) -> tuple[UnknownSubject, ...]:
    """Explain missing data in the terms of the document."""
    return tuple(
        UnknownSubject(
            each.subject,
            each.because,
            ROLES_SOURCE if each.word == f"gcp-{PREDEFINED_ROLES}" else SOURCE,
        )
        for each in gaps
    )


def list_words(gaps: Iterable[AccessGap]) -> frozenset[str]:
    """List the coverage words of missing data, with its subject."""
    return frozenset(f"{each.word} ({each.subject})" for each in gaps)


def build_not_known_answer(
    question: Question, unknown: Iterable[UnknownSubject], words: Iterable[str] = ()
) -> Answer:
    """Build the answer `not-known`."""
    item = build_item_without_statements(
        question.subject, question.action, question.resource, Verdict.NOT_KNOWN
    )
    return Answer(item, tuple(dict.fromkeys(unknown)), frozenset(words))


def build_impossible_answer(question: Question) -> Answer:
    """Build the answer `never`: no resource of the service takes the permission."""
    item = build_item_without_statements(
        question.subject, question.action, question.resource, Verdict.NEVER
    )
    kind = DeterminingStatement(
        "catalogue", "permissions", "of another service", "impossible"
    )
    return Answer({**item, "determining": build_determining_items((kind,))})


def build_access_answer(
    start: SubjectIdentity,
    found: GoogleAccess,
    call: tuple[str, str],
    words: Iterable[str] = (),
) -> Answer:
    """Build the answer about the access of one identity."""
    hops = (*start.hops, *found.hops)
    formula = replace(found, hops=hops).total
    verdict = get_verdict(formula)
    assumed = sorted({*found.assumed, *words})
    item: ReachItem = {
        "subject": start.subject,
        "action": call[0],
        "resource": call[1],
        "verdict": verdict.value,
        "conditions": build_condition_alternatives(
            formula, classify=classify_condition
        ),
        "admin": found.admin and verdict is not Verdict.NEVER,
        "determining": build_determining_items(found.statements),
        "path": [build_path_hop_item(hop, classify=classify_condition) for hop in hops],
        "assuming": assumed,
    }
    return Answer(item, not_collected=frozenset(assumed))
