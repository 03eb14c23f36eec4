"""Rules of a client about its built-in tools, from its settings.

A denying or restricting rule becomes a text of the tool. It never removes the tool: an
agent of the same account can edit the rule's file.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from answerable.connectors.formats.agent_clients import Keys
from answerable.connectors.formats.agent_definition import AgentDefinition, ToolPatterns
from answerable.connectors.formats.built_in_tools import (
    ACTING_COMMANDS,
    TOOLS_OF,
    ClientTools,
    Effect,
    Limit,
    RuleList,
)
from answerable.connectors.formats.document_node import Node
from answerable.connectors.formats.redaction import clean, show_word
from answerable.connectors.formats.secrets_in_text import mask_values
from answerable.model.ids import AgentId, CredentialId, built_in_tool_id
from answerable.model.provenance import Seen
from answerable.model.tool import SHELL, Tool

PATTERNS_LIMIT = 2_000
_SHOWN = 3
_RULE_LIMIT = 200
_PATTERN = re.compile(r"(?P<name>[^()]{1,200})(?:\((?P<of>.*)\))?", re.DOTALL)
_EXPRESSION = re.compile(r"/.+/[dgimsuvy]*", re.DOTALL)
_ANCHORED = re.compile(r"\^(?P<word>[\w-]+)(?P<rest>.*)", re.DOTALL)
_WORD_ENDS = ("$", " ", "\\b", "\\s", "(\\s", "( ", "(?:\\s", "(?: ")
_WHOLE = ("", "*", ":*", "**")
_STATES = {
    Effect.DENY: ("deny", "false"),
    Effect.ONLY: ("allow", "true"),
    Effect.ALLOW: ("allow", "true"),
}


@dataclass(frozen=True, slots=True)
class BuiltInTool:
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
class _Pattern:
    """Tool pattern of a list: `NAME(ARGUMENT)`."""

    name: str
    argument: str
    place: str
    expression: bool = False  # the argument is a regular expression, `/^aws/`

    @property
    def whole(self) -> bool:
        """Tell whether it covers every use of the tool."""
        return self.argument.strip() in _WHOLE

    @property
    def acts(self) -> bool:
        """Tell whether its commands use an identity, or run any program."""
        if self.expression:
            return _expression_acts(self.argument)
        words = re.split(r"[\s:*]", self.argument.strip(), maxsplit=1)
        return self.whole or words[0].rpartition("/")[2] in ACTING_COMMANDS

    def __str__(self) -> str:
        shown = " ".join(
            show_word(word) for word in mask_values(self.argument).split()[:4]
        )
        name = clean(show_word(self.name))
        return f"{self.place}: {name}({shown})" if shown else f"{self.place}: {name}"


def _expression_acts(text: str) -> bool:
    """Tell whether a regular expression (`/^aws/`) may match an acting command.

    One that does not begin with `^` and a word may match any command.
    """
    body, _, _ = text[1:].rpartition("/")
    anchored = _ANCHORED.fullmatch(body)
    if anchored is None or "|" in body:
        return True
    word, rest = anchored["word"], anchored["rest"]
    if rest.startswith(_WORD_ENDS):
        return word in ACTING_COMMANDS
    return any(command.startswith(word) for command in ACTING_COMMANDS)


def built_in_tools(
    client: str, roots: Sequence[Node], *, unattended: bool = False
) -> tuple[BuiltInTool, ...]:
    """List the built-in tools of a client, each with its rule.

    Args:
        client: Agent kind.
        roots: Its settings documents, highest precedence first.
        unattended: Whether no call needs approval.
    """
    table = TOOLS_OF.get(client)
    if table is None:
        return ()
    patterns = {
        effect: [
            pattern
            for rules in table.rules
            if rules.effect is effect
            for root in roots
            for pattern in _patterns(rules, root)
        ][:PATTERNS_LIMIT]
        for effect in Effect
    }
    limits = [text for limit in table.limits if (text := _narrows(limit, roots))]
    automatic = _automatic(table, roots)
    return tuple(
        _tool(table, name, transport, patterns, limits, unattended or name in automatic)
        for name, transport in table.tools()
    )


def _automatic(table: ClientTools, roots: Sequence[Node]) -> frozenset[str]:
    """List the tools that a mode or a state map auto-approves."""
    found = {
        tool
        for mode in table.modes
        if effective(roots, mode.keys).lower() in mode.values
        for tool in mode.tools
    }
    maps = [root.at(*table.states) for root in roots] if table.states else []
    states = [node for node in maps if node is not None and node.is_object]
    if states:
        names = (name for name, _ in table.tools())
        found |= {name for name in names if not _is_asked(table, name, states)}
    return frozenset(found)


def _is_asked(table: ClientTools, tool: str, maps: Sequence[Node]) -> bool:
    """Tell whether the last matching line of the state maps asks or denies."""
    names = {tool, "*", *(alias for alias, of in table.aliases if of == tool)}
    asked = False
    for node in reversed(maps):  # the one that takes precedence is read last
        for name, state in node.members():
            if name in names:
                stated = state.text_at("*") if state.is_object else state.text()
                asked = stated.lower() in ("ask", "deny")
    return asked


def sight_built_in(
    tool: BuiltInTool,
    client: str,
    agent: AgentId,
    environment: tuple[CredentialId, ...],
    seen: Seen,
) -> Tool:
    """Build the sighting of a built-in tool.

    Args:
        tool: Tool with its rules.
        client: Agent kind.
        agent: Agent with this tool.
        environment: Credentials in the agent's variables.
        seen: Provenance.
    """
    return Tool(
        id=built_in_tool_id(client, tool.name),
        agent=agent,
        server=tool.name,
        transport=tool.transport,
        target=f"built into {client}",
        enabled=tool.enabled,
        unattended=tool.unattended,
        credentials=environment,
        seen=seen,
        rule=tool.rule,
    )


def narrowed(tool: BuiltInTool, definition: AgentDefinition) -> BuiltInTool:
    """Restrict a tool by a sub-agent's definition; omitted `tools` inherits all."""
    unattended = tool.unattended or definition.unattended
    tool = replace(tool, unattended=unattended)
    granted = [_parsed(text, "tools") for text in definition.tools or ()]
    refused = [_parsed(text, "disallowedTools") for text in definition.denied]
    if definition.tools is not None:
        named = [each for each in granted if each.name in (tool.name, *_EVERY)]
        if not named:
            return _ruled(tool, f"tools: no {tool.name}", enabled=False)
        if not any(each.whole for each in named):
            tool = _ruled(tool, *map(str, named))
    against = [each for each in refused if each.name in (tool.name, *_EVERY)]
    if against:
        enabled = not any(each.whole for each in against)
        tool = _ruled(tool, *map(str, against), enabled=enabled)
    return tool


