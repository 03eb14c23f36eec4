"""Application of signed policy exceptions to a decision that is not an allow."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from answerable.model.decision import Decision, Effect, Reason, Request, Target
from answerable.model.ids import AgentId
from answerable.model.policy_exception import Amendment, AmendmentKind

Key = tuple[AgentId, str, Target, str]
Amendments = Mapping[Key, tuple[Amendment, ...]]

NO_AMENDMENTS: Amendments = MappingProxyType({})

# Reasons that an owner may lift; two attested persons may also lift the second set.
BY_OWNER = frozenset({Reason.NO_RULE, Reason.ASKED, Reason.BEHAVIOUR})
BY_TWO = BY_OWNER | {Reason.FORBIDDEN, Reason.PARENT}


def amended(amendments: Amendments, request: Request, decision: Decision) -> Decision:
    """Allow a request that an exception covers; else return the decision unchanged."""
    key = (request.agent, request.server, request.target, request.name)
    for each in amendments.get(key, ()):
        breaks_glass = each.kind is AmendmentKind.BREAK_GLASS
        lifts = BY_TWO if breaks_glass else BY_OWNER
        if decision.reason not in lifts or not _fits(each, request):
            continue
        return replace(
            decision,
            effect=Effect.ALLOW,
            passes=True,
            reason=Reason.BREAK_GLASS if breaks_glass else Reason.GRANTED,
            determining=(f"amendment:{each.id}", *decision.determining),
        )
    return decision


def _fits(amendment: Amendment, request: Request) -> bool:
    if not amendment.arguments:
        return True
    return hashlib.sha256(request.arguments).hexdigest() == amendment.arguments
