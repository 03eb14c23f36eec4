"""Compile the configuration and Cedar policies into a decision table for lookups.

Every decision that follows from the configuration alone is made here, once. A call
costs a lookup of the agent, the server and the name, and a scan of patterns for a name
that no rule spells out. The reference implementation in `tests/reference` gives the
same results.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from answerable.authorization.cedar.policy_slices import SliceCache
from answerable.authorization.name_patterns import is_prefix_pattern, matches
from answerable.authorization.record_durability import DurabilityRules
from answerable.model.cedar_policy import NO_CEDAR_POLICIES, CedarPolicySet
from answerable.model.config import AllowRule, Config, DeclaredAgent
from answerable.model.decision import (
    Decision,
    DecisionEffect,
    DecisionLayer,
    DecisionReason,
    EnforcementMode,
    RecordDurability,
    TargetKind,
)
from answerable.model.ids import AgentId

# Allowed with any rule for the server. Items of a list are decided one by one, and the
# handle registry checks the owner of a task or request.
CONNECTION_TARGETS = frozenset(
    {
        TargetKind.TASK,
        TargetKind.STREAM,
        TargetKind.LIST,
        TargetKind.DISCOVERY,
        TargetKind.SESSION,
        TargetKind.LOGGING,
        TargetKind.PING,
        TargetKind.REQUEST,
    }
)
# Targets that let a client connect and learn that everything else is denied.
TARGETS_WITHOUT_POLICY = frozenset(
    {TargetKind.DISCOVERY, TargetKind.SESSION, TargetKind.PING}
)


@dataclass(frozen=True, slots=True)
class DecisionPair:
    """One decision in both durability classes."""

    buffered: Decision
    durable: Decision

    def choose_by_durability(self, durability: RecordDurability) -> Decision:
        """Return the decision for a record that is durable, or one that is buffered."""
        return self.durable if durability is RecordDurability.DURABLE else self.buffered


@dataclass(frozen=True, slots=True)
class ServerGrants:
    """Decisions for one agent at one server.

    Attributes:
        exact: (target, name) that a rule spells out -> decision.
        patterns: Target -> patterns and decisions, in file order.
        whole: Decision for targets without names.
        refused: Decision for everything else.
    """

    exact: Mapping[tuple[TargetKind, str], Decision]
    patterns: Mapping[TargetKind, tuple[tuple[str, DecisionPair], ...]]
    whole: Mapping[TargetKind, DecisionPair]
    refused: DecisionPair

    def find_decision(self, target: TargetKind, name: str) -> DecisionPair:
        """Return the decision of the first pattern that matches a name."""
        for pattern, answer in self.patterns.get(target, ()):
            if matches(pattern, name):
                return answer
        return self.whole.get(target, self.refused)


@dataclass(frozen=True, slots=True)
class AgentProfile:
    """Compiled policy of one agent.

    Attributes:
        grants: Server -> decisions there.
        refused: Decision for servers without a rule.
    """

    mode: EnforcementMode
    grants: Mapping[str, ServerGrants]
    refused: DecisionPair


@dataclass(frozen=True, slots=True)
class DecisionTable:
    """The compiled policy in force.

    Attributes:
        policy: Its digest, empty without a policy.
        servers: Server -> classes of its calls.
        agents: Profiles of the declared agents.
        undeclared: Profile of inventory agents that the file does not name.
        unknown: Profile of all others.
        no_server: Decision for an unknown server.
        failed: Decision after an internal error.
    """

    policy: str
    servers: Mapping[str, DurabilityRules]
    agents: Mapping[AgentId, AgentProfile]
    undeclared: AgentProfile
    unknown: AgentProfile
    no_server: Decision
    failed: Decision
    slices: SliceCache = field(default_factory=SliceCache)


def build_decision_table(
    config: Config,
    rules: CedarPolicySet = NO_CEDAR_POLICIES,
    previous: DecisionTable | None = None,
) -> DecisionTable:
    """Compile a configuration and its Cedar policies.

    Args:
        previous: Previous table; unchanged parts are reused.
    """
    policy = policy_digest(config, rules)
    servers = {
        server.name: DurabilityRules.from_server(server) for server in config.servers
    }
    return DecisionTable(
        policy=policy,
        servers=servers,
        agents={
            agent.id: _compile_agent_profile(agent, servers, policy)
            for agent in config.agents
        },
        undeclared=_build_undeclared_agent_profile(
            config, policy, DecisionReason.NO_RULE
        ),
        unknown=_build_undeclared_agent_profile(
            config, policy, DecisionReason.UNKNOWN_AGENT
        ),
        no_server=build_mode_independent_decision(
            policy, DecisionEffect.DENY, DecisionReason.UNKNOWN_SERVER
        ),
        failed=build_mode_independent_decision(
            policy, DecisionEffect.ERROR, DecisionReason.EVALUATION
        ),
        slices=SliceCache(rules, previous.slices if previous else None),
    )


def policy_digest(config: Config, rules: CedarPolicySet) -> str:
    """Return the digest of the configuration file and its Cedar policies."""
    if not rules.digest:
        return config.digest
    return hashlib.sha256(f"{config.digest} {rules.digest}".encode()).hexdigest()


def build_missing_policy_table(servers: Iterable[str]) -> DecisionTable:
    """Build the table of a gateway that could not load a policy.

    Clients can connect; everything else is an error.

    Args:
        servers: Names of the servers, as far as known.
    """
    allowed = _build_allow_pair("", EnforcementMode.ENFORCE, ())
    missing = _build_decision_pair(
        "",
        EnforcementMode.ENFORCE,
        DecisionEffect.ERROR,
        DecisionReason.POLICY_MISSING,
        (),
    )
    grants = ServerGrants(
        {}, {}, dict.fromkeys(TARGETS_WITHOUT_POLICY, allowed), missing
    )
    names = tuple(servers)
    anybody = AgentProfile(
        EnforcementMode.ENFORCE, dict.fromkeys(names, grants), missing
    )
    return DecisionTable(
        policy="",
        servers=dict.fromkeys(names, DurabilityRules(frozenset(), (), frozenset(), ())),
        agents={},
        undeclared=anybody,
        unknown=anybody,
        no_server=build_mode_independent_decision(
            "", DecisionEffect.DENY, DecisionReason.UNKNOWN_SERVER
        ),
        failed=build_mode_independent_decision(
            "", DecisionEffect.ERROR, DecisionReason.EVALUATION
        ),
    )


def build_mode_independent_decision(
    policy: str,
    effect: DecisionEffect,
    reason: DecisionReason,
    mode: EnforcementMode = EnforcementMode.ENFORCE,
    determining: tuple[str, ...] = (),
    layer: DecisionLayer = DecisionLayer.TABLE,
) -> Decision:
    """Build a decision that observe mode does not soften, such as a revocation."""
    return Decision(
        effect=effect,
        passes=False,
        mode=mode,
        reason=reason,
        determining=determining,
        policy=policy,
        durability=RecordDurability.BUFFERED,
        layer=layer,
    )


def _build_undeclared_agent_profile(
    config: Config, policy: str, reason: DecisionReason
) -> AgentProfile:
    """Build the profile of agents that the configuration does not declare."""
    mode = config.default_mode
    refused = _build_decision_pair(
        policy, mode, DecisionEffect.DENY, reason, ("default_mode",)
    )
    return AgentProfile(mode, {}, refused)


def _compile_agent_profile(
    agent: DeclaredAgent, servers: Mapping[str, DurabilityRules], policy: str
) -> AgentProfile:
    """Compile the mode and allow rules of one agent."""
    refused = _build_decision_pair(
        policy, agent.mode, DecisionEffect.DENY, DecisionReason.NO_RULE, ()
    )
    rules: dict[str, list[AllowRule]] = {}
    for rule in agent.allow:
        rules.setdefault(rule.server, []).append(rule)
    grants = {
        server: _compile_server_grants(
            agent.mode, each, servers[server], policy, refused
        )
        for server, each in rules.items()
    }
    return AgentProfile(agent.mode, grants, refused)


def _compile_server_grants(
    mode: EnforcementMode,
    rules: list[AllowRule],
    call_classes: DurabilityRules,
    policy: str,
    denial: DecisionPair,
) -> ServerGrants:
    """Compile an agent's allow rules for one server, in file order."""
    patterns: dict[TargetKind, list[tuple[str, DecisionPair]]] = {}
    whole = dict.fromkeys(
        CONNECTION_TARGETS, _build_allow_pair(policy, mode, (rules[0].id,))
    )
    for rule in rules:
        answer = _build_allow_pair(policy, mode, (rule.id,))
        for target, names in name_patterns_by_target(rule):
            patterns.setdefault(target, []).extend((name, answer) for name in names)
        for each in rule.inputs:
            whole.setdefault(each.target, answer)
    exact: dict[tuple[TargetKind, str], Decision] = {}
    for target, pairs in patterns.items():
        for name, _ in pairs:
            if not is_prefix_pattern(name) and (target, name) not in exact:
                answer = next(
                    answer for pattern, answer in pairs if matches(pattern, name)
                )
                exact[target, name] = answer.choose_by_durability(
                    call_classes.choose_durability(target, "", name)
                )
    prefixes = {
        target: tuple(pair for pair in pairs if is_prefix_pattern(pair[0]))
        for target, pairs in patterns.items()
    }
    return ServerGrants(exact, prefixes, whole, denial)


