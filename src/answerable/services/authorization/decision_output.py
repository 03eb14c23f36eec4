"""Build the output of `decision`: one decision, its reasons, and how to allow it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

from answerable.authorization.policy_exceptions import (
    BREAK_GLASS_LIFTABLE,
    OWNER_LIFTABLE,
)
from answerable.baseline.deviation_explanations import describe_value_origin
from answerable.connectors.config.parse.rule_quote import quote_rule
from answerable.model.approval_request import ApprovalScope
from answerable.model.baseline_assessment import BaselineDeviation
from answerable.model.cedar_policy import CedarPolicy
from answerable.model.documents.decisions import (
    BaselineDeviationItem,
    DecisionItem,
    DeterminingRuleItem,
    ProposedExceptionItem,
    ValueOriginItem,
)
from answerable.model.documents.shared_shapes import CoverageRecord
from answerable.model.event import AuditEvent
from answerable.model.log_sources import GATEWAY
from answerable.model.policy_exception import PolicyException
from answerable.model.spool_record import CallBehaviour
from answerable.presentation.answer_coverage import format_time
from answerable.presentation.command_hints import format_command
from answerable.services.authorization import decision_records
from answerable.services.authorization.decision_records import (
    FoundDecision,
    SpooledDecisions,
)
from answerable.store.event_queries import count_events_by_source
from answerable.store.store import EvidenceStore

EXCEPTION_PREFIX = "amendment:"  # prefix of an id among the determining rules


@dataclass(frozen=True, slots=True)
class PolicySource:
    """Text of the policy that a gateway has in force.

    Attributes:
        place: Path of the file.
        digest: Digest of the file and its policies, hex, as in decision records.
        data: Content of the file.
        policies: Cedar policies that the file names.
    """

    place: str
    digest: str
    data: bytes
    policies: tuple[CedarPolicy, ...] = ()

    def quote_rule(self, rule: str) -> tuple[str | None, str | None]:
        """Return the text of a rule and its position; None if it is not there."""
        for each in self.policies:
            if each.id == rule:
                file = rule.rpartition(":")[0]
                return each.text.strip(), f"{file}:{each.line}"
        found = quote_rule(self.data, rule)
        return (found.text, f"{self.place}:{found.line}") if found else (None, None)


def build_decision_coverage(
    store: EvidenceStore, spooled: SpooledDecisions
) -> CoverageRecord:
    """Build the coverage of an answer about decisions; empty if no gateway recorded."""
    recorded = spooled.exists or any(
        source == GATEWAY for source, _ in count_events_by_source(store)
    )
    missing = [] if recorded else ["gateway"]
    if spooled.read_error:
        missing = [f"gateway ({spooled.read_error})"]
    return {
        "partial": False,
        "sources": [],
        "seen": ["gateway"] if recorded else [],
        "not_collected": missing,
    }


def build_decision_item(
    found: FoundDecision,
    policy: PolicySource | None = None,
    exceptions: Mapping[str, PolicyException] = MappingProxyType({}),
) -> DecisionItem:
    """Build the output row of one policy decision on a call.

    Args:
        policy: Source of quoted rules; None for no quotes.
        exceptions: Policy exceptions by id; one may have decided.
    """
    event, said = (
        found.event,
        decision_records.decision_facts(found.event),
    )
    target = said.get("target", "")
    acted = decode_observed_call(said)
    return {
        "id": event.decision_id,
        "at": format_time(event.event_time),
        "agent": event.agent,
        "person": event.person or None,
        "run": event.run,
        "principal": said.get("principal", ""),
        "shown": said.get("shown", ""),
        "known": said.get("known") == "true",
        "action": event.action,
        "server": decision_records.decision_server(event),
        "target": target,
        "name": decision_records.decision_target_name(event, target),
        "resource": event.resource,
        "arguments": said.get("arguments") or None,
        "effect": said.get("effect", ""),
        "mode": said.get("mode", ""),
        "passed": "ended" in said,
        "reason": said.get("reason", ""),
        "layer": said.get("layer", ""),
        "policy": said.get("policy") or None,
        "determining": list(_build_deciding_rule_items(said, policy, exceptions)),
        "durability": said.get("durability", ""),
        "outcome": event.outcome.value,
        "ended": said.get("ended") or None,
        "identity": event.identity or None,
        "credential": event.credential or None,
        "recorder": event.recorder,
        "sequence": event.sequence,
        "stored": found.stored,
        "amendment": propose_policy_exception(event),
        "baseline": (acted.profile or None) if acted is not None else None,
        "findings": []
        if acted is None
        else list(map(_build_deviation_item, acted.findings)),
        "explained": [] if acted is None else list(_build_argument_origin_items(acted)),
    }


def decode_observed_call(facts: Mapping[str, str]) -> CallBehaviour | None:
    """Decode the call as the baseline observed it from a decision's facts, or None."""
    behaviour = facts.get("behaviour")
    return msgspec.json.decode(behaviour, type=CallBehaviour) if behaviour else None


