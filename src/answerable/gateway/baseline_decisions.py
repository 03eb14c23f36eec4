"""Combination of a policy decision with the judgement of a baseline."""

from dataclasses import replace

from answerable.model.baseline_assessment import Judgement
from answerable.model.decision import Decision, Effect, Layer, Mode, Reason
from answerable.model.spool_record import Acted


def combine_decisions(
    decision: Decision, acted: Acted, judgement: Judgement
) -> Decision:
    """Combine both decisions: a profile never allows what a policy denies."""
    is_blocked = acted.enforced and judgement.effect is not Effect.ALLOW
    if not is_blocked or decision.effect is not Effect.ALLOW:
        return decision
    codes = (f"{each.layer}:{each.code}" for each in judgement.findings)
    return replace(
        decision,
        effect=judgement.effect,
        passes=decision.mode is not Mode.ENFORCE,
        reason=Reason.BEHAVIOUR,
        determining=(f"baseline:{acted.profile}", *dict.fromkeys(codes)),
        layer=Layer.BASELINE,
    )


def ambiguous_argument(decision: Decision, enforced: tuple[str, ...]) -> Decision:
    """Return an error where an enforced profile reads an ambiguous argument.

    Args:
        decision: The decision of the policy.
        enforced: Digests of the enforced profiles.
    """
    if not enforced or decision.effect is not Effect.ALLOW:
        return decision
    return replace(
        decision,
        effect=Effect.ERROR,
        passes=decision.mode is not Mode.ENFORCE,
        reason=Reason.EVALUATION,
        determining=tuple(f"baseline:{each}" for each in enforced),
        layer=Layer.BASELINE,
    )


def evaluation_failed(decision: Decision, enforced: tuple[str, ...]) -> Decision:
    """Deny where an enforced profile could not be evaluated.

    Args:
        decision: The decision of the policy.
        enforced: Digests of the enforced profiles.
    """
    if not enforced:
        return decision
    return replace(
        decision,
        effect=Effect.ERROR,
        passes=False,
        reason=Reason.EVALUATION,
        determining=(),
        layer=Layer.BASELINE,
    )
