"""Credentials that server entries and settings state, each sighted once."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from answerable.connectors.formats.credential_position import Found, Position
from answerable.connectors.formats.env_file import ReadEnvFile, sight_variables
from answerable.connectors.formats.mcp_server import McpServer
from answerable.connectors.formats.sighting_frame import Frame, sight_credential
from answerable.connectors.formats.stated_choice import (
    ReadNamedFile,
    behind_reference,
    chosen_logins,
)
from answerable.model.credential import (
    Credential,
    CredentialClass,
    CredentialLink,
    platform_of,
)
from answerable.model.identity import Identity
from answerable.model.ids import CredentialId
from answerable.model.written import WrittenBy


@dataclass(frozen=True, slots=True)
class Origin:
    """A configuration file, as the origin of what it states.

    Attributes:
        place: Where it lies.
        written_by: Who could have written it.
    """

    place: str
    written_by: WrittenBy


@dataclass(slots=True)
class CredentialReader:
    """Reads the credentials that the files of one client state.

    Attributes:
        frame: Shared by all sightings.
        read_env_file: Reads an environment file that an entry names.
        read_named_file: Reads a credential file that an entry names.
        credentials: Sightings so far.
        links: Which identities they prove, as far as the files say.
        identities: These identities.
    """

    frame: Frame
    read_env_file: ReadEnvFile
    read_named_file: ReadNamedFile
    credentials: list[Credential] = field(default_factory=list)
    links: list[CredentialLink] = field(default_factory=list)
    identities: list[Identity] = field(default_factory=list)
    _stated: dict[tuple[str, str], tuple[CredentialId, ...]] = field(
        default_factory=dict
    )
    _in_env_file: dict[str, list[CredentialId]] = field(default_factory=dict)

    def stated_by(self, server: McpServer, origin: Origin) -> tuple[CredentialId, ...]:
        """Return the credentials of a server entry, in file order."""
        key = (origin.place, server.pointer)
        if key not in self._stated:
            self._stated[key] = self._entry(server, origin)
        return self._stated[key]

    def sight(self, found: Iterable[Found], origin: Origin) -> list[CredentialId]:
        """Make sightings, of what lies behind a reference too; return their ids."""
        ids: list[CredentialId] = []
        for item in found:
            sighted = sight_credential(
                item, origin.place, self.frame, origin.written_by
            )
            self.credentials.append(sighted)
            ids.append(sighted.id)
            behind = behind_reference(
                item, sighted, origin.place, self.frame, self.read_named_file
            )
            self.credentials += behind.credentials
            self.links += behind.links
            self.identities += behind.identities
            ids += behind.ids
        return ids

    def _entry(self, server: McpServer, origin: Origin) -> tuple[CredentialId, ...]:
        chosen = chosen_logins(server, self.frame)
        decided = {platform_of(item.kind) for item in chosen}
        ids = self.sight(chosen, origin)
        for item in server.found:
            lying = self.sight((item,), origin)
            # An argument goes before the environment (AWS CLI, "Configuration
            # settings and precedence"), whose credentials lie there all the same.
            if platform_of(item.kind) not in decided:
                ids += lying
        for name in server.env_files:
            ids += self._env_file(name, origin)
        return tuple(dict.fromkeys(ids))

    def _env_file(self, name: Position, origin: Origin) -> list[CredentialId]:
        read = self.read_env_file(origin.place, name.value)
        if read is None:
            reference = Found(
                name.name,
                name.pointer,
                CredentialClass.FILE_REF,
                "env-file",
                name.value,
            )
            return self.sight((reference,), origin)
        if read.place not in self._in_env_file:  # many servers may name one file
            sighted = sight_variables(read, self.frame)
            self.credentials += sighted
            self._in_env_file[read.place] = [item.id for item in sighted]
        return self._in_env_file[read.place]
