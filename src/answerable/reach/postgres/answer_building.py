"""Answers about PostgreSQL permissions, as items of the output documents."""

from collections.abc import Iterable
from dataclasses import dataclass

from answerable.model.documents.shared_shapes import AllowedPartItem, ReachItem
from answerable.model.postgres_ids import ResourceName
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
    get_verdict,
)
from answerable.reach.platform import (
    Answer,
    PathHop,
    Question,
    SubjectIdentity,
    UnknownSubject,
)
from answerable.reach.postgres.privilege_check import UNREAD, PrivilegeDecision
from answerable.reach.postgres.row_security import ROW_SECURITY
from answerable.reach.postgres.session_steps import (
    SERVER_ACCESS,
    SERVER_VERSION,
    SessionPath,
)

SOURCE = "pg"
COLUMNS = "answerable:resource"
_WHO = {
    ROW_SECURITY: ("platform", "rows that the policy's expression accepts"),
    SERVER_ACCESS: ("platform", "programs or files of the server's host give the role"),
    SERVER_VERSION: ("platform", "the version of the server is not known"),
    COLUMNS: ("operation", "the columns of the call"),
    UNREAD: ("platform", "a statement of the dump could not be parsed"),
}
_OTHER = ("depends", "")


def classify_row_security_condition(atom: ConditionAtom) -> tuple[str, str]:
    """Return the author of a condition, and a text on who can satisfy it."""
    return _WHO.get(atom.key, _OTHER)


@dataclass(frozen=True, slots=True)
class FoundAnswer:
    """Answer at the end of one path.

    Attributes:
        formula: Condition of the call and of all steps to it.
        parts: Columns that are allowed where the whole table is not.
    """

    path: SessionPath
    formula: Formula
    decision: PrivilegeDecision
    parts: tuple[tuple[ResourceName, PrivilegeDecision], ...] = ()


def build_not_known_answer(
    question: Question, unknown: Iterable[UnknownSubject]
) -> Answer:
    """Build the answer `not-known`."""
    item = build_item_without_statements(
        question.subject, question.action, question.resource, Verdict.NOT_KNOWN
    )
    return Answer(item, tuple(dict.fromkeys(unknown)))


def build_answer_at_path_end(
    start: SubjectIdentity,
    found: FoundAnswer,
    action: str,
    resource: str,
    assuming: Iterable[str],
) -> Answer:
    """Build the answer at the end of a path."""
    verdict = get_verdict(found.formula)
    hops: tuple[PathHop, ...] = ()
    if verdict is not Verdict.NEVER:
        hops = (*start.hops, *found.path.hops)
    words = sorted(assuming)
    session = found.path.session
    role = session.server.get_role(session.role)
    item: ReachItem = {
        "subject": start.subject,
        "action": action,
        "resource": resource,
        "verdict": verdict.value,
        "conditions": build_condition_alternatives(
            found.formula, classify=classify_row_security_condition
        ),
        "admin": bool(role and role.superuser and verdict is not Verdict.NEVER),
        "determining": build_determining_items(found.decision.determining),
        "path": [
            build_path_hop_item(hop, classify=classify_row_security_condition)
            for hop in hops
        ],
        "assuming": words,
    }
    if found.parts:
        item["covers"] = "part"
        item["parts"] = [_build_column_item(*part, hops) for part in found.parts]
    unread = any(atom.key == UNREAD for one in found.formula for atom in one)
    return Answer(item, not_collected=frozenset(words), unread=unread)


def _build_column_item(
    resource: ResourceName, decision: PrivilegeDecision, hops: Iterable[PathHop]
) -> AllowedPartItem:
    """Build the item of one column of a table."""
    return {
        "resource": str(resource),
        "verdict": get_verdict(decision.formula).value,
        "conditions": build_condition_alternatives(
            decision.formula, classify=classify_row_security_condition
        ),
        "determining": build_determining_items(decision.determining),
        "path": [
            build_path_hop_item(hop, classify=classify_row_security_condition)
            for hop in hops
        ],
    }
