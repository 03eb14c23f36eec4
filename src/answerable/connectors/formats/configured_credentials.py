"""Build credentials stated in MCP server entries and settings."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from answerable.connectors.formats.credential_locations import (
    FoundCredential,
    NamedText,
)
from answerable.connectors.formats.env_file import (
    EnvFileReader,
    find_env_file_credentials,
)
from answerable.connectors.formats.found_credential_facts import (
    SightingContext,
    build_credential,
    build_identity_link,
)
from answerable.connectors.formats.mcp_server_entry import McpServerEntry
from answerable.connectors.formats.named_login_files import (
    CONFIG,
    KUBECONFIG,
    SHARED,
    NamedLogins,
    read_login_files,
)
from answerable.connectors.formats.selected_logins import (
    ReferencedFileReader,
    find_selected_logins,
    resolve_login_reference,
)
from answerable.model.credential import (
    Credential,
    CredentialClass,
    CredentialLink,
    get_platform_of_default_credential,
)
from answerable.model.identity import Identity
from answerable.model.ids import CredentialId
from answerable.model.provenance import WrittenBy
from answerable.model.tool import REMOTE

_LOGIN_FILES = (KUBECONFIG, CONFIG, SHARED)


@dataclass(frozen=True, slots=True)
class ConfigOrigin:
    """Configuration file as the origin of its statements.

    Attributes:
        place: Path of the file.
        written_by: Possible author.
    """

    place: str
    written_by: WrittenBy


def contains_aws_files(mounted: str, home: str) -> bool:
    """Return whether a mounted path is or contains an AWS file of a home."""
    files = (f"{home}/.aws/config", f"{home}/.aws/credentials")
    return any(file == mounted or file.startswith(f"{mounted}/") for file in files)


@dataclass(slots=True)
class StatedCredentialReader:
    """Reader of the credentials in one client's files.

    Attributes:
        context: Context shared by all sightings.
        read_env_file: Reads an environment file that an entry names.
        read_named_file: Reads a credential file that an entry names.
        credentials: Sightings so far.
        links: Links to their identities, as far as stated.
    """

    context: SightingContext
    read_env_file: EnvFileReader
    read_named_file: ReferencedFileReader
    credentials: list[Credential] = field(default_factory=list)
    links: list[CredentialLink] = field(default_factory=list)
    identities: list[Identity] = field(default_factory=list)
    _stated: dict[tuple[str, str], tuple[CredentialId, ...]] = field(
        default_factory=dict
    )
    _in_env_file: dict[str, list[CredentialId]] = field(default_factory=dict)
    _logins: dict[tuple[str, tuple[tuple[str, str], ...]], NamedLogins | None] = field(
        default_factory=dict
    )

    def read_server_credentials(
        self, server: McpServerEntry, origin: ConfigOrigin
    ) -> tuple[CredentialId, ...]:
        """Return the credentials of a server entry, in file order."""
        key = (origin.place, server.pointer)
        if key not in self._stated:
            self._stated[key] = self._read_entry_credentials(server, origin)
        return self._stated[key]

    def add_found_credentials(
        self,
        credentials: Iterable[FoundCredential],
        origin: ConfigOrigin,
        *,
        resolve_references: bool = True,
        context: SightingContext | None = None,
    ) -> list[CredentialId]:
        """Add found credentials, and follow their references; return the ids of all."""
        context = context or self.context
        ids: list[CredentialId] = []
        for item in credentials:
            sighted = build_credential(item, origin.place, context, origin.written_by)
            self.credentials.append(sighted)
            ids.append(sighted.id)
            if (linked := build_identity_link(item, sighted)) is not None:
                self.links.append(linked[0])
                self.identities.append(linked[1])
            if not resolve_references:
                continue
            behind = resolve_login_reference(
                item, sighted, origin.place, context, self.read_named_file
            )
            self.credentials += behind.credentials
            self.links += behind.links
            self.identities += behind.identities
            ids += behind.ids
        return ids

    def _read_entry_credentials(
        self, server: McpServerEntry, origin: ConfigOrigin
    ) -> tuple[CredentialId, ...]:
        """Read all credentials that a server can use."""
        logins = self._read_login_files(server, origin)
        frame = logins.context if logins is not None else self.context
        chosen = [
            item
            for item in find_selected_logins(server, frame)
            if self._find_usable_credential(item, server) is not None
        ]
        decided = {get_platform_of_default_credential(item.kind) for item in chosen}
        decided_by_name = set(decided)
        ids = self.add_found_credentials(chosen, origin, context=frame)
        for item in server.found:
            reached = self._find_usable_credential(item, server)
            follow = reached is not None and item.name not in _LOGIN_FILES
            lying = self.add_found_credentials(
                (reached or item,), origin, resolve_references=follow, context=frame
            )
            if reached is not None and item.kind == "aws-profile":
                decided_by_name.add("aws")
            # An argument goes before the environment (AWS CLI, "Configuration
            # settings and precedence"), whose credentials lie there all the same.
            if (
                get_platform_of_default_credential(item.kind) not in decided
                and reached is not None
            ):
                ids += lying
        for name in server.env_files:
            ids += self._read_env_file(name, origin)
        if logins is not None:
            ids += logins.list_defaults_except(decided_by_name)
        return tuple(dict.fromkeys(ids))

    def _read_login_files(
        self, server: McpServerEntry, origin: ConfigOrigin
    ) -> NamedLogins | None:
        """Read the login files that an entry's environment names."""
        stated = {
            reached.name: reached.value
            for item in server.found
            if item.name in _LOGIN_FILES
            and item.cls is CredentialClass.FILE_REF
            and (reached := self._find_usable_credential(item, server)) is not None
        }
        key = (origin.place, tuple(sorted(stated.items())))
        if key in self._logins:  # many servers may name the same files
            return self._logins[key]
        found = read_login_files(
            stated, origin.place, self.context, self.read_named_file
        )
        self._logins[key] = found
        if found is not None:
            self.credentials += found.ambient.credentials
            self.links += found.ambient.links
            self.identities += found.ambient.identities
        return found

    def _find_usable_credential(
        self, item: FoundCredential, server: McpServerEntry
    ) -> FoundCredential | None:
        """Return the form in which a server can use a credential, None for none.

        A container has only passed variables and mounted host files, under container
        paths. A remote server has no file and no profile of this host.
        """
        login = (
            item.cls is CredentialClass.FILE_REF
            and get_platform_of_default_credential(item.kind)
        )
        if server.transport in REMOTE and login:
            return None
        run = server.container
        if run is None:
            return item
        if item.pointer in server.withheld:
            return None
        if item.cls is not CredentialClass.FILE_REF:
            return item
        if item.kind == "aws-profile":
            files = run.list_home_mounts(self._home_of_scope())
            return (
                item
                if any(
                    contains_aws_files(path, self._home_of_scope()) for path in files
                )
                else None
            )
        path = run.resolve_host_path(item.value)
        return replace(item, value=path) if path else None

    def _home_of_scope(self) -> str:
        """Return the home directory of the scope."""
        return self.context.scope.removeprefix("home:")

    def list_home_mounts(self, server: McpServerEntry) -> tuple[str, ...]:
        """List the home paths visible in a server's container, by absolute path."""
        home = self._home_of_scope()
        return (
            server.container.list_home_mounts(home) if server.container and home else ()
        )

    def _read_env_file(
        self, name: NamedText, origin: ConfigOrigin
    ) -> list[CredentialId]:
        """Read an environment file once; else a reference to it."""
        read = self.read_env_file(origin.place, name.value)
        if read is None:
            reference = FoundCredential(
                name.name,
                name.pointer,
                CredentialClass.FILE_REF,
                "env-file",
                name.value,
            )
            return self.add_found_credentials((reference,), origin)
        if read.place not in self._in_env_file:  # many servers may name one file
            lying = ConfigOrigin(read.place, self.context.written_by)
            self._in_env_file[read.place] = self.add_found_credentials(
                find_env_file_credentials(read), lying, resolve_references=False
            )
        return self._in_env_file[read.place]
