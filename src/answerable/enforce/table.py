"""The table: a configuration, compiled into what a decision looks up.

Every decision that follows from the configuration alone is made here, once; a call
costs a lookup of the agent, of the server and of the name, and for a name that no rule
spells out a walk over its patterns. `spec` says the same without any of this.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from answerable.enforce.cedar.slices import Slices
from answerable.enforce.durability import Classes
from answerable.enforce.pattern import fits, is_prefix
from answerable.model.cedar import NO_RULES, CedarRules
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

# What goes with having a rule for the server at all. What a list holds is decided item
# by item, and whose a task or a request is, by whoever keeps them.
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
# What a client needs to find out that it may do nothing.
WITHOUT_POLICY = frozenset({Target.DISCOVERY, Target.SESSION, Target.PING})


@dataclass(frozen=True, slots=True)
class Answer:
    """One decision, in the class of the call that it is given for."""

    buffered: Decision
    durable: Decision

    def of(self, durability: Durability) -> Decision:
        """The decision in a class."""
        return self.durable if durability is Durability.DURABLE else self.buffered


@dataclass(frozen=True, slots=True)
class Grants:
    """What one agent may do at one server.

    Attributes:
        exact: (target, name) that a rule spells out -> the decision.
        patterns: Target -> pattern and answer, in file order.
        whole: Target without a name of its own -> the answer.
        refused: The answer for everything else.
    """

    exact: Mapping[tuple[Target, str], Decision]
    patterns: Mapping[Target, tuple[tuple[str, Answer], ...]]
    whole: Mapping[Target, Answer]
    refused: Answer

    def answer(self, target: Target, name: str) -> Answer:
        """Find the first rule that takes a name which none spells out."""
        for pattern, answer in self.patterns.get(target, ()):
            if fits(pattern, name):
                return answer
        return self.whole.get(target, self.refused)


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of an agent.

    Attributes:
        mode: Its mode.
        grants: Server -> what it may do there.
        refused: The answer where it has no rule for a server.
    """

    mode: Mode
    grants: Mapping[str, Grants]
    refused: Answer


@dataclass(frozen=True, slots=True)
class Table:
    """The policy in force.

    Attributes:
        policy: Its digest, empty where there is none.
        servers: Server -> classes of its calls.
        agents: Agent of the file -> what is known of it.
        undeclared: Of agents of the inventory that the file does not name.
        unknown: Of all others.
        no_server: The decision for a server that there is not.
        failed: The decision where deciding failed.
        slices: The Cedar policies that have a say beside the table.
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
        config: The configuration.
        rules: The policies, of which nothing is wrong.
        before: What was in force; what is the same in both is not compiled anew.
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
    """Digest of all that decides: of the file alone where it names no policies."""
    if not rules.digest:
        return config.digest
    return hashlib.sha256(f"{config.digest} {rules.digest}".encode()).hexdigest()


def without_policy(servers: Iterable[str]) -> Table:
    """Make the table of a gateway that could not load any policy.

    It lets a client find out that a server is there, and refuses the rest.

    Args:
        servers: Names of the servers, as far as they are known.
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
    """Make a decision that holds whatever the mode."""
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
    """What a rule names, by what it acts on."""
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
    # What does not go on has nothing to wait for.
    return Answer(buffered, durable if passes else buffered)
