"""Move an agent towards enforcement and back (commands `tighten` and `loosen`)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from answerable.model.config import AllowRule, Config, DeclaredAgent
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
    open_rules,
)
from answerable.services.protection.hook_files import plan_hook_changes
from answerable.services.protection.observed_calls import (
    READY_RUNS,
    RefusedTarget,
    count_learned_runs,
    list_refused_targets,
)
from answerable.services.protection.protection_plan import FileChange, ProtectionPlan
from answerable.store.decision_queries import list_called_targets
from answerable.store.store import EvidenceStore

_ORDER = (EnforcementMode.OBSERVE, EnforcementMode.SHADOW, EnforcementMode.ENFORCE)


@dataclass(frozen=True, slots=True)
class PresentConfig:
    """Configuration as read, with the files that `protect` has changed.

    Attributes:
        data: Content of the file.
        home: Home of the clients.
        protected: Changed files; empty where the configuration was written by hand.
    """

    config: Config
    data: bytes
    home: Path
    protected: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class ModeChange:
    """Change of an agent's mode, not written yet.

    Attributes:
        rules: Its new rules; empty where they stay.
        plan: Plan that changes the configuration, and the hooks where enforcement
            begins or ends.
        refused: Targets of the last 7 days whose calls enforcing refuses.
    """

    agent: DeclaredAgent
    mode: EnforcementMode
    rules: tuple[LearnedRule, ...]
    plan: ProtectionPlan
    refused: tuple[RefusedTarget, ...] = ()


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
    present: PresentConfig,
    agent: DeclaredAgent,
    store: EvidenceStore,
    now: int,
    min_runs: int = READY_RUNS,
) -> ModeChange:
    """Plan the next mode of an agent: observe, shadow, enforce.

    From observe to shadow, its rules are narrowed to the calls that mediators recorded
    in 90 days.

    Args:
        present: The configuration.
        agent: The agent.
        store: The store.
        now: UTC nanoseconds.
        min_runs: Learned runs without which an observed agent stays observed.

    Raises:
        UsageError: It is enforced already, or too few runs were learned.
    """
    if agent.mode is EnforcementMode.ENFORCE:
        raise UsageError(
            f"{agent.name} is already in enforce mode",
            format_command("loosen", agent.name),
        )
    mode = _ORDER[_ORDER.index(agent.mode) + 1]
    if agent.mode is EnforcementMode.SHADOW:
        refused = tuple(list_refused_targets(store, agent, now))
        return replace(_build_change(present, agent, mode, ()), refused=refused)
    targets = list_called_targets(
        store, since=now - WINDOW, agent=agent.id, from_mediators=True
    )
    rules = learn_rules(present.config, agent, targets)
    if not targets or not rules:
        raise UsageError(
            f"no call of {agent.name} was recorded in 90 days",
            "use the agent, then close its client: the records are stored when the "
            "client closes",
        )
    _require_learned_runs(store, agent, now, min_runs)
    change = _build_change(present, agent, mode, rules)
    return replace(change, refused=_find_refused_by(agent, rules, store, now))


def _require_learned_runs(
    store: EvidenceStore, agent: DeclaredAgent, now: int, least: int
) -> None:
    """Require a number of learned runs.

    Raises:
        UsageError: There are fewer.
    """
    runs = count_learned_runs(store, agent.id, now)
    if runs < least:
        raise UsageError(
            f"too few runs of {agent.name} were learned (got {runs}, expected at least "
            f"{least})",
            "let the agent work first, or review the learned runs: "
            + format_command(
                "tighten", agent.name, "--min-runs", str(max(runs, 1)), "--key", "KEY"
            ),
        )


def _find_refused_by(
    agent: DeclaredAgent, rules: Sequence[LearnedRule], store: EvidenceStore, now: int
) -> tuple[RefusedTarget, ...]:
    """Find the targets of the last 7 days that new rules would refuse."""
    allow = tuple(
        AllowRule(
            id="",
            server=rule.server,
            tools=tuple(rule.names.get("tools", ())),
            resources=tuple(rule.names.get("resources", ())),
            prompts=tuple(rule.names.get("prompts", ())),
            inputs=(),
        )
        for rule in rules
    )
    return tuple(list_refused_targets(store, replace(agent, allow=allow), now))


def plan_looser_mode(present: PresentConfig, agent: DeclaredAgent) -> ModeChange:
    """Plan the previous mode of an agent; its rules stay.

    An agent that is only observed again gets an open rule for each of its servers that
    has none, so that these calls can be learned.

    Raises:
        UsageError: It is only observed already.
    """
    if agent.mode is EnforcementMode.OBSERVE:
        raise UsageError(
            f"{agent.name} is already in observe mode",
            "observe is the least strict mode",
        )
    mode = _ORDER[_ORDER.index(agent.mode) - 1]
    rules: tuple[LearnedRule, ...] = ()
    if mode is EnforcementMode.OBSERVE:
        opened = open_rules(agent)
        rules = opened if len(opened) > len(agent.allow) else ()
    return _build_change(present, agent, mode, rules)


def _build_change(
    present: PresentConfig,
    agent: DeclaredAgent,
    mode: EnforcementMode,
    rules: tuple[LearnedRule, ...],
) -> ModeChange:
    """Build the change of the configuration, and of hooks, for a new mode."""
    config, data = present.config, present.data
    after = edit_agent_mode(data, config, agent, mode, rules or None)
    what = (f"{agent.name}: {agent.mode} to {mode}",)
    change = FileChange(Path(config.place), "", data, after, what)
    hooks, refused = plan_hook_changes(
        config, agent, mode, present.home, present.protected
    )
    plan = ProtectionPlan((change, *hooks), (), (agent.name,), (), refused)
    return ModeChange(agent, mode, rules, plan)


def build_mode_document(change: ModeChange) -> Document:
    """Build the document of a change: one item for each rule of the agent."""
    rules = change.rules or _list_present_rules(change.agent)
    items = [_build_item(change, each) for each in rules]
    named = {rule.server for rule in rules}
    items += [
        _build_item(change, LearnedRule(server, {}, ()))
        for server in sorted({each.server for each in change.refused} - named)
    ]
    following = ""
    if change.mode is not EnforcementMode.ENFORCE:
        following = format_command("tighten", change.agent.name, "--key", "KEY")
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
        "refused": [
            f"{each.name or each.kind} {each.refused}"
            for each in change.refused
            if rule is not None and each.server == rule.server
        ],
    }
