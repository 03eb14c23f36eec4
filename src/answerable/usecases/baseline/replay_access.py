"""Replay a log under standing, timed and baseline-held access (`replay`)."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate

from answerable.baseline.access_replay import (
    ReplayedCall,
    ReplayOutcome,
    replay_baseline_access,
    replay_standing_access,
    replay_timed_access,
)
from answerable.baseline.call_judgement import judge_call
from answerable.baseline.profile_index import ProfileIndex
from answerable.model.behaviour import RunProgress
from answerable.model.decision import DecisionEffect
from answerable.model.documents.access_replay import AccessReplayItem
from answerable.model.documents.shared_shapes import CoverageRecord, Document
from answerable.model.errors import UsageError
from answerable.model.event import AuditEvent, EventOutcome
from answerable.model.time_units import SECOND_NS
from answerable.presentation.answer_coverage import format_time
from answerable.services.baseline.cloud_profiles import (
    convert_event_to_observed_call,
    learn_from_events,
)
from answerable.store.monitored_call_queries import (
    find_platform_events,
    read_successful_call_span,
)
from answerable.store.store import EvidenceStore

_MINUTE = 60
# Lifetimes of the curve, seconds: from 1 minute to 8 hours.
CURVE = tuple(each * _MINUTE for each in (1, 2, 5, 10, 15, 30, 60, 120, 240, 480))
_NO_MATCH = (
    "no recorded call matches the indicators; it is not known whether the log records "
    "such calls, for example data events"
)


@dataclass(frozen=True, slots=True)
class ReplayQuery:
    """Time and indicators of a replay.

    Attributes:
        since: UTC nanoseconds, inclusive.
        until: UTC nanoseconds, exclusive.
        learn_until: End of the time that baselines are learned from; None for the middle
            of the recorded time.
        lifetimes: Lifetimes of timed access, seconds; empty for those of the curve.
        indicators: `ACTION` or `ACTION=RESOURCE`, with `*` and `?`.
    """

    since: int
    until: int
    learn_until: int | None = None
    lifetimes: tuple[int, ...] = ()
    indicators: tuple[str, ...] = ()


def replay_access(store: EvidenceStore, query: ReplayQuery) -> Document:
    """Replay the platform's records of a store under three kinds of access.

    Raises:
        UsageError: No record lies before or after the end of the learning time, or an
            indicator is malformed.
    """
    is_harmful = _compile_indicators(query.indicators)
    events = find_platform_events(store, since=query.since, until=query.until)
    judged = [e for e in events if e.outcome is EventOutcome.SUCCESS and e.action]
    if not judged:
        hint = "ingest an audit log: answerable ingest cloudtrail:PATH"
        if (span := read_successful_call_span(store)) is not None:
            begin, end = map(format_time, span)
            hint = f"the log has calls from {begin} to {end}: --since TIME --until TIME"
        raise UsageError(
            "the store has no record of a successful call in that time", hint
        )
    first, last = judged[0].event_time, judged[-1].event_time
    split = (first + last) // 2 if query.learn_until is None else query.learn_until
    past = [each for each in judged if each.event_time < split]
    recent = [each for each in judged if each.event_time >= split]
    if not past or not recent:
        raise UsageError(
            f"no record is {'before' if not past else 'after'} {format_time(split)}, "
            "the end of the learning window",
            f"choose a time between {format_time(first)} and {format_time(last)}: "
            "--learn-until TIME",
        )
    calls = _judge_calls(past, recent, split, is_harmful)
    # Without any match it is not known whether the log records such calls at all.
    knows_harm = any(map(is_harmful, judged))
    items = [
        _build_item("standing", None, replay_standing_access(calls, last), knows_harm),
        *(
            _build_item(
                "timed",
                each,
                replay_timed_access(calls, each * SECOND_NS),
                knows_harm,
            )
            for each in dict.fromkeys(query.lifetimes or CURVE)
        ),
        _build_item("baseline", None, replay_baseline_access(calls, last), knows_harm),
    ]
    coverage = _build_coverage(past, recent, split, len(events) - len(judged))
    silent = [
        each
        for each in query.indicators
        if not any(map(_compile_indicators((each,)), judged))
    ]
    if silent:
        missing = f"no recorded call matches {', '.join(silent)}"
        coverage["seen"] = [*coverage["seen"], missing]
    unknown = _NO_MATCH if query.indicators and not knows_harm else ""
    return Document(
        "access-replay",
        items,
        coverage,
        undecided=unknown,
        note=f"warning: {unknown}" if unknown else "",
    )


def _judge_calls(
    past: Sequence[AuditEvent],
    recent: Sequence[AuditEvent],
    split: int,
    is_harmful: Callable[[AuditEvent], bool],
) -> list[ReplayedCall]:
    """Judge each recent call by the baseline of its identity."""
    profiles = _learn_profiles(past, split)
    calls = []
    for event in recent:
        profile = profiles.get(event.identity)
        held = profile is not None and _is_held(profile, event)
        named = (event.resource, *event.resources)
        calls.append(
            ReplayedCall(
                at=event.event_time,
                credential=event.credential or event.identity,
                action=event.action,
                resources=tuple(filter(None, named)),
                is_held=held,
                is_learned=profile is not None,
                is_harmful=is_harmful(event),
            )
        )
    return calls


def _learn_profiles(
    past: Sequence[AuditEvent], split: int
) -> Mapping[str, ProfileIndex]:
    """Learn the baseline of each identity from its earlier calls."""
    by_identity: dict[str, list[AuditEvent]] = defaultdict(list)
    for event in past:
        if event.identity:
            by_identity[event.identity].append(event)
    return {
        identity: ProfileIndex.build(learn_from_events(events, identity, split))
        for identity, events in by_identity.items()
    }


def _is_held(profile: ProfileIndex, event: AuditEvent) -> bool:
    """Return whether a baseline allows a call: its action, and its resources."""
    judgement = judge_call(
        profile, convert_event_to_observed_call(event), RunProgress()
    )
    found = [each for each in judgement.findings if each.layer in ("L1", "L2")]
    return judgement.effect is DecisionEffect.ALLOW or not found


def _compile_indicators(indicators: Sequence[str]) -> Callable[[AuditEvent], bool]:
    """Compile indicators into a test of events.

    Raises:
        UsageError: One names no action.
    """
    compiled = []
    for text in indicators:
        action, _, resource = text.partition("=")
        is_action = action and ":" in action.replace("*", ":")
        if not is_action or not text.isprintable():
            raise UsageError(
                f"not an indicator (got {text[:80]!r}, expected ACTION or "
                "ACTION=RESOURCE)",
                "for example: --indicator 's3:GetObject=arn:aws:s3:::customer-data/*'",
            )
        compiled.append(
            (
                re.compile(translate(action.lower())),
                re.compile(translate(resource or "*")),
            )
        )

    def is_harmful(event: AuditEvent) -> bool:
        named = [each for each in (event.resource, *event.resources) if each] or [""]
        return any(
            action.fullmatch(event.action.lower())
            and any(resource.fullmatch(each) for each in named)
            for action, resource in compiled
        )

    return is_harmful


def _build_item(
    access: str, lifetime: int | None, outcome: ReplayOutcome, knows_harm: bool
) -> AccessReplayItem:
    """Build the document item of one kind of access."""
    first = outcome.first_harmful
    return {
        "access": access,
        "t_s": lifetime,
        "allowed": outcome.allowed,
        "unasked": outcome.unasked,
        "requests": outcome.requests,
        "refused": outcome.refused,
        "actions": outcome.actions,
        "resources": outcome.resources,
        "harmful": outcome.harmful if knows_harm else None,
        "harmful_unasked": outcome.harmful_unasked if knows_harm else None,
        "first_harmful_s": first // SECOND_NS if first is not None else None,
        "live_s": outcome.live // SECOND_NS,
        "unlearned": outcome.unlearned,
    }


def _build_coverage(
    past: Sequence[AuditEvent],
    recent: Sequence[AuditEvent],
    split: int,
    left_out: int,
) -> CoverageRecord:
    """Build the coverage: what was learned, replayed and left out."""
    return {
        "partial": False,
        "sources": [],
        "seen": [
            f"learned from {len(past)} calls before {format_time(split)}",
            f"replayed {len(recent)} later calls",
            f"omitted {left_out} calls that failed or have no action",
        ],
        "not_collected": ["calls that the log does not record, such as data events"],
    }
