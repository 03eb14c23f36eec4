"""Recorded calls of a declared agent: learned runs, and calls that enforcing refuses."""

from collections.abc import Sequence
from dataclasses import dataclass

from answerable.authorization.name_patterns import matches
from answerable.model.config import DeclaredAgent
from answerable.model.decision import TargetKind
from answerable.model.ids import AgentId
from answerable.services.authorization.decision_records import (
    decision_server,
    decision_target_name,
)
from answerable.services.baseline.profile_learning import (
    WINDOW,
    group_calls_into_runs,
    read_recorded_calls,
)
from answerable.store.decision_queries import CalledTarget, list_called_targets
from answerable.store.store import EvidenceStore

READY_RUNS = 40  # runs after which a baseline can leave shadow mode
RECENT = 7 * 86_400 * 10**9  # nanoseconds
RULE_KEYS = {
    TargetKind.TOOL: "tools",
    TargetKind.RESOURCE: "resources",
    TargetKind.PROMPT: "prompts",
}


@dataclass(frozen=True, slots=True)
class RefusedTarget:
    """Tool, resource or prompt whose recorded calls enforcing refuses.

    Attributes:
        server: Server in the configuration.
        kind: `tools`, `resources` or `prompts`.
        calls: Recorded calls.
        refused: Number of them that are refused.
        covered: Whether a rule of the agent names it.
    """

    agent: AgentId
    server: str
    kind: str
    name: str
    calls: int
    refused: int
    covered: bool


def count_learned_runs(store: EvidenceStore, agent: AgentId, now: int) -> int:
    """Count the recorded runs of an agent, 90 days, of which no call was refused."""
    calls = read_recorded_calls(store, agent, since=now - WINDOW, until=now)
    runs: dict[str, bool] = {}
    for identity in {each.acted.identity for each in calls}:
        for run in group_calls_into_runs(calls, identity):
            runs[run.id] = runs.get(run.id, True) and not (run.denied or run.asked)
    return sum(runs.values())


def list_refused_targets(
    store: EvidenceStore, agent: DeclaredAgent, now: int
) -> list[RefusedTarget]:
    """List the targets of the last 7 days that enforcing the present rules refuses.

    Records of mediators count: a hook's are self-reported.
    """
    found = list_called_targets(
        store, since=now - RECENT, agent=agent.id, from_mediators=True
    )
    return find_refused_targets(agent, found)


def find_refused_targets(
    agent: DeclaredAgent, targets: Sequence[CalledTarget]
) -> list[RefusedTarget]:
    """Find the targets that were refused in the record, or that no rule covers."""
    refused = []
    for each in targets:
        server = decision_server(each)
        if each.agent != agent.id or not server:
            continue
        kind, name, covered = each.target, "", True
        if each.target in {known.value for known in RULE_KEYS}:
            known = TargetKind(each.target)
            kind, name = RULE_KEYS[known], decision_target_name(each, known)
            covered = covers(agent, server, kind, name)
        count = each.refused if covered else each.count
        if count:
            refused.append(
                RefusedTarget(
                    agent=agent.id,
                    server=server,
                    kind=kind,
                    name=name,
                    calls=each.count,
                    refused=count,
                    covered=covered,
                )
            )
    return refused


def covers(agent: DeclaredAgent, server: str, kind: str, name: str) -> bool:
    """Return whether a rule of an agent allows a tool, resource or prompt of a server."""
    return any(
        matches(pattern, name)
        for rule in agent.allow
        if rule.server == server
        for pattern in getattr(rule, kind)
    )


def has_rule(agent: DeclaredAgent, server: str) -> bool:
    """Return whether any rule of an agent is for a server."""
    return any(rule.server == server for rule in agent.allow)
