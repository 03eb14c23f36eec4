"""Newest decisions, from the store and from the spool."""

from dataclasses import replace

from answerable.model.documents.core import Document
from answerable.model.errors import UsageError
from answerable.model.event import AuditEvent
from answerable.services.authorization import decision_records
from answerable.services.authorization.decision_items import coverage_of, item
from answerable.services.authorization.decision_records import Found, Spooled
from answerable.store.decision_queries import (
    Asked,
    count_decisions,
    count_effects,
    newest,
    stored_among,
)
from answerable.store.store import Store

_DAY = 86_400 * 10**9
# Recent decisions are read first; older ones only if those are too few.
_SPANS = (_DAY, 30 * _DAY, 0)


def decisions(
    store: Store, spool: decision_records.Where, asked: Asked, *, limit: int, now: int
) -> tuple[Document, str]:
    """List decisions, newest first.

    Args:
        spool: Spool of decisions that are not shipped yet; None if there is none.
        now: UTC nanoseconds.

    Returns:
        The document, with the total count if it is cut; and the position of the next
        page, empty if there is none.
    """
    waiting = decision_records.spooled(spool)
    stored = _stored(store, asked, limit + 1, now)
    known = {each.raw_sha256 for each in stored}
    found = [Found(each, True) for each in stored]
    found += [
        Found(each, False)
        for each in _fitting(waiting, asked)
        if each.raw_sha256 not in known
    ]
    found.sort(key=lambda each: place(each.event), reverse=True)
    shown = found[:limit]
    items = [item(each) for each in shown]
    more = len(found) > limit
    after = spelled_place(shown[-1].event) if more and shown else ""
    total = _total(store, waiting, asked) if more or asked.before[0] else -1
    return Document("decisions", items, coverage_of(store, waiting), total=total), after


def _total(store: Store, waiting: Spooled, asked: Asked) -> int:
    """Count all matching decisions, regardless of the page."""
    whole = replace(asked, before=(0, b""))
    fitting = _fitting(waiting, whole)
    shipped = stored_among(store, fitting)
    left = sum(each.raw_sha256 not in shipped for each in fitting)
    return count_decisions(store, whole) + left


def effects(
    store: Store, spool: decision_records.Where, asked: Asked, *, since: int
) -> dict[str, int]:
    """Count decisions by effect, in the store and in the spool.

    A record that is being shipped may be counted twice: in the store and in the spool.

    Args:
        spool: Spool of decisions that are not shipped yet; None if there is none.
        since: UTC nanoseconds, inclusive.
    """
    waiting = decision_records.spooled(spool)
    counts = count_effects(store, asked, since=since)
    for event in _fitting(waiting, asked):
        if event.event_time >= since:
            effect = decision_records.facts_of(event).get("effect", "")
            counts[effect] = counts.get(effect, 0) + 1
    return counts


def _stored(store: Store, asked: Asked, limit: int, now: int) -> list[AuditEvent]:
    end = asked.before[0] or now
    for span in _SPANS:
        since = end - span if span else 0
        found = newest(store, asked, since=since, limit=limit)
        if len(found) >= limit:
            break
    return found


def _fitting(waiting: Spooled, asked: Asked) -> list[AuditEvent]:
    return [each for each in waiting.events if fits(each, asked)]


def fits(event: AuditEvent, asked: Asked) -> bool:
    """Return whether a decision matches a filter, with the semantics of the store."""
    said = decision_records.facts_of(event)
    alike = (
        asked.agent in ("", event.agent)
        and asked.effect in ("", said.get("effect", ""))
        and asked.reason in ("", said.get("reason", ""))
    )
    own = asked.of is None or bool(asked.of & {event.agent, event.identity})
    return alike and own and (not asked.before[0] or place(event) < asked.before)


def place(event: AuditEvent) -> tuple[int, bytes]:
    """Return the sort position of an event."""
    return event.event_time, event.event_id


def spelled_place(event: AuditEvent) -> str:
    """Format the position of an event for a URL."""
    return f"{event.event_time}.{event.event_id.hex()}"


def read_place(text: str) -> tuple[int, bytes]:
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
