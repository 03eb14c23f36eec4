"""Rule on actions that workflow agents run without the hash of a commit."""

from collections.abc import Iterator

from answerable.model.agent import NO_ACTIONS, UNPINNED_ACTIONS
from answerable.model.inventory import AgentEntity
from answerable.posture.agent_reach import get_agent_reach
from answerable.posture.facts import PostureFacts
from answerable.posture.rule import (
    Finding,
    Fix,
    NotEvaluated,
    RuleResult,
    build_evidence,
    get_platform_of_source,
)
from answerable.posture.severity import ExposureFactor, SeverityFacts, Trigger

_RULE = "unpinned-action"
_KIND = "github-actions"
_SHOWN = 5  # actions that a title names


def find_unpinned_actions(facts: PostureFacts) -> Iterator[RuleResult]:
    """Find workflow agents whose job runs an action by a branch or a tag."""
    for entity in facts.inventory.agents.values():
        if entity.agent.kind != _KIND:
            continue
        stated = dict(entity.agent.facts).get(UNPINNED_ACTIONS)
        if stated is None:
            yield NotEvaluated(
                _RULE,
                entity.agent.id,
                "repo",
                "actions of its job, which an older scan did not read",
                "repo:DIR",
            )
        elif stated != NO_ACTIONS:
            yield _build_finding(facts, entity, stated.split(", "))


def _build_finding(
    facts: PostureFacts, entity: AgentEntity, actions: list[str]
) -> Finding:
    """Build the finding of one job."""
    reach = get_agent_reach(facts, entity)
    seen = entity.agent.seen
    more = f" and {len(actions) - _SHOWN} more" if len(actions) > _SHOWN else ""
    shown = ", ".join(actions[:_SHOWN])
    name, _, version = actions[0].partition("@")
    return Finding(
        rule=_RULE,
        subject=entity.agent.id,
        platform=get_platform_of_source(seen.source),
        title=f"the job {entity.agent.name} runs actions by a branch or a tag: "
        f"{shown}{more}",
        severity=SeverityFacts(
            Trigger.LATER, reach.level, frozenset({ExposureFactor.UNBOUNDED})
        ),
        evidence=(
            build_evidence(f"the job uses {shown}{more}", seen, entity.agent.place),
            build_evidence(reach.text, seen, entity.agent.place),
        ),
        fix=Fix(
            "Name the full hash of the reviewed commit of each action.",
            diff=f"-  uses: {actions[0]}\n+  uses: {name}@COMMIT # {version}\n",
        ),
        causes=tuple(f"action {each}" for each in actions),
    )
