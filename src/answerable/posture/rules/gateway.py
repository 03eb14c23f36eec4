"""Rule on policies of the gateway that an agent can bypass with undeclared arguments."""

from collections import defaultdict
from collections.abc import Iterator

from answerable.model.ids import AgentId
from answerable.model.provenance import WrittenBy
from answerable.posture.agent_reach import get_agent_reach
from answerable.posture.facts import (
    ArgumentLimit,
    IdentityReach,
    PostureFacts,
    SchemaState,
)
from answerable.posture.rule import Evidence, Finding, Fix, NotEvaluated, RuleResult
from answerable.posture.severity import ReachLevel, SeverityFacts, Trigger

_RULE = "open-argument-schema"
_PLATFORM = "gateway"
_TOOL = "tool:mcp/"
_TEXTS = {
    SchemaState.OPEN: "its approved schema allows undeclared arguments",
    SchemaState.NOT_APPROVED: "no approved schema refuses undeclared arguments",
}


def find_open_argument_limits(facts: PostureFacts) -> Iterator[RuleResult]:
    """Find limits on arguments of tools whose schema admits undeclared arguments."""
    by_tool: dict[str, list[ArgumentLimit]] = defaultdict(list)
    for each in facts.argument_limits or ():
        if each.schema is SchemaState.NOT_SEEN:
            yield NotEvaluated(
                _RULE,
                each.tool,
                _PLATFORM,
                "tool definitions that the gateway pinned",
                "config:FILE",
            )
        elif each.schema is not SchemaState.CLOSED:
            by_tool[each.tool].append(each)
    for tool, limits in sorted(by_tool.items()):
        yield _build_finding(facts, tool, limits)


def _build_finding(
    facts: PostureFacts, tool: str, limits: list[ArgumentLimit]
) -> Finding:
    """Build the finding of one tool, with all policies that limit its arguments."""
    reach = min(
        (_get_reach(facts, each.agent) for each in limits),
        key=lambda each: -each.level.value[1],
    )
    name = tool.removeprefix(_TOOL)
    policies = list(dict.fromkeys(each.policy for each in limits))
    few = ", ".join(policies[:3]) + (" and more" if len(policies) > 3 else "")
    first = limits[0]
    return Finding(
        rule=_RULE,
        subject=tool,
        platform=_PLATFORM,
        title=f"an undeclared argument of {name} bypasses a policy: {few}",
        severity=SeverityFacts(Trigger.AGENT, reach.level, frozenset()),
        evidence=(
            *(
                Evidence(
                    f"{each.policy} limits {each.reads} alone; {_TEXTS[each.schema]}",
                    each.place,
                    _PLATFORM,
                    WrittenBy.PERSON,
                )
                for each in limits
            ),
            Evidence(reach.text, first.place, _PLATFORM, WrittenBy.PERSON),
        ),
        fix=_build_fix(name, limits),
        causes=(f"tool schema {tool}",),
    )


def _build_fix(name: str, limits: list[ArgumentLimit]) -> Fix:
    """Build the repair: approve the definition, or have its schema closed first."""
    server, _, tool = name.partition("/")
    if all(each.schema is SchemaState.NOT_APPROVED for each in limits):
        return Fix(
            "Approve the definition of the tool, if its schema has "
            "`additionalProperties: false`; the gateway then refuses undeclared "
            "arguments.",
            f"answerable tools approve {server} {tool} --config FILE --key KEY",
        )
    return Fix(
        "Set `additionalProperties: false` in the tool's schema at the server, and "
        "approve the new definition.",
        f"answerable tools diff {server} --config FILE",
    )


def _get_reach(facts: PostureFacts, agent: str) -> IdentityReach:
    """Return the reach of the agent that a policy is about."""
    entity = facts.inventory.agents.get(AgentId(agent))
    if entity is not None and entity.identities:
        return get_agent_reach(facts, entity)
    return IdentityReach(
        ReachLevel.NOT_KNOWN, "the identity behind the server is not known"
    )
