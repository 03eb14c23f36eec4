"""A rule as it stands in the file: its lines, by the id that decisions name it by."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from answerable.connectors.config.parse.faults import Mark
from answerable.connectors.config.parse.nodes import Node, NotRead, read_nodes

_MOST = 60  # lines
# A name may hold dots, and what follows it may not.
_RULE = re.compile(r"agents\.(.+)\.([a-z_]+)\[([0-9]{1,6})\]")


@dataclass(frozen=True, slots=True)
class Quote:
    """Some lines of a file.

    Attributes:
        line: The first, counted from 1.
        text: They, without what they are indented by together.
    """

    line: int
    text: str


def quote(data: bytes, rule: str) -> Quote | None:
    """Find a rule of the policy, e.g. `agents.invoices.allow[2]`; None where none is.

    Args:
        data: The file.
        rule: The id.
    """
    try:
        text = data.decode("utf-8-sig")
        found = _find(read_nodes(text), rule)
    except (UnicodeDecodeError, NotRead):
        return None
    if found is None:
        return None
    mark, node = found
    last = max(_lines(node), default=mark.line)
    kept = text.splitlines()[mark.line - 1 : min(last, mark.line - 1 + _MOST)]
    return Quote(mark.line, textwrap.dedent("\n".join(kept)).strip())


def _find(root: Node, rule: str) -> tuple[Mark, Node] | None:
    """Only a rule of an agent is found: elsewhere may stand what is nobody's business."""
    file = root.value if isinstance(root.value, dict) else {}
    if rule == "default_mode" and rule in file:
        return file[rule].mark, file[rule].node
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
    return node.mark, node


def _lines(node: Node) -> Iterator[int]:
    """Give the lines on which anything of a node begins."""
    yield node.mark.line
    if isinstance(node.value, dict):
        for member in node.value.values():
            yield member.mark.line
            yield from _lines(member.node)
    elif isinstance(node.value, list):
        for item in node.value:
            yield from _lines(item)
