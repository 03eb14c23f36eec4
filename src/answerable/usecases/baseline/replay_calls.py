"""Judge recorded calls again by a baseline profile (`baseline replay`).

A replay counts as a worker's window does: calls of one recorder, in the order of their
decisions and ends. Its judgement of a call equals that of shadow mode at the time.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from answerable.baseline.call_judgement import judge_call
from answerable.baseline.profile_index import ProfileIndex
from answerable.baseline.recent_result_window import RecentResultWindow
from answerable.model.baseline import BaselineProfile
from answerable.model.baseline_assessment import BaselineAssessment
from answerable.model.decision import DecisionEffect
from answerable.model.documents.baseline import BaselineReplayItem, ReplayedCallItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError
from answerable.model.ids import AgentId
from answerable.model.time_units import SECOND_NS
from answerable.presentation.answer_coverage import build_empty_coverage, format_time
from answerable.services.baseline import profile_learning
from answerable.services.baseline.profile_learning import RecordedCall, load_profile
from answerable.services.statements import signed_baselines
from answerable.store.monitored_call_queries import find_window_start
from answerable.store.store import EvidenceStore

_MOST = 200  # listed calls


@dataclass(frozen=True, slots=True)
class ReplayedJudgement:
    """Judgement of a profile on one recorded call."""

    call: RecordedCall
    judgement: BaselineAssessment


def replay_profile(
    store: EvidenceStore,
    agent: AgentId,
    name: str,
    *,
    since: int,
    now: int,
    limit: int = 0,
) -> Document:
    """Judge the recorded calls of an agent by a profile.

    Args:
        name: Digest of the profile; empty for those in force.
        since: UTC nanoseconds, inclusive.
        now: UTC nanoseconds.
        limit: Read at most this many calls, the newest; 0 for all.

    Raises:
        UsageError: The profile does not exist, or none is in force.
    """
    profiles: list[tuple[str, BaselineProfile]] = []
    if name:
        profiles.append(load_profile(store, name))
    else:
        standing = signed_baselines.read_active_baselines(store, now)
        profiles += [
            (each.digest, each.profile)
            for subject, each in standing.items()
            if subject.agent == agent
        ]
    if not profiles:
        raise UsageError(
            f"no baseline of {agent} is in force", "name a profile: --profile DIGEST"
        )
    # Earlier calls belong to its window, too.
    begin = find_window_start(store, agent, max_calls=limit) if limit else 0
    found = profile_learning.read_recorded_calls(store, agent, since=begin, until=now)
    items = [
        _build_replay_item(digest, profile, found, since)
        for digest, profile in profiles
    ]
    return Document("baseline-replay", items, build_empty_coverage())


def judge_recorded_calls(
    recorded_calls: Iterable[RecordedCall], profile: BaselineProfile
) -> Iterator[ReplayedJudgement]:
    """Judge the recorded calls of a subject again, in the order of their records."""
    by_recorder: dict[str, list[RecordedCall]] = defaultdict(list)
    for each in recorded_calls:
        by_recorder[each.row.recorder].append(each)
    held = ProfileIndex.build(profile)
    for calls in by_recorder.values():
        yield from _replay_worker_calls(calls, held)


def _replay_worker_calls(
    calls: list[RecordedCall], index: ProfileIndex
) -> Iterator[ReplayedJudgement]:
    """Yield a judgement per call of one gateway worker, in recorded order."""
    steps = [(each.row.sequence, each, True) for each in calls]
    steps += [(each.row.ended, each, False) for each in calls if each.row.result]
    window: RecentResultWindow | None = None
    for _, each, is_decision in sorted(steps, key=lambda step: step[0]):
        if window is None:
            window = RecentResultWindow({}, span=each.acted.span * SECOND_NS)
        run, seen = each.row.run, each.seen
        if not is_decision:
            window.add_recorded_call(run, seen)
            continue
        if not window.has_run(run):
            window.begin_run(run, seen.at)
        subject = index.profile.subject
        if (each.acted.identity, each.server) == (subject.identity, subject.server):
            progress = window.sum_recent_calls(run, seen.at)
            judgement = judge_call(
                index, each.acted.seen, progress, each.acted.envelope
            )
            yield ReplayedJudgement(each, judgement)


def _build_replay_item(
    digest: str, profile: BaselineProfile, calls: list[RecordedCall], since: int
) -> BaselineReplayItem:
    """Build the item of a replayed profile: counts, and the calls not allowed."""
    effects: Counter[str] = Counter()
    compared = differing = 0
    held_back: list[ReplayedCallItem] = []
    for each in judge_recorded_calls(calls, profile):
        row, judgement = each.call.row, each.judgement
        if row.at < since:
            continue
        effects[judgement.effect.value] += 1
        if each.call.acted.profile == digest and not row.chain:
            compared += 1
            differing += each.call.acted.effect != judgement.effect
        if judgement.effect is not DecisionEffect.ALLOW:
            held_back.append(_build_call_item(each))
    subject = profile.subject
    return {
        "digest": digest,
        "agent": subject.agent,
        "identity": subject.identity or None,
        "server": subject.server,
        "calls": effects.total(),
        "allowed": effects[DecisionEffect.ALLOW.value],
        "asked": effects[DecisionEffect.ASK.value],
        "denied": effects[DecisionEffect.DENY.value],
        "compared": compared,
        "differing": differing,
        "held_back": held_back[-_MOST:],
    }


def _build_call_item(replayed: ReplayedJudgement) -> ReplayedCallItem:
    """Convert a replayed call that was not allowed to a document item."""
    findings = replayed.judgement.findings
    return {
        "decision": replayed.call.row.decision_id,
        "at": format_time(replayed.call.row.at),
        "tool": replayed.call.seen.tool,
        "effect": replayed.judgement.effect.value,
        "codes": list(dict.fromkeys(found.code.value for found in findings)),
        "sentence": findings[0].sentence if findings else "",
    }
