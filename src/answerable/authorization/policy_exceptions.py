"""Apply signed policy exceptions to a request that the policy does not allow."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from answerable.model.decision import (
    AuthorizationRequest,
    Decision,
    DecisionEffect,
    DecisionReason,
    TargetKind,
)
from answerable.model.ids import AgentId
from answerable.model.policy_exception import PolicyException, PolicyExceptionKind

ExceptionKey = tuple[AgentId, str, TargetKind, str]
ExceptionIndex = Mapping[ExceptionKey, tuple[PolicyException, ...]]

NO_EXCEPTIONS: ExceptionIndex = MappingProxyType({})

# Reasons that an owner may lift; two attested persons may also lift the second set.
OWNER_LIFTABLE = frozenset(
    {DecisionReason.NO_RULE, DecisionReason.ASKED, DecisionReason.BEHAVIOUR}
)
BREAK_GLASS_LIFTABLE = OWNER_LIFTABLE | {
    DecisionReason.FORBIDDEN,
    DecisionReason.PARENT,
}


def apply_exceptions(
    exceptions: ExceptionIndex, request: AuthorizationRequest, decision: Decision
) -> Decision:
    """Allow a request that an exception covers; else return the decision unchanged."""
    key = (request.agent, request.server, request.target, request.name)
    for each in exceptions.get(key, ()):
        breaks_glass = each.kind is PolicyExceptionKind.BREAK_GLASS
        lifts = BREAK_GLASS_LIFTABLE if breaks_glass else OWNER_LIFTABLE
        if decision.reason not in lifts or not _matches_arguments(each, request):
            continue
        return replace(
            decision,
            effect=DecisionEffect.ALLOW,
            passes=True,
            reason=DecisionReason.BREAK_GLASS
            if breaks_glass
            else DecisionReason.GRANTED,
            determining=(f"amendment:{each.id}", *decision.determining),
        )
    return decision


def _matches_arguments(
    exception: PolicyException, request: AuthorizationRequest
) -> bool:
    """Return whether an exception covers the arguments, by their SHA-256."""
    if not exception.arguments:
        return True
    return hashlib.sha256(request.arguments).hexdigest() == exception.arguments
