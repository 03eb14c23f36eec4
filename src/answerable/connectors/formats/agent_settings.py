"""Parse an agent client's settings: modes, tool permissions, stray credentials."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from answerable.connectors.formats.agent_clients import KeyPath
from answerable.connectors.formats.agent_definition import AgentDefinition, ToolPatterns
from answerable.connectors.formats.built_in_tools import TOOLS_BY_CLIENT
from answerable.connectors.formats.client_settings import SETTINGS
from answerable.connectors.formats.credential_locations import (
    FoundCredential,
    NamedText,
    find_in_credential_field,
    find_in_environment,
    find_in_variable,
)
from answerable.connectors.formats.credential_name import (
    ValueMeaning,
    classify_value_by_name,
    credential_kind_of_name,
)
from answerable.connectors.formats.document_node import (
    DocumentNode,
    escape_pointer_token,
    walk_scalars,
)
from answerable.connectors.formats.redaction import make_printable_line, redact_name
from answerable.connectors.formats.secret_formats import classify_secret_format
from answerable.model.credential import CredentialClass

_FACT_LIMIT = 80
_STRAY_LIMIT = 2_000
RULES_LIMIT = 2_000
_DISABLED_SERVER_KEYS = ("disabledMcpjsonServers", "disabledMcpServers")
_HELPER_COMMAND_KEYS = ("apiKeyHelper", "awsAuthRefresh", "awsCredentialExport")


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

    root: DocumentNode
    facts: tuple[tuple[str, str], ...]
    allowed: ToolPatterns
    denied: frozenset[str]
    disabled: frozenset[str]
    environment: tuple[FoundCredential, ...]
    found: tuple[FoundCredential, ...]


def parse_agent_settings(
    client: str, root: DocumentNode, server_maps: tuple[str, ...]
) -> AgentSettings:
    """Parse one settings document of an agent client.

    Args:
        client: Agent kind.
        server_maps: Pointers of its server maps, which are read elsewhere.
    """
    permissions = root.get("permissions")
    lists = {
        name: permissions.texts(name)[:RULES_LIMIT] if permissions is not None else ()
        for name in ("allow", "ask", "deny")
    }
    facts = [
        (name, "1 rule" if len(rules) == 1 else f"{len(rules)} rules")
        for name, rules in lists.items()
        if rules
    ]
    hooks = root.get("hooks")
    if hooks is not None and hooks.is_object:
        facts.append(("hooks", f"{sum(1 for _ in hooks.members())} events"))
    maps_of_variables = _find_env_maps(client, root)
    return AgentSettings(
        root=root,
        facts=tuple(facts),
        allowed=ToolPatterns(lists["allow"]),
        denied=frozenset(lists["deny"]),
        disabled=frozenset(_list_disabled_servers(root)),
        environment=tuple(_find_env_credentials(maps_of_variables)),
        found=tuple(_find_stray_credentials(root, server_maps, maps_of_variables)),
    )


def parse_approval_modes(
    client: str, roots: Sequence[DocumentNode]
) -> tuple[tuple[tuple[str, str], ...], bool]:
    """Read a client's modes from all settings; True if calls need no approval.

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
        nodes = [node for root in roots if (node := root.descend(*setting.keys))]
        stated = next((node.text() for node in nodes if node.text()), "")
        if stated and (setting.name, make_setting_printable(stated)) not in facts:
            facts.append((setting.name, make_setting_printable(stated)))
        if nodes and not stated:  # a map of rules for single tools
            continue
        off = (
            setting.disabled_by
            and _first_setting_value(roots, setting.disabled_by) == "disable"
        )
        open_ = not setting.only_with or any(
            _first_setting_text(roots, keys) == value
            for keys, value in setting.only_with
        )
        unattended = unattended or (stated in setting.unattended and open_ and not off)
    return tuple(facts), unattended


def _list_disabled_servers(root: DocumentNode) -> Iterator[str]:
    """List disabled servers by name, and those of one project by pointer.

    https://code.claude.com/docs/en/mcp
    """
    for name in _DISABLED_SERVER_KEYS:
        yield from root.texts(name)
    projects = root.get("projects")
    for _, project in projects.members() if projects is not None else ():
        for name in _DISABLED_SERVER_KEYS:
            for server in project.texts(name):
                yield f"{project.pointer}/mcpServers/{escape_pointer_token(server)}"


def apply_codex_profile(
    client: str, roots: Sequence[DocumentNode]
) -> list[DocumentNode]:
    """Apply the active Codex profile before the settings it overrides.

    https://developers.openai.com/codex/config-advanced#profiles
    """
    name = _first_setting_text(roots, ("profile",)) if client == "codex" else ""
    if not name:
        return list(roots)
    profiles = (root.descend("profiles", name) for root in roots)
    chosen = [node for node in profiles if node is not None and node.is_object]
    return [*chosen, *roots]


