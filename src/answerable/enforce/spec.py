"""The decision as it is meant: the configuration itself, read from top to bottom."""

from answerable.enforce.kill import Kills
from answerable.enforce.pattern import fits, may_fit
from answerable.enforce.table import GENERAL, named_by
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


def decide(config: Config, kills: Kills, request: Request) -> Decision:
    """Decide on one request, slowly."""
    agent = next((each for each in config.agents if each.id == request.agent), None)
    server = next(
        (each for each in config.servers if each.name == request.server), None
    )
    mode = agent.mode if agent else config.default_mode

    def answer(
        effect: Effect,
        reason: Reason,
        rules: tuple[str, ...],
        *,
        passes: bool,
        layer: Layer = Layer.TABLE,
    ) -> Decision:
        durable = passes and server is not None and _is_durable(server, request)
        durability = Durability.DURABLE if durable else Durability.BUFFERED
        return Decision(
            effect, passes, mode, reason, rules, config.digest, durability, layer
        )

    tool = f"tool:mcp/{request.server}/{request.name}"
    for subject in (
        str(request.agent),
        "run:" + request.run,
        "principal:" + request.principal,
        "server:" + request.server,
        *((tool,) if request.target is Target.TOOL else ()),
    ):
        if subject in kills:
            return answer(
                Effect.DENY, Reason.KILLED, (subject,), passes=False, layer=Layer.KILL
            )
    if server is None:
        mode = Mode.ENFORCE  # in no mode is there anything to pass it to
        return answer(Effect.DENY, Reason.UNKNOWN_SERVER, (), passes=False)
    lenient = mode is not Mode.ENFORCE
    if agent is None:
        reason = Reason.NO_RULE if request.known else Reason.UNKNOWN_AGENT
        return answer(Effect.DENY, reason, ("default_mode",), passes=lenient)
    for rule in agent.allow:
        if rule.server == request.server and _takes(rule, request):
            return answer(Effect.ALLOW, Reason.ALLOWED, (rule.id,), passes=True)
    return answer(Effect.DENY, Reason.NO_RULE, (), passes=lenient)


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
