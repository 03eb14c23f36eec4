"""Read a client's rules about its built-in tools from its settings.

A denying or restricting rule becomes a text of the tool. It never removes the tool: an
agent of the same account can edit the rule's file.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from answerable.connectors.formats.agent_clients import KeyPath
from answerable.connectors.formats.agent_definition import AgentDefinition, ToolPatterns
from answerable.connectors.formats.built_in_tools import (
    CREDENTIAL_USING_COMMANDS,
    TOOLS_BY_CLIENT,
)
from answerable.connectors.formats.client_tools import (
    ClientTools,
    ShellLimitSetting,
    ToolRuleEffect,
    ToolRuleList,
)
from answerable.connectors.formats.document_node import DocumentNode
from answerable.connectors.formats.redaction import make_printable_line, redact_word
from answerable.connectors.formats.secrets_in_text import mask_named_secrets
from answerable.model.ids import AgentId, CredentialId, build_client_tool_id
from answerable.model.provenance import FactProvenance
from answerable.model.tool import SHELL, Tool

PATTERNS_LIMIT = 2_000
_MAX_SHOWN = 3
_RULE_LIMIT = 200
_PATTERN = re.compile(r"(?P<name>[^()]{1,200})(?:\((?P<of>.*)\))?", re.DOTALL)
_EXPRESSION = re.compile(r"/.+/[dgimsuvy]*", re.DOTALL)
_ANCHORED = re.compile(r"\^(?P<word>[\w-]+)(?P<rest>.*)", re.DOTALL)
_WORD_ENDS = ("$", " ", "\\b", "\\s", "(\\s", "( ", "(?:\\s", "(?: ")
_WHOLE = ("", "*", ":*", "**")
_STATES = {
    ToolRuleEffect.DENY: ("deny", "false"),
    ToolRuleEffect.ONLY: ("allow", "true"),
    ToolRuleEffect.ALLOW: ("allow", "true"),
}


@dataclass(frozen=True, slots=True)
class RuledBuiltInTool:
    """Built-in tool with its client's rules.

    Attributes:
        name: Tool name.
        transport: `shell`, `file` or `fetch`.
        enabled: False if a rule denies the whole tool.
        unattended: True if it acts without approval.
        rule: Restriction, empty for none.
    """

    name: str
    transport: str
    enabled: bool
    unattended: bool
    rule: str


@dataclass(frozen=True, slots=True)
class _ToolPattern:
    """Tool pattern of a list: `NAME(ARGUMENT)`."""

    name: str
    argument: str
    place: str
    expression: bool = False  # the argument is a regular expression, `/^aws/`

    @property
    def is_unconditional(self) -> bool:
        """Return whether a rule covers every call of the tool, not only some."""
        return self.argument.strip() in _WHOLE

    @property
    def may_use_credentials(self) -> bool:
        """Return whether its commands use an identity, or run any program."""
        if self.expression:
            return _expression_may_use_credentials(self.argument)
        words = re.split(r"[\s:*]", self.argument.strip(), maxsplit=1)
        return (
            self.is_unconditional
            or words[0].rpartition("/")[2] in CREDENTIAL_USING_COMMANDS
        )

    def __str__(self) -> str:
        shown = " ".join(
            redact_word(word) for word in mask_named_secrets(self.argument).split()[:4]
        )
        name = make_printable_line(redact_word(self.name))
        return f"{self.place}: {name}({shown})" if shown else f"{self.place}: {name}"


def _expression_may_use_credentials(text: str) -> bool:
    """Return whether a regular expression (`/^aws/`) may match an acting command.

    One that does not begin with `^` and a word may match any command.
    """
    body, _, _ = text[1:].rpartition("/")
    anchored = _ANCHORED.fullmatch(body)
    if anchored is None or "|" in body:
        return True
    word, rest = anchored["word"], anchored["rest"]
    if rest.startswith(_WORD_ENDS):
        return word in CREDENTIAL_USING_COMMANDS
    return any(command.startswith(word) for command in CREDENTIAL_USING_COMMANDS)


def list_built_in_tools(
    client: str, roots: Sequence[DocumentNode], *, unattended: bool = False
) -> tuple[RuledBuiltInTool, ...]:
    """List an agent client's own tools, each with the rule its settings give.

    Args:
        client: Agent kind.
        roots: Its settings documents, highest precedence first.
        unattended: Whether no call needs approval.
    """
    table = TOOLS_BY_CLIENT.get(client)
    if table is None:
        return ()
    patterns = {
        effect: [
            pattern
            for rules in table.rules
            if rules.effect is effect
            for root in roots
            for pattern in _read_patterns(rules, root)
        ][:PATTERNS_LIMIT]
        for effect in ToolRuleEffect
    }
    limits = [
        text
        for limit in table.limits
        if (text := _describe_shell_restriction(limit, roots))
    ]
    automatic = _list_auto_approved_tools(table, roots)
    return tuple(
        _apply_rules(
            table, name, transport, patterns, limits, unattended or name in automatic
        )
        for name, transport in table.list_tools()
    )


def _list_auto_approved_tools(
    table: ClientTools, roots: Sequence[DocumentNode]
) -> frozenset[str]:
    """List the tools that a mode or a state map auto-approves."""
    found = {
        tool
        for mode in table.modes
        if find_effective_setting(roots, mode.keys).lower() in mode.values
        for tool in mode.tools
    }
    maps = [root.descend(*table.states) for root in roots] if table.states else []
    states = [node for node in maps if node is not None and node.is_object]
    if states:
        names = (name for name, _ in table.list_tools())
        found |= {name for name in names if not _needs_approval(table, name, states)}
    return frozenset(found)


def _needs_approval(
    table: ClientTools, tool: str, state_maps: Sequence[DocumentNode]
) -> bool:
    """Return whether the last matching entry of the state maps asks or denies."""
    names = {tool, "*", *(alias for alias, of in table.aliases if of == tool)}
    asked = False
    for node in reversed(state_maps):  # the one that takes precedence is read last
        for name, state in node.members():
            if name in names:
                stated = state.text_at("*") if state.is_object else state.text()
                asked = stated.lower() in ("ask", "deny")
    return asked


def build_built_in_tool(
    tool: RuledBuiltInTool,
    client: str,
    agent: AgentId,
    environment: tuple[CredentialId, ...],
    provenance: FactProvenance,
) -> Tool:
    """Build the inventory fact of a built-in tool.

    Args:
        tool: Tool with its rules.
        client: Agent kind.
        agent: Agent with this tool.
        environment: Credentials in the agent's variables.
        provenance: Provenance.
    """
    return Tool(
        id=build_client_tool_id(client, tool.name),
        agent=agent,
        server=tool.name,
        transport=tool.transport,
        target=f"built into {client}",
        enabled=tool.enabled,
        unattended=tool.unattended,
        credentials=environment,
        seen=provenance,
        rule=tool.rule,
    )


def restrict_tool_for_sub_agent(
    tool: RuledBuiltInTool, definition: AgentDefinition
) -> RuledBuiltInTool:
    """Restrict a tool by a sub-agent's definition; omitted `tools` inherits all."""
    unattended = tool.unattended or definition.unattended
    tool = replace(tool, unattended=unattended)
    granted = [_parse_pattern(text, "tools") for text in definition.tools or ()]
    refused = [_parse_pattern(text, "disallowedTools") for text in definition.denied]
    if definition.tools is not None:
        named = [each for each in granted if each.name in (tool.name, *_EVERY)]
        if not named:
            return _add_rule_texts(tool, f"tools: no {tool.name}", enabled=False)
        if not any(each.is_unconditional for each in named):
            tool = _add_rule_texts(tool, *map(str, named))
    against = [each for each in refused if each.name in (tool.name, *_EVERY)]
    if against:
        enabled = not any(each.is_unconditional for each in against)
        tool = _add_rule_texts(tool, *map(str, against), enabled=enabled)
    return tool


