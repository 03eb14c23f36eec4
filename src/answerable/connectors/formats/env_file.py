"""Detect credentials in environment files."""

from collections.abc import Callable
from dataclasses import dataclass, field

from answerable.connectors.formats.credential_locations import (
    FoundCredential,
    NamedText,
    find_in_environment,
)
from answerable.connectors.formats.dotenv import DotenvVariable
from answerable.connectors.formats.found_credential_facts import (
    SightingContext,
    build_credential,
    build_identity_link,
)
from answerable.model.credential import Credential, CredentialLink
from answerable.model.identity import Identity


@dataclass(frozen=True, slots=True)
class EnvFile:
    """Environment file that was read: its place and variables."""

    place: str
    variables: tuple[DotenvVariable, ...]


# Given the configuration's place and the name it gives; None when it may not be read.
EnvFileReader = Callable[[str, str], EnvFile | None]


def find_env_file_credentials(env_file: EnvFile) -> tuple[FoundCredential, ...]:
    """Find the credentials in an environment file."""
    return find_in_environment(
        NamedText(variable.name, f"/{variable.name}", variable.value)
        for variable in env_file.variables
    )


@dataclass(slots=True)
class EnvFileFacts:
    """Credentials in environment files, and identities of their connection strings."""

    credentials: list[Credential] = field(default_factory=list)
    links: list[CredentialLink] = field(default_factory=list)
    identities: list[Identity] = field(default_factory=list)

    def add_file(self, env_file: EnvFile, context: SightingContext) -> None:
        """Add the credentials in one file."""
        for item in find_env_file_credentials(env_file):
            credential = build_credential(item, env_file.place, context)
            self.credentials.append(credential)
            if (linked := build_identity_link(item, credential)) is not None:
                self.links.append(linked[0])
                self.identities.append(linked[1])
