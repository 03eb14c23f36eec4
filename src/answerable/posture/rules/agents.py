"""Rules on agents: who can trigger them, and what they can do without a person."""

from collections import defaultdict
from collections.abc import Iterator

from answerable.model.ids import AgentId
from answerable.model.inventory import AgentEntity, ToolUse
from answerable.model.tool import SHELL
from answerable.posture.agent_reach import (
    WORKFLOW,
    find_unattended_shell,
    get_agent_reach,
    has_unknown_credential,
    has_write_token,
    is_unattended,
    list_exposure_factors,
    list_remote_tools,
)
from answerable.posture.facts import IdentityReach, PostureFacts
from answerable.posture.rule import (
    Evidence,
    Finding,
    Fix,
    NotEvaluated,
    RuleResult,
    build_evidence,
    get_platform_of_identity,
    get_platform_of_source,
)
from answerable.posture.rules.workflow_fixes import build_outsider_fix
from answerable.posture.severity import ReachLevel, SeverityFacts, Trigger

_NO_BYPASS = (
    "Let a person approve shell commands, or start the agent with an identity of its "
    "own that is not an administrator."
)


def find_unattended_shells(facts: PostureFacts) -> Iterator[RuleResult]:
    """Find agents that run shell commands without approval, one finding per client."""
    groups: dict[tuple[str, str], list[AgentEntity]] = defaultdict(list)
    for entity in facts.inventory.agents.values():
        if entity.agent.kind != WORKFLOW and find_unattended_shell(entity):
            groups[_find_group(facts, entity), entity.agent.kind].append(entity)
    for found in groups.values():
        found.sort(key=lambda each: (len(each.agent.id), each.agent.id))
        yield _build_shell_finding(facts, found)


def _find_group(facts: PostureFacts, entity: AgentEntity) -> str:
    """Return the home of an agent, else the agent of its project above it."""
    if entity.agent.scope:
        return entity.agent.scope
    above = str(entity.agent.id).rpartition("/")[0]
    return above if AgentId(above) in facts.inventory.agents else str(entity.agent.id)


def _build_shell_finding(facts: PostureFacts, found: list[AgentEntity]) -> Finding:
    """Build the finding of the agents of one client in one home."""
    first = found[0]
    reach = get_agent_reach(facts, first)
    admin = reach.level is ReachLevel.ADMINISTRATOR
    name = "unattended-shell-administrator" if admin else "unattended-shell"
    rest = len(found) - 1
    also = f" ({rest} more agent{'s' * (rest > 1)} of this client)" if rest else ""
    evidence = []
    for entity in found:
        use = find_unattended_shell(entity)
        if use is not None:
            rule = f", limited by {use.tool.rule}" if use.tool.rule else ""
            text = f"{use.tool.server} of {entity.agent.id} needs no approval{rule}"
            evidence.append(build_evidence(text, use.tool.seen))
    acting = next((each for each in first.identities), "")
    under = " as an administrator" if admin else ""
    return Finding(
        rule=name,
        subject=first.agent.id,
        platform=get_platform_of_source(first.agent.seen.source),
        title=f"{first.agent.name} may run shell commands without approval{under}{also}",
        severity=SeverityFacts(
            Trigger.AGENT, reach.level, list_exposure_factors(facts, first)
        ),
        evidence=(*evidence, _build_reach_evidence(first, reach)),
        fix=Fix(_NO_BYPASS),
        path=facts.reach.find_administrator_path(acting) if admin else (),
        identity=acting,
        causes=tuple(f"identity {each}" for each in first.identities),
        covers=tuple(
            (each, entity.agent.id)
            for entity in found
            for each in ("untrusted-input-to-effect", "agent-administrator")
        ),
    )


def find_outsider_triggered_agents(facts: PostureFacts) -> Iterator[RuleResult]:
    """Find workflow agents that outsiders start, with secrets or a write token."""
    for entity in facts.inventory.agents.values():
        stated = dict(entity.agent.facts)
        events = stated.get("outsider-events", "")
        if not events:
            continue
        holds = []
        if has_write_token(entity):
            holds.append("a token with write permissions")
        if has_unknown_credential(facts, entity):
            holds.append("secrets")
        if entity.identities:
            holds.append("federated cloud identities")
        if not holds:
            continue
        reach = get_agent_reach(facts, entity)
        seen = entity.agent.seen
        yield Finding(
            rule="outsider-triggered-agent",
            subject=entity.agent.id,
            platform=get_platform_of_source(seen.source),
            title=f"anyone can start {_name_workflow_agent(entity.agent.id)} by "
            f"{_name_events(events)}, and it has {_join_words(holds)}",
            severity=SeverityFacts(
                Trigger.OUTSIDER, reach.level, list_exposure_factors(facts, entity)
            ),
            evidence=(
                build_evidence(f"events: {events}", seen, entity.agent.place),
                _build_reach_evidence(entity, reach),
            ),
            fix=build_outsider_fix(
                events.split(", "),
                stated.get("events", "").split(", "),
                stated.get("permissions", ""),
                writes=has_write_token(entity),
            ),
            identity=next((each for each in entity.identities), ""),
            covers=(("untrusted-input-to-effect", entity.agent.id),),
        )


