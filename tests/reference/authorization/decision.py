"""Reference decision: the configuration itself, read from top to bottom."""

from dataclasses import replace

import msgspec

from answerable.authorization.cedar.slices import Said
from answerable.authorization.decision_table import GENERAL, named_by, policy_digest
from answerable.authorization.name_patterns import fits, may_fit
from answerable.authorization.revocations import Kills
from answerable.model.cedar_policy import NO_RULES, CedarRules
from answerable.model.config import Allow, Config, Server
from answerable.model.decision import (
    Decision,
    Durability,
    Effect,
    Layer,
    Mode,
    Reason,
    Request,
    Target,
)
from tests.reference.authorization import cedar


def decide(
    config: Config, kills: Kills, request: Request, rules: CedarRules = NO_RULES
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
        *((tool,) if request.target is Target.TOOL else ()),
    ):
        if subject in kills:
            killed = Effect.DENY, Reason.KILLED, (subject,), Layer.KILL
            return _answer(config, rules, request, *killed, held=True)
    decision = _of_agent(config, request, rules)
    if decision.effect is not Effect.ALLOW:
        return decision
    for parent in request.chain:
        asked = msgspec.structs.replace(request, agent=parent, known=True)
        above = _of_agent(config, asked, rules)
        said = (parent, *above.determining)
        if above.effect is Effect.ERROR:
            error = Effect.ERROR, Reason.EVALUATION, said, Layer.CHAIN
            return _answer(config, rules, request, *error)
        if above.effect is not Effect.ALLOW:
            denied = Effect.DENY, Reason.PARENT, said, Layer.CHAIN
            return _answer(config, rules, request, *denied)
    return decision


def _of_agent(config: Config, request: Request, rules: CedarRules) -> Decision:
    def answer(
        effect: Effect,
        reason: Reason,
        said: tuple[str, ...],
        layer: Layer = Layer.TABLE,
    ) -> Decision:
        return _answer(config, rules, request, effect, reason, said, layer)

    agent = next((each for each in config.agents if each.id == request.agent), None)
    if request.server not in {each.name for each in config.servers}:
        denied = Effect.DENY, Reason.UNKNOWN_SERVER, (), Layer.TABLE
        # In no mode is there anything to pass it to.
        return replace(
            _answer(config, rules, request, *denied, held=True), mode=Mode.ENFORCE
        )
    if agent is None and not request.known:
        return answer(Effect.DENY, Reason.UNKNOWN_AGENT, ("default_mode",))
    nothing = Said(None, (), Layer.TABLE)
    said = cedar.say(rules, request) if rules.rules else nothing
    if said.effect is Effect.ERROR:
        return answer(Effect.ERROR, Reason.EVALUATION, said.rules, said.layer)
    if said.effect is Effect.DENY:
        return answer(Effect.DENY, Reason.FORBIDDEN, said.rules, said.layer)
    if said.effect is Effect.ASK:
        return answer(Effect.ASK, Reason.ASKED, said.rules, said.layer)
    allowing = [
        rule.id
        for rule in (agent.allow if agent else ())
        if rule.server == request.server and _takes(rule, request)
    ]
    determining = (*allowing[:1], *said.rules)
    if not determining and request.target in GENERAL:
        determining = tuple(filter(None, [cedar.connecting(rules, request)]))
    if determining:
        return answer(Effect.ALLOW, Reason.ALLOWED, determining, said.layer)
    return answer(Effect.DENY, Reason.NO_RULE, () if agent else ("default_mode",))


def _answer(
    config: Config,
    rules: CedarRules,
    request: Request,
    effect: Effect,
    reason: Reason,
    said: tuple[str, ...],
    layer: Layer,
    *,
    held: bool = False,
) -> Decision:
    agent = next((each for each in config.agents if each.id == request.agent), None)
    server = next(
        (each for each in config.servers if each.name == request.server), None
    )
    mode = agent.mode if agent else config.default_mode
    passes = not held and (effect is Effect.ALLOW or mode is not Mode.ENFORCE)
    durable = passes and server is not None and _is_durable(server, request)
    durability = Durability.DURABLE if durable else Durability.BUFFERED
    policy = policy_digest(config, rules)
    return Decision(effect, passes, mode, reason, said, policy, durability, layer)


def _takes(rule: Allow, request: Request) -> bool:
    for target, names in named_by(rule):
        if target is request.target:
            return any(fits(pattern, request.name) for pattern in names)
    if any(each.target is request.target for each in rule.inputs):
        return True
    return request.target in GENERAL


def _is_durable(server: Server, request: Request) -> bool:
    match request.target:
        case Target.TOOL:
            return not any(fits(pattern, request.name) for pattern in server.reads)
        case Target.RESOURCE:
            return any(may_fit(pattern, request.name) for pattern in server.sensitive)
        case Target.TASK:
            return request.action in ("tasks/update", "tasks/cancel")
        case Target.PERSON | Target.MODEL | Target.ROOTS:
            return True
        case _:
            return False
