"""Newest decisions, from the store and from the spool."""

from dataclasses import replace

from answerable.model.documents.core import Document
from answerable.model.errors import UsageError
from answerable.model.event import AuditEvent
from answerable.services.authorization import decision_records
from answerable.services.authorization.decision_items import (
    build_decision_coverage,
    build_decision_item,
)
from answerable.services.authorization.decision_records import (
    FoundDecision,
    SpooledDecisions,
)
from answerable.store.decision_queries import (
    DecisionFilter,
    count_decisions,
    count_effects,
    find_newest_decisions,
    find_stored_digests,
)
from answerable.store.store import EvidenceStore

_DAY = 86_400 * 10**9
# Recent decisions are read first; older ones only if those are too few.
_SPANS = (_DAY, 30 * _DAY, 0)


def list_decisions(
    store: EvidenceStore,
    spool: decision_records.SpoolPlaces,
    asked: DecisionFilter,
    *,
    limit: int,
    now: int,
) -> tuple[Document, str]:
    """List decisions, newest first.

    Args:
        spool: Spool of decisions that are not shipped yet; None if there is none.
        now: UTC nanoseconds.

    Returns:
        The document, with the total count if it is cut; and the position of the next
        page, empty if there is none.
    """
    waiting = decision_records.read_spool(spool)
    stored = _read_stored(store, asked, limit + 1, now)
    known = {each.raw_sha256 for each in stored}
    found = [FoundDecision(each, True) for each in stored]
    found += [
        FoundDecision(each, False)
        for each in _filter_spooled(waiting, asked)
        if each.raw_sha256 not in known
    ]
    found.sort(key=lambda each: event_position(each.event), reverse=True)
    shown = found[:limit]
    items = [build_decision_item(each) for each in shown]
    more = len(found) > limit
    after = format_position(shown[-1].event) if more and shown else ""
    total = _count_decisions(store, waiting, asked) if more or asked.before[0] else -1
    return Document(
        "decisions", items, build_decision_coverage(store, waiting), total=total
    ), after


def _count_decisions(
    store: EvidenceStore, waiting: SpooledDecisions, asked: DecisionFilter
) -> int:
    """Count all matching decisions, regardless of the page."""
    whole = replace(asked, before=(0, b""))
    fitting = _filter_spooled(waiting, whole)
    shipped = find_stored_digests(store, fitting)
    left = sum(each.raw_sha256 not in shipped for each in fitting)
    return count_decisions(store, whole) + left


def count_decision_effects(
    store: EvidenceStore,
    spool: decision_records.SpoolPlaces,
    asked: DecisionFilter,
    *,
    since: int,
) -> dict[str, int]:
    """Count decisions by effect, in the store and in the spool.

    A record that is being shipped may be counted twice: in the store and in the spool.

    Args:
        spool: Spool of decisions that are not shipped yet; None if there is none.
        since: UTC nanoseconds, inclusive.
    """
    waiting = decision_records.read_spool(spool)
    counts = count_effects(store, asked, since=since)
    for event in _filter_spooled(waiting, asked):
        if event.event_time >= since:
            effect = decision_records.decision_facts(event).get("effect", "")
            counts[effect] = counts.get(effect, 0) + 1
    return counts


def _read_stored(
    store: EvidenceStore, asked: DecisionFilter, limit: int, now: int
) -> list[AuditEvent]:
    end = asked.before[0] or now
    for span in _SPANS:
        since = end - span if span else 0
        found = find_newest_decisions(store, asked, since=since, limit=limit)
        if len(found) >= limit:
            break
    return found


def _filter_spooled(
    waiting: SpooledDecisions, asked: DecisionFilter
) -> list[AuditEvent]:
    return [each for each in waiting.events if matches_filter(each, asked)]


def matches_filter(event: AuditEvent, asked: DecisionFilter) -> bool:
    """Return whether a decision matches a filter, with the semantics of the store."""
    said = decision_records.decision_facts(event)
    alike = (
        asked.agent in ("", event.agent)
        and asked.effect in ("", said.get("effect", ""))
        and asked.reason in ("", said.get("reason", ""))
    )
    own = asked.of is None or bool(asked.of & {event.agent, event.identity})
    return (
        alike and own and (not asked.before[0] or event_position(event) < asked.before)
    )


def event_position(event: AuditEvent) -> tuple[int, bytes]:
    """Return the sort position of an event."""
    return event.event_time, event.event_id


def format_position(event: AuditEvent) -> str:
    """Format the position of an event for a URL."""
    return f"{event.event_time}.{event.event_id.hex()}"


def parse_position(text: str) -> tuple[int, bytes]:
    """Parse a position; empty means none.

    Raises:
        UsageError: It is malformed.
    """
    if not text:
        return 0, b""
    time, _, key = text.partition(".")
    try:
        if not (time.isascii() and time.isdecimal() and len(time) < 20):
            raise ValueError
        return int(time), bytes.fromhex(key)
    except ValueError:
        raise UsageError(
            f"no place among decisions (got {text[:80]!r})", "begin with the newest"
        ) from None
