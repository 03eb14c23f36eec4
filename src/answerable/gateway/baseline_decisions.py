"""Combine the policy decision on a call with the assessment by its baseline."""

from dataclasses import replace

from answerable.model.baseline_assessment import BaselineAssessment
from answerable.model.decision import (
    Decision,
    DecisionEffect,
    DecisionLayer,
    DecisionReason,
    EnforcementMode,
)
from answerable.model.spool_record import CallBehaviour


def choose_stricter_decision(
    decision: Decision, behaviour: CallBehaviour, assessment: BaselineAssessment
) -> Decision:
    """Return the stricter of the policy decision and the baseline assessment."""
    is_blocked = behaviour.enforced and assessment.effect is not DecisionEffect.ALLOW
    if not is_blocked or decision.effect is not DecisionEffect.ALLOW:
        return decision
    codes = (f"{each.layer}:{each.code}" for each in assessment.findings)
    return replace(
        decision,
        effect=assessment.effect,
        passes=decision.mode is not EnforcementMode.ENFORCE,
        reason=DecisionReason.BEHAVIOUR,
        determining=(f"baseline:{behaviour.profile}", *dict.fromkeys(codes)),
        layer=DecisionLayer.BASELINE,
    )


def build_ambiguous_argument_error(
    decision: Decision, profile_digests: tuple[str, ...]
) -> Decision:
    """Return an error if an enforced profile reads an argument that is ambiguous.

    Args:
        decision: The decision of the policy.
        profile_digests: Digests of the enforced profiles.
    """
    if not profile_digests or decision.effect is not DecisionEffect.ALLOW:
        return decision
    return replace(
        decision,
        effect=DecisionEffect.ERROR,
        passes=decision.mode is not EnforcementMode.ENFORCE,
        reason=DecisionReason.EVALUATION,
        determining=tuple(f"baseline:{each}" for each in profile_digests),
        layer=DecisionLayer.BASELINE,
    )


def deny_failed_evaluation(
    decision: Decision, profile_digests: tuple[str, ...]
) -> Decision:
    """Deny a call that an enforced profile could not evaluate.

    Args:
        decision: The decision of the policy.
        profile_digests: Digests of the enforced profiles.
    """
    if not profile_digests:
        return decision
    return replace(
        decision,
        effect=DecisionEffect.ERROR,
        passes=False,
        reason=DecisionReason.EVALUATION,
        determining=(),
        layer=DecisionLayer.BASELINE,
    )
