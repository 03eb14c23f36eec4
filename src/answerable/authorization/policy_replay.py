"""Policy replay: decisions of two policies on the same calls, compared.

The result leaves out names of tools and arguments: it shows whose decisions change, and
by which rules.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec

from answerable.model.decision import Decision, Effect, Request
from answerable.model.policy_replay import Replayed, Turned

MOST_TURNED = 64  # groups

Redecided = tuple[Request, Decision, Decision]  # by the policy in force, by another


def replayed(decided: Iterable[Redecided], left_out: int) -> Replayed:
    """Compare the decisions of two policies.

    Args:
        decided: Each call with both decisions.
        left_out: Number of calls that were not decided again.
    """
    calls, groups = 0, Counter[Turned]()
    for request, before, after in decided:
        calls += 1
        if (before.effect, before.passes) != (after.effect, after.passes):
            groups[_group(request, before, after)] += 1
    listed = _listed(groups)
    return Replayed(
        calls=calls,
        left_out=left_out,
        held_back=sum(n for g, n in groups.items() if g.passed and not g.passes),
        let_through=sum(n for g, n in groups.items() if g.passes and not g.passed),
        in_name=sum(n for g, n in groups.items() if _is_in_name(g)),
        turned=listed,
        more=groups.total() - sum(each.count for each in listed),
    )


def together(replays: Iterable[Replayed]) -> Replayed:
    """Merge the replay results of several workers."""
    whole, groups = Replayed(), Counter[Turned]()
    for each in replays:
        for turned in each.turned:
            groups[msgspec.structs.replace(turned, count=0)] += turned.count
        whole = Replayed(
            calls=whole.calls + each.calls,
            left_out=whole.left_out + each.left_out,
            held_back=whole.held_back + each.held_back,
            let_through=whole.let_through + each.let_through,
            in_name=whole.in_name + each.in_name,
            more=whole.more + each.more,
        )
    listed = _listed(groups)
    unlisted = groups.total() - sum(each.count for each in listed)
    return msgspec.structs.replace(whole, turned=listed, more=whole.more + unlisted)


def _is_in_name(group: Turned) -> bool:
    allowed = group.before is Effect.ALLOW and group.after is not Effect.ALLOW
    return allowed and group.passes


def _group(request: Request, before: Decision, after: Decision) -> Turned:
    return Turned(
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


def _listed(groups: Counter[Turned]) -> tuple[Turned, ...]:
    return tuple(
        msgspec.structs.replace(group, count=count)
        for group, count in groups.most_common(MOST_TURNED)
    )
