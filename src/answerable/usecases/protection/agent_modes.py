"""Move an agent towards enforcement and back (commands `tighten` and `loosen`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from answerable.model.config import Config, DeclaredAgent
from answerable.model.decision import EnforcementMode
from answerable.model.documents.protection import AgentModeItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError
from answerable.presentation.answer_coverage import build_empty_coverage
from answerable.presentation.command_hints import format_command
from answerable.services.baseline.profile_learning import WINDOW
from answerable.services.protection.agent_mode import (
    LearnedRule,
    edit_agent_mode,
    learn_rules,
)
from answerable.services.protection.protection_plan import FileChange, ProtectionPlan
from answerable.store.decision_queries import list_called_targets
from answerable.store.store import EvidenceStore

_ORDER = (EnforcementMode.OBSERVE, EnforcementMode.SHADOW, EnforcementMode.ENFORCE)


@dataclass(frozen=True, slots=True)
class ModeChange:
    """Change of an agent's mode, not written yet.

    Attributes:
        rules: Its new rules; empty where they stay.
        plan: Plan that changes the configuration.
    """

    agent: DeclaredAgent
    mode: EnforcementMode
    rules: tuple[LearnedRule, ...]
    plan: ProtectionPlan


def find_declared_agent(config: Config, name: str) -> DeclaredAgent:
    """Find an agent of the configuration by its name or id.

    Raises:
        UsageError: There is none.
    """
    short = name.removeprefix("agent:").removeprefix("declared/")
    for agent in config.agents:
        if agent.name == short:
            return agent
    known = ", ".join(each.name for each in config.agents) or "none"
    raise UsageError(
        f"no such agent in {config.place} (got {name!r}, expected one of {known})",
        format_command("protect"),
    )


def plan_tighter_mode(
    config: Config, data: bytes, agent: DeclaredAgent, store: EvidenceStore, now: int
) -> ModeChange:
    """Plan the next mode of an agent: observe, shadow, enforce.

    From observe to shadow, its rules are narrowed to the calls that mediators recorded
    in 90 days.

    Raises:
        UsageError: It is enforced already, or no call was recorded.
    """
    if agent.mode is EnforcementMode.ENFORCE:
        raise UsageError(
            f"{agent.name} is enforced already", format_command("loosen", agent.name)
        )
    mode = _ORDER[_ORDER.index(agent.mode) + 1]
    rules: tuple[LearnedRule, ...] = ()
    if agent.mode is EnforcementMode.OBSERVE:
        targets = list_called_targets(
            store, since=now - WINDOW, agent=agent.id, from_mediators=True
        )
        rules = learn_rules(config, agent, targets)
        if not targets or not rules:
            raise UsageError(
                f"no call of {agent.name} was recorded in 90 days",
                "let it work, then end its client: a wrapper ships its records at its end",
            )
    return _build_change(config, data, agent, mode, rules)


def plan_looser_mode(config: Config, data: bytes, agent: DeclaredAgent) -> ModeChange:
    """Plan the previous mode of an agent; its rules stay.

    Raises:
        UsageError: It is only observed already.
    """
    if agent.mode is EnforcementMode.OBSERVE:
        raise UsageError(
            f"{agent.name} is only observed", "nothing is looser than that"
        )
    mode = _ORDER[_ORDER.index(agent.mode) - 1]
    return _build_change(config, data, agent, mode, ())


def _build_change(
    config: Config,
    data: bytes,
    agent: DeclaredAgent,
    mode: EnforcementMode,
    rules: tuple[LearnedRule, ...],
) -> ModeChange:
    """Build the change of the configuration for a new mode."""
    after = edit_agent_mode(data, config, agent, mode, rules or None)
    what = (f"{agent.name}: {agent.mode} to {mode}",)
    change = FileChange(Path(config.place), "", data, after, what)
    plan = ProtectionPlan((change,), (), (agent.name,), (), ())
    return ModeChange(agent, mode, rules, plan)


def build_mode_document(change: ModeChange) -> Document:
    """Build the document of a change: one item for each rule of the agent."""
    rules = change.rules or _list_present_rules(change.agent)
    items = [_build_item(change, each) for each in rules]
    following = ""
    if change.mode is not EnforcementMode.ENFORCE:
        following = format_command("tighten", change.agent.name)
    return Document(
        "agent-mode",
        items or [_build_item(change, None)],
        build_empty_coverage(),
        next=following,
    )


def _list_present_rules(agent: DeclaredAgent) -> Sequence[LearnedRule]:
    """List the present rules of an agent in the shape of learned ones."""
    return [
        LearnedRule(
            each.server,
            {
                "tools": each.tools,
                "resources": each.resources,
                "prompts": each.prompts,
            },
            (),
        )
        for each in agent.allow
    ]


def _build_item(change: ModeChange, rule: LearnedRule | None) -> AgentModeItem:
    """Build the item of one rule."""
    names = rule.names if rule is not None else {}
    return {
        "agent": change.agent.id,
        "mode": change.mode.value,
        "before": change.agent.mode.value,
        "server": rule.server if rule is not None else None,
        "tools": list(names.get("tools", ())),
        "resources": list(names.get("resources", ())),
        "prompts": list(names.get("prompts", ())),
        "left_out": list(rule.left_out) if rule is not None else [],
    }
