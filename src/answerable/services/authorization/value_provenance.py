"""Describe each argument of a blocked call and its author, for the person who signs."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerable.baseline.deviation_explanations import describe_value_origin
from answerable.model.behaviour import ArgumentValue, OriginKind, ValueOrigin
from answerable.model.decision import DecisionReason
from answerable.model.spool_record import CallBehaviour
from answerable.presentation.text import quote
from answerable.services.authorization import decision_records
from answerable.services.authorization.approval_requests import ApprovalRequest
from answerable.services.authorization.decision_output import decode_observed_call
from answerable.services.authorization.decision_records import SpooledDecisions
from answerable.store.store import EvidenceStore

NOT_KEPT = (
    "only the SHA-256 of the arguments is stored, because the agent has no baseline; "
    "their values and origin are not known"
)
UNTRUSTED_MARK = "WRITTEN BY STRANGERS"


@dataclass(frozen=True, slots=True)
class ValueProvenance:
    """Values of one requested call, as far as they are recorded.

    Attributes:
        lines: One per value and per difference from the baseline. Untrusted text is
            quoted.
        is_doubtful: Whether a value may come from untrusted content: an exception is
            then limited to these arguments, and in time.
    """

    lines: tuple[str, ...]
    is_doubtful: bool


def describe_argument_provenance(
    store: EvidenceStore, spooled: SpooledDecisions, request: ApprovalRequest
) -> ValueProvenance:
    """Describe the values of a requested call and their authors.

    Args:
        store: Store of the decision.
        spooled: Spool content.
    """
    event = decision_records.find_decision(store, spooled, request.decision_id)[0].event
    acted = decode_observed_call(decision_records.decision_facts(event))
    if acted is None:
        return ValueProvenance((NOT_KEPT,) if request.scope.arguments else (), False)
    held = request.newest.reason == DecisionReason.BEHAVIOUR
    doubtful = any(
        _may_come_from_untrusted_content(each, blocked_for_behaviour=held)
        for each in acted.seen.values
    )
    doubtful |= any(_is_untrusted_origin(each.origin) for each in acted.findings)
    return ValueProvenance(tuple(_list_origin_and_deviation_lines(acted)), doubtful)


def _list_origin_and_deviation_lines(behaviour: CallBehaviour) -> Iterator[str]:
    """Yield a line for each argument value with its origin, and for each deviation."""
    for value in behaviour.seen.values:
        yield f"{quote(value.path)}: {_format_argument_value(value)}, {_format_likely_origin(value)}"
    for path, millionths in behaviour.seen.numbers:
        yield f"{quote(path)}: {millionths / 1e6:g}"
    for finding in behaviour.findings:
        if finding.sentence:
            yield f"differs from the learned values: {quote(finding.sentence)}"
    if behaviour.seen.after:
        tools = ", ".join(map(quote, behaviour.seen.after))
        yield f"the agent had read untrusted text before, by {tools}"


def _format_argument_value(value: ArgumentValue) -> str:
    """Format an argument value, or only its type if its text was not kept."""
    return (
        quote(value.text) if value.text else f"a value of type {value.kind}, not stored"
    )


def _format_likely_origin(value: ArgumentValue) -> str:
    """Format the most likely origin of a value, marked if any origin is untrusted."""
    if not value.text:
        return "origin not kept"
    if not value.origins:
        return "origin not known"
    said = f"from {quote(describe_value_origin(value.origins[0]))}"
    return (
        f"{said}, {UNTRUSTED_MARK}"
        if any(map(_is_untrusted_origin, value.origins))
        else said
    )


def _may_come_from_untrusted_content(
    value: ArgumentValue, *, blocked_for_behaviour: bool
) -> bool:
    """Return whether a value may come from untrusted content."""
    unknown = not value.text or (value.sensitive and not value.origins)
    return any(map(_is_untrusted_origin, value.origins)) or (
        blocked_for_behaviour and unknown
    )


def _is_untrusted_origin(origin: ValueOrigin | None) -> bool:
    """Return whether a value comes from untrusted content, such as a web page."""
    if origin is None:
        return False
    return origin.kind is OriginKind.BEFORE or not origin.trusted
