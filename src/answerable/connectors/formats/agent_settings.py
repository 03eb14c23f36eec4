"""Agent settings: permission modes, tool permissions and stray credentials."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from answerable.connectors.formats.agent_clients import SETTINGS, Keys
from answerable.connectors.formats.agent_definition import AgentDefinition, ToolPatterns
from answerable.connectors.formats.built_in_tools import TOOLS_OF
from answerable.connectors.formats.credential_detection import (
    Found,
    Position,
    in_environment,
    in_text,
    in_variable,
)
from answerable.connectors.formats.credential_name import Says, kind_by_name, says
from answerable.connectors.formats.document_node import Node, pointer_token, walk
from answerable.connectors.formats.redaction import clean, show_name
from answerable.connectors.formats.secret_shapes import shape_of
from answerable.model.credential import CredentialClass

_FACT_LIMIT = 80
_STRAY_LIMIT = 2_000
RULES_LIMIT = 2_000
_TURNED_OFF = ("disabledMcpjsonServers", "disabledMcpServers")
_HELPERS = ("apiKeyHelper", "awsAuthRefresh", "awsCredentialExport")


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """Parsed settings file of an agent.

    Attributes:
        facts: Counts for display.
        allowed: Tool patterns that need no approval.
        denied: Tool patterns that are refused.
        disabled: Names of servers turned off, or their pointers.
        environment: Credentials in the variables of the agent's shell.
        found: Other credentials outside the server maps.
    """

    root: Node
    facts: tuple[tuple[str, str], ...]
    allowed: ToolPatterns
    denied: frozenset[str]
    disabled: frozenset[str]
    environment: tuple[Found, ...]
    found: tuple[Found, ...]


def read_settings(client: str, root: Node, maps: tuple[str, ...]) -> AgentSettings:
    """Parse a settings document.

    Args:
        client: Agent kind.
        maps: Pointers of its server maps, which are read elsewhere.
    """
    permissions = root.get("permissions")
    lists = {
        name: permissions.texts(name)[:RULES_LIMIT] if permissions is not None else ()
        for name in ("allow", "ask", "deny")
    }
    facts = [(name, f"{len(rules)} rules") for name, rules in lists.items() if rules]
    hooks = root.get("hooks")
    if hooks is not None and hooks.is_object:
        facts.append(("hooks", f"{sum(1 for _ in hooks.members())} events"))
    maps_of_variables = _environments(client, root)
    return AgentSettings(
        root=root,
        facts=tuple(facts),
        allowed=ToolPatterns(lists["allow"]),
        denied=frozenset(lists["deny"]),
        disabled=frozenset(_disabled(root)),
        environment=tuple(_variables(maps_of_variables)),
        found=tuple(_stray(root, maps, maps_of_variables)),
    )


def read_modes(
    client: str, roots: Sequence[Node]
) -> tuple[tuple[tuple[str, str], ...], bool]:
    """Read a client's settings over all of its documents.

    Args:
        client: Agent kind.
        roots: Documents, highest precedence first.

    Returns:
        Facts for display, and whether calls need no approval.
    """
    facts: list[tuple[str, str]] = []
    unattended = False
    for setting in SETTINGS:
        if setting.client != client:
            continue
        nodes = [node for root in roots if (node := root.at(*setting.keys))]
        stated = next((node.text() for node in nodes if node.text()), "")
        if stated and (setting.name, show_fact(stated)) not in facts:
            facts.append((setting.name, show_fact(stated)))
        if nodes and not stated:  # a map of rules for single tools
            continue
        off = setting.disabled_by and _stated(roots, setting.disabled_by) == "disable"
        open_ = not setting.only_with or any(
            _first(roots, keys) == value for keys, value in setting.only_with
        )
        unattended = unattended or (stated in setting.unattended and open_ and not off)
    return tuple(facts), unattended


def _disabled(root: Node) -> Iterator[str]:
    """List disabled servers by name, and those of one project by pointer.

    https://code.claude.com/docs/en/mcp
    """
    for name in _TURNED_OFF:
        yield from root.texts(name)
    projects = root.get("projects")
    for _, project in projects.members() if projects is not None else ():
        for name in _TURNED_OFF:
            for server in project.texts(name):
                yield f"{project.pointer}/mcpServers/{pointer_token(server)}"


def with_profile(client: str, roots: Sequence[Node]) -> list[Node]:
    """Apply the active Codex profile before the settings it overrides.

    https://developers.openai.com/codex/config-advanced#profiles
    """
    name = _first(roots, ("profile",)) if client == "codex" else ""
    if not name:
        return list(roots)
    profiles = (root.at("profiles", name) for root in roots)
    chosen = [node for node in profiles if node is not None and node.is_object]
    return [*chosen, *roots]


def _first(roots: Sequence[Node], keys: Keys) -> str:
    """Return a setting of the first document with a text value."""
    nodes = (root.at(*keys) for root in roots)
    return next((node.text() for node in nodes if node and node.text()), "")


def _stated(roots: Sequence[Node], keys: Keys) -> str:
    nodes = (root.at(*keys) for root in roots)
    return next((node.text() for node in nodes if node is not None), "")


def show_fact(text: str) -> str:
    """Make a foreign setting printable: short and without secrets."""
    return clean(show_name(text), _FACT_LIMIT)


def _environments(client: str, root: Node) -> tuple[Node, ...]:
    """Find the maps of variables for a client's shell."""
    table = TOOLS_OF.get(client)
    keys = table.environment if table is not None else ()
    paths = dict.fromkeys((*keys, ("env",), ("containerEnv",)))
    nodes = (root.at(*path) for path in paths)
    return tuple(node for node in nodes if node is not None and node.is_object)


def _variables(environments: Sequence[Node]) -> Iterator[Found]:
    for environment in environments:
        yield from in_environment(
            Position(name, value.pointer, value.text())
            for name, value in environment.members()
        )


def _stray(
    root: Node, maps: tuple[str, ...], environments: Sequence[Node]
) -> Iterator[Found]:
    skipped = [pointer + "/" for pointer in maps]
    skipped += [environment.pointer + "/" for environment in environments]
    for name in _HELPERS:
        helper = root.get(name)
        if helper is not None and helper.text():
            yield Found(name, helper.pointer, CredentialClass.KEYCHAIN, "api-key", "")
            skipped.append(helper.pointer)
    yield from _swept(root, tuple(skipped))


def _swept(root: Node, skipped: tuple[str, ...]) -> Iterator[Found]:
    """Scan every other text by its name and form."""
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
    """Return the name of a member, or of the array that contains it."""
    while pointer:
        pointer, _, token = pointer.rpartition("/")
        if token and not token.isdigit():
            return token.replace("~1", "/").replace("~0", "~")
    return ""


def definition_facts(definition: AgentDefinition) -> tuple[tuple[str, str], ...]:
    """List the settings of a sub-agent for display."""
    tools = "inherits all"
    if definition.tools is not None:
        tools = show_fact(", ".join(definition.tools) or "none")
    facts = [
        ("model", show_fact(definition.model) if definition.model else ""),
        ("permission-mode", show_fact(definition.mode) if definition.mode else ""),
        ("tools", tools),
        ("denied-tools", show_fact(", ".join(definition.denied) or "-")),
        ("may-start", show_fact(", ".join(definition.starts) or "-")),
    ]
    return tuple(
        sorted((name, value) for name, value in facts if value not in ("", "-"))
    )
