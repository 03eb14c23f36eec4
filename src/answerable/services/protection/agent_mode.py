"""Edit the mode and the rules of one agent of `answerable.yaml`, keeping the rest."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from answerable.authorization.name_patterns import is_prefix_pattern
from answerable.connectors.config.parse.config_faults import ConfigError
from answerable.connectors.config.parse.config_file import parse_config
from answerable.connectors.formats.document_edits import (
    AddMember,
    AppendItem,
    Edit,
    RemoveChild,
    ReplaceMember,
    edit_document,
)
from answerable.connectors.formats.document_node import DocumentNode, RawValue
from answerable.connectors.formats.document_parser import (
    DocumentFormat,
    parse_document,
)
from answerable.model.config import (
    ClientFeature,
    Config,
    DeclaredAgent,
    StdioCallerRule,
)
from answerable.model.decision import EnforcementMode, TargetKind
from answerable.services.authorization.decision_records import (
    decision_server,
    decision_target_name,
)
from answerable.services.protection.observed_calls import RULE_KEYS, has_rule
from answerable.store.decision_queries import CalledTarget

_ENDS = "ends_enforcement"


@dataclass(frozen=True, slots=True)
class LearnedRule:
    """Rule of an agent for one server, from its recorded calls.

    Attributes:
        names: Names by key of the rule: `tools`, `resources`, `prompts`.
        inputs: Requests that the server may send, as before.
        left_out: Names that end with `*`, which a rule would take as a pattern.
    """

    server: str
    names: Mapping[str, tuple[str, ...]]
    inputs: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    def render(self) -> dict[str, RawValue]:
        """Return the rule in the format of the configuration."""
        rule: dict[str, RawValue] = {"server": self.server}
        for key, names in self.names.items():
            if names:
                rule[key] = list[RawValue](names)
        if self.inputs:
            rule["inputs"] = list[RawValue](self.inputs)
        return rule


def learn_rules(
    config: Config, agent: DeclaredAgent, targets: Sequence[CalledTarget]
) -> tuple[LearnedRule, ...]:
    """Narrow the rules of an agent to its recorded calls.

    Rules for a client's own tools stay: their records are self-reported, and nothing is
    learned from these. A server without a recorded call gets no rule.

    Args:
        config: The configuration.
        agent: The agent.
        targets: Targets of its calls as mediators recorded them.
    """
    hooks = {server.name for server in config.servers if server.hook}
    inputs: dict[str, tuple[str, ...]] = {}
    kept: dict[str, tuple[str, ...]] = {}
    for rule in agent.allow:
        said = (*inputs.get(rule.server, ()), *(each.value for each in rule.inputs))
        inputs[rule.server] = tuple(dict.fromkeys(said))
        if rule.server in hooks:
            tools = (*kept.get(rule.server, ()), *rule.tools)
            kept[rule.server] = tuple(dict.fromkeys(tools))
    rules = [LearnedRule(name, {"tools": tools}, ()) for name, tools in kept.items()]
    called: dict[str, dict[str, set[str]]] = {}
    left: dict[str, set[str]] = {}
    for server, key, name in _iter_names(targets):
        if server in hooks:
            continue
        if is_prefix_pattern(name):
            left.setdefault(server, set()).add(name)
        else:
            called.setdefault(server, {}).setdefault(key, set()).add(name)
    for server in sorted({*called, *left}):
        names = {
            key: tuple(sorted(called.get(server, {}).get(key, ())))
            for key in RULE_KEYS.values()
        }
        stars = tuple(sorted(left.get(server, ())))
        if any(names.values()) or stars:
            rules.append(LearnedRule(server, names, inputs.get(server, ()), stars))
    return tuple(rules)


def open_rules(agent: DeclaredAgent) -> tuple[LearnedRule, ...]:
    """Return the rules of an agent, with an open one for each server that has none.

    So the calls to a server that a client got later are learned like the first ones.
    """
    rules = [
        LearnedRule(
            each.server,
            {key: getattr(each, key) for key in RULE_KEYS.values()},
            tuple(feature.value for feature in each.inputs),
        )
        for each in agent.allow
    ]
    features = tuple(each.value for each in ClientFeature)
    every = dict.fromkeys(RULE_KEYS.values(), ("*",))
    rules += [
        LearnedRule(caller.server, every, features)
        for caller in agent.callers
        if isinstance(caller, StdioCallerRule) and not has_rule(agent, caller.server)
    ]
    return tuple(rules)


def _iter_names(targets: Sequence[CalledTarget]) -> Iterator[tuple[str, str, str]]:
    """Yield server, key of the rule, and name of each named target."""
    for each in targets:
        if each.refused == each.count:
            continue  # every call was refused in the record: none is learned
        if each.target not in {kind.value for kind in RULE_KEYS}:
            continue
        kind = TargetKind(each.target)
        name, server = decision_target_name(each, kind), decision_server(each)
        if name and server:
            yield server, RULE_KEYS[kind], name


def edit_agent_mode(
    data: bytes,
    config: Config,
    agent: DeclaredAgent,
    mode: EnforcementMode,
    rules: Sequence[LearnedRule] | None = None,
) -> bytes:
    """Return the configuration with another mode, and other rules, of one agent.

    Args:
        data: Content of the file.
        config: The same, parsed.
        agent: The agent.
        mode: Its new mode.
        rules: Its new rules; None to keep the present ones.

    Raises:
        ParseError: The file cannot be edited byte for byte elsewhere.
        ConfigError: The result is no valid configuration.
    """
    root = parse_document(data, DocumentFormat.YAML, "").root
    place = ("agents", agent.name)
    edits: list[Edit] = []
    values: dict[str, RawValue] = {"mode": mode.value}
    if rules is not None:
        values["allow"] = [rule.render() for rule in rules]
    for key, value in values.items():
        if root.descend(*place, key) is None:
            edits.append(AddMember(place, key, value))
        else:
            edits.append(ReplaceMember((*place, key), ((key, value),)))
    edits += _edit_confirmation(root.get(_ENDS), agent, mode)
    made = edit_document(data, DocumentFormat.YAML, tuple(edits))
    reading = parse_config(made, config.place, str(PurePath(config.place).parent))
    if reading.config is None or reading.faults:
        raise ConfigError(config.place, reading.faults)
    return made


def _edit_confirmation(
    node: DocumentNode | None, agent: DeclaredAgent, mode: EnforcementMode
) -> Iterator[Edit]:
    """Yield the edit of `ends_enforcement` where enforcement begins or ends."""
    listed = [each.text() for each in node.items()] if node is not None else []
    if mode is EnforcementMode.ENFORCE and agent.name in listed:
        if len(listed) == 1:
            yield ReplaceMember((_ENDS,), ((_ENDS, []),))
        else:
            yield RemoveChild((_ENDS, str(listed.index(agent.name))))
    elif agent.mode is EnforcementMode.ENFORCE and mode is not agent.mode:
        if node is None:
            yield AddMember((), _ENDS, [agent.name])
        elif agent.name not in listed:
            yield AppendItem((_ENDS,), agent.name)
