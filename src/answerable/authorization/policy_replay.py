"""Compare the decisions of two policies on the same recorded calls (replay).

The result leaves out names of tools and arguments: it shows whose decisions change, and
by which rules.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec

from answerable.model.decision import AuthorizationRequest, Decision, DecisionEffect
from answerable.model.policy_replay import ChangedDecisions, PolicyReplayResult

MAX_GROUPS = 64  # groups

DecisionPairs = tuple[
    AuthorizationRequest, Decision, Decision
]  # by the policy in force, by another


def compare_decisions(
    decisions: Iterable[DecisionPairs], skipped: int
) -> PolicyReplayResult:
    """Count how two policies differ in their decisions on the same calls.

    Args:
        decisions: Each call with both decisions.
        skipped: Number of calls that were not decided again.
    """
    calls, groups = 0, Counter[ChangedDecisions]()
    for request, before, after in decisions:
        calls += 1
        if (before.effect, before.passes) != (after.effect, after.passes):
            groups[_build_change_group(request, before, after)] += 1
    listed = _largest_change_groups(groups)
    return PolicyReplayResult(
        calls=calls,
        left_out=skipped,
        held_back=sum(n for g, n in groups.items() if g.passed and not g.passes),
        let_through=sum(n for g, n in groups.items() if g.passes and not g.passed),
        in_name=sum(n for g, n in groups.items() if _is_unenforced_denial(g)),
        turned=listed,
        more=groups.total() - sum(each.count for each in listed),
    )


def merge_replays(replays: Iterable[PolicyReplayResult]) -> PolicyReplayResult:
    """Merge the replay results of several workers."""
    whole, groups = PolicyReplayResult(), Counter[ChangedDecisions]()
    for each in replays:
        for turned in each.turned:
            groups[msgspec.structs.replace(turned, count=0)] += turned.count
        whole = PolicyReplayResult(
            calls=whole.calls + each.calls,
            left_out=whole.left_out + each.left_out,
            held_back=whole.held_back + each.held_back,
            let_through=whole.let_through + each.let_through,
            in_name=whole.in_name + each.in_name,
            more=whole.more + each.more,
        )
    listed = _largest_change_groups(groups)
    unlisted = groups.total() - sum(each.count for each in listed)
    return msgspec.structs.replace(whole, turned=listed, more=whole.more + unlisted)


def _is_unenforced_denial(group: ChangedDecisions) -> bool:
    """Return whether a call is newly denied, but still passes in its agent's mode."""
    allowed = (
        group.before is DecisionEffect.ALLOW and group.after is not DecisionEffect.ALLOW
    )
    return allowed and group.passes


def _build_change_group(
    request: AuthorizationRequest, before: Decision, after: Decision
) -> ChangedDecisions:
    """Build the group key of a changed decision, with count 0."""
    return ChangedDecisions(
        agent=request.agent,
        server=request.server,
        before=before.effect,
        after=after.effect,
        passed=before.passes,
        passes=after.passes,
        reason=after.reason,
        rules_before=before.determining,
        rules=after.determining,
        count=0,
    )


def _largest_change_groups(
    groups: Counter[ChangedDecisions],
) -> tuple[ChangedDecisions, ...]:
    """Return the largest groups with their counts, at most MAX_GROUPS."""
    return tuple(
        msgspec.structs.replace(group, count=count)
        for group, count in groups.most_common(MAX_GROUPS)
    )
