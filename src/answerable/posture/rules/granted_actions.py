"""Rule on actions that an identity of an agent may call and did not call."""

from collections import Counter
from collections.abc import Iterator, Sequence

from answerable.posture.facts import GrantedActionUse, PostureFacts
from answerable.posture.rule import (
    Finding,
    Fix,
    NotEvaluated,
    RuleResult,
    build_evidence,
)
from answerable.posture.severity import (
    ExposureFactor,
    ReachLevel,
    SeverityFacts,
    Trigger,
)

_RULE = "unused-action"
_PLATFORM = "aws"
WINDOW_DAYS = 30
_MOST_NAMED = 5
_HELD = frozenset({ExposureFactor.STANDING, ExposureFactor.UNBOUNDED})


def find_unused_actions(facts: PostureFacts) -> Iterator[RuleResult]:
    """Find identities of agents with granted actions that no log has a call of."""
    agents = facts.inventory.agents.values()
    for identity in sorted({str(i) for each in agents for i in each.identities}):
        if identity.startswith("arn:"):
            yield from _evaluate_identity(facts, identity)


def _evaluate_identity(facts: PostureFacts, identity: str) -> Iterator[RuleResult]:
    """Evaluate one identity; administrators have a rule of their own."""
    level = facts.reach.get_reach(identity).level
    use = facts.action_use(identity)
    if use is None:
        yield _not_evaluated(identity, "logs of its calls, and its policies")
        return
    if level is ReachLevel.ADMINISTRATOR:
        return
    if use.days < WINDOW_DAYS:
        missing = f"complete logs of {WINDOW_DAYS} days (got {use.days})"
        yield _not_evaluated(identity, missing, "logs of enough days")
        return
    if use.not_recorded:
        services = ", ".join(sorted(_count_services(use.not_recorded)))
        missing = f"data events of {services}, which the trail does not record"
        yield _not_evaluated(identity, missing, "data events")
    if use.unused:
        yield _build_finding(facts, identity, use, level)


def _build_finding(
    facts: PostureFacts,
    identity: str,
    use: GrantedActionUse,
    level: ReachLevel,
) -> Finding:
    """Build the finding of one identity."""
    recorded = use.granted - len(use.not_recorded)
    text = (
        f"{len(use.unused):,} of {recorded:,} granted actions have no call on "
        f"{use.days:,} logged days: {_name_actions(use.unused)}"
    )
    fact = facts.inventory.get_or_compute_value(
        "posture: identities", lambda each: each.facts.identities_by_id()
    ).get(identity)
    return Finding(
        rule=_RULE,
        subject=identity,
        platform=_PLATFORM,
        title=text,
        severity=SeverityFacts(Trigger.LATER, level, _HELD),
        evidence=(build_evidence(text, fact.seen),) if fact is not None else (),
        fix=Fix(
            "Grant only the actions that the identity uses.",
            f"answerable least-privilege {identity}",
        ),
        identity=identity,
        causes=(f"identity {identity}",),
    )


def _not_evaluated(identity: str, missing: str, key: str = "") -> NotEvaluated:
    """Build that the use of an identity's actions is not known."""
    named = f"{identity} {key}" if key else ""
    return NotEvaluated(_RULE, identity, _PLATFORM, missing, "cloudtrail:PATH", named)


def _name_actions(actions: Sequence[str]) -> str:
    """Name the actions, or the services with most of them."""
    if len(actions) <= _MOST_NAMED:
        return ", ".join(actions)
    services = _count_services(actions).most_common(_MOST_NAMED)
    return ", ".join(f"{service} ({count:,})" for service, count in services)


def _count_services(actions: Sequence[str]) -> Counter[str]:
    """Count actions by service."""
    return Counter(each.partition(":")[0] for each in actions)