def name_patterns_by_target(
    rule: AllowRule,
) -> tuple[tuple[TargetKind, tuple[str, ...]], ...]:
    """Return the name patterns of an allow rule, by kind of target."""
    return (
        (TargetKind.TOOL, rule.tools),
        (TargetKind.RESOURCE, rule.resources),
        (TargetKind.PROMPT, rule.prompts),
    )


def _build_allow_pair(
    policy: str, mode: EnforcementMode, determining: tuple[str, ...]
) -> DecisionPair:
    """Build a rule's allow decision twice: for a buffered and for a durable record."""
    return _build_decision_pair(
        policy, mode, DecisionEffect.ALLOW, DecisionReason.ALLOWED, determining
    )


def _build_decision_pair(
    policy: str,
    mode: EnforcementMode,
    effect: DecisionEffect,
    reason: DecisionReason,
    determining: tuple[str, ...],
) -> DecisionPair:
    """Build one decision twice: with a buffered and with a durable record."""
    passes = effect is DecisionEffect.ALLOW or mode is not EnforcementMode.ENFORCE
    if effect is DecisionEffect.ERROR:
        passes = False
    buffered, durable = (
        Decision(
            effect=effect,
            passes=passes,
            mode=mode,
            reason=reason,
            determining=determining,
            policy=policy,
            durability=durability,
        )
        for durability in (RecordDurability.BUFFERED, RecordDurability.DURABLE)
    )
    # A call that is held back does not wait for the disk.
    return DecisionPair(buffered, durable if passes else buffered)
