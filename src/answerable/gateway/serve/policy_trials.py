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


async def try_policy_on_workers(
    children: Sequence[WorkerProcess], policy: WorkerPolicy
) -> PolicyTrialResult | OrderRefused:
    """Evaluate a policy in every worker without applying it."""
    answers = [await child.try_policy(policy) for child in children]
    refused = first_worker_refusal(answers)
    if refused is not None:
        return refused
    digest = next(
        (each.digest for each in answers if isinstance(each, PolicyTrialResult)), ""
    )
    return PolicyTrialResult(digest, sum_replay_results(answers))


def first_worker_refusal(answers: WorkerAnswers) -> OrderRefused | None:
    """Return the first refusal of a worker; None where all accept."""
    return next((each for each in answers if isinstance(each, OrderRefused)), None)


def sum_replay_results(answers: WorkerAnswers) -> PolicyReplayResult:
    """Sum the replay results of the workers; a new worker has none."""
    return merge_replays(
        each.replayed
        for each in answers
        if isinstance(each, PolicyApplied | PolicyTrialResult)
    )


def summarize_replay(result: PolicyReplayResult) -> str:
    """Summarize in one line how a new policy would have decided past calls."""
    said = f"would deny {result.held_back} of {result.calls} calls"
    if result.let_through:
        said += f", and allow {result.let_through} that are blocked now"
    if result.in_name:
        said += f"; {result.in_name} more would be denied without effect"
    return said


def describe_changed_decisions(result: PolicyReplayResult) -> list[str]:
    """Describe changed decisions by agent and rule, one line for equal ones."""
    more = [f"{result.more} more"] if result.more else []
    return [*map(_describe_changed_decision, result.turned), *more]


def _describe_changed_decision(change: ChangedDecisions) -> str:
    """Format a group of changed decisions as one line."""
    before = _describe_effect(change.before, change.passed, change.rules_before)
    after = _describe_effect(
        change.after, change.passes, change.rules or (change.reason,)
    )
    return f"{change.count}x {change.agent} at {change.server}: {before} -> {after}"


def _describe_effect(
    effect: DecisionEffect, passes: bool, determining: Sequence[str]
) -> str:
    """Format an effect, and the rules that determined it."""
    let = ", forwarded" if passes and effect is not DecisionEffect.ALLOW else ""
    return f"{effect}{let}" + (f" by {', '.join(determining)}" if determining else "")