def _first_setting_text(roots: Sequence[DocumentNode], keys: KeyPath) -> str:
    """Return a setting from the first settings file that has it as text."""
    nodes = (root.descend(*keys) for root in roots)
    return next((node.text() for node in nodes if node and node.text()), "")


def _first_setting_value(roots: Sequence[DocumentNode], keys: KeyPath) -> str:
    """Return a setting of the first document that has it, else empty."""
    nodes = (root.descend(*keys) for root in roots)
    return next((node.text() for node in nodes if node is not None), "")


def make_setting_printable(text: str) -> str:
    """Make a foreign setting printable: short and without secrets."""
    return make_printable_line(redact_name(text), _FACT_LIMIT)


def _find_env_maps(client: str, root: DocumentNode) -> tuple[DocumentNode, ...]:
    """Find the maps of variables for a client's shell."""
    table = TOOLS_BY_CLIENT.get(client)
    keys = table.environment if table is not None else ()
    paths = dict.fromkeys((*keys, ("env",), ("containerEnv",)))
    nodes = (root.descend(*path) for path in paths)
    return tuple(node for node in nodes if node is not None and node.is_object)


def _find_env_credentials(
    environments: Sequence[DocumentNode],
) -> Iterator[FoundCredential]:
    """Yield the credentials in maps of environment variables."""
    for environment in environments:
        yield from find_in_environment(
            NamedText(name, value.pointer, value.text())
            for name, value in environment.members()
        )


def _find_stray_credentials(
    root: DocumentNode,
    server_maps: tuple[str, ...],
    environments: Sequence[DocumentNode],
) -> Iterator[FoundCredential]:
    """Yield credentials elsewhere in the settings, by name and form."""
    skipped = [pointer + "/" for pointer in server_maps]
    skipped += [environment.pointer + "/" for environment in environments]
    for name in _HELPER_COMMAND_KEYS:
        helper = root.get(name)
        if helper is not None and helper.text():
            yield FoundCredential(
                name, helper.pointer, CredentialClass.KEYCHAIN, "api-key", ""
            )
            skipped.append(helper.pointer)
    yield from _iter_credentials_in_other_values(root, tuple(skipped))


def _iter_credentials_in_other_values(
    root: DocumentNode, skipped_pointers: tuple[str, ...]
) -> Iterator[FoundCredential]:
    """Yield credentials in all other texts, found by field name or token format."""
    count = 0
    for leaf in walk_scalars(root):
        raw = leaf.raw
        if not isinstance(raw, str) or len(raw) < 8 or count >= _STRAY_LIMIT:
            continue
        if skipped_pointers and leaf.pointer.startswith(skipped_pointers):
            continue
        name = _member_name_of_pointer(leaf.pointer)
        position = NamedText(name, leaf.pointer, raw)
        found: tuple[FoundCredential, ...] = ()
        if classify_secret_format(raw):
            found = find_in_credential_field(position, "", literal=True)
        elif classify_value_by_name(name) is ValueMeaning.VARIABLE:
            found = find_in_variable(position)
        elif (
            classify_value_by_name(name)
            in (ValueMeaning.CREDENTIAL, ValueMeaning.PASSWORD)
            and " " not in raw
        ):
            found = find_in_credential_field(
                position, credential_kind_of_name(name), literal=True
            )
        count += len(found)
        yield from found


def _member_name_of_pointer(pointer: str) -> str:
    """Return the last name in a JSON pointer that is no array index."""
    while pointer:
        pointer, _, token = pointer.rpartition("/")
        if token and not token.isdigit():
            return token.replace("~1", "/").replace("~0", "~")
    return ""


def list_sub_agent_settings(definition: AgentDefinition) -> tuple[tuple[str, str], ...]:
    """List the settings of a sub-agent for display."""
    tools = "inherits all"
    if definition.tools is not None:
        tools = make_setting_printable(", ".join(definition.tools) or "none")
    facts = [
        ("model", make_setting_printable(definition.model) if definition.model else ""),
        (
            "permission-mode",
            make_setting_printable(definition.mode) if definition.mode else "",
        ),
        ("tools", tools),
        ("denied-tools", make_setting_printable(", ".join(definition.denied) or "-")),
        ("may-start", make_setting_printable(", ".join(definition.starts) or "-")),
    ]
    return tuple(
        sorted((name, value) for name, value in facts if value not in ("", "-"))
    )