def _name_workflow_agent(agent: AgentId) -> str:
    """Return file and job of an agent: jobs of many workflows have the same name."""
    return "/".join(agent.split("/")[-2:])


def _join_words(words: list[str]) -> str:
    """Join words: `a, b and c`."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _name_events(events: str) -> str:
    """Name the events in words: `issue comment`."""
    return events.replace("_", " ")


def find_untrusted_input_to_effect(facts: PostureFacts) -> Iterator[RuleResult]:
    """Find agents that read outside text, hold data and can send it out."""
    for entity in facts.inventory.agents.values():
        reads = _find_outside_input(entity)
        sends = _find_outbound_effect(entity)
        reach = get_agent_reach(facts, entity)
        holds = bool(entity.identities) or has_unknown_credential(facts, entity)
        if not (reads and sends and holds) or reach.level is ReachLevel.READ:
            continue
        unattended = is_unattended(entity)
        seen = entity.agent.seen
        yield Finding(
            rule="untrusted-input-to-effect",
            subject=entity.agent.id,
            platform=get_platform_of_source(seen.source),
            title=f"{entity.agent.name} reads outside text, reaches data and can send "
            "it out",
            severity=SeverityFacts(
                Trigger.AGENT if unattended else Trigger.LATER,
                reach.level,
                list_exposure_factors(facts, entity),
            ),
            evidence=(
                build_evidence(f"input: {reads}", seen, entity.agent.place),
                build_evidence(f"effect: {sends}", seen, entity.agent.place),
                _build_reach_evidence(entity, reach),
            ),
            fix=Fix(
                "Split the agent in two: one agent reads outside text and has no "
                "credentials, the other one has the credentials and reads no outside "
                "text."
            ),
            identity=next((each for each in entity.identities), ""),
        )


def find_agent_administrators(facts: PostureFacts) -> Iterator[RuleResult]:
    """Find agents that act as an administrator."""
    acting = {i for each in facts.inventory.agents.values() for i in each.identities}
    for unknown in sorted(map(str, acting)):
        gap = facts.reach.get_reach(unknown)
        if gap.missing:
            yield NotEvaluated(
                "agent-administrator",
                unknown,
                get_platform_of_identity(unknown),
                gap.missing,
                gap.source,
            )
    for entity in facts.inventory.agents.values():
        for identity in entity.identities:
            reach = facts.reach.get_reach(identity)
            if reach.level is not ReachLevel.ADMINISTRATOR or reach.missing:
                continue
            trigger = Trigger.AGENT if is_unattended(entity) else Trigger.LATER
            yield Finding(
                rule="agent-administrator",
                subject=entity.agent.id,
                platform=get_platform_of_source(entity.agent.seen.source),
                title=f"{entity.agent.name} acts as an administrator: {identity}",
                severity=SeverityFacts(
                    trigger, reach.level, list_exposure_factors(facts, entity)
                ),
                evidence=(_build_reach_evidence(entity, reach),),
                fix=Fix(
                    "Give the agent an identity with only the permissions that it "
                    "uses.",
                    f"answerable reach {identity} --used",
                ),
                path=facts.reach.find_administrator_path(identity),
                identity=identity,
                at=identity,
                causes=(f"identity {identity}",),
            )


def _find_outside_input(entity: AgentEntity) -> str:
    """Name what brings text of outsiders to an agent; empty if nothing does."""
    events = dict(entity.agent.facts).get("outsider-events", "")
    if events:
        return events
    fetching = [
        u for u in entity.tools if u.tool.transport == "fetch" and u.tool.enabled
    ]
    return fetching[0].tool.server if fetching else ""


def _find_outbound_effect(entity: AgentEntity) -> str:
    """Name the tool by which an agent can send data out; empty if there is none."""
    tools: list[ToolUse] = [
        *(u for u in entity.tools if u.tool.transport == SHELL and u.tool.enabled),
        *list_remote_tools(entity),
    ]
    return tools[0].tool.server if tools else ""


def _build_reach_evidence(entity: AgentEntity, reach: IdentityReach) -> Evidence:
    """Build the evidence of what an agent reaches."""
    seen = entity.agent.seen
    return Evidence(reach.text, entity.agent.place, seen.source, seen.written_by)
