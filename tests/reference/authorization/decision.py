"""Reference decision: the configuration itself, read from top to bottom."""

from dataclasses import replace

import msgspec

from answerable.authorization.cedar.policy_slices import PolicyResponse
from answerable.authorization.decision_table import (
    CONNECTION_TARGETS,
    name_patterns_by_target,
    policy_digest,
)
from answerable.authorization.name_patterns import matches, may_match
from answerable.authorization.revocations import Revocations
from answerable.model.cedar_policy import NO_CEDAR_POLICIES, CedarPolicySet
from answerable.model.config import AllowRule, Config, UpstreamServer
from answerable.model.decision import (
    AuthorizationRequest,
    Decision,
    DecisionEffect,
    DecisionLayer,
    DecisionReason,
    EnforcementMode,
    RecordDurability,
    TargetKind,
)
from tests.reference.authorization import cedar


def decide(
    config: Config,
    kills: Revocations,
    request: AuthorizationRequest,
    rules: CedarPolicySet = NO_CEDAR_POLICIES,
) -> Decision:
    """Decide one request without any index."""
    tool = f"tool:mcp/{request.server}/{request.name}"
    for subject in (
        str(request.agent),
        "run:" + request.run,
        "principal:" + request.principal,
        "server:" + request.server,
        *request.chain,
        *((request.identity,) if request.identity else ()),
        *((tool,) if request.target is TargetKind.TOOL else ()),
    ):
        if subject in kills:
            killed = (
                DecisionEffect.DENY,
                DecisionReason.KILLED,
                (subject,),
                DecisionLayer.KILL,
            )
            return _answer(config, rules, request, *killed, held=True)
    decision = _of_agent(config, request, rules)
    if decision.effect is not DecisionEffect.ALLOW:
        return decision
    for parent in request.chain:
        asked = msgspec.structs.replace(request, agent=parent, known=True)
        above = _of_agent(config, asked, rules)
        said = (parent, *above.determining)
        if above.effect is DecisionEffect.ERROR:
            error = (
                DecisionEffect.ERROR,
                DecisionReason.EVALUATION,
                said,
                DecisionLayer.CHAIN,
            )
            return _answer(config, rules, request, *error)
        if above.effect is not DecisionEffect.ALLOW:
            denied = (
                DecisionEffect.DENY,
                DecisionReason.PARENT,
                said,
                DecisionLayer.CHAIN,
            )
            return _answer(config, rules, request, *denied)
    return decision


def _of_agent(
    config: Config, request: AuthorizationRequest, rules: CedarPolicySet
) -> Decision:
    def answer(
        effect: DecisionEffect,
        reason: DecisionReason,
        said: tuple[str, ...],
        layer: DecisionLayer = DecisionLayer.TABLE,
    ) -> Decision:
        return _answer(config, rules, request, effect, reason, said, layer)

    agent = next((each for each in config.agents if each.id == request.agent), None)
    if request.server not in {each.name for each in config.servers}:
        denied = (
            DecisionEffect.DENY,
            DecisionReason.UNKNOWN_SERVER,
            (),
            DecisionLayer.TABLE,
        )
        # In no mode is there anything to pass it to.
        return replace(
            _answer(config, rules, request, *denied, held=True),
            mode=EnforcementMode.ENFORCE,
        )
    if agent is None and not request.known:
        return answer(
            DecisionEffect.DENY, DecisionReason.UNKNOWN_AGENT, ("default_mode",)
        )
    nothing = PolicyResponse(None, (), DecisionLayer.TABLE)
    said = cedar.evaluate_policies(rules, request) if rules.rules else nothing
    if said.effect is DecisionEffect.ERROR:
        return answer(
            DecisionEffect.ERROR, DecisionReason.EVALUATION, said.rules, said.layer
        )
    if said.effect is DecisionEffect.DENY:
        return answer(
            DecisionEffect.DENY, DecisionReason.FORBIDDEN, said.rules, said.layer
        )
    if said.effect is DecisionEffect.ASK:
        return answer(DecisionEffect.ASK, DecisionReason.ASKED, said.rules, said.layer)
    allowing = [
        rule.id
        for rule in (agent.allow if agent else ())
        if rule.server == request.server and _takes(rule, request)
    ]
    determining = (*allowing[:1], *said.rules)
    if not determining and request.target in CONNECTION_TARGETS:
        determining = tuple(
            filter(None, [cedar.find_connecting_permit(rules, request)])
        )
    if determining:
        return answer(
            DecisionEffect.ALLOW, DecisionReason.ALLOWED, determining, said.layer
        )
    return answer(
        DecisionEffect.DENY, DecisionReason.NO_RULE, () if agent else ("default_mode",)
    )


def _answer(
    config: Config,
    rules: CedarPolicySet,
    request: AuthorizationRequest,
    effect: DecisionEffect,
    reason: DecisionReason,
    said: tuple[str, ...],
    layer: DecisionLayer,
    *,
    held: bool = False,
) -> Decision:
    agent = next((each for each in config.agents if each.id == request.agent), None)
    server = next(
        (each for each in config.servers if each.name == request.server), None
    )
    mode = agent.mode if agent else config.default_mode
    passes = not held and (
        effect is DecisionEffect.ALLOW or mode is not EnforcementMode.ENFORCE
    )
    durable = passes and server is not None and _is_durable(server, request)
    durability = RecordDurability.DURABLE if durable else RecordDurability.BUFFERED
    policy = policy_digest(config, rules)
    return Decision(effect, passes, mode, reason, said, policy, durability, layer)


def _takes(rule: AllowRule, request: AuthorizationRequest) -> bool:
    for target, names in name_patterns_by_target(rule):
        if target is request.target:
            return any(matches(pattern, request.name) for pattern in names)
    if any(each.target is request.target for each in rule.inputs):
        return True
    return request.target in CONNECTION_TARGETS


def _is_durable(server: UpstreamServer, request: AuthorizationRequest) -> bool:
    match request.target:
        case TargetKind.TOOL:
            return not any(matches(pattern, request.name) for pattern in server.reads)
        case TargetKind.RESOURCE:
            return any(may_match(pattern, request.name) for pattern in server.sensitive)
        case TargetKind.TASK:
            return request.action in ("tasks/update", "tasks/cancel")
        case TargetKind.PERSON | TargetKind.MODEL | TargetKind.ROOTS:
            return True
        case _:
            return False
