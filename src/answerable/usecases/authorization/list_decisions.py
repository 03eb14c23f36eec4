"""List and count the newest decisions, in the store and in the gateway spool."""

from dataclasses import replace

from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError
from answerable.model.event import AuditEvent
from answerable.model.time_units import DAY_NS
from answerable.services.authorization import decision_records
from answerable.services.authorization.decision_output import (
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
    count_decisions_by_effect,
    find_digests_of_stored_events,
    find_newest_decisions,
)
from answerable.store.store import EvidenceStore

# Recent decisions are read first; older ones only if those are too few.
_SPANS = (DAY_NS, 30 * DAY_NS, 0)


def list_decisions(
    store: EvidenceStore,
    spool: decision_records.SpoolPlaces,
    decision_filter: DecisionFilter,
    *,
    limit: int,
    now: int,
) -> tuple[Document, str]:
    """List policy decisions on calls, newest first, from store and spool.

    Args:
        spool: Spool of decisions that are not shipped yet; None if there is none.
        now: UTC nanoseconds.

    Returns:
        The document, with the total count if it is cut; and the position of the next
        page, empty if there is none.
    """
    waiting = decision_records.read_spool(spool)
    stored = _read_stored_decisions(store, decision_filter, limit + 1, now)
    known = {each.raw_sha256 for each in stored}
    found = [FoundDecision(each, True) for each in stored]
    found += [
        FoundDecision(each, False)
        for each in _filter_spooled_decisions(waiting, decision_filter)
        if each.raw_sha256 not in known
    ]
    found.sort(key=lambda each: get_event_position(each.event), reverse=True)
    shown = found[:limit]
    items = [build_decision_item(each) for each in shown]
    more = len(found) > limit
    after = format_position(shown[-1].event) if more and shown else ""
    total = (
        _count_decisions(store, waiting, decision_filter)
        if more or decision_filter.before[0]
        else -1
    )
    return Document(
        "decisions", items, build_decision_coverage(store, waiting), total=total
    ), after


def _count_decisions(
    store: EvidenceStore, spooled: SpooledDecisions, decision_filter: DecisionFilter
) -> int:
    """Count all matching decisions, regardless of the page."""
    whole = replace(decision_filter, before=(0, b""))
    fitting = _filter_spooled_decisions(spooled, whole)
    shipped = find_digests_of_stored_events(store, fitting)
    left = sum(each.raw_sha256 not in shipped for each in fitting)
    return count_decisions(store, whole) + left


def count_decision_effects(
    store: EvidenceStore,
    spool: decision_records.SpoolPlaces,
    decision_filter: DecisionFilter,
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
    counts = count_decisions_by_effect(store, decision_filter, since=since)
    for event in _filter_spooled_decisions(waiting, decision_filter):
        if event.event_time >= since:
            effect = decision_records.decision_facts(event).get("effect", "")
            counts[effect] = counts.get(effect, 0) + 1
    return counts


def _read_stored_decisions(
    store: EvidenceStore, decision_filter: DecisionFilter, limit: int, now: int
) -> list[AuditEvent]:
    """Read the newest matching decisions, widening the time span until enough match."""
    end = decision_filter.before[0] or now
    for span in _SPANS:
        since = end - span if span else 0
        found = find_newest_decisions(store, decision_filter, since=since, limit=limit)
        if len(found) >= limit:
            break
    return found


def _filter_spooled_decisions(
    spooled: SpooledDecisions, decision_filter: DecisionFilter
) -> list[AuditEvent]:
    """Return the matching decisions of the spool."""
    return [
        each
        for each in spooled.events
        if matches_decision_filter(each, decision_filter)
    ]


def matches_decision_filter(event: AuditEvent, decision_filter: DecisionFilter) -> bool:
    """Return whether a decision matches a filter, with the semantics of the store."""
    said = decision_records.decision_facts(event)
    alike = (
        decision_filter.agent in ("", event.agent)
        and decision_filter.effect in ("", said.get("effect", ""))
        and decision_filter.reason in ("", said.get("reason", ""))
    )
    own = decision_filter.identities is None or bool(
        decision_filter.identities & {event.agent, event.identity}
    )
    return (
        alike
        and own
        and (
            not decision_filter.before[0]
            or get_event_position(event) < decision_filter.before
        )
    )


def get_event_position(event: AuditEvent) -> tuple[int, bytes]:
    """Return time and id of an event, by which lists are sorted."""
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
            f"invalid page cursor (got {text[:80]!r})",
            "omit the cursor to start with the newest decision",
        ) from None