def describe_sub_agent_rule(
    server: str, definition: AgentDefinition
) -> tuple[str, bool]:
    """Return the rule of a sub-agent's tool lists for a server of the main agent.

    Returns:
        The restricting rule, empty for none, and False if the lists omit it.
    """
    texts: list[str] = []
    enabled = definition.may_use_server(server)
    if definition.refused.mentions_server(server):
        texts.append(
            f"disallowedTools: {_format_server_patterns(definition.denied, server)}"
        )
    if definition.tools is not None and server not in definition.named_servers:
        if not definition.granted.mentions_server(server):
            texts.append(f"tools: no {make_printable_line(redact_word(server))}")
        elif not definition.granted.covers_server(server):
            texts.append(f"tools: {_format_server_patterns(definition.tools, server)}")
    return _join_rule_texts(texts), enabled


def _format_server_patterns(patterns: Sequence[str], server: str) -> str:
    """Format the first few patterns that name a server or its tools."""
    named = [text for text in patterns if ToolPatterns((text,)).mentions_server(server)]
    shown = ", ".join(
        make_printable_line(redact_word(text)) for text in named[:_MAX_SHOWN]
    )
    return f"{shown}, ..." if len(named) > _MAX_SHOWN else shown


_EVERY = ("*", "all", "@builtin")