def server_rule(server: str, definition: AgentDefinition) -> tuple[str, bool]:
    """Return the rule of a sub-agent's tool lists for a server of the main agent.

    Returns:
        The restricting rule, empty for none, and False if the lists omit it.
    """
    texts: list[str] = []
    enabled = definition.may_use(server)
    if definition.refused.name(server):
        texts.append(f"disallowedTools: {_of_server(definition.denied, server)}")
    if definition.tools is not None and server not in definition.named_servers:
        if not definition.granted.name(server):
            texts.append(f"tools: no {clean(show_word(server))}")
        elif not definition.granted.name_whole(server):
            texts.append(f"tools: {_of_server(definition.tools, server)}")
    return _joined(texts), enabled


def _of_server(patterns: Sequence[str], server: str) -> str:
    """Format the first few patterns that name a server or its tools."""
    named = [text for text in patterns if ToolPatterns((text,)).name(server)]
    shown = ", ".join(clean(show_word(text)) for text in named[:_SHOWN])
    return f"{shown}, ..." if len(named) > _SHOWN else shown


_EVERY = ("*", "all", "@builtin")


def _ruled(tool: BuiltInTool, *texts: str, enabled: bool = True) -> BuiltInTool:
    found = [text for text in (tool.rule, *texts) if text]
    return replace(tool, rule=_joined(found), enabled=tool.enabled and enabled)


def _tool(
    table: ClientTools,
    name: str,
    transport: str,
    patterns: dict[Effect, list[_Pattern]],
    limits: list[str],
    unattended: bool,
) -> BuiltInTool:
    names = {name, "*", *(alias for alias, of in table.aliases if of == name)}

    def about(effect: Effect) -> list[_Pattern]:
        return [each for each in patterns[effect] if each.name in names]

    own = {(each.name, each.place) for each in about(Effect.ALLOW)}
    denied, only = about(Effect.DENY), about(Effect.ONLY)
    # In a map of states, a line for one tool stands before that for all of them.
    denied = [p for p in denied if p.name != "*" or (name, p.place) not in own]
    texts = list(map(str, denied))
    enabled = not any(each.whole for each in denied)
    if patterns[Effect.ONLY]:
        if not only:
            texts.append(f"{patterns[Effect.ONLY][0].place}: no {name}")
            enabled = False
        elif not any(each.whole for each in only):
            texts += map(str, only)
    if transport == SHELL:
        texts += limits
        unattended = unattended or any(each.acts for each in about(Effect.ALLOW))
    elif not table.states:
        unattended = unattended or bool(about(Effect.ALLOW))
    return BuiltInTool(name, transport, enabled, unattended, _joined(texts))


def _joined(texts: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(texts))
    rest = len(distinct) - _SHOWN
    shown = "; ".join(distinct[:_SHOWN]) + (f"; {rest} more" if rest > 0 else "")
    return clean(shown, _RULE_LIMIT) if shown else ""


def _patterns(rules: RuleList, root: Node) -> Iterator[_Pattern]:
    node = root.at(*rules.keys)
    if node is None:
        return
    place = ".".join(rules.keys)
    states = _STATES[rules.effect]
    if not node.is_object:
        holder = root.at(*rules.keys[:-1]) or root
        for text in holder.texts(rules.keys[-1]) if node.is_array else ():
            yield _of(rules, text, place)
        return
    for name, child in node.members():
        if child.text().lower() in states:
            yield _of(rules, name, place)
        for inner, value in child.members():
            if value.text().lower() in states:
                yield _of(rules, f"{name}({inner})" if not rules.of else name, place)


def _of(rules: RuleList, text: str, place: str) -> _Pattern:
    if rules.of:
        expression = _EXPRESSION.fullmatch(text) is not None
        return _Pattern(rules.of, text, place, expression)
    return _parsed(text, place)


def _parsed(text: str, place: str) -> _Pattern:
    found = _PATTERN.fullmatch(text.strip())
    if found is None:
        return _Pattern(text.strip(), "", place)
    return _Pattern(found["name"].strip(), found["of"] or "", place)


def _narrows(limit: Limit, roots: Sequence[Node]) -> str:
    """Return the text of a restricting setting, empty for none."""
    value = effective(roots, limit.keys)
    if value.lower() not in limit.values:
        return ""
    if any(effective(roots, keys).lower() == lifted for keys, lifted in limit.lifted):
        return ""
    shown = clean(show_word(value)) if value else "not set"
    return f"{'.'.join(limit.keys)}: {shown} ({limit.says})"


def effective(roots: Sequence[Node], keys: Keys) -> str:
    """Return a setting of the first document with it, else empty."""
    for root in roots:
        node = root.at(*keys)
        if node is not None and node.text():
            return node.text()
    return ""
