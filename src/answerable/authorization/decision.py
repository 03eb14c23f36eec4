"""Decide a request by revocations, quarantine, policy and exceptions, in this order."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec

from answerable.authorization.cedar.policy_slices import PolicyResponse
from answerable.authorization.decision_table import (
    CONNECTION_TARGETS,
    AgentProfile,
    DecisionTable,
    build_mode_independent_decision,
)
from answerable.authorization.policy_exceptions import (
    NO_EXCEPTIONS,
    ExceptionIndex,
    apply_exceptions,
)
from answerable.authorization.quarantine import (
    NO_QUARANTINE,
    Quarantine,
    find_quarantined_subject,
    find_undeclared_arguments,
)
from answerable.authorization.record_durability import DurabilityRules
from answerable.authorization.revocations import (
    NO_REVOCATIONS,
    Revocations,
    find_revocation,
)
from answerable.model.decision import (
    AuthorizationRequest,
    Decision,
    DecisionEffect,
    DecisionLayer,
    DecisionReason,
    EnforcementMode,
    RecordDurability,
)


@dataclass(frozen=True, slots=True)
class PolicyOverrides:
    """State that overrides the policy and changes without a reload.

    Attributes:
        revocations: Revoked subjects; checked before policy and mode.
        quarantine: Quarantined items by server.
        exceptions: Policy exceptions in force.
    """

    revocations: Revocations = NO_REVOCATIONS
    quarantine: Quarantine = field(default_factory=lambda: NO_QUARANTINE)
    exceptions: ExceptionIndex = field(default_factory=lambda: NO_EXCEPTIONS)


EMPTY_STATE = PolicyOverrides()

_REASONS: Mapping[DecisionEffect, DecisionReason] = {
    DecisionEffect.ERROR: DecisionReason.EVALUATION,
    DecisionEffect.DENY: DecisionReason.FORBIDDEN,
    DecisionEffect.ASK: DecisionReason.ASKED,
}


def decide(
    table: DecisionTable,
    state: PolicyOverrides,
    request: AuthorizationRequest,
    *,
    for_listing: bool = False,
) -> Decision:
    """Decide one authorization request by the policy in force.

    Args:
        table: The policy in force.
        for_listing: Decide whether a list shows the item, not the call itself:
            conditions on arguments and pending approvals pass.
    """
    profile = _find_agent_profile(table, request)
    if state.revocations:
        subject = find_revocation(state.revocations, request)
        if subject:
            return build_mode_independent_decision(
                table.policy, DecisionEffect.DENY, DecisionReason.KILLED, profile.mode, (subject,),
                DecisionLayer.KILL,
            )  # fmt: skip
    if state.quarantine:
        subject = find_quarantined_subject(state.quarantine, request)
        if subject:
            return _deny_quarantined_item(table, profile.mode, subject)
        subject = (
            "" if for_listing else find_undeclared_arguments(state.quarantine, request)
        )
        if subject:
            return _reject_undeclared_arguments(table, profile.mode, subject)
    decision = _decide_for_agent(table, state, request, for_listing=for_listing)
    if (
        request.chain
        and decision.effect is DecisionEffect.ALLOW
        and decision.reason is not DecisionReason.BREAK_GLASS
    ):
        decision = _check_delegation_chain(
            table, state, request, decision, for_listing=for_listing
        )
    if for_listing and decision.effect is DecisionEffect.ASK:
        return replace(decision, passes=True)
    return decision


def _decide_for_agent(
    table: DecisionTable,
    state: PolicyOverrides,
    request: AuthorizationRequest,
    *,
    for_listing: bool,
) -> Decision:
    """Decide for one agent by policy, then apply its exceptions."""
    profile = _find_agent_profile(table, request)
    decision = _decide_by_policy(table, profile, request, for_listing=for_listing)
    if state.exceptions and decision.effect is not DecisionEffect.ALLOW:
        return _apply_exceptions(table, state, request, decision)
    return decision


def _check_delegation_chain(
    table: DecisionTable,
    state: PolicyOverrides,
    request: AuthorizationRequest,
    decision: Decision,
    *,
    for_listing: bool,
) -> Decision:
    """Deny what a parent agent may not do; only break-glass lifts that."""
    for parent in request.chain:
        # Our own token service named it.
        asked = msgspec.structs.replace(request, agent=parent, known=True, chain=())
        above = _decide_for_agent(table, state, asked, for_listing=for_listing)
        if above.effect is DecisionEffect.ALLOW or (
            for_listing and above.effect is DecisionEffect.ASK
        ):
            continue
        failed = above.effect is DecisionEffect.ERROR
        beneath = _apply_enforcement_mode(
            decision,
            DecisionEffect.ERROR if failed else DecisionEffect.DENY,
            DecisionReason.EVALUATION if failed else DecisionReason.PARENT,
            (parent, *above.determining),
            DecisionLayer.CHAIN,
        )
        return _apply_exceptions(table, state, request, beneath)
    return decision


def _decide_by_policy(
    table: DecisionTable,
    profile: AgentProfile,
    request: AuthorizationRequest,
    *,
    for_listing: bool,
) -> Decision:
    """Decide by the configuration's allow rules and the Cedar policies."""
    classes = table.servers.get(request.server)
    if classes is None:
        return table.no_server
    if not table.slices or profile is table.unknown:
        return _decide_by_allow_rules(profile, classes, request)
    found = table.slices.get_slice(request)
    said = (
        found.evaluate_upper_bound()
        if for_listing
        else found.said or found.evaluate(request)
    )
    if said.decision is not None:
        return said.decision
    decision = _decide_by_allow_rules(profile, classes, request)
    decision = _combine_with_cedar(table, classes, request, decision, said)
    if not for_listing:
        said.decision = decision
    return decision


