"""Plan the protection of a home's clients; nothing is written."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from answerable.connectors.formats.credential_locations import FoundCredential
from answerable.connectors.formats.document_edits import Edit, edit_document
from answerable.connectors.formats.document_node import DocumentNode, RawValue
from answerable.connectors.formats.document_parser import (
    DocumentFormat,
    parse_document,
)
from answerable.connectors.formats.mcp_server_entry import McpServerEntry
from answerable.connectors.formats.mcp_server_map import parse_server_maps
from answerable.model.credential import CredentialClass
from answerable.model.errors import ParseError
from answerable.services.protection.client_files import (
    ClientFile,
    find_client_files,
    find_link_target,
    find_obstacle,
)
from answerable.services.protection.gateway_config import GatewayConfig
from answerable.services.protection.protection_plan import (
    FileChange,
    MovedSecret,
    ProtectedServer,
    ProtectionPlan,
    ProtectionRequest,
    Refusal,
    ValueToCheck,
)
from answerable.services.protection.protection_state import read_present
from answerable.services.protection.server_rewrite import (
    ENVIRONMENT_KEYS,
    NotMovable,
    RewriteContext,
    ServerRewrite,
    find_wrapped_server,
    iter_command_nodes,
    read_command_words,
    rewrite_server,
    split_pointer,
)
from answerable.services.protection.tool_hooks import (
    HOOKS,
    build_hook_edits,
    has_hook,
)
from answerable.services.protection.unrecognised_values import (
    find_generated_values,
    list_unrecognised_values,
)

_MACHINE_PATHS = "will contain paths of this machine: do not commit it (`protect --repo` writes files that you can commit)"
_SECRET_REFERENCE = re.compile(rb"\{answerable:[^{}]*\}")
_IGNORED = b"*\n!.gitignore\n!answerable.yaml\n"


def build_protection_plan(request: ProtectionRequest) -> ProtectionPlan:
    """Plan the changes that put the servers of a home's clients behind the gateway.

    Raises:
        ParseError: The present configuration is no YAML, or cannot be extended.
        ConfigError: The extended configuration would be invalid.
    """
    home = None if request.is_repository else request.home
    files, refused = find_client_files(home, request.folder, request.clients)
    planner = _Planner(request, list(refused))
    for file in files:
        planner.plan_file(file)
    for client in HOOKS:
        if not request.is_repository and planner.has_client(client, files):
            planner.plan_hook(client)
    if request.is_repository and planner.servers:
        planner.plan_ignored_files()
    return planner.finish()


@dataclass(slots=True)
class _PlannedFile:
    """Content of a file as planned so far."""

    client: str
    before: bytes
    after: bytes
    what: list[str]
    exists: bool = True
    target: Path | None = None


@dataclass(slots=True)
class _Planner:
    """Planner that collects changes, secrets and refusals."""

    request: ProtectionRequest
    refused: list[Refusal]
    secrets: list[MovedSecret] = field(default_factory=list)
    servers: list[ProtectedServer] = field(default_factory=list)
    mediated: list[ProtectedServer] = field(default_factory=list)
    to_check: list[ValueToCheck] = field(default_factory=list)
    files: dict[Path, _PlannedFile] = field(default_factory=dict)
    config: GatewayConfig = field(init=False)
    config_before: bytes | None = field(init=False)

    def __post_init__(self) -> None:
        path = self.request.config_path
        self.config_before = read_present(path)
        self.config = GatewayConfig(self.request, self.config_before)

    def has_client(self, client: str, files: Iterable[ClientFile]) -> bool:
        """Return whether a client is asked for and has a file in the home."""
        if self.request.clients and client not in self.request.clients:
            return False
        folder = (self.request.home / HOOKS[client].path).parent
        return folder.is_dir() or any(file.kind.client == client for file in files)

    def plan_file(self, file: ClientFile) -> None:
        """Plan the changes of the servers of one file."""
        client, form = file.kind.client, file.kind.form
        try:
            root = parse_document(file.data, form, "").root
        except ParseError as error:
            self._add_refusal(
                file.path, client, "", f"the file cannot be read: {error.reason}"
            )
            return
        edits: list[Edit] = []
        for entry, parsed in _iter_servers(file, root):
            rewrite = self._plan_server(file, entry, parsed)
            if rewrite is None:
                continue
            before = self._get_planned(file.path, client, file.data, file.target)
            edits += rewrite.edits
            try:
                after = edit_document(file.data, form, tuple(edits))
            except ParseError as error:
                del edits[-len(rewrite.edits) :]
                self._refuse_entry(file, parsed, error.reason)
                continue
            if before.after == before.before and self._may_be_committed(file.path):
                before.what.append(_MACHINE_PATHS)
            before.after = after
            self._add_accepted_rewrite(file, parsed.name, before, rewrite)

    def _may_be_committed(self, path: Path) -> bool:
        """Return whether a file that gets paths of this machine is in a repository."""
        folder = self.request.folder
        if self.request.is_repository or folder is None:
            return False
        inside = path.is_relative_to(folder) and folder != self.request.home
        return inside and any(
            (up / ".git").exists() for up in (folder, *folder.parents)
        )

    def plan_hook(self, client: str) -> None:
        """Plan the pre-tool hook of a client."""
        hooks = HOOKS[client]
        path = self.request.home / hooks.path
        reason = find_obstacle(path, self.request.home, is_home=True)
        known = self.files.get(path)
        exists = path.exists()
        before = known.before if known else b""
        if not (known or reason):
            before = read_present(path) or b""
        if not reason:
            try:
                current = known.after if known else before or b"{}\n"
                self._add_hook(path, client, before, current, exists=exists)
            except ParseError as error:
                reason = error.reason
        if reason:
            self._add_refusal(path, client, "", f"no hook can be installed: {reason}")

    def plan_ignored_files(self) -> None:
        """Plan the list of files that git ignores: keys, and the state of `protect`."""
        path = self.request.config_path.with_name(".gitignore")
        if path.exists():
            return
        planned = self._get_planned(path, "", b"", exists=False)
        planned.after = _IGNORED
        planned.what.append("keeps keys and backups out of commits")

    def _add_hook(
        self, path: Path, client: str, before: bytes, current: bytes, *, exists: bool
    ) -> None:
        """Add the hook to the settings of a client, unless they have it."""
        root = parse_document(current, DocumentFormat.JSON, "").root
        if has_hook(root, client):
            return
        request = self.request
        words = (
            *request.gateway_command,
            "hook",
            client,
            "--config",
            str(request.config_path),
        )
        edits = build_hook_edits(
            root, client, words, enforces=self.config.get_mode(client) == "enforce"
        )
        after = edit_document(current, DocumentFormat.JSON, edits)
        if not exists:
            after = (json.dumps(json.loads(after), indent=2) + "\n").encode()
        target = find_link_target(path, request.home)
        planned = self._get_planned(path, client, before, target, exists=exists)
        planned.after = after
        planned.what.append("installs the hook before each tool call")
        declared: dict[str, RawValue] = {"hook": client}
        former = self.config.list_former_names(client)
        names = [each for each in former if self.config.has_server(each, declared)]
        if not names:
            names = [self.config.choose_name(client, f"{client}-tools")]
        self.config.add_server(client, names[0], declared)

    def finish(self) -> ProtectionPlan:
        """Return the plan: the configuration first, then the clients' files."""
        after = self.config.render()
        changes = [
            FileChange(
                path,
                each.client,
                each.before,
                each.after,
                tuple(each.what),
                exists=each.exists,
                target=each.target,
            )
            for path, each in self.files.items()
            if each.after != each.before
        ]
        if after != (self.config_before or b""):
            what = tuple(f"declares agent {name}" for name in self.config.agents)
            config = FileChange(
                self.request.config_path,
                "",
                self.config_before or b"",
                after,
                what,
                self.config_before is not None,
            )
            changes.insert(0, config)
        return ProtectionPlan(
            changes=tuple(changes),
            secrets=tuple(self.secrets),
            agents=self.config.agents,
            servers=tuple(self.servers),
            refused=tuple(self.refused),
            mediated=tuple(self.mediated),
            uncovered=self.config.uncovered,
            to_check=tuple(self.to_check),
        )

    def _plan_server(
        self, file: ClientFile, entry: DocumentNode, parsed: McpServerEntry
    ) -> ServerRewrite | None:
        """Plan the rewrite of one entry; None where it stays."""
        client = file.kind.client
        wrapped = find_wrapped_server(entry)
        words = read_command_words(entry)
        if wrapped and "--" in words:
            words = words[words.index("--") + 1 :]
        known = [e.value for e in parsed.found if e.cls is CredentialClass.LITERAL]
        known += [e.value for e in find_generated_values(iter_command_nodes(entry))]
        environment = entry.get(*ENVIRONMENT_KEYS)
        self.to_check += [
            ValueToCheck(client, parsed.name, each)
            for each in list_unrecognised_values(words, environment, known)
        ]
        if wrapped:
            self.mediated.append(ProtectedServer(client, parsed.name, wrapped))
            for found in _find_credentials_in_place(file, parsed):
                if found.cls is CredentialClass.LITERAL:
                    self._refuse_secret(file, parsed.name, found.name)
            return None
        try:
            for name in self.config.list_former_names(client):
                made = self._rewrite_entry(entry, parsed, client, name)
                if self._is_free_again(made):
                    return made
            name = self.config.choose_name(client, parsed.name)
            return self._rewrite_entry(entry, parsed, client, name)
        except NotMovable as reason:
            self._refuse_entry(file, parsed, str(reason))
            return None

    def _is_free_again(self, made: ServerRewrite) -> bool:
        """Return whether a declared server is the same, and no entry has its secrets."""
        locate = self.request.locate_secret
        return self.config.has_server(made.server, made.declared) and all(
            read_present(locate(path)) is None for _, path, _ in made.secrets
        )

    def _rewrite_entry(
        self, entry: DocumentNode, parsed: McpServerEntry, client: str, name: str
    ) -> ServerRewrite:
        """Rewrite an entry so that it reaches a server of the configuration.

        Raises:
            NotMovable: The gateway cannot take it over.
        """
        request = self.request
        config = request.name_config_for(client)
        wrapper = ("gateway", "stdio", "--config", config)
        words = (*request.gateway_command, *wrapper, "--server", name)
        context = RewriteContext(client, name, words, request.secret_folder)
        made = rewrite_server(entry, parsed, context)
        if made.kept and (request.is_repository or request.is_managed):
            # The command, with the secret, would be in the shared configuration.
            raise NotMovable("the entry contains a key that the client itself uses")
        fault = self.config.find_fault(name, made.declared)
        if fault:
            raise NotMovable(f"the configuration cannot declare it: {fault}")
        return made

    def _add_accepted_rewrite(
        self, file: ClientFile, entry: str, planned: _PlannedFile, made: ServerRewrite
    ) -> None:
        """Add an accepted rewrite to the plan."""
        client = file.kind.client
        server = made.server
        self.config.add_server(client, server, made.declared)
        self.servers.append(ProtectedServer(client, entry, server))
        planned.what.append(f"{entry}: through the gateway as {server}")
        for name, place, value in made.secrets:
            path = self.request.locate_secret(place)
            planned.what.append(f"{entry}: {name} moves to {path}")
            self.secrets.append(MovedSecret(client, server, name, path, value))
        for name in made.kept:
            self._refuse_secret(file, entry, name)

    def _refuse_secret(self, file: ClientFile, entry: str, name: str) -> None:
        """Add a literal secret that stays in an entry of a client's file."""
        reason = f"{name or 'a secret'} is not moved: the client itself uses it"
        self._add_refusal(file.path, file.kind.client, entry, reason)

    def _refuse_entry(
        self, file: ClientFile, parsed: McpServerEntry, reason: str
    ) -> None:
        """Add a server entry that stays as it is, with its literal keys."""
        keys = tuple(
            each.name for each in parsed.found if each.cls is CredentialClass.LITERAL
        )
        refusal = Refusal(file.path, file.kind.client, parsed.name, reason, keys)
        self.refused.append(refusal)

    def _get_planned(
        self,
        path: Path,
        client: str,
        data: bytes,
        target: Path | None = None,
        *,
        exists: bool = True,
    ) -> _PlannedFile:
        """Return the planned content of a file, at first its present one."""
        said = [] if target is None else [f"the file is at {target}; the link stays"]
        made = _PlannedFile(client, data, data, said, exists, target)
        return self.files.setdefault(path, made)

    def _add_refusal(self, path: Path, client: str, server: str, reason: str) -> None:
        """Add a part that stays as it is."""
        self.refused.append(Refusal(path, client, server, reason))


def _iter_servers(
    file: ClientFile, root: DocumentNode
) -> Iterator[tuple[DocumentNode, McpServerEntry]]:
    """Yield the server entries of a file with their nodes."""
    for parsed in parse_server_maps(file.kind, root).servers:
        node: DocumentNode | None = root
        for key in split_pointer(parsed.pointer):
            if node is not None and node.is_array:
                node = next(
                    (i for n, i in enumerate(node.items()) if str(n) == key), None
                )
            elif node is not None:
                node = node.get(key)
        if node is not None:
            yield node, parsed


def _find_credentials_in_place(
    file: ClientFile, parsed: McpServerEntry
) -> tuple[FoundCredential, ...]:
    """Find the credentials in an entry, except our references to moved secrets.

    A shell's line (`KEY={answerable:NAME} exec ...`) does not show that they are none.
    """
    data = _SECRET_REFERENCE.sub(b"$ANSWERABLE", file.data)
    if data == file.data:
        return parsed.found
    root = parse_document(data, file.kind.form, "").root
    entries = parse_server_maps(file.kind, root).servers
    return next(each.found for each in entries if each.pointer == parsed.pointer)
