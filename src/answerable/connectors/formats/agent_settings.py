"""Settings that say how an agent may act: modes, permissions, stray credentials."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerable.connectors.formats.agent_definition import ToolPatterns
from answerable.connectors.formats.clients import SETTINGS
from answerable.connectors.formats.credential_name import Says, kind_by_name, says
from answerable.connectors.formats.credential_position import (
    Found,
    Position,
    in_environment,
    in_text,
    in_variable,
)
from answerable.connectors.formats.credential_value import shape_of
from answerable.connectors.formats.node import Node, walk
from answerable.connectors.formats.redaction import clean, show_name
from answerable.model.credential import CredentialClass

_FACT_LIMIT = 80
_STRAY_LIMIT = 2_000
RULES_LIMIT = 2_000
_HELPERS = ("apiKeyHelper", "awsAuthRefresh", "awsCredentialExport")


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """What one settings file says of its agent.

    Attributes:
        facts: Pairs worth showing.
        unattended: True when the file turns approval off.
        allowed: Tool patterns that need no approval.
        denied: Tool patterns that are refused.
        disabled: Names of servers turned off.
        found: Credentials outside the server maps.
    """

    facts: tuple[tuple[str, str], ...]
    unattended: bool
    allowed: ToolPatterns
    denied: frozenset[str]
    disabled: frozenset[str]
    found: tuple[Found, ...]


def read_settings(client: str, root: Node, maps: tuple[str, ...]) -> AgentSettings:
    """Read a settings document.

    Args:
        client: Agent kind.
        root: The document.
        maps: Pointers of its server maps, which are read elsewhere.
    """
    facts: list[tuple[str, str]] = []
    unattended = False
    for setting in SETTINGS:
        node = root.at(*setting.keys) if setting.client == client else None
        if node is not None and node.text():
            facts.append((setting.name, show_fact(node.text())))
            unattended = unattended or node.text() in setting.unattended
    permissions = root.get("permissions")
    lists = {
        name: permissions.texts(name)[:RULES_LIMIT] if permissions is not None else ()
        for name in ("allow", "ask", "deny")
    }
    facts += [(name, f"{len(rules)} rules") for name, rules in lists.items() if rules]
    hooks = root.get("hooks")
    if hooks is not None and hooks.is_object:
        facts.append(("hooks", f"{sum(1 for _ in hooks.members())} events"))
    return AgentSettings(
        facts=tuple(facts),
        unattended=unattended,
        allowed=ToolPatterns(lists["allow"]),
        denied=frozenset(lists["deny"]),
        disabled=frozenset(root.texts("disabledMcpjsonServers")),
        found=tuple(_stray(root, maps)),
    )


def show_fact(text: str) -> str:
    """Show a foreign setting, short and without any secret."""
    return clean(show_name(text), _FACT_LIMIT)


def _stray(root: Node, maps: tuple[str, ...]) -> Iterator[Found]:
    environment = root.get("env", "containerEnv")
    skipped = [pointer + "/" for pointer in maps]
    if environment is not None and environment.is_object:
        skipped.append(environment.pointer + "/")
        yield from in_environment(
            Position(name, value.pointer, value.text())
            for name, value in environment.members()
        )
    for name in _HELPERS:
        helper = root.get(name)
        if helper is not None and helper.text():
            yield Found(name, helper.pointer, CredentialClass.KEYCHAIN, "api-key", "")
            skipped.append(helper.pointer)
    yield from _swept(root, tuple(skipped))


def _swept(root: Node, skipped: tuple[str, ...]) -> Iterator[Found]:
    """Look at every other text, by the name that leads to it and by its shape."""
    count = 0
    for leaf in walk(root):
        raw = leaf.raw
        if not isinstance(raw, str) or len(raw) < 8 or count >= _STRAY_LIMIT:
            continue
        if skipped and leaf.pointer.startswith(skipped):
            continue
        name = _holder(leaf.pointer)
        position = Position(name, leaf.pointer, raw)
        found: tuple[Found, ...] = ()
        if shape_of(raw):
            found = in_text(position, "", literal=True)
        elif says(name) is Says.VARIABLE:
            found = in_variable(position)
        elif says(name) in (Says.CREDENTIAL, Says.PASSWORD) and " " not in raw:
            found = in_text(position, kind_by_name(name), literal=True)
        count += len(found)
        yield from found


def _holder(pointer: str) -> str:
    """Return the name of a member, or of the array it is an item of."""
    while pointer:
        pointer, _, token = pointer.rpartition("/")
        if token and not token.isdigit():
            return token.replace("~1", "/").replace("~0", "~")
    return ""