def _add_rule_texts(
    tool: RuledBuiltInTool, *texts: str, enabled: bool = True
) -> RuledBuiltInTool:
    """Return a tool with further rule texts, disabled if stated."""
    found = [text for text in (tool.rule, *texts) if text]
    return replace(tool, rule=_join_rule_texts(found), enabled=tool.enabled and enabled)


def _apply_rules(
    table: ClientTools,
    name: str,
    transport: str,
    patterns: dict[ToolRuleEffect, list[_ToolPattern]],
    limits: list[str],
    unattended: bool,
) -> RuledBuiltInTool:
    """Decide for one tool whether the client's settings allow, ask or deny it."""
    names = {name, "*", *(alias for alias, of in table.aliases if of == name)}

    def about(effect: ToolRuleEffect) -> list[_ToolPattern]:
        return [each for each in patterns[effect] if each.name in names]

    own = {(each.name, each.place) for each in about(ToolRuleEffect.ALLOW)}
    denied, only = about(ToolRuleEffect.DENY), about(ToolRuleEffect.ONLY)
    # In a map of states, a line for one tool stands before that for all of them.
    denied = [p for p in denied if p.name != "*" or (name, p.place) not in own]
    texts = list(map(str, denied))
    enabled = not any(each.is_unconditional for each in denied)
    if patterns[ToolRuleEffect.ONLY]:
        if not only:
            texts.append(f"{patterns[ToolRuleEffect.ONLY][0].place}: no {name}")
            enabled = False
        elif not any(each.is_unconditional for each in only):
            texts += map(str, only)
    if transport == SHELL:
        texts += limits
        unattended = unattended or any(
            each.may_use_credentials for each in about(ToolRuleEffect.ALLOW)
        )
    elif not table.states:
        unattended = unattended or bool(about(ToolRuleEffect.ALLOW))
    return RuledBuiltInTool(
        name, transport, enabled, unattended, _join_rule_texts(texts)
    )


def _join_rule_texts(texts: Sequence[str]) -> str:
    """Join the first few distinct rule texts, and count the others."""
    distinct = list(dict.fromkeys(texts))
    rest = len(distinct) - _MAX_SHOWN
    shown = "; ".join(distinct[:_MAX_SHOWN]) + (f"; {rest} more" if rest > 0 else "")
    return make_printable_line(shown, _RULE_LIMIT) if shown else ""


def _read_patterns(rules: ToolRuleList, root: DocumentNode) -> Iterator[_ToolPattern]:
    """Yield the tool patterns of one rule list in a document."""
    node = root.descend(*rules.keys)
    if node is None:
        return
    place = ".".join(rules.keys)
    states = _STATES[rules.effect]
    if not node.is_object:
        holder = root.descend(*rules.keys[:-1]) or root
        for text in holder.texts(rules.keys[-1]) if node.is_array else ():
            yield _parse_listed_pattern(rules, text, place)
        return
    for name, child in node.members():
        if child.text().lower() in states:
            yield _parse_listed_pattern(rules, name, place)
        for inner, value in child.members():
            if value.text().lower() in states:
                yield _parse_listed_pattern(
                    rules, f"{name}({inner})" if not rules.tool else name, place
                )


def _parse_listed_pattern(rules: ToolRuleList, text: str, place: str) -> _ToolPattern:
    """Parse a pattern of a list that may be about one tool."""
    if rules.tool:
        expression = _EXPRESSION.fullmatch(text) is not None
        return _ToolPattern(rules.tool, text, place, expression)
    return _parse_pattern(text, place)


def _parse_pattern(text: str, place: str) -> _ToolPattern:
    """Parse `NAME` or `NAME(ARGUMENT)`."""
    found = _PATTERN.fullmatch(text.strip())
    if found is None:
        return _ToolPattern(text.strip(), "", place)
    return _ToolPattern(found["name"].strip(), found["of"] or "", place)


def _describe_shell_restriction(
    limit: ShellLimitSetting, roots: Sequence[DocumentNode]
) -> str:
    """Return the text of a restricting setting, empty for none."""
    value = find_effective_setting(roots, limit.keys)
    if value.lower() not in limit.values:
        return ""
    if any(
        find_effective_setting(roots, keys).lower() == lifted
        for keys, lifted in limit.exceptions
    ):
        return ""
    shown = make_printable_line(redact_word(value)) if value else "not set"
    return f"{'.'.join(limit.keys)}: {shown} ({limit.text})"


def find_effective_setting(roots: Sequence[DocumentNode], keys: KeyPath) -> str:
    """Return a setting of the first document with it, else empty."""
    for root in roots:
        node = root.descend(*keys)
        if node is not None and node.text():
            return node.text()
    return ""
