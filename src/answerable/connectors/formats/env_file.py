"""Detect credentials in environment files."""

from collections.abc import Callable
from dataclasses import dataclass

from answerable.connectors.formats.credential_locations import (
    FoundCredential,
    NamedText,
    find_in_environment,
)
from answerable.connectors.formats.dotenv import DotenvVariable
from answerable.connectors.formats.found_credential_facts import (
    SightingContext,
    build_credential,
)
from answerable.model.credential import Credential


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


def build_env_file_credentials(
    env_file: EnvFile, context: SightingContext
) -> list[Credential]:
    """Build the credentials in an environment file."""
    return [
        build_credential(item, env_file.place, context)
        for item in find_env_file_credentials(env_file)
    ]
