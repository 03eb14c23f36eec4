"""One decision with its reasons, and the exception that would allow it (`decision`)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

from answerable.authorization.policy_exceptions import BY_OWNER, BY_TWO
from answerable.baseline.findings import described
from answerable.connectors.config.parse.rule_quote import quote
from answerable.model.approval_request import Wanted
from answerable.model.baseline_assessment import Finding
from answerable.model.cedar_policy import CedarRule
from answerable.model.documents.core import Coverage, Document
from answerable.model.documents.decisions import (
    DecisionItem,
    DeterminingRuleItem,
    ExplainedItem,
    FindingItem,
    WantedItem,
)
from answerable.model.event import AuditEvent
from answerable.model.policy_exception import Amendment
from answerable.model.spool_record import SOURCE, Acted
from answerable.presentation.command_hints import command
from answerable.presentation.inventory_lists import spelled_time
from answerable.services.authorization import decision_records
from answerable.services.authorization.decision_records import Found, Spooled
from answerable.services.statements.policy_exceptions import held
from answerable.store.chain_queries import count_sources
from answerable.store.store import Store

AMENDMENT = "amendment:"  # prefix of an id among the determining rules


@dataclass(frozen=True, slots=True)
class PolicyText:
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
    policies: tuple[CedarRule, ...] = ()

    def quote(self, rule: str) -> tuple[str | None, str | None]:
        """Return the text of a rule and its position; None if it is not there."""
        for each in self.policies:
            if each.id == rule:
                file = rule.rpartition(":")[0]
                return each.text.strip(), f"{file}:{each.line}"
        found = quote(self.data, rule)
        return (found.text, f"{self.place}:{found.line}") if found else (None, None)


def decision(
    store: Store,
    spool: decision_records.Where | Spooled,
    text: str,
    policy: PolicyText | None = None,
    *,
    now: int,
) -> Document:
    """Show a decision.

    Args:
        spool: Spool of decisions that are not shipped yet, or its content; None for
            none.
        text: Its id, or a prefix of it.
        policy: Source of quoted rules; None for no quotes.
        now: UTC nanoseconds.

    Raises:
        UsageError: The decision does not exist, or the prefix is ambiguous.
    """
    waiting = spool if isinstance(spool, Spooled) else decision_records.spooled(spool)
    found = decision_records.find(store, waiting, text)
    signed = _signed(store, found, now)
    items = [item(each, policy, signed) for each in found]
    wanted = items[0]["amendment"]
    following = wanted["sign"] if wanted else ""
    return Document("decision", items, coverage_of(store, waiting), next=following)


def coverage_of(store: Store, waiting: Spooled) -> Coverage:
    """Build the coverage of an answer about decisions; empty if no gateway recorded."""
    recorded = waiting.there or any(
        source == SOURCE for source, _ in count_sources(store)
    )
    missing = [] if recorded else ["gateway"]
    if waiting.unread:
        missing = [f"gateway ({waiting.unread})"]
    return {
        "partial": False,
        "sources": [],
        "seen": ["gateway"] if recorded else [],
        "not_collected": missing,
    }


def _signed(store: Store, found: list[Found], now: int) -> Mapping[str, Amendment]:
    """Load policy exceptions by id if one of them decided."""
    rules = "".join(
        decision_records.facts_of(each.event).get("rules", "") for each in found
    )
    if AMENDMENT not in rules:
        return {}
    return {each.amendment.id: each.amendment for each in held(store, now).judged}


def item(
    found: Found,
    policy: PolicyText | None = None,
    signed: Mapping[str, Amendment] = MappingProxyType({}),
) -> DecisionItem:
    """Build the document item of a decision.

    Args:
        policy: Source of quoted rules; None for no quotes.
        signed: Policy exceptions by id; one may have decided.
    """
    event, said = found.event, decision_records.facts_of(found.event)
    target = said.get("target", "")
    acted = acted_of(said)
    return {
        "id": event.decision_id,
        "at": spelled_time(event.event_time),
        "agent": event.agent,
        "person": event.person or None,
        "run": event.run,
        "principal": said.get("principal", ""),
        "shown": said.get("shown", ""),
        "known": said.get("known") == "true",
        "action": event.action,
        "server": decision_records.server_of(event),
        "target": target,
        "name": decision_records.name_of(event, target),
        "resource": event.resource,
        "arguments": said.get("arguments") or None,
        "effect": said.get("effect", ""),
        "mode": said.get("mode", ""),
        "passed": "ended" in said,
        "reason": said.get("reason", ""),
        "layer": said.get("layer", ""),
        "policy": said.get("policy") or None,
        "determining": list(_determining(said, policy, signed)),
        "durability": said.get("durability", ""),
        "outcome": event.outcome.value,
        "ended": said.get("ended") or None,
        "identity": event.identity or None,
        "credential": event.credential or None,
        "recorder": event.recorder,
        "sequence": event.sequence,
        "stored": found.stored,
        "amendment": amendment_of(event),
        "baseline": (acted.profile or None) if acted is not None else None,
        "findings": [] if acted is None else list(map(_finding, acted.findings)),
        "explained": [] if acted is None else list(_explained(acted)),
    }


def acted_of(said: Mapping[str, str]) -> Acted | None:
    """Decode the call as the baseline observed it; None if it did not."""
    behaviour = said.get("behaviour")
    return msgspec.json.decode(behaviour, type=Acted) if behaviour else None


def _finding(found: Finding) -> FindingItem:
    return {
        "layer": found.layer.value,
        "code": found.code.value,
        "effect": found.effect.value,
        "tool": found.tool,
        "path": found.path,
        "expected": list(found.expected),
        "observed": found.observed,
        "origin": described(found.origin),
        "example": found.example or None,
        "sentence": found.sentence,
    }


def _explained(acted: Acted) -> Iterator[ExplainedItem]:
    """Build an item per value with its most likely origin."""
    for value in acted.seen.values:
        for origin in value.origins[:1]:
            yield {
                "path": value.path,
                "value": value.text,
                "origin": described(origin),
                "evidence": origin.call or None,
            }


def _determining(
    said: Mapping[str, str],
    policy: PolicyText | None,
    signed: Mapping[str, Amendment],
) -> Iterator[DeterminingRuleItem]:
    current = policy is not None and policy.digest == said.get("policy")
    for rule in said.get("rules", "").split():
        amendment = signed.get(rule.removeprefix(AMENDMENT))
        if amendment is not None:
            told = _told(amendment)
            yield {"id": rule, "text": told, "place": None, "current": True}
            continue
        text, place = policy.quote(rule) if policy is not None else (None, None)
        yield {
            "id": rule,
            "text": text,
            "place": place,
            "current": current,
        }


def _told(amendment: Amendment) -> str:
    persons = " and ".join(amendment.persons)
    until = spelled_time(amendment.until * 10**9) if amendment.until else "taken back"
    return f"signed by {persons}, until {until} ({amendment.kind})"


def amendment_of(event: AuditEvent) -> WantedItem | None:
    """Build the exception that would allow a call like this; None if none would."""
    reason = decision_records.facts_of(event).get("reason", "")
    wanted = decision_records.wanted_of(event)
    if wanted is None or reason not in BY_TWO:
        return None
    if reason not in BY_OWNER and not wanted.name:
        return None  # a call without a target gets no break-glass
    return {
        "agent": wanted.agent,
        "server": wanted.server,
        "target": wanted.target.value,
        "name": wanted.name,
        "arguments": wanted.arguments or None,
        "by": "owner" if reason in BY_OWNER else "two persons",
        "sign": command(*_words(event, wanted, by_owner=reason in BY_OWNER)),
    }


def _words(event: AuditEvent, wanted: Wanted, *, by_owner: bool) -> tuple[str, ...]:
    """Return the command that signs the exception."""
    if by_owner:
        return ("asks", "allow", event.decision_id, "--key", "KEY")
    where = ("--agent", wanted.agent, "--server", wanted.server)
    what = (f"--{wanted.target}", wanted.name)
    return ("break-glass", "start", *where, *what, "--key", "KEY")
