"""Try another policy: each worker evaluates it on its recent calls."""

from collections.abc import Sequence

from answerable.authorization.policy_replay import merge_replays
from answerable.gateway.serve.control_channel import (
    OrderRefused,
    PolicyApplied,
    PolicyTrialResult,
    WorkerPolicy,
)
from answerable.gateway.serve.worker_process import WorkerProcess
from answerable.model.decision import DecisionEffect
from answerable.model.policy_replay import ChangedDecisions, PolicyReplayResult

WorkerAnswers = Sequence[OrderRefused | PolicyApplied | PolicyTrialResult | None]


async def try_on_workers(
    children: Sequence[WorkerProcess], policy: WorkerPolicy
) -> PolicyTrialResult | OrderRefused:
    """Evaluate a policy in every worker without applying it."""
    answers = [await child.try_policy(policy) for child in children]
    refused = first_refusal(answers)
    if refused is not None:
        return refused
    digest = next(
        (each.digest for each in answers if isinstance(each, PolicyTrialResult)), ""
    )
    return PolicyTrialResult(digest, sum_replays(answers))


def first_refusal(answers: WorkerAnswers) -> OrderRefused | None:
    """Return the first refusal of a worker; None where all accept."""
    return next((each for each in answers if isinstance(each, OrderRefused)), None)


def sum_replays(answers: WorkerAnswers) -> PolicyReplayResult:
    """Sum the replay results of the workers; a new worker has none."""
    return merge_replays(
        each.replayed
        for each in answers
        if isinstance(each, PolicyApplied | PolicyTrialResult)
    )


def summarize_replay(replayed: PolicyReplayResult) -> str:
    """Summarize a replay in one line."""
    said = f"would have denied {replayed.held_back} of {replayed.calls} calls"
    others = [
        *([f"let {replayed.let_through} pass"] if replayed.let_through else []),
        *([f"{replayed.in_name} more in name"] if replayed.in_name else []),
    ]
    return ", ".join([said, *others])


def describe_changes(replayed: PolicyReplayResult) -> list[str]:
    """Describe changed decisions by agent and rule, one line for equal ones."""
    more = [f"{replayed.more} more"] if replayed.more else []
    return [*map(_describe_change, replayed.turned), *more]


def _describe_change(turned: ChangedDecisions) -> str:
    """Format a group of changed decisions as one line."""
    before = _describe_effect(turned.before, turned.passed, turned.rules_before)
    after = _describe_effect(
        turned.after, turned.passes, turned.rules or (turned.reason,)
    )
    return f"{turned.count}x {turned.agent} at {turned.server}: {before} -> {after}"


def _describe_effect(effect: DecisionEffect, passes: bool, by: Sequence[str]) -> str:
    """Format an effect, and the rules that determined it."""
    let = " (goes on)" if passes and effect is not DecisionEffect.ALLOW else ""
    return f"{effect}{let}" + (f" by {', '.join(by)}" if by else "")
