"""`decision`: one decision whole, and what its owner could do about it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from answerable.connectors.config.parse.quoting import quote
from answerable.enforce.amending import BY_OWNER, BY_TWO
from answerable.flows import decided
from answerable.flows.decided import Found, Spooled
from answerable.flows.lists import spelled_time
from answerable.model.document import Coverage, Document
from answerable.model.document_decisions import (
    DecisionItem,
    DeterminingRuleItem,
    WantedItem,
)
from answerable.model.event import AuditEvent
from answerable.store.store import Store


@dataclass(frozen=True, slots=True)
class PolicyText:
    """The file that a gateway decides by, as it stands now.

    Attributes:
        place: Its path.
        digest: SHA-256, hex, as decisions name it.
        data: Its bytes.
    """

    place: str
    digest: str
    data: bytes


def decision(
    store: Store, spool: Path | None, text: str, policy: PolicyText | None = None
) -> Document:
    """Show a decision.

    Args:
        store: Where most are.
        spool: Where those are that are not shipped yet; None for nowhere.
        text: Its id, or the beginning of it.
        policy: From which its rules are quoted; None for no text.

    Raises:
        UsageError: No decision is called so, or several begin so.
    """
    waiting = decided.spooled(spool)
    found = decided.find(store, waiting, text)
    items = [_item(each, policy) for each in found]
    return Document("decision", items, coverage_of(waiting))


def coverage_of(waiting: Spooled) -> Coverage:
    """Say what an answer about decisions rests on."""
    missing = [f"gateway ({waiting.unread})"] if waiting.unread else []
    return {
        "partial": False,
        "sources": [],
        "seen": ["gateway"],
        "not_collected": missing,
    }


def _item(found: Found, policy: PolicyText | None) -> DecisionItem:
    event, said = found.event, decided.facts_of(found.event)
    target = said.get("target", "")
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
        "server": decided.server_of(event),
        "target": target,
        "name": decided.name_of(event, target),
        "resource": event.resource,
        "arguments": said.get("arguments") or None,
        "effect": said.get("effect", ""),
        "mode": said.get("mode", ""),
        "passed": "ended" in said,
        "reason": said.get("reason", ""),
        "layer": said.get("layer", ""),
        "policy": said.get("policy") or None,
        "determining": list(_determining(said, policy)),
        "durability": said.get("durability", ""),
        "outcome": event.outcome.value,
        "ended": said.get("ended") or None,
        "identity": event.identity or None,
        "credential": event.credential or None,
        "recorder": event.recorder,
        "sequence": event.sequence,
        "stored": found.stored,
        "amendment": amendment_of(event),
    }


def _determining(
    said: Mapping[str, str], policy: PolicyText | None
) -> Iterator[DeterminingRuleItem]:
    current = policy is not None and policy.digest == said.get("policy")
    for rule in said.get("rules", "").split():
        found = quote(policy.data, rule) if policy is not None else None
        place = f"{policy.place}:{found.line}" if policy and found else None
        yield {
            "id": rule,
            "text": found.text if found else None,
            "place": place,
            "current": current,
        }


def amendment_of(event: AuditEvent) -> WantedItem | None:
    """Say which amendment would allow a call like this; None where none would."""
    reason = decided.facts_of(event).get("reason", "")
    wanted = decided.wanted_of(event)
    if wanted is None or reason not in BY_TWO:
        return None
    return {
        "agent": wanted.agent,
        "server": wanted.server,
        "target": wanted.target.value,
        "name": wanted.name,
        "arguments": wanted.arguments or None,
        "by": "owner" if reason in BY_OWNER else "two persons",
    }