def _build_deviation_item(deviation: BaselineDeviation) -> BaselineDeviationItem:
    """Build the output item of one deviation from the baseline."""
    return {
        "layer": deviation.layer.value,
        "code": deviation.code.value,
        "effect": deviation.effect.value,
        "tool": deviation.tool,
        "path": deviation.path,
        "expected": list(deviation.expected),
        "observed": deviation.observed,
        "origin": describe_value_origin(deviation.origin),
        "example": deviation.example or None,
        "sentence": deviation.sentence,
    }


def _build_argument_origin_items(behaviour: CallBehaviour) -> Iterator[ValueOriginItem]:
    """Build an output item per argument value, with its most likely origin."""
    for value in behaviour.seen.values:
        for origin in value.origins[:1]:
            yield {
                "path": value.path,
                "value": value.text,
                "origin": describe_value_origin(origin),
                "evidence": origin.call or None,
            }


def _build_deciding_rule_items(
    facts: Mapping[str, str],
    policy: PolicySource | None,
    exceptions: Mapping[str, PolicyException],
) -> Iterator[DeterminingRuleItem]:
    """Yield the policy rules that decided, with their text and position."""
    current = policy is not None and policy.digest == facts.get("policy")
    for rule in facts.get("rules", "").split():
        amendment = exceptions.get(rule.removeprefix(EXCEPTION_PREFIX))
        if amendment is not None:
            told = _describe_exception(amendment)
            yield {"id": rule, "text": told, "place": None, "current": True}
            continue
        text, place = policy.quote_rule(rule) if policy is not None else (None, None)
        yield {
            "id": rule,
            "text": text,
            "place": place,
            "current": current,
        }


def _describe_exception(exception: PolicyException) -> str:
    """Describe an exception: its signers, its expiry and its kind."""
    persons = " and ".join(exception.persons)
    until = format_time(exception.until * 10**9) if exception.until else "revoked"
    return f"signed by {persons}, until {until} ({exception.kind})"


def propose_policy_exception(event: AuditEvent) -> ProposedExceptionItem | None:
    """Build the exception that would allow a call like this; None if none would."""
    reason = decision_records.decision_facts(event).get("reason", "")
    wanted = decision_records.get_call_for_exception(event)
    if wanted is None or reason not in BREAK_GLASS_LIFTABLE:
        return None
    if reason not in OWNER_LIFTABLE and not wanted.name:
        return None  # a call without a target gets no break-glass
    return {
        "agent": wanted.agent,
        "server": wanted.server,
        "target": wanted.target.value,
        "name": wanted.name,
        "arguments": wanted.arguments or None,
        "by": "owner" if reason in OWNER_LIFTABLE else "two persons",
        "sign": format_command(
            *_build_signing_command(event, wanted, by_owner=reason in OWNER_LIFTABLE)
        ),
    }


def _build_signing_command(
    event: AuditEvent, scope: ApprovalScope, *, by_owner: bool
) -> tuple[str, ...]:
    """Build the command by which an owner or break-glass signs the exception."""
    if by_owner:
        return ("asks", "allow", event.decision_id, "--key", "KEY")
    where = ("--agent", scope.agent, "--server", scope.server)
    what = (f"--{scope.target}", scope.name)
    return ("break-glass", "start", *where, *what, "--key", "KEY")
