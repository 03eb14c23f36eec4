"""Show one authorization decision with its reasons (command `decision`)."""

from collections.abc import Mapping

from answerable.model.documents.shared_shapes import Document
from answerable.model.policy_exception import PolicyException
from answerable.services.authorization import decision_records
from answerable.services.authorization.decision_output import (
    EXCEPTION_PREFIX,
    PolicySource,
    build_decision_coverage,
    build_decision_item,
)
from answerable.services.authorization.decision_records import (
    FoundDecision,
    SpooledDecisions,
)
from answerable.services.statements.policy_exceptions import read_policy_exceptions
from answerable.store.store import EvidenceStore


def show_decision(
    store: EvidenceStore,
    spool: decision_records.SpoolPlaces | SpooledDecisions,
    decision_id: str,
    policy: PolicySource | None = None,
    *,
    now: int,
) -> Document:
    """Build the document of a decision: request, outcome and deciding rules.

    Args:
        spool: Spool of decisions that are not shipped yet, or its content; None for
            none.
        decision_id: Its id, or a prefix of it.
        policy: Source of quoted rules; None for no quotes.
        now: UTC nanoseconds.

    Raises:
        UsageError: The decision does not exist, or the prefix is ambiguous.
    """
    waiting = (
        spool
        if isinstance(spool, SpooledDecisions)
        else decision_records.read_spool(spool)
    )
    found = decision_records.find_decision(store, waiting, decision_id)
    signed = _load_deciding_exceptions(store, found, now)
    items = [build_decision_item(each, policy, signed) for each in found]
    wanted = items[0]["amendment"]
    following = wanted["sign"] if wanted else ""
    return Document(
        "decision", items, build_decision_coverage(store, waiting), next=following
    )


def _load_deciding_exceptions(
    store: EvidenceStore, decisions: list[FoundDecision], now: int
) -> Mapping[str, PolicyException]:
    """Load policy exceptions by id if one of them decided."""
    rules = "".join(
        decision_records.decision_facts(each.event).get("rules", "")
        for each in decisions
    )
    if EXCEPTION_PREFIX not in rules:
        return {}
    return {
        each.exception.id: each.exception
        for each in read_policy_exceptions(store, now).statuses
    }
