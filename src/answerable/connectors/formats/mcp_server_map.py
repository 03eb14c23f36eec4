"""Find and parse the MCP server maps in a configuration document."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from answerable.connectors.formats.agent_clients import (
    ClientConfigFile,
    FileRole,
    KeyPath,
)
from answerable.connectors.formats.credential_locations import (
    FoundCredential,
    find_passed_variable,
)
from answerable.connectors.formats.document_node import DocumentNode
from answerable.connectors.formats.mcp_server_entry import (
    McpServerEntry,
    parse_server_entry,
)
from answerable.model.credential import CredentialClass

SERVERS_LIMIT = 2_000
FOUND_LIMIT = 200
_ENTRY_MARKS = ("command", "cmd", "url", "serverUrl", "httpUrl")
_URL_IS_SSE = "gemini-cli"


@dataclass(frozen=True, slots=True)
class McpServerMaps:
    """MCP server maps of a document.

    Attributes:
        servers: Entries in file order.
        maps: Pointers of the maps found.
        faults: Pairs (pointer, fault).
        declared: Credentials that the document asks its user for, passed to each
            server.
    """

    servers: tuple[McpServerEntry, ...]
    maps: tuple[str, ...]
    faults: tuple[tuple[str, str], ...]
    declared: tuple[FoundCredential, ...] = ()


def parse_server_maps(entry: ClientConfigFile, root: DocumentNode) -> McpServerMaps:
    """Parse every `mcpServers` map of a client's settings file.

    A servers file without a map is a fault.
    """
    servers: list[McpServerEntry] = []
    faults: list[tuple[str, str]] = []
    maps: list[str] = []
    for keys in entry.maps:
        for node in _find_nodes_at_path(root, keys):
            if not keys and (maps or not _is_server_map(node)):
                continue
            if not node.is_object and not node.is_array:
                faults.append((node.pointer, "not a mapping of servers"))
                continue
            maps.append(node.pointer)
            _read_server_map(node, entry.client, servers, faults)
    if not maps and not faults and entry.role is FileRole.SERVERS:
        faults.append(("", "the servers are not a mapping"))
    declared = tuple(islice(_find_extension_settings(root), FOUND_LIMIT + 1))
    if len(declared) > FOUND_LIMIT:
        faults.append(("/settings", f"more than {FOUND_LIMIT} credentials"))
        declared = declared[:FOUND_LIMIT]
    if declared:
        servers = [replace(item, found=(*item.found, *declared)) for item in servers]
    if len(servers) > SERVERS_LIMIT:
        faults.append(("", f"more than {SERVERS_LIMIT} servers"))
    return McpServerMaps(
        tuple(servers[:SERVERS_LIMIT]), tuple(maps), tuple(faults), declared
    )


def _find_nodes_at_path(root: DocumentNode, keys: KeyPath) -> Iterator[DocumentNode]:
    """Yield the nodes at a key path, in which `*` matches every member."""
    nodes = [root]
    for key in keys:
        below: list[DocumentNode] = []
        for node in nodes:
            if key == "*":
                below += [child for _, child in node.members()]
            elif (child := node.get(key)) is not None:
                below.append(child)
        nodes = below
    return (node for node in nodes if node.raw is not None)


def _find_extension_settings(root: DocumentNode) -> Iterator[FoundCredential]:
    """Read the `settings` of a Gemini extension: variables requested of its user."""
    settings = root.get("settings")
    for setting in settings.items() if settings is not None else ():
        variable = setting.get("envVar")
        if variable is not None and variable.text():
            for found in find_passed_variable(variable.text(), variable.pointer):
                kept = setting.flag("sensitive")  # in the system's keychain
                cls = CredentialClass.KEYCHAIN if kept else CredentialClass.ENV_REF
                yield replace(found, cls=cls)


def _is_server_map(node: DocumentNode) -> bool:
    """Return whether the members themselves are server entries."""
    members = [child for _, child in node.members()]
    return bool(members) and all(
        child.is_object and child.get(*_ENTRY_MARKS) is not None for child in members
    )


def _read_server_map(
    node: DocumentNode,
    client: str,
    servers: list[McpServerEntry],
    faults: list[tuple[str, str]],
) -> None:
    """Parse the entries of a map or a list of servers; collects faults."""
    listed = (
        (item.text_at("name") or str(index), item)
        for index, item in enumerate(node.items())
    )
    pairs = node.members() if node.is_object else listed
    for name, entry in islice(pairs, SERVERS_LIMIT + 1):
        if not entry.is_object:
            faults.append((entry.pointer, "the entry is not a server"))
            continue
        server = parse_server_entry(name, entry)
        if server.is_truncated:
            faults.append((entry.pointer, "too long to be read completely"))
        if len(server.found) > FOUND_LIMIT:
            faults.append((entry.pointer, f"more than {FOUND_LIMIT} credentials"))
            server = replace(server, found=server.found[:FOUND_LIMIT])
        if server.empty:
            faults.append((entry.pointer, "the server has neither a command nor a URL"))
        if client == _URL_IS_SSE and _has_sse_url(entry):
            server = replace(server, transport="sse")
        servers.append(server)


def _has_sse_url(entry: DocumentNode) -> bool:
    """Return whether Gemini CLI speaks SSE with an entry: `url` without `type: http`.

    `httpUrl` is streamable HTTP (geminicli.com/docs/tools/mcp-server).
    """
    is_http = entry.text_at("type").lower() == "http"
    return entry.get("url") is not None and entry.get("httpUrl") is None and not is_http
