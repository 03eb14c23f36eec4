"""Quote a rule from the configuration file, by the rule id in a decision."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from answerable.connectors.config.parse.config_faults import TextPosition
from answerable.connectors.config.parse.yaml_nodes import (
    YamlNode,
    YamlRefused,
    parse_yaml_nodes,
)

_MAX_LINES = 60  # lines
# A name may hold dots, and what follows it may not.
_RULE = re.compile(r"agents\.(.+)\.([a-z_]+)\[([0-9]{1,6})\]")


@dataclass(frozen=True, slots=True)
class RuleQuote:
    """Quoted lines of a file.

    Attributes:
        line: First line, from 1.
        text: The lines without common indentation.
    """

    line: int
    text: str


def quote_rule(data: bytes, rule: str) -> RuleQuote | None:
    """Quote a rule of the policy, e.g. `agents.invoices.allow[2]`; None if missing.

    Args:
        data: The file.
        rule: Rule id.
    """
    try:
        text = data.decode("utf-8-sig")
        found = _find_rule(parse_yaml_nodes(text), rule)
    except (UnicodeDecodeError, YamlRefused):
        return None
    if found is None:
        return None
    mark, node = found
    last = max(_iter_node_lines(node), default=mark.line)
    kept = text.splitlines()[mark.line - 1 : min(last, mark.line - 1 + _MAX_LINES)]
    return RuleQuote(mark.line, textwrap.dedent("\n".join(kept)).strip())


def _find_rule(root: YamlNode, rule: str) -> tuple[TextPosition, YamlNode] | None:
    """Find the rule of an agent; other sections may contain private data."""
    file = root.value if isinstance(root.value, dict) else {}
    if rule == "default_mode" and rule in file:
        return file[rule].key_position, file[rule].node
    named = _RULE.fullmatch(rule)
    if named is None or "agents" not in file:
        return None
    agents = file["agents"].node.value
    agent = agents.get(named[1]) if isinstance(agents, dict) else None
    if agent is None or not isinstance(agent.node.value, dict):
        return None
    rules = agent.node.value.get(named[2])
    listed = rules.node.value if rules is not None else None
    if not isinstance(listed, list) or int(named[3]) >= len(listed):
        return None
    node = listed[int(named[3])]
    return node.position, node


def _iter_node_lines(node: YamlNode) -> Iterator[int]:
    """Yield the lines on which a part of a node begins."""
    yield node.position.line
    if isinstance(node.value, dict):
        for member in node.value.values():
            yield member.key_position.line
            yield from _iter_node_lines(member.node)
    elif isinstance(node.value, list):
        for item in node.value:
            yield from _iter_node_lines(item)
