"""Decision table: the configuration compiled for lookups.

Every decision that follows from the configuration alone is made here, once. A call
costs a lookup of the agent, the server and the name, and a scan of patterns for a name
that no rule spells out. The reference implementation in `tests/reference` gives the
same results.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from answerable.authorization.cedar.slices import Slices
from answerable.authorization.name_patterns import fits, is_prefix
from answerable.authorization.record_durability import Classes
from answerable.model.cedar_policy import NO_RULES, CedarRules
from answerable.model.config import Allow, Config, DeclaredAgent
from answerable.model.decision import (
    Decision,
    Durability,
    Effect,
    Layer,
    Mode,
    Reason,
    Target,
)
from answerable.model.ids import AgentId

# Allowed with any rule for the server. Items of a list are decided one by one, and the
# handle registry checks the owner of a task or request.
GENERAL = frozenset(
    {
        Target.TASK,
        Target.STREAM,
        Target.LIST,
        Target.DISCOVERY,
        Target.SESSION,
        Target.LOGGING,
        Target.PING,
        Target.REQUEST,
    }
)
# Targets that let a client connect and learn that everything else is denied.
WITHOUT_POLICY = frozenset({Target.DISCOVERY, Target.SESSION, Target.PING})


@dataclass(frozen=True, slots=True)
class Answer:
    """One decision in both durability classes."""

    buffered: Decision
    durable: Decision

    def of(self, durability: Durability) -> Decision:
        """Return the decision in a durability class."""
        return self.durable if durability is Durability.DURABLE else self.buffered


@dataclass(frozen=True, slots=True)
class Grants:
    """Decisions for one agent at one server.

    Attributes:
        exact: (target, name) that a rule spells out -> decision.
        patterns: Target -> patterns and decisions, in file order.
        whole: Decision for targets without names.
        refused: Decision for everything else.
    """

    exact: Mapping[tuple[Target, str], Decision]
    patterns: Mapping[Target, tuple[tuple[str, Answer], ...]]
    whole: Mapping[Target, Answer]
    refused: Answer

    def answer(self, target: Target, name: str) -> Answer:
        """Return the decision of the first pattern that matches a name."""
        for pattern, answer in self.patterns.get(target, ()):
            if fits(pattern, name):
                return answer
        return self.whole.get(target, self.refused)


@dataclass(frozen=True, slots=True)
class Profile:
    """Compiled policy of one agent.

    Attributes:
        grants: Server -> decisions there.
        refused: Decision for servers without a rule.
    """

    mode: Mode
    grants: Mapping[str, Grants]
    refused: Answer


@dataclass(frozen=True, slots=True)
class Table:
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
    servers: Mapping[str, Classes]
    agents: Mapping[AgentId, Profile]
    undeclared: Profile
    unknown: Profile
    no_server: Decision
    failed: Decision
    slices: Slices = field(default_factory=Slices)


def compile_table(
    config: Config, rules: CedarRules = NO_RULES, before: Table | None = None
) -> Table:
    """Compile a configuration and its Cedar policies.

    Args:
        before: Previous table; unchanged parts are reused.
    """
    policy = policy_digest(config, rules)
    servers = {server.name: Classes.of(server) for server in config.servers}
    return Table(
        policy=policy,
        servers=servers,
        agents={agent.id: _profile(agent, servers, policy) for agent in config.agents},
        undeclared=_stranger(config, policy, Reason.NO_RULE),
        unknown=_stranger(config, policy, Reason.UNKNOWN_AGENT),
        no_server=held(policy, Effect.DENY, Reason.UNKNOWN_SERVER),
        failed=held(policy, Effect.ERROR, Reason.EVALUATION),
        slices=Slices(rules, before.slices if before else None),
    )


def policy_digest(config: Config, rules: CedarRules) -> str:
    """Return the digest of the configuration file and its Cedar policies."""
    if not rules.digest:
        return config.digest
    return hashlib.sha256(f"{config.digest} {rules.digest}".encode()).hexdigest()


def without_policy(servers: Iterable[str]) -> Table:
    """Build the table of a gateway that could not load a policy.

    Clients can connect; everything else is an error.

    Args:
        servers: Names of the servers, as far as known.
    """
    allowed = _allowed("", Mode.ENFORCE, ())
    missing = _answer("", Mode.ENFORCE, Effect.ERROR, Reason.POLICY_MISSING, ())
    grants = Grants({}, {}, dict.fromkeys(WITHOUT_POLICY, allowed), missing)
    names = tuple(servers)
    anybody = Profile(Mode.ENFORCE, dict.fromkeys(names, grants), missing)
    return Table(
        policy="",
        servers=dict.fromkeys(names, Classes(frozenset(), (), frozenset(), ())),
        agents={},
        undeclared=anybody,
        unknown=anybody,
        no_server=held("", Effect.DENY, Reason.UNKNOWN_SERVER),
        failed=held("", Effect.ERROR, Reason.EVALUATION),
    )


def held(
    policy: str,
    effect: Effect,
    reason: Reason,
    mode: Mode = Mode.ENFORCE,
    determining: tuple[str, ...] = (),
    layer: Layer = Layer.TABLE,
) -> Decision:
    """Build a decision that holds in every mode."""
    return Decision(
        effect, False, mode, reason, determining, policy, Durability.BUFFERED, layer
    )


def _stranger(config: Config, policy: str, reason: Reason) -> Profile:
    mode = config.default_mode
    refused = _answer(policy, mode, Effect.DENY, reason, ("default_mode",))
    return Profile(mode, {}, refused)


def _profile(
    agent: DeclaredAgent, servers: Mapping[str, Classes], policy: str
) -> Profile:
    refused = _answer(policy, agent.mode, Effect.DENY, Reason.NO_RULE, ())
    rules: dict[str, list[Allow]] = {}
    for rule in agent.allow:
        rules.setdefault(rule.server, []).append(rule)
    grants = {
        server: _grants(agent.mode, each, servers[server], policy, refused)
        for server, each in rules.items()
    }
    return Profile(agent.mode, grants, refused)


def _grants(
    mode: Mode, rules: list[Allow], classes: Classes, policy: str, refused: Answer
) -> Grants:
    patterns: dict[Target, list[tuple[str, Answer]]] = {}
    whole = dict.fromkeys(GENERAL, _allowed(policy, mode, (rules[0].id,)))
    for rule in rules:
        answer = _allowed(policy, mode, (rule.id,))
        for target, names in named_by(rule):
            patterns.setdefault(target, []).extend((name, answer) for name in names)
        for each in rule.inputs:
            whole.setdefault(each.target, answer)
    exact: dict[tuple[Target, str], Decision] = {}
    for target, pairs in patterns.items():
        for name, _ in pairs:
            if not is_prefix(name) and (target, name) not in exact:
                answer = next(
                    answer for pattern, answer in pairs if fits(pattern, name)
                )
                exact[target, name] = answer.of(classes.durability(target, "", name))
    prefixes = {
        target: tuple(pair for pair in pairs if is_prefix(pair[0]))
        for target, pairs in patterns.items()
    }
    return Grants(exact, prefixes, whole, refused)


def named_by(rule: Allow) -> tuple[tuple[Target, tuple[str, ...]], ...]:
    """Return the names in a rule, by target."""
    return (
        (Target.TOOL, rule.tools),
        (Target.RESOURCE, rule.resources),
        (Target.PROMPT, rule.prompts),
    )


def _allowed(policy: str, mode: Mode, determining: tuple[str, ...]) -> Answer:
    return _answer(policy, mode, Effect.ALLOW, Reason.ALLOWED, determining)


def _answer(
    policy: str,
    mode: Mode,
    effect: Effect,
    reason: Reason,
    determining: tuple[str, ...],
) -> Answer:
    passes = effect is Effect.ALLOW or mode is not Mode.ENFORCE
    if effect is Effect.ERROR:
        passes = False
    buffered, durable = (
        Decision(effect, passes, mode, reason, determining, policy, durability)
        for durability in (Durability.BUFFERED, Durability.DURABLE)
    )
    # A call that is held back does not wait for the disk.
    return Answer(buffered, durable if passes else buffered)