def _decide_by_allow_rules(
    profile: AgentProfile, call_classes: DurabilityRules, request: AuthorizationRequest
) -> Decision:
    """Decide by the allow rules of the configuration file alone."""
    grants = profile.grants.get(request.server)
    if grants is None:
        answer = profile.refused
    else:
        spelled = grants.exact.get((request.target, request.name))
        if spelled is not None:
            return spelled
        answer = grants.find_decision(request.target, request.name)
    return answer.choose_by_durability(
        call_classes.choose_durability(request.target, request.action, request.name)
    )


def _combine_with_cedar(
    table: DecisionTable,
    call_classes: DurabilityRules,
    request: AuthorizationRequest,
    decision: Decision,
    response: PolicyResponse,
) -> Decision:
    """Combine the decision of the configuration file with the Cedar response."""
    allows = decision.effect is DecisionEffect.ALLOW
    rules = response.rules
    if response.effect is None:
        if allows or request.target not in CONNECTION_TARGETS:
            return decision
        # Whoever may do anything there may connect to it.
        connecting = table.slices.find_connect_permit(request)
        if not connecting:
            return decision
        rules = (connecting,)
    elif response.effect is not DecisionEffect.ALLOW:
        joined = _apply_enforcement_mode(
            decision, response.effect, _REASONS[response.effect], rules, response.layer
        )
        return joined.with_durability(
            _requires_durable_record(call_classes, request, joined)
        )
    joined = replace(
        decision,
        effect=DecisionEffect.ALLOW,
        passes=True,
        reason=DecisionReason.ALLOWED,
        determining=(*decision.determining, *rules) if allows else rules,
        layer=response.layer,
    )
    return joined.with_durability(
        _requires_durable_record(call_classes, request, joined)
    )


def _apply_enforcement_mode(
    decision: Decision,
    effect: DecisionEffect,
    reason: DecisionReason,
    determining: tuple[str, ...],
    layer: DecisionLayer,
) -> Decision:
    """Replace a decision by a stricter effect; the mode decides whether it blocks."""
    passes = decision.mode is not EnforcementMode.ENFORCE
    return replace(
        decision,
        effect=effect,
        passes=passes,
        reason=reason,
        determining=determining,
        durability=decision.durability if passes else RecordDurability.BUFFERED,
        layer=layer,
    )


def _requires_durable_record(
    call_classes: DurabilityRules, request: AuthorizationRequest, decision: Decision
) -> RecordDurability:
    """Return whether the record must be on disk before the call proceeds."""
    if not decision.passes:
        return RecordDurability.BUFFERED
    return call_classes.choose_durability(request.target, request.action, request.name)


def _deny_quarantined_item(
    table: DecisionTable, mode: EnforcementMode, subject: str
) -> Decision:
    """Build the denial of a quarantined item; it passes unless mode is enforce."""
    # It is not known what it would do, so its record comes first where it goes on.
    passes = mode is not EnforcementMode.ENFORCE
    durability = RecordDurability.DURABLE if passes else RecordDurability.BUFFERED
    return Decision(
        effect=DecisionEffect.DENY, passes=passes, mode=mode, reason=DecisionReason.QUARANTINED, determining=(subject,), policy=table.policy,
        durability=durability, layer=DecisionLayer.QUARANTINE,
    )  # fmt: skip


def _reject_undeclared_arguments(
    table: DecisionTable, mode: EnforcementMode, subject: str
) -> Decision:
    """Return an error for arguments outside the approved schema."""
    passes = mode is not EnforcementMode.ENFORCE
    durability = RecordDurability.DURABLE if passes else RecordDurability.BUFFERED
    return Decision(
        effect=DecisionEffect.ERROR,
        passes=passes,
        mode=mode,
        reason=DecisionReason.EVALUATION,
        determining=(subject,),
        policy=table.policy,
        durability=durability,
        layer=DecisionLayer.CONSTRAINT,
    )


def _apply_exceptions(
    table: DecisionTable,
    state: PolicyOverrides,
    request: AuthorizationRequest,
    decision: Decision,
) -> Decision:
    """Allow a denied request that a signed policy exception covers."""
    lifted = apply_exceptions(state.exceptions, request, decision)
    if lifted is decision:
        return decision
    classes = table.servers[request.server]
    name = request.name
    return lifted.with_durability(
        classes.choose_durability(request.target, request.action, name)
    )


def _find_agent_profile(
    table: DecisionTable, request: AuthorizationRequest
) -> AgentProfile:
    """Return the compiled profile of the requesting agent, or the default one."""
    found = table.agents.get(request.agent)
    if found is not None:
        return found
    return table.undeclared if request.known else table.unknown
