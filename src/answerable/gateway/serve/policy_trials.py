"""Policy trials: another policy, evaluated by every worker on its recent calls."""

from collections.abc import Sequence

from answerable.authorization.policy_replay import together
from answerable.gateway.serve.control_channel import Policy, Refused, Taken, Tried
from answerable.gateway.serve.worker_process import Child
from answerable.model.decision import Effect
from answerable.model.policy_replay import Replayed, Turned

Answers = Sequence[Refused | Taken | Tried | None]


async def attempt(children: Sequence[Child], policy: Policy) -> Tried | Refused:
    """Evaluate a policy in every worker without applying it."""
    answers = [await child.attempt(policy) for child in children]
    refused = first_refusal(answers)
    if refused is not None:
        return refused
    digest = next((each.digest for each in answers if isinstance(each, Tried)), "")
    return Tried(digest, sum_of(answers))


def first_refusal(answers: Answers) -> Refused | None:
    """Return the first refusal of a worker; None where all accept."""
    return next((each for each in answers if isinstance(each, Refused)), None)


def sum_of(answers: Answers) -> Replayed:
    """Sum the replay results of the workers; a new worker has none."""
    return together(
        each.replayed for each in answers if isinstance(each, Taken | Tried)
    )


def sentence(replayed: Replayed) -> str:
    """Summarize a replay in one line."""
    said = f"would have denied {replayed.held_back} of {replayed.calls} calls"
    others = [
        *([f"let {replayed.let_through} pass"] if replayed.let_through else []),
        *([f"{replayed.in_name} more in name"] if replayed.in_name else []),
    ]
    return ", ".join([said, *others])


def lines(replayed: Replayed) -> list[str]:
    """Describe changed decisions by agent and rule, one line for equal ones."""
    more = [f"{replayed.more} more"] if replayed.more else []
    return [*map(_line, replayed.turned), *more]


def _line(turned: Turned) -> str:
    before = _said(turned.before, turned.passed, turned.rules_before)
    after = _said(turned.after, turned.passes, turned.rules or (turned.reason,))
    return f"{turned.count}x {turned.agent} at {turned.server}: {before} -> {after}"


def _said(effect: Effect, passes: bool, by: Sequence[str]) -> str:
    let = " (goes on)" if passes and effect is not Effect.ALLOW else ""
    return f"{effect}{let}" + (f" by {', '.join(by)}" if by else "")
