"""The decision function: a request against the policy in force, outermost layer first."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec

from answerable.authorization.cedar.slices import Said
from answerable.authorization.decision_table import GENERAL, Profile, Table, held
from answerable.authorization.policy_exceptions import (
    NO_AMENDMENTS,
    Amendments,
    amended,
)
from answerable.authorization.quarantine import (
    NO_QUARANTINE,
    Quarantine,
    quarantined_by,
    undeclared_in,
)
from answerable.authorization.record_durability import Classes
from answerable.authorization.revocations import NO_KILLS, Kills, killed_by
from answerable.model.decision import (
    Decision,
    Durability,
    Effect,
    Layer,
    Mode,
    Reason,
    Request,
)


@dataclass(frozen=True, slots=True)
class Standing:
    """State that overrides the policy and changes without a reload.

    Attributes:
        kills: Revoked subjects; checked before policy and mode.
        quarantine: Quarantined items by server.
        amendments: Policy exceptions in force.
    """

    kills: Kills = NO_KILLS
    quarantine: Quarantine = field(default_factory=lambda: NO_QUARANTINE)
    amendments: Amendments = field(default_factory=lambda: NO_AMENDMENTS)


NOTHING_STANDS = Standing()

_REASONS: Mapping[Effect, Reason] = {
    Effect.ERROR: Reason.EVALUATION,
    Effect.DENY: Reason.FORBIDDEN,
    Effect.ASK: Reason.ASKED,
}


def decide(
    table: Table, standing: Standing, request: Request, *, listed: bool = False
) -> Decision:
    """Decide one request from memory.

    Args:
        table: The policy in force.
        listed: Decide whether a list shows the item, not the call itself: conditions on
            arguments and pending approvals pass.
    """
    profile = _profile(table, request)
    if standing.kills:
        subject = killed_by(standing.kills, request)
        if subject:
            return held(
                table.policy, Effect.DENY, Reason.KILLED, profile.mode, (subject,),
                Layer.KILL,
            )  # fmt: skip
    if standing.quarantine:
        subject = quarantined_by(standing.quarantine, request)
        if subject:
            return _in_quarantine(table, profile.mode, subject)
        subject = "" if listed else undeclared_in(standing.quarantine, request)
        if subject:
            return _undeclared(table, profile.mode, subject)
    decision = _of_agent(table, standing, request, listed=listed)
    if (
        request.chain
        and decision.effect is Effect.ALLOW
        and decision.reason is not Reason.BREAK_GLASS
    ):
        decision = _of_chain(table, standing, request, decision, listed=listed)
    if listed and decision.effect is Effect.ASK:
        return replace(decision, passes=True)
    return decision


def _of_agent(
    table: Table, standing: Standing, request: Request, *, listed: bool
) -> Decision:
    """Decide for one agent by policy, then apply its exceptions."""
    profile = _profile(table, request)
    decision = _of_policy(table, profile, request, listed=listed)
    if standing.amendments and decision.effect is not Effect.ALLOW:
        return _amended(table, standing, request, decision)
    return decision


def _of_chain(
    table: Table,
    standing: Standing,
    request: Request,
    decision: Decision,
    *,
    listed: bool,
) -> Decision:
    """Deny what a parent agent may not do; only break-glass lifts that."""
    for parent in request.chain:
        # Our own token service named it.
        asked = msgspec.structs.replace(request, agent=parent, known=True, chain=())
        above = _of_agent(table, standing, asked, listed=listed)
        if above.effect is Effect.ALLOW or (listed and above.effect is Effect.ASK):
            continue
        failed = above.effect is Effect.ERROR
        beneath = _of_mode(
            decision,
            Effect.ERROR if failed else Effect.DENY,
            Reason.EVALUATION if failed else Reason.PARENT,
            (parent, *above.determining),
            Layer.CHAIN,
        )
        return _amended(table, standing, request, beneath)
    return decision


def _of_policy(
    table: Table, profile: Profile, request: Request, *, listed: bool
) -> Decision:
    classes = table.servers.get(request.server)
    if classes is None:
        return table.no_server
    if not table.slices or profile is table.unknown:
        return _of_table(profile, classes, request)
    found = table.slices.of(request)
    said = found.say_at_most() if listed else found.said or found.say(request)
    if said.decision is not None:
        return said.decision
    decision = _of_table(profile, classes, request)
    decision = _joined(table, classes, request, decision, said)
    if not listed:
        said.decision = decision
    return decision


def _of_table(profile: Profile, classes: Classes, request: Request) -> Decision:
    grants = profile.grants.get(request.server)
    if grants is None:
        answer = profile.refused
    else:
        spelled = grants.exact.get((request.target, request.name))
        if spelled is not None:
            return spelled
        answer = grants.answer(request.target, request.name)
    return answer.of(classes.durability(request.target, request.action, request.name))


def _joined(
    table: Table, classes: Classes, request: Request, decision: Decision, said: Said
) -> Decision:
    """Combine the decision of the configuration file with the Cedar response."""
    allows = decision.effect is Effect.ALLOW
    rules = said.rules
    if said.effect is None:
        if allows or request.target not in GENERAL:
            return decision
        # Whoever may do anything there may connect to it.
        connecting = table.slices.connecting(request)
        if not connecting:
            return decision
        rules = (connecting,)
    elif said.effect is not Effect.ALLOW:
        joined = _of_mode(
            decision, said.effect, _REASONS[said.effect], rules, said.layer
        )
        return joined.lasting(_durability(classes, request, joined))
    joined = replace(
        decision,
        effect=Effect.ALLOW,
        passes=True,
        reason=Reason.ALLOWED,
        determining=(*decision.determining, *rules) if allows else rules,
        layer=said.layer,
    )
    return joined.lasting(_durability(classes, request, joined))


def _of_mode(
    decision: Decision,
    effect: Effect,
    reason: Reason,
    determining: tuple[str, ...],
    layer: Layer,
) -> Decision:
    """Apply a stricter effect as far as the mode enforces it."""
    passes = decision.mode is not Mode.ENFORCE
    return replace(
        decision,
        effect=effect,
        passes=passes,
        reason=reason,
        determining=determining,
        durability=decision.durability if passes else Durability.BUFFERED,
        layer=layer,
    )


def _durability(classes: Classes, request: Request, decision: Decision) -> Durability:
    if not decision.passes:
        return Durability.BUFFERED
    return classes.durability(request.target, request.action, request.name)


def _in_quarantine(table: Table, mode: Mode, subject: str) -> Decision:
    # It is not known what it would do, so its record comes first where it goes on.
    passes = mode is not Mode.ENFORCE
    durability = Durability.DURABLE if passes else Durability.BUFFERED
    return Decision(
        Effect.DENY, passes, mode, Reason.QUARANTINED, (subject,), table.policy,
        durability, Layer.QUARANTINE,
    )  # fmt: skip


def _undeclared(table: Table, mode: Mode, subject: str) -> Decision:
    """Return an error for arguments outside the approved schema."""
    passes = mode is not Mode.ENFORCE
    durability = Durability.DURABLE if passes else Durability.BUFFERED
    return Decision(
        effect=Effect.ERROR,
        passes=passes,
        mode=mode,
        reason=Reason.EVALUATION,
        determining=(subject,),
        policy=table.policy,
        durability=durability,
        layer=Layer.CONSTRAINT,
    )


def _amended(
    table: Table, standing: Standing, request: Request, decision: Decision
) -> Decision:
    lifted = amended(standing.amendments, request, decision)
    if lifted is decision:
        return decision
    classes = table.servers[request.server]
    name = request.name
    return lifted.lasting(classes.durability(request.target, request.action, name))


def _profile(table: Table, request: Request) -> Profile:
    found = table.agents.get(request.agent)
    if found is not None:
        return found
    return table.undeclared if request.known else table.unknown
