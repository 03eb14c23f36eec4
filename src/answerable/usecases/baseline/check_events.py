"""Compare an identity's cloud events with its earlier ones (`baseline check`).

Events have neither arguments nor results, so only two layers are checked: actions (L1)
and their resources (L2).
"""

from collections.abc import Iterable, Iterator

from answerable.baseline.call_judgement import judge_call
from answerable.baseline.profile_index import ProfileIndex
from answerable.model.baseline import BaselineProfile
from answerable.model.behaviour import RunProgress
from answerable.model.decision import DecisionEffect
from answerable.model.documents.baseline import BaselineCheckItem
from answerable.model.documents.shared_shapes import CoverageRecord, Document
from answerable.model.errors import UsageError
from answerable.model.event import AuditEvent
from answerable.presentation.answer_coverage import format_time
from answerable.services.baseline.cloud_profiles import (
    convert_event_to_observed_call,
    learn_from_events,
)
from answerable.services.baseline.profile_learning import WINDOW
from answerable.store.event_queries import read_log_spans
from answerable.store.monitored_call_queries import find_events_of_identity
from answerable.store.store import EvidenceStore

_MOST = 1000


def check_identity_events(
    store: EvidenceStore, identity: str, *, since: int, now: int
) -> Document:
    """List behaviour of an identity since a time that its earlier events lack.

    If a log that recorded the identity ends before that time, the answer is not known.

    Args:
        identity: Name in events, e.g. the ARN of a role.
        since: UTC nanoseconds; up to 90 days of earlier events are the training data.
        now: UTC nanoseconds.

    Raises:
        UsageError: The store has no earlier event of it.
    """
    events = find_events_of_identity(store, identity, since=since - WINDOW, until=now)
    before = [each for each in events if each.event_time < since]
    if not before:
        hint = "ingest an earlier audit log: answerable ingest cloudtrail:PATH"
        if events:
            hint += f", or name a --since after {format_time(events[0].event_time)}"
        elif ":" not in identity and "@" not in identity:
            hint = "identities are named as in events, e.g. by the ARN of a role"
        raise UsageError(
            f"the store has no event of {identity} in the 90 days before "
            f"{format_time(since)}",
            hint,
        )
    profile = learn_from_events(before, identity, since)
    items = list(_list_unlearned_behaviour(events, profile, since))
    ends = _find_ends_of_logs(store, before)
    unread = [
        f"the log {name} ends at {format_time(end)}, before {format_time(since)}"
        for name, end in ends.items()
        if end < since
    ]
    coverage: CoverageRecord = {
        "partial": False,
        "sources": [],
        "seen": [
            f"{profile.runs} runs and {len(before)} earlier events",
            f"{len(events) - len(before)} recent events",
            *(f"log {name} until {format_time(end)}" for name, end in ends.items()),
        ],
        "not_collected": [*unread, "arguments and results of calls (L3, L4)"],
    }
    if len(items) > _MOST:
        more = f"{len(items) - _MOST} more deviations (the first {_MOST} are listed)"
        coverage["not_collected"].append(more)
    undecided = "; ".join(unread)
    compared = f"{len(events) - len(before)} events compared with {len(before)} earlier"
    return Document(
        "baseline-check",
        items[:_MOST],
        coverage,
        undecided=undecided,
        searched="" if items or undecided else compared,
        note=f"warning: {undecided}" if undecided and items else "",
    )


def _find_ends_of_logs(
    store: EvidenceStore, events: Iterable[AuditEvent]
) -> dict[str, int]:
    """Return the time of the newest event of each log that has some events."""
    spans = read_log_spans(store)
    logs = sorted({(each.source, each.scope) for each in events})
    return {" ".join(log).strip(): spans[log].until for log in logs if log in spans}


def _list_unlearned_behaviour(
    events: Iterable[AuditEvent], profile: BaselineProfile, since: int
) -> Iterator[BaselineCheckItem]:
    """Yield an item per recent event that the learned profile does not allow."""
    held = ProfileIndex.build(profile)
    for event in events:
        if event.event_time < since:
            continue
        judgement = judge_call(
            held, convert_event_to_observed_call(event), RunProgress()
        )
        found = [each for each in judgement.findings if each.layer in ("L1", "L2")]
        if judgement.effect is DecisionEffect.ALLOW or not found:
            continue
        yield {
            "event": event.event_id.hex(),
            "at": format_time(event.event_time),
            "identity": event.identity,
            "action": event.action,
            "resource": event.resource,
            "codes": list(dict.fromkeys(each.code.value for each in found)),
            "sentence": found[0].sentence,
        }
