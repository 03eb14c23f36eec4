"""Extend `answerable.yaml` by servers and agents, keeping the rest byte for byte."""

from pathlib import Path

from answerable.connectors.config.parse.config_faults import ConfigError
from answerable.connectors.config.parse.config_file import parse_config
from answerable.connectors.formats.document_edits import (
    AddMember,
    AppendItem,
    Edit,
    edit_document,
    render_value,
)
from answerable.connectors.formats.document_node import RawValue
from answerable.connectors.formats.document_parser import (
    DocumentFormat,
    parse_document,
)
from answerable.model.errors import UsageError
from answerable.services.protection.protection_plan import ProtectionRequest

_HEADER = (
    "# Written by `answerable protect`; `answerable unprotect` undoes it. Comments and\n"
    "# keys that you add are kept.\n"
)
_NAME_LIMIT = 64


class GatewayConfig:
    """The gateway's configuration while a plan extends it.

    Args:
        data: Present content; None where there is no file.

    Raises:
        ParseError: It is no YAML.
    """

    def __init__(self, request: ProtectionRequest, data: bytes | None) -> None:
        self._request = request
        self._data = data
        root = parse_document(data or b"", DocumentFormat.YAML, "").root
        self._root = root
        servers, agents = root.get("servers"), root.get("agents")
        self.servers = {name for name, _ in servers.members()} if servers else set()
        self._known_agents = {n for n, _ in agents.members()} if agents else set()
        self._added: dict[str, dict[str, RawValue]] = {}
        self._callers: dict[str, list[str]] = {}

    @property
    def agents(self) -> tuple[str, ...]:
        """Return the agents that get a server."""
        return tuple(self._callers)

    @property
    def uncovered(self) -> tuple[str, ...]:
        """Return the added servers that an agent's signed baseline does not cover."""
        return tuple(
            s for client in self._callers for s in self._list_uncovered(client)
        )

    def get_mode(self, client: str) -> str:
        """Return the mode of a client's agent: as declared, else as requested."""
        if client not in self._known_agents:
            return self._request.mode
        mode = self._root.descend("agents", client, "mode")
        return mode.text() if mode is not None else "enforce"

    def choose_name(self, client: str, entry: str) -> str:
        """Choose a free server name for an entry of a client."""
        allowed = "".join(c if c.isalnum() and c.isascii() else "-" for c in entry)
        base = allowed.strip("-")[: _NAME_LIMIT - 4] or "server"
        names = (base, f"{client}-{base}"[: _NAME_LIMIT - 4])
        taken = self.servers | set(self._added)
        for name in names:
            if name not in taken:
                return name
        number = 2
        while f"{names[1]}-{number}" in taken:
            number += 1
        return f"{names[1]}-{number}"

    def list_former_names(self, client: str) -> tuple[str, ...]:
        """List the servers of the present file whose caller a client's agent is."""
        callers = self._root.descend("agents", client, "callers")
        if callers is None:
            return ()
        names = dict.fromkeys(each.text_at("stdio") for each in callers.items())
        return tuple(n for n in names if n in self.servers and n not in self._added)

    def has_server(self, name: str, declared: dict[str, RawValue]) -> bool:
        """Return whether the present file declares exactly this server."""
        node = self._root.descend("servers", name)
        return node is not None and node.raw == declared

    def find_fault(self, name: str, declared: dict[str, RawValue]) -> str:
        """Return the reason why no configuration can declare a server; empty for none."""
        server: RawValue = {"servers": {name: declared}}
        text = render_value(server, DocumentFormat.YAML).encode()
        path = self._request.config_path
        reading = parse_config(text, str(path), str(Path(path).parent))
        for fault in reading.faults:
            place = fault.path.removeprefix(f"servers.{name}.")
            return f"{place}: {fault.message}"
        return ""

    def add_server(self, client: str, name: str, declared: dict[str, RawValue]) -> None:
        """Add a server, and the client's agent as its caller."""
        self._added[name] = declared
        if name not in self.servers:
            self._callers.setdefault(client, []).append(name)

    def render(self) -> bytes:
        """Return the new content.

        Raises:
            ParseError: It cannot be extended byte for byte elsewhere.
            ConfigError: The result is no valid configuration.
            UsageError: An agent is new, and no owner is known.
        """
        if not self._added:
            return self._data or b""
        text = self._data
        if not text:
            store = self._request.store
            lead = f"store: {render_value(str(store), DocumentFormat.YAML)}\n"
            text = (_HEADER + (lead if store else "")).encode()
        edits = [*self._edit_servers(), *self._edit_agents()]
        made = edit_document(text, DocumentFormat.YAML, tuple(edits))
        path = self._request.config_path
        reading = parse_config(made, str(path), str(Path(path).parent))
        if reading.config is None or reading.faults:
            raise ConfigError(str(path), reading.faults)
        return made

    def _edit_servers(self) -> list[Edit]:
        """Return the edits of `servers`."""
        new = {n: each for n, each in self._added.items() if n not in self.servers}
        return self._edit_section("servers", new, 0)

    def _edit_agents(self) -> list[Edit]:
        """Return the edits of `agents`: new ones, and callers of known ones."""
        edits: list[Edit] = []
        new: dict[str, dict[str, RawValue]] = {}
        for client, servers in self._callers.items():
            callers: list[RawValue] = [{"stdio": name} for name in servers]
            allow = [
                self._allow_everything(name)
                for name in servers
                if name not in self._list_uncovered(client)
            ]
            if client not in self._known_agents:
                if not self._request.owner:
                    raise UsageError(
                        f"no owner of the agent {client} is known: the git "
                        "configuration of this home has no user.email",
                        "name its owner: --owner MAIL",
                    )
                new[client] = {
                    "owner": self._request.owner,
                    "mode": self._request.mode,
                    "baseline": {"values": True},
                    "callers": callers,
                    "allow": allow,
                }
                continue
            edits += self._extend_agent(client, "callers", callers)
            edits += self._extend_agent(client, "allow", allow)
        return edits + self._edit_section("agents", new, 2)

    def _extend_agent(self, client: str, key: str, items: list[RawValue]) -> list[Edit]:
        """Return the edits that add items to a list of a known agent."""
        if not items:
            return []
        if self._root.descend("agents", client, key) is None:
            return [AddMember(("agents", client), key, items)]
        return [AppendItem(("agents", client, key), item) for item in items]

    def _list_uncovered(self, client: str) -> list[str]:
        """List the added servers of a known agent that no longer only observes.

        They get no rule unasked. Client's own tools do: nothing is learned from them.
        """
        if client not in self._known_agents or self.get_mode(client) == "observe":
            return []
        return [n for n in self._callers[client] if "hook" not in self._added[n]]

    def _allow_everything(self, name: str) -> RawValue:
        """Return the rule of a new server: calls are learned before they are limited."""
        if "hook" in self._added[name]:
            return {"server": name, "tools": ["*"]}
        inputs: list[RawValue] = ["elicitation", "sampling", "roots"]
        every: list[RawValue] = ["*"]
        return {
            "server": name,
            "tools": every,
            "resources": list(every),
            "prompts": list(every),
            "inputs": inputs,
        }

    def _edit_section(
        self, section: str, added: dict[str, dict[str, RawValue]], levels: int
    ) -> list[Edit]:
        """Return the edits that add members to a section of named mappings."""
        node = self._root.get(section)
        if node is None and added:
            return [AddMember((), section, dict(added), levels + 1)]
        return [AddMember((section,), n, value, levels) for n, value in added.items()]
